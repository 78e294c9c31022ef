"""The data types: values that never change."""

import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from datetime import UTC, datetime
from itertools import combinations, permutations

import pytest
from packaging.utils import NormalizedName

from pypi_registry import events, model, storage
from pypi_registry.model import (
    Digests,
    Group,
    Listing,
    NameStatus,
    Package,
    PackageFile,
    Project,
    Projects,
    Status,
    Upload,
    Visibility,
)

DATA_TYPES = [
    kind
    for module in (model, events, storage)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.__name__
]


@pytest.mark.parametrize("kind", DATA_TYPES)
def test_a_data_type_is_frozen_and_has_slots(kind: type) -> None:
    value: object = object.__new__(kind)
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(kind)[0].name, None)
    assert not hasattr(value, "__dict__")


# Projects and groups


@pytest.mark.parametrize("kind", [Project, Group])
def test_a_namespace_is_a_value(kind: type[Project] | type[Group]) -> None:
    namespace = kind(1, "acme/tools", visibility=Visibility.PUBLIC)
    for same in (kind(1, "acme/tools", "", Visibility.PUBLIC), pickle.loads(pickle.dumps(namespace))):
        assert same == namespace
        assert hash(same) == hash(namespace)
    assert replace(namespace, path="acme/other") != namespace


def test_a_project_is_not_equal_to_a_group_with_the_same_fields() -> None:
    namespaces: set[Project | Group] = {Project(1, "acme"), Group(1, "acme")}
    assert len(namespaces) == 2


def test_a_namespace_is_private_unless_it_is_declared_otherwise() -> None:
    assert Project(1, "acme/tools").visibility is Group(1, "acme").visibility is Visibility.PRIVATE


@pytest.mark.parametrize(
    ("project", "title", "root"),
    [
        (Project(1, "Acme/libs/Tools"), "Tools", "acme"),
        (Project(1, "Acme/libs/Tools", "The tools"), "The tools", "acme"),
        (Project(1, "Tools"), "Tools", "tools"),
    ],
)
def test_the_title_and_the_root_of_a_namespace(project: Project, title: str, root: str) -> None:
    assert (project.title, project.root) == (title, root)


# Projects

TOOLS, LIBS, OTHER = Project(1, "acme/tools"), Project(2, "Acme/libs"), Project(3, "other/place")
ALL = Projects([TOOLS, LIBS, OTHER])


def of(*ids: int) -> Projects:
    return Projects(Project(id_, f"acme/p{id_}") for id_ in ids)


def test_projects_are_a_sized_collection_in_their_order() -> None:
    assert [*Projects([OTHER, TOOLS, LIBS])] == [OTHER, TOOLS, LIBS]
    assert Projects([OTHER, TOOLS]).ids == (3, 1)
    assert (len(ALL), len(Projects())) == (3, 0)
    assert (bool(ALL), bool(Projects())) == (True, False)


def test_projects_may_come_from_an_iterator() -> None:
    assert Projects(iter([TOOLS, LIBS])) == Projects([TOOLS, LIBS])


def test_a_project_that_is_given_twice_is_one() -> None:
    assert Projects([TOOLS, TOOLS]) == Projects([TOOLS])
    assert [*Projects([TOOLS, replace(TOOLS, name="New")])] == [replace(TOOLS, name="New")]


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        pytest.param(TOOLS, True, id="a project"),
        pytest.param(TOOLS.id, True, id="its id"),
        pytest.param(replace(TOOLS, path="acme/moved"), False, id="a project that has changed"),
        pytest.param(Project(9, "acme/tools"), False, id="another project with its path"),
        pytest.param(9, False, id="an unknown id"),
        pytest.param("acme/tools", False, id="a path"),
        pytest.param(Group(1, "acme"), False, id="a group with an id of a project"),
    ],
)
def test_membership(member: object, expected: bool) -> None:
    assert (member in ALL) is expected


def test_a_project_is_found_by_its_id() -> None:
    assert ALL.get(2) is LIBS
    assert ALL.get(9) is None


def test_only_some_projects_are_new_projects_in_the_same_order() -> None:
    assert [*ALL.only(lambda project: project.root == "acme")] == [TOOLS, LIBS]
    assert ALL.only(lambda project: False) == Projects()


