"""The data folder of ``serve``, and what a first start puts into it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from pypi_registry.accounts import Token, token_digest
from pypi_registry.accounts.tokens import new_secret, toml_table

USER = "owner"
PROJECT = 1
_PROJECT_PATH = "main/packages"
EXAMPLE = "mypypipackage"
"""GitLab's name for a package in an example; whoever has it in the public index is a stranger."""

_REGISTRY_TOML = """\
# Who may do what in this registry. A change is taken up within seconds, without a restart; a mistake leaves all as it
# was, and is named on the standard error stream.

forward_to = true            # names that are not here: true sends clients to the public PyPI, false nowhere;
                             # or the address of another simple index
max_file_size = 3221225472   # bytes; a file must be smaller
reserved = ["{example}"] # names that are never forwarded: put yours here, such as "acme-*"
forward_always = []          # names that are forwarded although somebody here once published them

# A group is a part of the paths of its projects. It needs a table only if it has settings of its own.
# [[groups]]
# id = 1
# path = "main"
# visibility = "private"     # public, internal (anyone with a token), private (the default)
# forward = false            # instead of forward_to, for this group and everything below it
# reserved = ["main-*"]

[[projects]]
id = {project}
path = "{path}"
visibility = "private"       # public, internal (anyone with a token), private (the default)
# job_token_allowlist = ["main/deploy"]   # projects whose job tokens may come in
# protect = [{{ name = "core-*", minimum_push = "maintainer", minimum_delete = "owner" }}]

[[users]]
name = "{user}"
admin = false
roles = {{ "main" = "owner" }}            # on a group and all below it, or on a project:
                                        # guest (reads), reporter, developer (publishes), maintainer, owner

# Make more of these with: python -m pypi_registry token
{token}"""


class UnusableData(Exception):
    """Says why the data folder, or a file in it, cannot be used."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where ``serve`` keeps everything."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "registry.toml"

    @property
    def catalogue(self) -> Path:
        return self.folder / "catalogue.sqlite3"

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def spool(self) -> Path:
        """Where the server keeps bodies until the application sees them."""
        return self.folder / "tmp"

    def prepare(self) -> None:
        """Make the folder if it is missing, and empty the spool.

        :raises UnusableData: if there is a ``tmp`` that could be somebody else's.
        :raises OSError: if the folder cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.spool.is_symlink():
            raise UnusableData(self.spool, "this is a link, and would be emptied")
        if self.spool.exists():
            if any(self.spool.iterdir()) and not self.catalogue.exists():
                raise UnusableData(self.folder, "this holds a tmp/ with files, and is no data folder of this program")
            shutil.rmtree(self.spool)
        self.spool.mkdir(mode=0o700)

    def first_config(self) -> str | None:
        """Write a ``registry.toml`` if there is none; give the secret of its token, which is kept nowhere."""
        if self.config.exists():
            return None
        secret = new_secret()
        token = Token(name="made by the first start", user=USER, scopes=frozenset({"api"}), sha256=token_digest(secret))
        text = _REGISTRY_TOML.format(
            project=PROJECT, path=_PROJECT_PATH, user=USER, example=EXAMPLE, token=toml_table(token)
        )
        unfinished = self.config.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)  # before anybody is told the secret of a token that a power cut would forget
        unfinished.replace(self.config)
        return secret
