"""The application's tables: users, groups, projects, and the digests of tokens."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    memberships: Mapped[list["Membership"]] = relationship()


class Group(Base):
    __tablename__ = "groups"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(collation="NOCASE"), unique=True)
    """``acme``, or ``acme/libs`` for a group in a group."""


class Project(Base):
    __tablename__ = "projects"
    # Packages belong to the id of their project, so an id must never be used twice.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  # SQLAlchemy's way

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(collation="NOCASE"), unique=True)
    public: Mapped[bool] = mapped_column(default=False)


class Membership(Base):
    """Lets a user read the packages of a group and of all groups below it, and perhaps publish there."""

    __tablename__ = "memberships"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id), primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey(Group.id), primary_key=True)
    publishes: Mapped[bool] = mapped_column(default=False)
    group: Mapped[Group] = relationship()


class Token(Base):
    __tablename__ = "tokens"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id))