def test_only_returns_the_same_object_if_all_projects_meet_the_condition() -> None:
    assert ALL.only(lambda project: True) is ALL


def test_the_roots_are_those_of_all_projects_in_lower_case() -> None:
    assert ALL.roots == {"acme", "other"}
    assert Projects([TOOLS, LIBS]).roots == {"acme"}
    assert Projects().roots == frozenset()


def test_projects_are_equal_if_they_contain_equal_projects() -> None:
    assert Projects([TOOLS, LIBS]) == Projects([LIBS, TOOLS])
    assert Projects([TOOLS]) != Projects([LIBS])
    assert Projects([TOOLS]) != Projects([replace(TOOLS, visibility=Visibility.PUBLIC)])
    assert Projects([TOOLS]) != Projects([TOOLS, LIBS])
    assert Projects([TOOLS]) != [TOOLS]


def test_equal_projects_have_equal_hashes() -> None:
    assert hash(Projects([TOOLS, LIBS])) == hash(Projects([LIBS, TOOLS]))
    assert {Projects([TOOLS]): "found"}[Projects([TOOLS])] == "found"


@pytest.mark.parametrize("count", range(8))
def test_the_cache_key_is_equal_for_equal_sets_of_ids_in_any_order(count: int) -> None:
    ids = range(1, count + 1)
    orders = [*permutations(ids)] if count < 6 else [tuple(ids), tuple(reversed(ids))]
    assert len({of(*order).cache_key for order in orders}) == 1
    # A project that has moved is another value, but it has the same packages.
    moved = Projects(Project(id_, f"other/p{id_}") for id_ in ids)
    assert moved.cache_key == of(*ids).cache_key


def test_the_cache_keys_of_different_sets_of_ids_differ() -> None:
    ids = [1, 2, 3, 12, 23, 123]  # their digits can be joined in several ways
    sets = [each for count in range(len(ids) + 1) for each in combinations(ids, count)]
    assert len({of(*each).cache_key for each in sets}) == len(sets)


def test_the_cache_key_of_many_projects_is_small() -> None:
    key = of(*range(10_000)).cache_key
    assert isinstance(key, bytes)
    assert len(key) == 32


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda projects: setattr(projects, "ids", ()), id="ids"),
        pytest.param(lambda projects: setattr(projects, "cache_key", None), id="cache_key"),
        pytest.param(lambda projects: setattr(projects, "extra", 1), id="a new attribute"),
        pytest.param(lambda projects: projects.ids.append(4), id="append an id"),
        pytest.param(lambda projects: projects.roots.add("x"), id="add a root"),
        pytest.param(lambda projects: projects.__setitem__(0, TOOLS), id="replace a project"),
    ],
)
def test_projects_cannot_be_changed(change: Callable[[Projects], object]) -> None:
    projects = Projects([TOOLS, LIBS])
    with pytest.raises((AttributeError, TypeError)):
        change(projects)
    assert projects == Projects([TOOLS, LIBS])


def test_projects_do_not_change_with_the_list_that_they_came_from() -> None:
    given = [TOOLS]
    projects = Projects(given)
    given.append(LIBS)
    assert projects.ids == (1,)


def test_projects_are_pickled_with_their_value() -> None:
    again = pickle.loads(pickle.dumps(ALL))
    assert (again, again.ids, again.cache_key) == (ALL, ALL.ids, ALL.cache_key)


def test_the_repr_of_many_projects_is_short() -> None:
    assert repr(Projects([TOOLS])) == f"Projects([{TOOLS!r}])"
    assert repr(of(*range(1000))) == "<1000 projects>"


# Statuses and listings


@pytest.mark.parametrize(
    ("status", "accepts_uploads", "offers_files"),
    [
        (Status.ACTIVE, True, True),
        (Status.DEPRECATED, True, True),
        (Status.ARCHIVED, False, True),
        (Status.QUARANTINED, False, False),
    ],
)
def test_what_a_status_allows(status: Status, accepts_uploads: bool, offers_files: bool) -> None:
    assert (status.accepts_uploads, status.offers_files) == (accepts_uploads, offers_files)


def test_every_status_is_in_the_table_above() -> None:
    assert {*Status} == {Status.ACTIVE, Status.DEPRECATED, Status.ARCHIVED, Status.QUARANTINED}


