"""What holds when many threads come at once, and readers beside them."""

from collections import defaultdict
from dataclasses import replace
from functools import partial
from hashlib import sha256
from threading import Event

from pypi_registry.errors import FileTaken, UploadsRefused
from pypi_registry.model import NameStatus, PackageFile, Status
from pypi_registry.storage import Catalogue
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    TOOLS,
    CatalogueHooks,
    add,
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

        def act(number: int) -> bool:
            before = look()
            add(catalogue, TOOLS, f"demo-{number}.zip")
            return before < look()

        assert self._at_once(act) == [True] * 8
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

    def test_whoever_sees_a_revision_sees_what_raised_it(self) -> None:
        # Else a page without the new file would be kept for the new revision, and shown until the next.
        catalogue = self.make_catalogue()
        files_at: dict[int, int] = {}
        seen: set[tuple[int, int]] = set()

        def write() -> None:
            for count in range(1, 21):
                add(catalogue, TOOLS, f"demo-{count}.zip")
                files_at[catalogue.revision([TOOLS.id], DEMO)] = count

        def read() -> None:
            revision = catalogue.revision([TOOLS.id], DEMO)
            seen.add((revision, len(catalogue.files([TOOLS.id], DEMO))))

        self._beside(write, read)
        assert [(revision, count) for revision, count in seen if count < files_at.get(revision, 0)] == []

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
