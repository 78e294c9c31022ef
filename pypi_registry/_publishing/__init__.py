"""What changes a registry: upload forms, the checks of an upload, publishing and deleting. Nothing here knows HTTP."""
