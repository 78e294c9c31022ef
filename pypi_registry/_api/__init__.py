"""GitLab's endpoints: routes, access rules, and the response of each endpoint."""