DEMO = NormalizedName("demo")
AT = datetime(2024, 1, 1, tzinfo=UTC)


def file_in(project_id: int, digit: str = "", yanked: str | None = None) -> PackageFile:
    package = Package(project_id * 10, project_id, "demo", DEMO, "1.0", AT, yanked)
    digests = Digests(64 * (digit or str(project_id)))
    return PackageFile(project_id * 100, package, "demo-1.0.tar.gz", 1, digests, "", AT, "0" * 32)


ACTIVE, ARCHIVED = NameStatus(), NameStatus(Status.ARCHIVED, "done")
QUARANTINED, OTHER_REASON = NameStatus(Status.QUARANTINED), NameStatus(Status.ARCHIVED, "moved")


@pytest.mark.parametrize(
    ("statuses", "status", "offered"),
    [
        pytest.param([ACTIVE], ACTIVE, [1], id="active"),
        pytest.param([ARCHIVED], ARCHIVED, [1], id="archived"),
        pytest.param([QUARANTINED], QUARANTINED, [], id="quarantined"),
        pytest.param([ARCHIVED, ARCHIVED], ARCHIVED, [1, 2], id="projects that agree"),
        pytest.param([ARCHIVED, OTHER_REASON], ACTIVE, [1, 2], id="projects with two reasons"),
        pytest.param([ARCHIVED, QUARANTINED], ACTIVE, [1], id="quarantined in one project"),
        pytest.param([QUARANTINED, QUARANTINED], QUARANTINED, [], id="quarantined in all projects"),
    ],
)
def test_a_listing_has_the_status_on_which_all_projects_agree(
    statuses: list[NameStatus], status: NameStatus, offered: list[int]
) -> None:
    by_project = dict(enumerate(statuses, start=1))
    listing = Listing([file_in(project_id) for project_id in by_project], by_project)
    assert listing.status == status
    assert [file.package.project_id for file in listing.offered_files] == offered


@pytest.mark.parametrize(
    ("files", "offered"),
    [
        pytest.param([file_in(1, "a"), file_in(2, "b")], ["1a", "2b"], id="two contents"),
        pytest.param([file_in(1, "a"), file_in(2, "a")], ["2a"], id="copies: the newest"),
        pytest.param(
            [file_in(1, "a"), file_in(2, "b"), file_in(3, "a")], ["2b", "3a"], id="in the order of the newest copies"
        ),
        pytest.param([file_in(1, "a", "old"), file_in(2, "b")], ["1a old", "2b"], id="one content is yanked"),
        pytest.param([file_in(1, "a", "bad"), file_in(2, "a")], ["2a"], id="the older copy is yanked"),
        pytest.param([file_in(1, "a"), file_in(2, "a", "bad")], ["2a"], id="the newer copy is yanked"),
        pytest.param(
            [file_in(1, "a", ""), file_in(2, "a"), file_in(3, "a", "bad")], ["3a"], id="all copies but one are yanked"
        ),
        pytest.param([file_in(1, "a", "bad"), file_in(2, "a", "worse")], ["2a worse"], id="all copies are yanked"),
        pytest.param([file_in(1, "a"), file_in(9, "a")], ["1a"], id="a copy is quarantined"),
        pytest.param(
            [file_in(1, "a", "bad"), file_in(9, "a")], ["1a bad"], id="all copies that are offered are yanked"
        ),
        pytest.param([file_in(9, "a"), file_in(1, "b")], ["1b"], id="one content is quarantined"),
    ],
)
def test_a_listing_offers_each_content_of_a_file_name_once(files: list[PackageFile], offered: list[str]) -> None:
    statuses = {number: NameStatus() for number in (1, 2, 3)} | {9: QUARANTINED}
    found = Listing(files, statuses).offered_files
    texts = [f"{file.package.project_id}{file.digests.sha256[0]} {file.package.yanked or ''}".strip() for file in found]
    assert texts == offered


# Uploads


@pytest.mark.parametrize(
    ("core_metadata", "sha256"),
    [
        (None, None),
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ],
)
def test_the_digest_of_core_metadata(core_metadata: bytes | None, sha256: str | None) -> None:
    upload = Upload("demo", DEMO, "1.0", "demo-1.0.tar.gz", 1, Digests("0" * 64), "", core_metadata=core_metadata)
    assert upload.core_metadata_sha256 == sha256
