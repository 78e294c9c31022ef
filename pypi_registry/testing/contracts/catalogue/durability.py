"""Every test with a second instance over the same data (`reopen`): what it reads, at once and after a restart."""

from collections.abc import Callable

from pypi_registry.errors import FileTaken, UploadsRefused, VariantConflict
from pypi_registry.model import NameStatus, PackageMetadata, Status
from pypi_registry.storage import Catalogue, variants_after
from pypi_registry.testing.contracts.catalogue.concurrency import add_if_free
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    IN_ACME,
    IN_TOOLS,
    LIBS,
    MOVED_TOOLS,
    TOOLS,
    CatalogueHooks,
    add,
    add_variant,
    as_keeping_variants,
    contents_of,
    everything,
    files_of,
    publish_history,
    upload,
    variant,
)
from pypi_registry.testing.contracts.threads import raised

_FAST, _SLOW = variant("fast", "v3"), variant("slow", "v1")


class Durability(CatalogueHooks):
    """Tests of what is durable, which need `reopen`."""

    def test_everything_is_there_after_a_restart(self) -> None:
        catalogue = self.make_catalogue()
        publish_history(catalogue)
        before = everything(catalogue)
        other = self.reopen(catalogue)
        assert everything(other) == before
        raised(FileTaken, add, other, TOOLS, "demo-1.0.zip")
        raised(UploadsRefused, add, other, LIBS, "demo-3.0.zip")

    def test_another_instance_sees_every_change_at_once(self) -> None:
        first = self.make_catalogue()
        second = self.reopen(first)
        one = add(first, TOOLS, upload(core_metadata=b"Name: demo\n", metadata=PackageMetadata(summary="one")))
        changes: list[Callable[[Catalogue], object]] = [
            lambda catalogue: add(catalogue, TOOLS, upload("demo-1.0.zip", metadata=PackageMetadata(summary="two"))),
            lambda catalogue: catalogue.yank(TOOLS, one.package.id, "broken", ""),
            lambda catalogue: catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED, "old"), ""),
            lambda catalogue: catalogue.delete_file(TOOLS, one.id, ""),
            lambda catalogue: add(catalogue, MOVED_TOOLS, upload("other-1.0.zip", "other")),
            lambda catalogue: catalogue.delete_package(TOOLS, one.package.id, ""),
        ]
        for number, change in enumerate(changes):
            change((second, first)[number % 2])
            assert everything(first) == everything(second), f"change {number}"
        raised(FileTaken, add, second, TOOLS, upload("other-1.0.zip", "other"))

    def test_revisions_change_in_every_instance_whichever_makes_the_change(self) -> None:
        first = self.make_catalogue()
        second = self.reopen(first)
        for projects in (IN_TOOLS, IN_ACME):
            seen = [first.revision(projects, DEMO)]
            assert second.revision(projects, DEMO) == seen[0]
            for number in range(6):
                add((first, second)[number % 2], TOOLS, f"demo-{len(projects)}-{number}.zip")
                seen.append(first.revision(projects, DEMO))
                assert second.revision(projects, DEMO) == seen[-1]
            assert len({*seen}) == 7

    def test_two_instances_use_no_id_twice(self) -> None:
        first = self.make_catalogue()
        second = self.reopen(first)
        files = [
            add((first, second)[number % 2], TOOLS, upload(f"{number}.zip", version=str(number))) for number in range(8)
        ]
        assert len({file.id for file in files}) == len({file.package.id for file in files}) == 8

    def test_the_id_of_something_deleted_is_not_used_after_a_restart(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, upload("other-1.0.zip", "other"))
        file = add(catalogue, TOOLS, "demo-1.0.zip")
        catalogue.delete_package(TOOLS, file.package.id, "")
        again = add(self.reopen(catalogue), TOOLS, "demo-1.0.zip")
        assert again.id != file.id
        assert again.package.id != file.package.id

    def test_of_simultaneous_uploads_through_two_instances_exactly_one_gets_the_file_name(self) -> None:
        first = self.make_catalogue()
        instances = first, self.reopen(first)
        for round_ in range(3):
            added = self._in_threads(
                lambda number, name=f"demo-{round_}.zip": add_if_free(instances[number % 2], name, number)  # type: ignore[misc]
            )
            assert len([file for file in added if file]) == 1
        files = files_of(first, IN_TOOLS)
        assert len(files) == len({file.id for file in files}) == 3
        assert files_of(instances[1], IN_TOOLS) == files

    def test_another_instance_has_the_contents_and_adds_to_them(self) -> None:
        catalogue = self.make_catalogue()
        as_keeping_variants(catalogue)
        add_variant(catalogue, TOOLS, _FAST)
        other = self.reopen(catalogue)
        add_variant(other, TOOLS, _SLOW)
        raised(VariantConflict, add_variant, catalogue, TOOLS, variant("slow", "v2"), "py2-none-any")
        assert contents_of(catalogue) == contents_of(other) == [*variants_after([_FAST], [_FAST, _SLOW])]
