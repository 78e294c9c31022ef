"""Ready-made users, roles, tokens, projects and groups, from a TOML file or from Python: the public names."""

from pypi_registry.accounts.accounts import Accounts as Accounts
from pypi_registry.accounts.entries import GroupEntry as GroupEntry
from pypi_registry.accounts.entries import InvalidSetting as InvalidSetting
from pypi_registry.accounts.entries import ProjectEntry as ProjectEntry
from pypi_registry.accounts.entries import Protection as Protection
from pypi_registry.accounts.entries import Role as Role
from pypi_registry.accounts.entries import Token as Token
from pypi_registry.accounts.entries import TokenKind as TokenKind
from pypi_registry.accounts.entries import User as User
from pypi_registry.accounts.entries import token_digest as token_digest
