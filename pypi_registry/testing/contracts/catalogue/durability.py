"""What another instance over the same data sees, at once and after a restart."""

from collections.abc import Callable
from dataclasses import replace

from pypi_registry.errors import FileTaken, UploadsRefused
from pypi_registry.model import NameStatus, PackageMetadata, Project, Status
from pypi_registry.storage import Catalogue
from pypi_registry.testing.contracts.catalogue.concurrency import add_if_free
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    LIBS,
    OTHER,
    TOOLS,
    CatalogueHooks,
    add,
    everything,
    upload,
)
from pypi_registry.testing.contracts.threads import raised


class Lasting(CatalogueHooks):
    """The tests of what is durable, which need `reopen`."""

    def test_everything_lasts(self) -> None:
        catalogue = self.make_catalogue()
        _live_through_much(catalogue)
        lasting = everything(catalogue)
        other = self.reopen(catalogue)
        assert everything(other) == lasting
        raised(FileTaken, add, other, TOOLS, "demo-1.0.zip")
        raised(UploadsRefused, add, other, LIBS, "demo-3.0.zip")

    def test_what_one_instance_does_the_other_sees_at_once(self) -> None:
        first = self.make_catalogue()
        second = self.reopen(first)
        file = add(first, TOOLS, replace(upload(), core_metadata=b"Name: demo\n", about=PackageMetadata(summary="one")))
        acts: list[Callable[[Catalogue], object]] = [
            lambda catalogue: add(
                catalogue, TOOLS, replace(upload("demo-1.0.zip"), about=PackageMetadata(summary="two"))
            ),
            lambda catalogue: catalogue.yank(file.package, "broken"),
            lambda catalogue: catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED, "old")),
            lambda catalogue: catalogue.delete_file(file),
            lambda catalogue: add(catalogue, Project(TOOLS.id, "moved/tools"), upload("other-1.0.zip", "other")),
            lambda catalogue: catalogue.delete_package(file.package),
        ]
        for number, act in enumerate(acts):
            act((second, first)[number % 2])
            assert everything(first) == everything(second), f"act {number}"
        raised(FileTaken, add, second, TOOLS, upload("other-1.0.zip", "other"))

    def test_revisions_rise_whichever_instance_raises_them(self) -> None:
        first = self.make_catalogue()
        second = self.reopen(first)
        for projects in ([TOOLS.id], [TOOLS.id, LIBS.id]):
            seen = [first.revision(projects, DEMO)]
            assert second.revision(projects, DEMO) == seen[0]
            for number in range(6):
                add((first, second)[number % 2], TOOLS, f"demo-{len(projects)}-{number}.zip")
                seen.append(first.revision(projects, DEMO))
                assert second.revision(projects, DEMO) == seen[-1]
            assert seen == sorted(set(seen))

    def test_two_instances_use_no_id_twice(self) -> None:
        first = self.make_catalogue()
        second = self.reopen(first)
        files = [
            add((first, second)[number % 2], TOOLS, upload(f"{number}.zip", version=str(number))) for number in range(8)
        ]
        assert len({file.id for file in files}) == len({file.package.id for file in files}) == 8

    def test_an_id_that_was_deleted_is_not_used_again_after_a_restart(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, upload("other-1.0.zip", "other"))
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_package(file.package)
        again = add(self.reopen(catalogue), TOOLS, "demo-1.0.zip")
        assert again.id != file.id
        assert again.package.id != file.package.id

    def test_of_uploads_at_once_through_two_instances_exactly_one_gets_a_file_name(self) -> None:
        first = self.make_catalogue()
        second = self.reopen(first)
        for round_ in range(3):
            outcomes = self._at_once(
                lambda number, round_=round_: add_if_free((first, second)[number % 2], f"demo-{round_}.zip", number)  # type: ignore[misc]
            )
            assert len([file for file in outcomes if file]) == 1
        files = first.files([TOOLS.id], DEMO)
        assert len(files) == len({file.id for file in files}) == 3
        assert list(second.files([TOOLS.id], DEMO)) == list(files)


def _live_through_much(catalogue: Catalogue) -> None:
    said = PackageMetadata("2.1", "a@host.example", "é ☃", "one", "two", "text/plain")
    kept = add(catalogue, TOOLS, replace(upload("demo-1.0.zip"), about=said, core_metadata=b"Name: demo\n\0"))
    file = add(catalogue, TOOLS, upload("demo-2.0.zip", version="2.0"))
    gone = add(catalogue, TOOLS, upload("demo-3.0.zip", version="3.0"))
    add(catalogue, LIBS, replace(upload("demo-1.0.zip"), requires_python=">=3.8"))
    add(catalogue, Project(LIBS.id, "moved/libs"), upload("other-1.0.zip", "other"))
    catalogue.yank(kept.package, "broken")
    catalogue.set_status(LIBS, DEMO, NameStatus(Status.ARCHIVED, "done"))
    catalogue.set_status(TOOLS, OTHER, NameStatus(Status.DEPRECATED))
    catalogue.delete_file(file)
    catalogue.delete_package(gone.package)
