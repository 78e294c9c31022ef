"""When a page has changed, by which it is kept or rendered anew: `revision`."""

from collections.abc import Callable

from pypi_registry.model import NameStatus, Status
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    ELSEWHERE,
    LIBS,
    OTHER,
    TOOLS,
    CatalogueHooks,
    add,
    everything,
    revisions,
    upload,
)

_PROJECT, _GROUP, _LARGER_GROUP = [TOOLS.id], [TOOLS.id, LIBS.id], [LIBS.id, ELSEWHERE.id, TOOLS.id]


class Revising(CatalogueHooks):
    """The tests of `Catalogue.revision`."""

    def test_what_never_was_has_the_revision_0(self) -> None:
        catalogue = self.make_catalogue()
        for projects in (_PROJECT, _GROUP):
            assert catalogue.revision(projects, DEMO) == 0
            assert catalogue.revision(projects, None) == 0
        add(catalogue, TOOLS, "demo-1.0.zip")
        assert catalogue.revision([LIBS.id], DEMO) == 0
        assert catalogue.revision([LIBS.id], None) == 0
        for projects in (_PROJECT, _GROUP):
            assert catalogue.revision(projects, OTHER) == 0
            assert catalogue.revision(projects, DEMO) > 0
            assert catalogue.revision(projects, None) > 0

    def test_every_file_raises_the_revision_of_its_page(self) -> None:
        catalogue = self.make_catalogue()
        for projects in (_PROJECT, _GROUP, _LARGER_GROUP):
            seen = [catalogue.revision(projects, DEMO)]
            for number, project in enumerate([TOOLS, TOOLS, LIBS, ELSEWHERE, TOOLS, LIBS]):
                if project.id in projects:
                    add(catalogue, project, f"demo-{len(projects)}-{number}.zip")
                    seen.append(catalogue.revision(projects, DEMO))
            assert seen == sorted(set(seen)), projects
            assert len(seen) > 3

    def test_every_new_name_raises_the_revision_of_the_index(self) -> None:
        catalogue = self.make_catalogue()
        for projects in (_PROJECT, _GROUP):
            seen = [catalogue.revision(projects, None)]
            for number, project in enumerate([TOOLS, TOOLS, LIBS, TOOLS, LIBS]):
                if project.id in projects:
                    add(catalogue, project, upload(f"{len(projects)}-{number}.zip", f"name-{len(projects)}-{number}"))
                    seen.append(catalogue.revision(projects, None))
            assert seen == sorted(set(seen)), projects
            assert len(seen) > 3

    def test_a_name_that_is_new_in_one_project_of_a_group_raises_the_index_of_the_group(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0.zip")
        before = catalogue.revision(_GROUP, None)
        add(catalogue, LIBS, upload("other-1.0.zip", "other"))
        assert catalogue.revision(_GROUP, None) > before

    def test_whatever_changes_a_page_raises_its_revision(self) -> None:
        catalogue = self.make_catalogue()
        first, second = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, TOOLS, upload("demo-2.zip", version="2"))
        acts: list[Callable[[], object]] = [
            lambda: catalogue.yank(first.package, "broken"),
            lambda: catalogue.yank(first.package, "more broken"),
            lambda: catalogue.yank(first.package, None),
            lambda: catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED)),
            lambda: catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED, "old")),
            lambda: catalogue.set_status(TOOLS, DEMO, NameStatus()),
            lambda: catalogue.delete_file(first),
            lambda: catalogue.delete_package(first.package),
            lambda: catalogue.delete_package(second.package),
            lambda: add(catalogue, TOOLS, "demo-1.0.zip"),
        ]
        for number, act in enumerate(acts):
            before = [catalogue.revision(projects, DEMO) for projects in (_PROJECT, _GROUP)]
            act()
            after = [catalogue.revision(projects, DEMO) for projects in (_PROJECT, _GROUP)]
            assert all(was < now for was, now in zip(before, after, strict=True)), f"act {number}"

    def test_the_index_changes_when_a_name_loses_its_last_package_and_gets_one_again(self) -> None:
        catalogue = self.make_catalogue()

        def index() -> list[int]:
            return [catalogue.revision(projects, None) for projects in (_PROJECT, _GROUP)]

        one, two = add(catalogue, TOOLS, "demo-1.zip"), add(catalogue, TOOLS, upload("demo-2.zip", version="2"))
        catalogue.delete_file(one)
        catalogue.delete_package(one.package)
        full = index()
        catalogue.delete_package(two.package)
        empty = index()
        assert all(was < now for was, now in zip(full, empty, strict=True))
        add(catalogue, TOOLS, "demo-1.zip")
        assert all(was < now for was, now in zip(empty, index(), strict=True))

    def test_the_revision_of_the_index_stays_while_it_shows_the_same_names(self) -> None:
        catalogue = self.make_catalogue()
        one = add(catalogue, TOOLS, "demo-1.zip")
        before = catalogue.revision(_PROJECT, None)
        two = add(catalogue, TOOLS, upload("demo-2.zip", version="2"))
        catalogue.delete_file(one)
        catalogue.delete_package(one.package)
        catalogue.yank(two.package, "")
        catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED))
        assert catalogue.revision(_PROJECT, None) == before

    def test_a_revision_stays_where_nothing_changed(self) -> None:
        catalogue = self.make_catalogue()
        demo, other = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, TOOLS, upload("other.zip", "other"))
        add(catalogue, LIBS, "demo-1.0.zip")
        before = revisions(catalogue, [DEMO, OTHER])
        everything(catalogue)
        assert revisions(catalogue, [DEMO, OTHER]) == before
        acts: list[Callable[[], object]] = [
            lambda: add(catalogue, TOOLS, upload("other-2.zip", "other", "2.0")),
            lambda: catalogue.yank(other.package, "broken"),
            lambda: catalogue.set_status(TOOLS, OTHER, NameStatus(Status.DEPRECATED)),
            lambda: catalogue.delete_file(other),
        ]
        for number, act in enumerate(acts):
            before = revisions(catalogue, [DEMO, OTHER])
            act()
            after = revisions(catalogue, [DEMO, OTHER])
            assert {key for key in before if before[key] != after[key]} == {(TOOLS.id, OTHER)}, f"act {number}"
        catalogue.delete_package(demo.package)
        assert revisions(catalogue, [DEMO, OTHER])[LIBS.id, DEMO] == before[LIBS.id, DEMO]
