"""GitLab's endpoints: routes, access rules, and what each endpoint answers."""
