"""Tests of `revision`, which decides whether a cached page is rendered again: before and after each kind of change.

Tests with several threads are in `concurrency`, those with a second instance in `durability`.
"""

from collections.abc import Callable
from itertools import pairwise

from pypi_registry.errors import FileTaken
from pypi_registry.model import NameStatus, Project, Projects, Status
from pypi_registry.storage import Catalogue
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    IN_ACME,
    IN_LIBS,
    IN_OUTSIDE,
    IN_THREE,
    IN_TOOLS,
    LIBS,
    MOVED_TOOLS,
    OTHER,
    OUTSIDE,
    TOOLS,
    CatalogueHooks,
    add,
    everything,
    revisions,
    upload,
)
from pypi_registry.testing.contracts.threads import raised

_SINGLE = (IN_TOOLS, IN_LIBS, IN_OUTSIDE)
_WITH_TOOLS = (IN_TOOLS, IN_ACME, IN_THREE)
_NEIGHBOUR = Project(5, "moved/neighbour")
_MOVED_GROUP = Projects([MOVED_TOOLS, _NEIGHBOUR])
_DEPRECATED = NameStatus(Status.DEPRECATED)


class Revisions(CatalogueHooks):
    """Tests of `Catalogue.revision`. Revisions are compared for equality and nothing else."""

    def test_there_is_a_revision_where_there_is_something_to_show(self) -> None:
        catalogue = self.make_catalogue()
        assert {*revisions(catalogue).values()} == {None}
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        for projects in _WITH_TOOLS:
            assert catalogue.revision(projects, DEMO) is not None
            assert catalogue.revision(projects, None) is not None
            assert catalogue.revision(projects, OTHER) is None
        for projects in (IN_LIBS, IN_OUTSIDE):
            assert catalogue.revision(projects, DEMO) is catalogue.revision(projects, None) is None
        assert all(hash(revision) is not None for revision in revisions(catalogue).values())
        catalogue.delete_file(TOOLS, file.id, "")
        assert {*revisions(catalogue, [DEMO], [IN_TOOLS]).values()} == {None}

    def test_every_change_of_a_page_changes_its_revision(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-0.zip")  # it stays, so that there always is a page
        for number, change in enumerate(_changes(catalogue, TOOLS)):
            before = [catalogue.revision(projects, DEMO) for projects in _WITH_TOOLS]
            change()
            after = [catalogue.revision(projects, DEMO) for projects in _WITH_TOOLS]
            assert all(was != now for was, now in zip(before, after, strict=True)), f"change {number}"

    def test_a_revision_of_several_projects_changes_with_each_of_them(self) -> None:
        catalogue = self.make_catalogue()
        for name in ("demo", "other"):
            for project in (OUTSIDE, LIBS, TOOLS, LIBS):
                before = revisions(catalogue, [DEMO], [IN_THREE])
                add(catalogue, project, upload(f"{name}-{before}.zip", f"{name}-{project.id}"))
                add(catalogue, project, f"demo-{name}-{before}.zip")
                after = revisions(catalogue, [DEMO], [IN_THREE])
                assert after[IN_THREE, DEMO] != before[IN_THREE, DEMO], (name, project)
                if project.id != LIBS.id:  # it comes twice, and its index changes once
                    assert after[IN_THREE, None] != before[IN_THREE, None], (name, project)

    def test_the_revision_of_the_index_changes_with_the_first_and_the_last_package_of_a_name(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, upload("other.zip", "other"))
        for by_file in (True, False):
            seen = [_of_indexes(catalogue)]
            one, two = add(catalogue, TOOLS, "demo-1.zip"), add(catalogue, TOOLS, upload("demo-2.zip", version="2"))
            seen.append(_of_indexes(catalogue))
            catalogue.delete_package(TOOLS, one.package.id, "")
            assert catalogue.revision(IN_TOOLS, None) == seen[-1][0]
            if by_file:
                catalogue.delete_file(TOOLS, two.id, "")
            else:
                catalogue.delete_package(TOOLS, two.package.id, "")
            seen.append(_of_indexes(catalogue))
            for before, after in pairwise(seen):
                assert all(was != now for was, now in zip(before, after, strict=True)), by_file

    def test_the_revision_of_the_index_stays_while_a_project_has_the_same_names(self) -> None:
        catalogue = self.make_catalogue()
        one = add(catalogue, TOOLS, "demo-1.zip")
        before = catalogue.revision(IN_TOOLS, None)
        two = add(catalogue, TOOLS, upload("demo-2.zip", version="2"))
        catalogue.delete_file(TOOLS, one.id, "")
        catalogue.yank(TOOLS, two.package.id, "", "")
        catalogue.set_status(TOOLS, DEMO, _DEPRECATED, "")
        assert catalogue.revision(IN_TOOLS, None) == before

    def test_the_revision_of_a_project_stays_where_nothing_changed(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0.zip")
        add(catalogue, LIBS, "demo-1.0.zip")
        other = add(catalogue, TOOLS, upload("other.zip", "other"))
        add(catalogue, TOOLS, upload("other-0.zip", "other"))
        before = revisions(catalogue)
        everything(catalogue)
        raised(FileTaken, add, catalogue, TOOLS, "demo-1.0.zip")
        assert revisions(catalogue) == before
        changes: list[Callable[[], object]] = [
            lambda: add(catalogue, TOOLS, upload("other-2.zip", "other", "2.0")),
            lambda: catalogue.yank(TOOLS, other.package.id, "broken", ""),
            lambda: catalogue.set_status(TOOLS, OTHER, _DEPRECATED, ""),
            lambda: catalogue.delete_file(TOOLS, other.id, ""),
        ]
        for number, change in enumerate(changes):
            before = revisions(catalogue, selections=_SINGLE)
            change()
            after = revisions(catalogue, selections=_SINGLE)
            assert {key for key in before if before[key] != after[key]} == {(IN_TOOLS, OTHER)}, f"change {number}"

    def test_the_revision_of_a_group_stays_when_another_root_group_changes(self) -> None:
        catalogue = self.make_catalogue()
        for project in (TOOLS, LIBS, OUTSIDE):
            add(catalogue, project, "demo-1.0.zip")
        before = revisions(catalogue, selections=[IN_ACME])
        add(catalogue, OUTSIDE, upload("other.zip", "other"))
        for change in _changes(catalogue, OUTSIDE):
            change()
        assert revisions(catalogue, selections=[IN_ACME]) == before

    def test_a_project_that_moved_has_a_revision_in_its_new_root_group_at_once(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0.zip")
        for projects in (Projects([MOVED_TOOLS]), _MOVED_GROUP):
            assert None not in revisions(catalogue, [DEMO], [projects]).values(), projects

    def test_a_change_of_a_project_that_moved_changes_the_revisions_of_both_root_groups(self) -> None:
        # A page of the old root group may be cached until the project moves back.
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-0.zip")
        add(catalogue, LIBS, "demo-0.zip")
        selections = (IN_ACME, _MOVED_GROUP)
        for number, change in enumerate(_changes(catalogue, MOVED_TOOLS)):
            before = [catalogue.revision(projects, DEMO) for projects in selections]
            change()
            after = [catalogue.revision(projects, DEMO) for projects in selections]
            assert all(was != now for was, now in zip(before, after, strict=True)), f"change {number}"
        # A change in a third root group counts for both, too.
        for name, project in (("other", MOVED_TOOLS), ("another", Project(TOOLS.id, "third/tools"))):
            before = [catalogue.revision(projects, page) for projects in selections for page in (DEMO, None)]
            add(catalogue, project, upload(f"{name}.zip", name))
            add(catalogue, project, f"demo-{name}.zip")
            after = [catalogue.revision(projects, page) for projects in selections for page in (DEMO, None)]
            assert all(was != now for was, now in zip(before, after, strict=True)), project

    def test_revisions_are_random(self) -> None:
        # A counter would return the revision of a newer page after a backup was restored.
        first, second = self.make_catalogue(), self.make_second_catalogue()
        for catalogue in (first, second):
            add(catalogue, TOOLS, "demo-1.0.zip", key="0" * 32)
        for projects in (IN_TOOLS, IN_ACME):
            for name in (DEMO, None):
                assert first.revision(projects, name) != second.revision(projects, name), (projects, name)


def _changes(catalogue: Catalogue, project: Project) -> list[Callable[[], object]]:
    """Return changes of the page of ``demo`` in a project, to be called in this order."""
    [first, second] = [
        add(catalogue, project, upload(f"changes-{number}.zip", version=f"{number}.0")) for number in (1, 2)
    ]
    return [
        lambda: catalogue.yank(project, first.package.id, "broken", ""),
        lambda: catalogue.yank(project, first.package.id, "more broken", ""),
        lambda: catalogue.yank(project, first.package.id, None, ""),
        lambda: catalogue.set_status(project, DEMO, _DEPRECATED, ""),
        lambda: catalogue.set_status(project, DEMO, NameStatus(Status.DEPRECATED, "old"), ""),
        lambda: catalogue.set_status(project, DEMO, NameStatus(), ""),
        lambda: add(catalogue, project, "changes-1.tar.gz"),
        lambda: catalogue.delete_file(project, first.id, ""),
        lambda: catalogue.delete_package(project, second.package.id, ""),
        lambda: add(catalogue, project, "changes-1.zip"),
    ]


def _of_indexes(catalogue: Catalogue) -> list[object]:
    return [catalogue.revision(projects, None) for projects in _WITH_TOOLS]
