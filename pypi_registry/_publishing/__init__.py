"""Changes of a registry: upload forms, checks of uploads, publishing and deleting. Nothing here depends on HTTP."""
