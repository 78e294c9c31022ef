"""A ready-made directory and auth: users, roles, tokens, projects and groups, from a TOML file or from Python."""

from pypi_registry.accounts.accounts import Accounts as Accounts
from pypi_registry.accounts.config import GroupConfig as GroupConfig
from pypi_registry.accounts.config import InvalidConfig as InvalidConfig
from pypi_registry.accounts.config import ProjectConfig as ProjectConfig
from pypi_registry.accounts.config import ProtectionRule as ProtectionRule
from pypi_registry.accounts.config import Role as Role
from pypi_registry.accounts.config import Token as Token
from pypi_registry.accounts.config import TokenKind as TokenKind
from pypi_registry.accounts.config import User as User
from pypi_registry.accounts.tokens import token_digest as token_digest
