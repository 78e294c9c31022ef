"""Writes a user or a project as a table of ``registry.toml``."""

from pypi_registry.accounts.config import ProjectConfig, User
from pypi_registry.accounts.tokens import toml_value
from pypi_registry.model import Visibility


def user_table(user: User) -> str:
    """Return the table of a user.

    >>> print(user_table(User(name="ada", admin=True)), end="")
    [[users]]
    name = "ada"
    admin = true
    """
    roles = ", ".join(f"{toml_value(path)} = {toml_value(role.name.lower())}" for path, role in user.roles.items())
    lines = ["[[users]]", f"name = {toml_value(user.name)}"]
    lines += ["admin = true"] if user.admin else []
    lines += [f"roles = {{ {roles} }}"] if roles else []
    return "\n".join(lines) + "\n"


def project_table(project: ProjectConfig) -> str:
    """Return the table of a project without its lists, which people write by hand.

    >>> print(project_table(ProjectConfig(id=2, path="acme/tools")), end="")
    [[projects]]
    id = 2
    path = "acme/tools"
    """
    lines = ["[[projects]]", f"id = {project.id}", f"path = {toml_value(project.path)}"]
    if project.visibility is not Visibility.PRIVATE:
        lines.append(f"visibility = {toml_value(str(project.visibility))}")
    return "\n".join(lines) + "\n"
