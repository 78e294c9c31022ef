"""What holds when many threads come at once, and readers beside them."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256
from threading import Event

from packaging.utils import NormalizedName

from pypi_registry.errors import FileTaken, UploadsRefused
from pypi_registry.model import NameStatus, Package, PackageFile, Status
from pypi_registry.storage import Catalogue
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    LIBS,
    TOOLS,
    CatalogueHooks,
    add,
    everything,
    filenames,
    listed,
    upload,
)


class AtOnce(CatalogueHooks):
    """The tests of all methods, called from many threads."""

    def test_of_uploads_at_once_exactly_one_gets_a_file_name(self) -> None:
        catalogue = self.make_catalogue()
        for number in range(5):
            attempt = partial(add_if_free, catalogue, f"demo-{number}.zip")
            winners = [file for file in self._at_once(attempt) if file]
            assert len(winners) == 1
            assert [
                file for file in catalogue.files([TOOLS.id], DEMO) if file.filename == f"demo-{number}.zip"
            ] == winners

    def test_files_added_at_once_make_one_package_and_are_all_there(self) -> None:
        catalogue = self.make_catalogue()
        added = self._at_once(lambda n: [add(catalogue, TOOLS, f"demo-1.0-{n}-{count}.zip") for count in range(5)])
        files = [file for some in added for file in some]
        assert len({file.id for file in files}) == 40
        assert len({file.package.id for file in files}) == 1
        found = catalogue.files([TOOLS.id], DEMO)
        assert len(found) == 40
        assert set(found) == set(files)
        assert list(catalogue.names([TOOLS.id])) == ["demo"]

    def test_one_revision_shows_one_page(self) -> None:
        catalogue = self.make_catalogue()
        pages: dict[int, set[frozenset[str]]] = defaultdict(set)

        def look() -> int:
            revision = catalogue.revision([TOOLS.id], DEMO)
            page = frozenset(filenames(catalogue.files([TOOLS.id], DEMO)))
            if catalogue.revision([TOOLS.id], DEMO) == revision:
                pages[revision].add(page)
            return revision

        def act(number: int) -> tuple[int, int]:
            before = look()
            add(catalogue, TOOLS, f"demo-{number}.zip")
            return before, look()

        assert [(before, after) for before, after in self._at_once(act) if before >= after] == []
        assert {revision: found for revision, found in pages.items() if len(found) > 1} == {}

    def test_readers_beside_writers_see_whole_files_each_with_its_metadata(self) -> None:
        catalogue = self.make_catalogue()

        def write(number: int) -> None:
            for count in range(5):
                data = f"{number} {count}".encode()
                add(catalogue, TOOLS, replace(upload(f"demo-1.0-{number}-{count}.zip"), core_metadata=data))

        def read() -> None:
            seen = catalogue.files([TOOLS.id], DEMO)
            for file in seen[-8:]:
                assert catalogue.file([TOOLS.id], "a" * 64, file.filename) == file
                data = catalogue.core_metadata(file)
                assert data is not None
                assert sha256(data).hexdigest() == file.metadata_sha256
            if seen:
                assert catalogue.has_name([TOOLS.id], DEMO)
                assert catalogue.was_published("acme", DEMO)
                assert [package.name for package in listed(catalogue, [TOOLS.id])[0]] == ["demo"]

        self._beside(lambda: self._at_once(write, 4), read)
        assert len(catalogue.files([TOOLS.id], DEMO)) == 20

    def test_no_method_that_reads_fails_beside_those_that_write(self) -> None:
        catalogue = self.make_catalogue()

        def write() -> None:
            for number in range(10):
                for project in self.projects:
                    name = f"demo-{project.id}-{number}"
                    file = add(catalogue, project, upload(f"{name}.zip", name))
                    catalogue.set_status(project, file.package.normalized_name, NameStatus(Status.DEPRECATED))
                catalogue.delete_package(file.package)

        self._beside(write, lambda: everything(catalogue))
        assert listed(catalogue, [project.id for project in self.projects])[1] == 10 * (len(self.projects) - 1)

    def test_a_list_is_of_the_moment_in_which_it_is_counted(self) -> None:
        catalogue = self.make_catalogue()
        seen: set[tuple[int, int]] = set()

        def write() -> None:
            for number in range(20):
                file = add(catalogue, TOOLS, upload(f"demo-{number}.zip", version=str(number)))
                if number % 3 == 2:
                    catalogue.delete_package(file.package)

        def read() -> None:
            packages, total = listed(catalogue, [TOOLS.id])
            seen.add((len(packages), total))

        self._beside(write, read)
        assert [(shown, total) for shown, total in seen if shown != total] == []

    def test_whoever_reads_beside_a_deletion_sees_all_of_a_package_or_nothing(self) -> None:
        catalogue = self.make_catalogue()
        for number in range(3):
            [package] = {add(catalogue, TOOLS, f"demo-{number}-{count}.zip").package for count in range(8)}
            seen: set[int] = set()

            def read(package: Package = package, seen: set[int] = seen) -> None:
                seen.add(len(catalogue.files([TOOLS.id], DEMO)))
                seen.add(len(catalogue.package_files(package)))

            self._beside(partial(catalogue.delete_package, package), read)
            assert seen <= {0, 8}

    # Else a page from before would be kept for the new revision, and shown until the next.

    def test_whoever_sees_a_revision_sees_what_raised_it(self) -> None:
        catalogue = self.make_catalogue()
        old = [add(catalogue, TOOLS, f"old-{number}.zip") for number in range(8)]

        def acts() -> Iterator[None]:
            for number, file in enumerate(old):
                add(catalogue, TOOLS, f"new-{number}.zip")
                yield
                catalogue.yank(file.package, f"{number}")
                yield
                catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED, f"{number}"))
                yield
                catalogue.delete_file(file)
                yield

        def look() -> tuple[int, ...]:
            files = catalogue.files([TOOLS.id], DEMO)
            new = sum(file.filename.startswith("new") for file in files)
            yanked = max((int(file.package.yanked or -1) for file in files), default=0)
            return new, new - len(files), yanked, int(catalogue.status([TOOLS.id], DEMO).reason or -1)

        self._see_what_raised_each_revision(catalogue, DEMO, acts(), look)

    def test_whoever_sees_a_revision_of_the_index_sees_what_raised_it(self) -> None:
        catalogue = self.make_catalogue()
        old = [add(catalogue, TOOLS, upload(f"old-{number}.zip", f"old-{number}")) for number in range(8)]

        def acts() -> Iterator[None]:
            for number, file in enumerate(old):
                add(catalogue, TOOLS, upload(f"new-{number}.zip", f"new-{number}"))
                yield
                catalogue.delete_package(file.package)
                yield

        def look() -> tuple[int, ...]:
            names = catalogue.names([TOOLS.id])
            new = sum(name.startswith("new") for name in names)
            return new, new - len(names)

        self._see_what_raised_each_revision(catalogue, None, acts(), look)

    def _see_what_raised_each_revision(
        self,
        catalogue: Catalogue,
        name: NormalizedName | None,
        acts: Iterator[None],
        look: Callable[[], tuple[int, ...]],
    ) -> None:
        """Act, beside readers; all numbers that a look gives may only rise, each with what is done."""
        places = [TOOLS.id], [TOOLS.id, LIBS.id]
        due: dict[tuple[int, int], tuple[int, ...]] = {}
        seen: set[tuple[tuple[int, int], tuple[int, ...]]] = set()

        def write() -> None:
            for _ in acts:
                due.update(dict.fromkeys(revisions(), look()))

        def revisions() -> list[tuple[int, int]]:
            return [(len(projects), catalogue.revision(projects, name)) for projects in places]

        def read() -> None:
            found = revisions()
            seen.update(dict.fromkeys(found, look()).items())

        self._beside(write, read)
        late = [
            (revision, shown, due[revision])
            for revision, shown in seen
            if revision in due and any(now < then for now, then in zip(shown, due[revision], strict=True))
        ]
        assert late == []

    def test_of_those_who_delete_at_once_exactly_one_gets_each_key(self) -> None:
        catalogue = self.make_catalogue()
        for _ in range(5):
            file = add(catalogue, TOOLS, "demo-1.0.zip")
            assert [key for key in self._at_once(lambda _, file=file: catalogue.delete_file(file)) if key] == [file.key]  # type: ignore[misc]
            again = add(catalogue, TOOLS, "demo-1.0.zip")
            lists = self._at_once(lambda _, again=again: catalogue.delete_package(again.package))  # type: ignore[misc]
            assert [key for keys in lists for key in keys] == [again.key]

    def test_deleting_at_once_with_adding_loses_no_key_and_leaves_no_orphan(self) -> None:
        catalogue = self.make_catalogue()
        added: list[str] = []
        deleted: list[str | None] = []

        def write(number: int) -> None:
            for count in range(10):
                added.append(add(catalogue, TOOLS, f"demo-{number}-{count}.zip").key)

        def delete(number: int) -> None:
            for count in range(10):
                if count % 2:
                    for package in listed(catalogue, [TOOLS.id])[0]:
                        deleted.extend(catalogue.delete_package(package))
                else:
                    deleted.extend(catalogue.delete_file(file) for file in catalogue.files([TOOLS.id], DEMO)[:1])

        self._at_once(lambda number: (write, delete)[number % 2](number), 6)
        left = catalogue.files([TOOLS.id], DEMO)
        assert sorted([*filter(None, deleted), *(file.key for file in left)]) == sorted(added)
        packages, total = listed(catalogue, [TOOLS.id])
        assert {file.package for file in left} <= set(packages)
        assert total == len(packages) == len({package.version for package in packages})
        assert [file for package in packages for file in catalogue.package_files(package)] == list(left)

    def test_after_a_name_was_closed_no_upload_at_once_with_it_gets_in(self) -> None:
        catalogue = self.make_catalogue()
        under_way = Event()

        def close() -> int:
            under_way.wait()
            catalogue.set_status(TOOLS, DEMO, NameStatus(Status.QUARANTINED))
            return len(catalogue.files([TOOLS.id], DEMO))

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

        closed, *added = self._at_once(lambda number: add_until_refused(number) if number else close(), 4)
        assert closed == sum(added) == len(catalogue.files([TOOLS.id], DEMO))


def add_if_free(catalogue: Catalogue, filename: str, number: int) -> PackageFile | None:
    """Publish a file that no other thread sends in the same way; None if its name is taken."""
    try:
        return add(catalogue, TOOLS, upload(filename, sha256=f"{number:064}"))
    except FileTaken:
        return None
