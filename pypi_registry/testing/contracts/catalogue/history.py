"""What stays whatever is deleted or moved: `was_published`, `publishers`."""

from dataclasses import replace

from packaging.utils import canonicalize_name

from pypi_registry.model import Project
from pypi_registry.testing.contracts.catalogue.samples import (
    ALONE,
    DEMO,
    ELSEWHERE,
    LIBS,
    NESTED,
    OTHER,
    TOOLS,
    CatalogueHooks,
    add,
    upload,
)


class Remembering(CatalogueHooks):
    """The tests of `Catalogue.was_published` and `publishers`."""

    def test_a_name_was_published_under_its_root_group_and_under_no_other(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, NESTED, upload("one.zip", "One.Pkg"))
        add(catalogue, ALONE, upload("two.zip", "two"))
        one, two = canonicalize_name("one-pkg"), canonicalize_name("two")
        assert catalogue.was_published("acme", one)
        assert catalogue.was_published("alone", two)
        for root, name in [
            *(("acme", two), ("alone", one), ("acme/deep", one), ("", one), ("acme2", one), ("acm", one), ("%", one)),
            *(("acme", canonicalize_name("one")), ("acme", canonicalize_name("pkg"))),
        ]:
            assert not catalogue.was_published(root, name), (root, name)

    def test_the_root_group_counts_in_lower_case(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, Project(TOOLS.id, "AcMe/Tools"), "demo-1.0.zip")
        assert catalogue.was_published("acme", DEMO)

    def test_a_name_was_published_in_its_project_whatever_the_root_group_is_called_by_now(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0.zip")
        add(catalogue, LIBS, upload("other-1.0.zip", "other"))
        assert catalogue.was_published("renamed", DEMO, [TOOLS.id])
        assert catalogue.was_published("renamed", DEMO, (ELSEWHERE.id, LIBS.id, TOOLS.id))
        assert not catalogue.was_published("renamed", DEMO)
        assert not catalogue.was_published("renamed", DEMO, [LIBS.id, ELSEWHERE.id])
        assert catalogue.was_published("acme", DEMO, [ELSEWHERE.id])

    def test_a_project_that_moved_has_published_under_both_roots(self) -> None:
        catalogue = self.make_catalogue()
        moved = replace(TOOLS, path="new/tools")
        add(catalogue, TOOLS, "demo-1.0.zip")
        add(catalogue, moved, upload("other-1.0.zip", "other"))
        assert [catalogue.was_published(root, DEMO) for root in ("acme", "new")] == [True, False]
        assert [catalogue.was_published(root, OTHER) for root in ("acme", "new")] == [False, True]
        add(catalogue, moved, "demo-1.1.zip")
        assert [catalogue.was_published(root, DEMO) for root in ("acme", "new")] == [True, True]

    def test_a_name_stays_published_whatever_is_deleted(self) -> None:
        catalogue = self.make_catalogue()
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_file(file)
        assert catalogue.was_published("acme", DEMO)
        assert catalogue.was_published("renamed", DEMO, [TOOLS.id])
        catalogue.delete_package(file.package)
        assert catalogue.was_published("acme", DEMO)
        assert catalogue.was_published("renamed", DEMO, [TOOLS.id])

    def test_publishers_are_the_projects_that_ever_published_sorted_by_id(self) -> None:
        catalogue = self.make_catalogue()
        assert list(catalogue.publishers()) == []
        for number, project in enumerate((TOOLS, ELSEWHERE, LIBS, TOOLS)):
            file = add(catalogue, project, f"demo-{number}.zip")
        all_three = [(TOOLS.id, "acme/tools"), (LIBS.id, "acme/libs"), (ELSEWHERE.id, "other/place")]
        assert [tuple(each) for each in catalogue.publishers()] == all_three
        catalogue.delete_package(file.package)
        assert [tuple(each) for each in catalogue.publishers()] == all_three
        some = catalogue.publishers([ELSEWHERE.id, 7, TOOLS.id])
        assert [tuple(each) for each in some] == [(TOOLS.id, "acme/tools"), (ELSEWHERE.id, "other/place")]
        assert list(catalogue.publishers([])) == list(catalogue.publishers([7])) == []

    def test_a_publisher_has_the_path_that_it_had_at_its_last_upload(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.zip")
        add(catalogue, LIBS, "demo-1.zip")
        add(catalogue, Project(TOOLS.id, "Moved/Tools"), "demo-2.zip")
        assert [tuple(each) for each in catalogue.publishers()] == [(TOOLS.id, "Moved/Tools"), (LIBS.id, "acme/libs")]
