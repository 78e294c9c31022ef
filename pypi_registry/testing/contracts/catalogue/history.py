"""Tests of what stays when packages are deleted and projects move: `publications`, and the optional `project_paths`."""

from collections.abc import Callable
from dataclasses import replace

from packaging.utils import canonicalize_name

from pypi_registry.model import NameStatus, Project, Status
from pypi_registry.storage import MAX_PUBLICATIONS
from pypi_registry.testing.contracts.catalogue.samples import (
    ALONE,
    DEMO,
    LIBS,
    MOVED_TOOLS,
    NESTED,
    OTHER,
    OUTSIDE,
    TOOLS,
    CatalogueHooks,
    add,
    upload,
    with_project_paths,
)


class History(CatalogueHooks):
    """Tests of `Catalogue.publications` and `ProjectPaths`."""

    def test_publications_are_pairs_of_root_group_and_project(self) -> None:
        catalogue = self.make_catalogue()
        for number, project in enumerate((NESTED, ALONE, NESTED, replace(OUTSIDE, path="OtHer/Project"))):
            add(catalogue, project, upload(f"{number}.zip", "One.Pkg", str(number)))
        add(catalogue, TOOLS, upload("two.zip", "two"))
        expected = [("acme", NESTED.id), ("alone", ALONE.id), ("other", OUTSIDE.id)]
        assert sorted(catalogue.publications(canonicalize_name("one-pkg"))) == expected
        assert [*catalogue.publications(canonicalize_name("two"))] == [("acme", TOOLS.id)]
        for name in ("one", "pkg", "one-pkg2", "%", "absent"):
            assert [*catalogue.publications(canonicalize_name(name))] == [], name

    def test_a_publication_stays_whatever_is_deleted(self) -> None:
        catalogue = self.make_catalogue()
        file, other = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, TOOLS, upload("other.zip", "other"))
        catalogue.delete_file(TOOLS, file.id, "")
        catalogue.delete_package(TOOLS, other.package.id, "")
        assert [*catalogue.publications(DEMO)] == [*catalogue.publications(OTHER)] == [("acme", TOOLS.id)]

    def test_a_project_that_moved_publishes_under_its_new_root_group_too(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0.zip")
        add(catalogue, MOVED_TOOLS, upload("other-1.0.zip", "other"))
        assert ("acme", TOOLS.id) in catalogue.publications(DEMO)
        assert [*catalogue.publications(OTHER)] == [("moved", TOOLS.id)]
        add(catalogue, MOVED_TOOLS, "demo-1.1.zip")
        assert sorted(catalogue.publications(DEMO)) == [("acme", TOOLS.id), ("moved", TOOLS.id)]

    def test_at_most_1000_publications_are_returned(self) -> None:
        catalogue = self.make_catalogue()
        for number in range(MAX_PUBLICATIONS + 1):
            project = self.projects[number % len(self.projects)]
            add(catalogue, replace(project, path=f"root-{number}/{project.path}"), f"demo-{number}.zip")
        found = catalogue.publications(DEMO)
        assert len({*found}) == len(found) == MAX_PUBLICATIONS

    def test_project_paths_are_those_of_projects_that_ever_published_sorted_by_id(self) -> None:
        catalogue = self.make_catalogue()
        paths = with_project_paths(catalogue)
        catalogue.set_status(ALONE, DEMO, NameStatus(Status.ARCHIVED), "")
        assert [*paths.project_paths()] == []
        for number, project in enumerate((TOOLS, OUTSIDE, LIBS, TOOLS)):
            file = add(catalogue, project, f"demo-{number}.zip")
        all_three = [(TOOLS.id, "acme/tools"), (LIBS.id, "acme/libs"), (OUTSIDE.id, "other/project")]
        assert [*paths.project_paths()] == all_three
        catalogue.delete_package(TOOLS, file.package.id, "")
        assert [*paths.project_paths()] == all_three
        assert [*paths.project_paths([OUTSIDE.id, 7, TOOLS.id])] == [all_three[0], all_three[2]]
        assert [*paths.project_paths([])] == [*paths.project_paths([7])] == []

    def test_every_change_stores_the_path_that_the_project_has_now(self) -> None:
        catalogue = self.make_catalogue()
        paths = with_project_paths(catalogue)
        one, two = (add(catalogue, TOOLS, upload(f"{number}.zip", version=number)) for number in ("1", "2"))
        add(catalogue, LIBS, "demo-1.0.zip")
        changes: list[Callable[[Project], object]] = [
            lambda moved: add(catalogue, moved, "demo-3.zip"),
            lambda moved: catalogue.yank(moved, one.package.id, "broken", ""),
            lambda moved: catalogue.set_status(moved, DEMO, NameStatus(Status.DEPRECATED), ""),
            lambda moved: catalogue.delete_file(moved, one.id, ""),
            lambda moved: catalogue.delete_package(moved, two.package.id, ""),
        ]
        for number, change in enumerate(changes):
            change(Project(TOOLS.id, f"Moved-{number}/tools"))
            expected = [(TOOLS.id, f"Moved-{number}/tools"), (LIBS.id, "acme/libs")]
            assert [*paths.project_paths()] == expected, number
