"""Every test with threads: simultaneous uploads and deletions, and readers beside writers, of any method."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from hashlib import sha256
from threading import Event

from packaging.utils import NormalizedName

from pypi_registry.errors import FileTaken, UploadsRefused, VariantConflict
from pypi_registry.model import NameStatus, Package, PackageFile, Projects, Status
from pypi_registry.storage import Catalogue
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    EVERYWHERE,
    IN_ACME,
    IN_TOOLS,
    LIBS,
    SHA256,
    TOOLS,
    CatalogueHooks,
    add,
    add_variant,
    details,
    everything,
    filenames,
    files_of,
    find,
    listed,
    statuses_of,
    upload,
    variant,
)


class Concurrency(CatalogueHooks):
    """Tests of all methods, called from many threads."""

    def test_of_simultaneous_uploads_exactly_one_gets_the_file_name(self) -> None:
        catalogue = self.make_catalogue()
        for number in range(5):
            added = [file for file in self._in_threads(partial(add_if_free, catalogue, f"demo-{number}.zip")) if file]
            assert len(added) == 1
            assert [file for file in files_of(catalogue, IN_TOOLS) if file.filename == f"demo-{number}.zip"] == added

    def test_of_simultaneous_uploads_under_spellings_of_one_name_exactly_one_is_published(self) -> None:
        catalogue = self.make_catalogue()
        versions = [f"1.{number}" for number in range(1, 6)]

        def act(thread: int) -> list[PackageFile | None]:
            return [
                add_if_free(catalogue, f"demo-{version}{'.0' * thread}.zip", thread, version=version)
                for version in versions
            ]

        added = [file for files in self._in_threads(act) for file in files if file]
        assert sorted(file.package.version for file in added) == versions
        assert {*files_of(catalogue, IN_TOOLS)} == {*added}

    def test_of_simultaneous_variants_that_contradict_each_other_exactly_one_is_published(self) -> None:
        catalogue = self.make_catalogue()

        def publish(number: int) -> bool:
            try:
                add_variant(catalogue, TOOLS, variant("fast", f"v{number}"), f"py3{number}-none-any")
            except VariantConflict:
                return False
            return True

        assert sum(self._in_threads(publish)) == 1
        assert len(files_of(catalogue, IN_TOOLS)) == 1

    def test_simultaneous_uploads_of_a_version_share_one_package(self) -> None:
        catalogue = self.make_catalogue()
        added = self._in_threads(lambda n: [add(catalogue, TOOLS, f"demo-1.0-{n}-{count}.zip") for count in range(5)])
        files = [file for some in added for file in some]
        assert len({file.id for file in files}) == 40
        assert len({file.package.id for file in files}) == 1
        found = files_of(catalogue, IN_TOOLS)
        assert (len(found), {*found}) == (40, {*files})
        assert [*catalogue.names(IN_TOOLS)] == ["demo"]

    def test_a_revision_belongs_to_one_page(self) -> None:
        catalogue = self.make_catalogue()
        pages: dict[Hashable, set[frozenset[str]]] = defaultdict(set)

        def look() -> Hashable:
            revision = catalogue.revision(IN_TOOLS, DEMO)
            page = frozenset(filenames(files_of(catalogue, IN_TOOLS)))
            if catalogue.revision(IN_TOOLS, DEMO) == revision:
                pages[revision].add(page)
            return revision

        def act(number: int) -> bool:
            before = look()
            add(catalogue, TOOLS, f"demo-{number}.zip")
            return before != look()

        assert all(self._in_threads(act))
        assert {revision: found for revision, found in pages.items() if len(found) > 1} == {}

    def test_readers_see_whole_files_each_with_its_core_metadata(self) -> None:
        catalogue = self.make_catalogue()

        def write(number: int) -> None:
            for count in range(5):
                data = f"{number} {count}".encode()
                add(catalogue, TOOLS, upload(f"demo-1.0-{number}-{count}.zip", core_metadata=data))

        def read() -> None:
            seen = files_of(catalogue, IN_TOOLS)
            for file in seen[-8:]:
                assert find(catalogue, IN_TOOLS, file.filename) == file
                data = catalogue.core_metadata(file.id)
                assert data is not None
                assert sha256(data).hexdigest() == file.core_metadata_sha256
            if seen:
                assert [*catalogue.publications(DEMO)] == [("acme", TOOLS.id)]
                assert [package.name for package in listed(catalogue, IN_TOOLS)[0]] == ["demo"]

        self._beside_readers(lambda: self._in_threads(write, 4), read)
        assert len(files_of(catalogue, IN_TOOLS)) == 20

    def test_no_reading_method_fails_beside_writers(self) -> None:
        catalogue = self.make_catalogue()

        def write() -> None:
            for number in range(10):
                for project in self.projects:
                    name = f"demo-{project.id}-{number}"
                    file = add(catalogue, project, upload(f"{name}.zip", name))
                    catalogue.set_status(project, file.package.normalized_name, NameStatus(Status.DEPRECATED), "")
                catalogue.delete_package(project, file.package.id, "")

        self._beside_readers(write, lambda: everything(catalogue))
        assert listed(catalogue, EVERYWHERE)[1] == 10 * (len(self.projects) - 1)

    # Each method is one transaction

    def test_files_and_statuses_are_of_one_moment(self) -> None:
        catalogue = self.make_catalogue()
        packages = {project: add(catalogue, project, "demo-1.0.zip").package for project in (TOOLS, LIBS)}
        seen: set[tuple[int, ...]] = set()

        def write() -> None:
            for number in range(1, 21):
                for project in (TOOLS, LIBS):
                    catalogue.set_status(project, DEMO, NameStatus(Status.DEPRECATED, f"{number}"), "")
                    catalogue.yank(project, packages[project].id, f"{number}", "")

        def read() -> None:
            page = catalogue.listing(IN_ACME, DEMO)
            assert page is not None
            yanks = [int(file.package.yanked or 0) for file in page.files]
            statuses = [int(page.statuses[project.id].reason or 0) for project in (TOOLS, LIBS)]
            seen.add((statuses[0], yanks[0], statuses[1], yanks[1]))
            found = catalogue.file(IN_TOOLS, SHA256, "demo-1.0.zip")
            assert found is not None
            status, yank = int(found.status.reason or 0), int(found.file.package.yanked or 0)
            seen.add((status, yank, yank, yank))

        self._beside_readers(write, read)
        # Each number is written in this order, so a later one is equal or one less.
        torn = [each for each in seen if each != tuple(sorted(each, reverse=True)) or each[0] - each[-1] > 1]
        assert torn == []

    def test_a_total_is_of_the_same_moment_as_its_page(self) -> None:
        catalogue = self.make_catalogue()
        seen: set[tuple[int, int | None]] = set()

        def write() -> None:
            for number in range(20):
                file = add(catalogue, TOOLS, upload(f"demo-{number}.zip", version=str(number)))
                if number % 3 == 2:
                    catalogue.delete_package(TOOLS, file.package.id, "")

        def read() -> None:
            packages, total = listed(catalogue, IN_TOOLS)
            seen.add((len(packages), total))

        self._beside_readers(write, read)
        assert [(shown, total) for shown, total in seen if shown != total] == []

    def test_readers_see_all_files_of_a_deleted_package_or_none(self) -> None:
        catalogue = self.make_catalogue()
        for number in range(3):
            [package] = {add(catalogue, TOOLS, f"demo-{number}-{count}.zip").package for count in range(8)}
            seen: set[int] = set()

            def read(package: Package = package, seen: set[int] = seen) -> None:
                seen.add(len(files_of(catalogue, IN_TOOLS)))
                found = details(catalogue, package)
                seen.add(len(found.files) if found else 0)

            self._beside_readers(partial(catalogue.delete_package, TOOLS, package.id, ""), read)
            assert seen <= {0, 8}

    # Otherwise a page from before the change would be cached for the new revision, and shown until the next change.

    def test_who_sees_a_revision_sees_the_changes_that_led_to_it(self) -> None:
        catalogue = self.make_catalogue()
        old = [add(catalogue, TOOLS, f"old-{number}.zip") for number in range(8)]

        def changes() -> Iterator[None]:
            for number, file in enumerate(old):
                add(catalogue, TOOLS, f"new-{number}.zip")
                yield
                catalogue.yank(TOOLS, file.package.id, f"{number}", "")
                yield
                catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED, f"{number}"), "")
                yield
                catalogue.delete_file(TOOLS, file.id, "")
                yield

        def look() -> tuple[int, ...]:
            files = files_of(catalogue, IN_TOOLS)
            new = sum(file.filename.startswith("new") for file in files)
            yanked = max((int(file.package.yanked or -1) for file in files), default=0)
            return new, new - len(files), yanked, int(statuses_of(catalogue, IN_TOOLS)[TOOLS.id].reason or -1)

        self._see_each_revision_with_its_changes(catalogue, DEMO, changes(), look)

    def test_who_sees_a_revision_of_the_index_sees_the_changes_that_led_to_it(self) -> None:
        catalogue = self.make_catalogue()
        old = [add(catalogue, TOOLS, upload(f"old-{number}.zip", f"old-{number}")) for number in range(8)]

        def changes() -> Iterator[None]:
            for number, file in enumerate(old):
                add(catalogue, TOOLS, upload(f"new-{number}.zip", f"new-{number}"))
                yield
                catalogue.delete_package(TOOLS, file.package.id, "")
                yield

        def look() -> tuple[int, ...]:
            names = catalogue.names(IN_TOOLS)
            new = sum(name.startswith("new") for name in names)
            return new, new - len(names)

        self._see_each_revision_with_its_changes(catalogue, None, changes(), look)

    def _see_each_revision_with_its_changes(
        self,
        catalogue: Catalogue,
        name: NormalizedName | None,
        changes: Iterator[None],
        look: Callable[[], tuple[int, ...]],
    ) -> None:
        """Change and read at once. Every number that `look` returns only grows, each with one kind of change."""
        selections = IN_TOOLS, IN_ACME
        due: dict[tuple[Projects, Hashable], tuple[int, ...]] = {}
        seen: set[tuple[tuple[Projects, Hashable], tuple[int, ...]]] = set()

        def write() -> None:
            for _ in changes:
                due.update(dict.fromkeys(revisions(), look()))

        def revisions() -> list[tuple[Projects, Hashable]]:
            return [(projects, catalogue.revision(projects, name)) for projects in selections]

        def read() -> None:
            found = revisions()
            seen.update(dict.fromkeys(found, look()).items())

        self._beside_readers(write, read)
        late = [
            (revision, shown, due[revision])
            for revision, shown in seen
            if revision in due and any(now < then for now, then in zip(shown, due[revision], strict=True))
        ]
        assert late == []

    # Deleting and closing

    def test_of_simultaneous_deletions_exactly_one_returns_each_file(self) -> None:
        catalogue = self.make_catalogue()
        for _ in range(5):
            for delete in (_delete_file, _delete_package):
                file = add(catalogue, TOOLS, "demo-1.0.zip")
                deleted = [key for keys in self._in_threads(partial(delete, catalogue, file)) for key in keys]
                assert deleted == [file.blob_key], delete

    def test_deleting_beside_adding_loses_no_file(self) -> None:
        catalogue = self.make_catalogue()
        added: list[str] = []
        deleted: list[str] = []

        def write(number: int) -> None:
            for count in range(10):
                added.append(add(catalogue, TOOLS, f"demo-{number}-{count}.zip").blob_key)

        def delete(number: int) -> None:
            for count in range(10):
                for file in files_of(catalogue, IN_TOOLS)[:1]:
                    deleted.extend((_delete_package if count % 2 else _delete_file)(catalogue, file, number))

        self._in_threads(lambda number: (write, delete)[number % 2](number), 6)
        left = files_of(catalogue, IN_TOOLS)
        assert sorted([*deleted, *(file.blob_key for file in left)]) == sorted(added)
        packages, total = listed(catalogue, IN_TOOLS)
        assert {file.package for file in left} == {*packages}
        assert total == len(packages) == len({package.version for package in packages})
        for package in packages:
            found = details(catalogue, package)
            assert found and [*found.files] == left

    def test_after_a_name_was_quarantined_no_simultaneous_upload_of_it_succeeds(self) -> None:
        catalogue = self.make_catalogue()
        under_way = Event()

        def close() -> int:
            under_way.wait()
            catalogue.set_status(TOOLS, DEMO, NameStatus(Status.QUARANTINED), "")
            return len(files_of(catalogue, IN_TOOLS))

        def add_until_refused(number: int) -> int:
            try:
                for count in range(200):
                    try:
                        add(catalogue, TOOLS, f"demo-{number}-{count}.zip")
                    except UploadsRefused:
                        return count
                    if count:
                        under_way.set()
                return 200
            finally:
                under_way.set()

        closed, *added = self._in_threads(lambda number: add_until_refused(number) if number else close(), 4)
        assert closed == sum(added) == len(files_of(catalogue, IN_TOOLS))


def add_if_free(catalogue: Catalogue, filename: str, number: int, *, version: str = "1.0") -> PackageFile | None:
    """Publish a file that differs from those of other threads; return None if its name is taken."""
    try:
        return add(catalogue, TOOLS, upload(filename, version=version, sha256=f"{number:064}"))
    except FileTaken:
        return None


def _delete_file(catalogue: Catalogue, file: PackageFile, number: int) -> list[str]:
    deletion = catalogue.delete_file(TOOLS, file.id, "")
    return [each.blob_key for each in deletion.files] if deletion else []


def _delete_package(catalogue: Catalogue, file: PackageFile, number: int) -> list[str]:
    deletion = catalogue.delete_package(TOOLS, file.package.id, "")
    return [each.blob_key for each in deletion.files] if deletion else []
