"""One kind of problem in the tables of an SQL catalogue, and the checks that both engines understand."""

from dataclasses import dataclass

from pypi_registry.model import Status


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of problem."""

    sentence: str
    """A format of the columns that `find` returns."""
    find: str
    repair: str = ""
    """A statement without parameters; empty if the correct rows are not known."""


_STATUSES = ", ".join(f"'{status}'" for status in Status)

FILES_OF_OTHER_PROJECTS = Check(
    "the file {} ({!r}) is in project {}, but its package {} is in project {}",
    "SELECT f.id, f.filename, f.project_id, p.id, p.project_id FROM files f JOIN packages p ON p.id = f.package_id "
    "WHERE f.project_id != p.project_id",
)
INVALID_STATUSES = Check(
    "the status of {!r} in project {} is {!r}, which is not a status",
    f"SELECT name, project_id, status FROM statuses WHERE status NOT IN ({_STATUSES})",
)
