"""Tests of `add` alone: what it stores of an upload, in which package the file is, and which uploads it refuses.

Uploads at the same time are in `concurrency`.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from packaging.utils import canonicalize_name

from pypi_registry.errors import FileTaken, UploadsRefused
from pypi_registry.model import (
    Digests,
    FileWithStatus,
    Listing,
    NameStatus,
    Package,
    PackageDetails,
    PackageFile,
    PackageMetadata,
    Status,
    Upload,
)
from pypi_registry.testing.contracts.catalogue.samples import (
    AT,
    DEMO,
    IN_ACME,
    IN_OUTSIDE,
    IN_TOOLS,
    LIBS,
    MOVED_TOOLS,
    OTHER,
    OUTSIDE,
    TOOLS,
    CatalogueHooks,
    add,
    details,
    everything,
    filenames,
    files_of,
    listed,
    listing,
    upload,
)
from pypi_registry.testing.contracts.threads import raised

_KEY = "0123456789abcdef" * 2
_ANY_TEXT = "é ☃ \U0001f40d \0 ' \" \\ % %s {} \r\n"
_METADATA = PackageMetadata("2.1", "a@example.org", "summary", "one, two", "description", "text/markdown")


class Adding(CatalogueHooks):
    """Tests of `Catalogue.add`."""

    def test_every_reading_method_returns_an_added_file_as_it_was_sent(self) -> None:
        catalogue = self.make_catalogue()
        sent = Upload(
            name="My.Pkg",
            normalized_name=canonicalize_name("My.Pkg"),
            version="1.0-RC1",
            filename="My.Pkg-1.0rc1+x.tar.gz",
            size=5 * 1024**3,
            digests=Digests("a" * 64, "b" * 32, "c" * 64),
            requires_python=">=3.8, <4",
            metadata=_METADATA,
            core_metadata=b"Name: My.Pkg\n",
        )
        added = catalogue.add(OUTSIDE, sent, _KEY, AT, "ada")
        package = Package(added.package.id, OUTSIDE.id, "My.Pkg", sent.normalized_name, "1.0-RC1", AT)
        assert added == PackageFile(
            id=added.id,
            package=package,
            filename="My.Pkg-1.0rc1+x.tar.gz",
            size=5 * 1024**3,
            digests=Digests("a" * 64, "b" * 32, "c" * 64),
            requires_python=">=3.8, <4",
            uploaded_at=AT,
            blob_key=_KEY,
            core_metadata_sha256=sha256(b"Name: My.Pkg\n").hexdigest(),
            uploaded_by="ada",
        )
        active = NameStatus()
        assert listing(catalogue, IN_OUTSIDE, sent.normalized_name) == Listing((added,), {OUTSIDE.id: active})
        assert catalogue.file(IN_OUTSIDE, "a" * 64, sent.filename) == FileWithStatus(added, active)
        assert details(catalogue, package) == PackageDetails(package, (added,), _METADATA)
        assert catalogue.core_metadata(added.id) == b"Name: My.Pkg\n"
        assert listed(catalogue, IN_OUTSIDE) == ([package], 1)
        assert [*catalogue.names(IN_OUTSIDE)] == [sent.normalized_name]
        assert [*catalogue.publications(sent.normalized_name)] == [("other", OUTSIDE.id)]

    def test_what_an_upload_does_not_state_stays_empty(self) -> None:
        catalogue = self.make_catalogue()
        added = add(catalogue, TOOLS, "demo-1.0.tar.gz")
        [found] = files_of(catalogue, IN_TOOLS)
        assert found.digests == Digests("a" * 64, None, None)
        assert (found.requires_python, found.core_metadata_sha256, found.uploaded_by) == ("", None, "")
        assert (found.package.yanked, catalogue.core_metadata(found.id)) == (None, None)
        assert details(catalogue, added.package) == PackageDetails(added.package, (added,), PackageMetadata())

    def test_a_text_may_hold_any_character(self) -> None:
        catalogue = self.make_catalogue()
        metadata = PackageMetadata(summary=_ANY_TEXT, description="x" * 4000)
        added = add(catalogue, TOOLS, upload(metadata=metadata), by=_ANY_TEXT)
        found = details(catalogue, added.package)
        assert found is not None
        assert found.metadata == metadata
        assert [file.uploaded_by for file in found.files] == [_ANY_TEXT]

    def test_the_metadata_of_the_last_upload_replaces_that_of_the_package(self) -> None:
        catalogue = self.make_catalogue()
        package = add(catalogue, TOOLS, upload("one.zip", metadata=_METADATA)).package
        other = add(catalogue, TOOLS, upload("two.zip", version="2.0", metadata=_METADATA)).package
        last = PackageMetadata(metadata_version="2.4", description="é ☃\n\0 {}")
        add(catalogue, TOOLS, upload("three.zip", version="1.0.0", metadata=last))
        found, unchanged = details(catalogue, package), details(catalogue, other)
        assert found and found.metadata == last
        assert unchanged and unchanged.metadata == _METADATA

    def test_core_metadata_belongs_to_its_file_byte_by_byte(self) -> None:
        catalogue = self.make_catalogue()
        sent = [b"Name: demo\r\n\0\xff\xfe", None, b"", b"x" * 300_000]
        added = [
            add(catalogue, TOOLS, upload(f"demo-1.0-{number}.whl", core_metadata=data))
            for number, data in enumerate(sent)
        ]
        found = [catalogue.core_metadata(file.id) for file in added]
        assert found == sent
        assert {type(data) for data in found} == {bytes, type(None)}
        for file, data in zip(files_of(catalogue, IN_TOOLS), sent, strict=True):
            assert file.core_metadata_sha256 == (None if data is None else sha256(data).hexdigest())

    def test_times_are_aware_and_exact_to_the_microsecond_in_any_year(self) -> None:
        catalogue = self.make_catalogue()
        times = [datetime(year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) for year in (1969, 1999, 2999)]
        for number, at in enumerate(times):
            add(catalogue, TOOLS, upload(f"{number}.zip", version=str(number)), at=at)
        found = files_of(catalogue, IN_TOOLS)
        for of_files in ([file.uploaded_at for file in found], [file.package.created_at for file in found]):
            assert of_files == times
            assert {at.utcoffset() for at in of_files} == {timedelta(0)}

    def test_a_package_was_created_when_its_first_file_was_uploaded(self) -> None:
        catalogue = self.make_catalogue()
        first = add(catalogue, TOOLS, "demo-1.0.zip")
        second = add(catalogue, TOOLS, "demo-1.0.tar.gz", at=AT + timedelta(hours=1))
        assert first.package == second.package
        assert second.uploaded_at > second.package.created_at == AT
        catalogue.delete_file(TOOLS, first.id, "")
        assert listed(catalogue, IN_TOOLS) == ([first.package], 1)

    def test_equal_versions_are_one_package_in_the_first_spelling(self) -> None:
        catalogue = self.make_catalogue()
        for number, (first, second) in enumerate(_EQUAL):
            name = canonicalize_name(f"my-pkg{number}")
            one = add(catalogue, TOOLS, upload(f"{number}-one.zip", f"My.Pkg{number}", first)).package
            two = add(catalogue, TOOLS, upload(f"{number}-two.zip", f"my_pkg{number}", second)).package
            assert one == two == Package(one.id, TOOLS.id, f"My.Pkg{number}", name, first, AT), (first, second)
            assert {file.package for file in files_of(catalogue, IN_TOOLS, name)} == {one}

    def test_different_projects_names_and_versions_are_different_packages(self) -> None:
        catalogue = self.make_catalogue()
        packages = [
            add(catalogue, project, upload(f"{number}.zip", name, version)).package
            for number, (project, name, version) in enumerate(_DIFFERENT)
        ]
        assert len({package.id for package in packages}) == len(_DIFFERENT)
        assert [(package.project_id, package.name, package.version) for package in packages] == [
            (project.id, name, version) for project, name, version in _DIFFERENT
        ]

    def test_a_file_name_is_unique_in_a_project(self) -> None:
        catalogue = self.make_catalogue()
        first = add(catalogue, TOOLS, "demo-1.0.tar.gz")
        for again in (upload("demo-1.0.tar.gz"), upload("demo-1.0.tar.gz", "other", "2.0", "b" * 64)):
            error = raised(FileTaken, add, catalogue, TOOLS, again)
            assert error.filename == "demo-1.0.tar.gz"
        assert files_of(catalogue, IN_TOOLS) == [first]

    def test_a_file_name_is_case_sensitive_and_free_in_other_projects(self) -> None:
        catalogue = self.make_catalogue()
        # Without an identity: otherwise both are spellings of one name.
        add(catalogue, TOOLS, "file.zip")
        add(catalogue, TOOLS, "File.zip")
        add(catalogue, LIBS, "file.zip")
        assert filenames(files_of(catalogue, IN_ACME)) == ["file.zip", "File.zip", "file.zip"]

    def test_another_spelling_of_a_file_name_is_refused_and_changes_nothing(self) -> None:
        catalogue = self.make_catalogue()
        for number, (filename, version, spellings) in enumerate(_SPELLINGS):
            name = f"My.Pkg{number}"
            add(catalogue, TOOLS, upload(f"My.Pkg{number}-{filename}", name, version, metadata=_METADATA))
            before = everything(catalogue)
            for spelled_name, spelling, spelled_version in spellings:
                again = upload(f"{spelled_name}{number}-{spelling}", name.lower(), spelled_version, "b" * 64)
                error = raised(FileTaken, add, catalogue, MOVED_TOOLS, again)
                assert error.filename == again.filename
                assert everything(catalogue) == before, again.filename

    def test_another_spelling_of_a_file_name_is_free_in_other_projects(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0.tar.gz")
        add(catalogue, LIBS, "Demo-1.0.tar.gz")
        assert filenames(files_of(catalogue, IN_ACME)) == ["demo-1.0.tar.gz", "Demo-1.0.tar.gz"]

    def test_the_files_of_one_release_are_no_spellings_of_one_name(self) -> None:
        catalogue = self.make_catalogue()
        for filename in _OF_ONE_RELEASE:
            add(catalogue, TOOLS, filename)
        assert filenames(files_of(catalogue, IN_TOOLS)) == _OF_ONE_RELEASE

    def test_files_without_an_identity_are_no_spellings_of_one_name(self) -> None:
        catalogue = self.make_catalogue()
        sent = [upload(f"other-{number}.0.zip") for number in range(3)]  # of `demo` 1.0
        assert {each.identity for each in sent} == {None}
        for each in sent:
            add(catalogue, TOOLS, each)
        assert len(files_of(catalogue, IN_TOOLS)) == 3

    def test_an_upload_whose_file_name_is_taken_changes_nothing(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, upload(metadata=_METADATA))
        before = everything(catalogue)
        more: dict[str, Any] = {"metadata": PackageMetadata(summary="second"), "core_metadata": b"Name: demo\n"}
        for refused in (
            upload(**more),
            upload(version="2.0", **more),
            upload(name="other", **more),
            upload(name="DEMO", version="1.0.0", **more),
        ):
            raised(FileTaken, add, catalogue, MOVED_TOOLS, refused)
            assert everything(catalogue) == before, refused

    def test_an_archived_or_quarantined_name_refuses_uploads_and_nothing_changes(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0.zip")
        for status in (Status.ARCHIVED, Status.QUARANTINED):
            catalogue.set_status(TOOLS, DEMO, NameStatus(status, "why"), "")
            before = everything(catalogue)
            # The status is checked before the file name.
            for refused in (upload("demo-2.zip", version="2"), upload("demo-1.0.zip"), upload("d.zip", "DEMO")):
                error = raised(UploadsRefused, add, catalogue, MOVED_TOOLS, refused)
                assert (error.name, error.status) == ("demo", status.value)
                assert everything(catalogue) == before, refused

    def test_a_status_refuses_uploads_of_its_name_in_its_project_until_it_is_changed(self) -> None:
        catalogue = self.make_catalogue()
        catalogue.set_status(TOOLS, DEMO, NameStatus(Status.ARCHIVED), "")
        add(catalogue, LIBS, "demo-1.0.zip")
        add(catalogue, TOOLS, upload("other-1.0.zip", "other"))
        raised(UploadsRefused, add, catalogue, TOOLS, "demo-1.0.zip")
        for status in (Status.DEPRECATED, Status.ACTIVE):
            catalogue.set_status(TOOLS, DEMO, NameStatus(status), "")
            add(catalogue, TOOLS, f"demo-{status}.zip")
        assert filenames(files_of(catalogue, IN_TOOLS)) == ["demo-deprecated.zip", "demo-active.zip"]
        assert filenames(files_of(catalogue, IN_TOOLS, OTHER)) == ["other-1.0.zip"]

    def test_ids_are_never_used_twice(self) -> None:
        catalogue = self.make_catalogue()
        files, packages = set[int](), set[int]()
        for number in range(12):
            project = (TOOLS, LIBS)[number % 2]
            file = add(catalogue, project, upload("demo-1.0.zip", version=str(number)))
            assert file.id not in files
            assert file.package.id not in packages
            files.add(file.id)
            packages.add(file.package.id)
            if number % 4 < 2:
                catalogue.delete_package(project, file.package.id, "")
            else:
                catalogue.delete_file(project, file.id, "")


_EQUAL = [
    ("1.0", "1.0.0"),
    ("1.0.0", "1"),
    ("1.0", "v1.0"),
    ("1.0RC1", "1.0.0-rc.1"),
    ("1.0-1", "1.0.post1"),
    ("1.0+Local.1", "1.0+local-1"),
    ("0!1.0", "1.0"),
    ("1.0", "1.0"),
]
_DIFFERENT = [
    (TOOLS, "demo", "1.0"),
    (TOOLS, "demo", "1.0.1"),
    (TOOLS, "demo", "1.0+local"),
    (TOOLS, "demo", "1!1.0"),
    (TOOLS, "demo", "1.0rc1"),
    (TOOLS, "demo2", "1.0"),
    (LIBS, "demo", "1.0"),
]
_SPELLINGS = [
    # A file name without its name, its version, and spellings of it: name, the rest, version
    (
        "1.0-py3-none-any.whl",
        "1.0",
        [
            ("my_pkg", "1.0-py3-none-any.whl", "1.0"),
            ("MY.PKG", "1-py3-none-any.whl", "1.0"),
            ("my_pkg", "1.0.0-PY3-none-any.whl", "1.0.0"),
        ],
    ),
    ("1.0-py2.py3-none-any.whl", "1.0", [("my_pkg", "1.0-py3.py2-none-any.whl", "1.0")]),
    ("1.0-1a-py3-none-any.whl", "1.0", [("my_pkg", "1.0-01a-py3-none-any.whl", "1.0")]),
    ("1.0rc1.tar.gz", "1.0rc1", [("my_pkg", "1.0rc1.tar.gz", "1.0-RC1"), ("my-pkg", "1.0-rc.1.tar.gz", "1.0rc1")]),
    ("1.0.zip", "1.0", [("my_pkg", "1.zip", "1")]),
]
_OF_ONE_RELEASE = [
    "demo-1.0.tar.gz",
    "demo-1.0.zip",
    "demo-1.0-py3-none-any.whl",
    "demo-1.0-1-py3-none-any.whl",
    "demo-1.0-1a-py3-none-any.whl",
    "demo-1.0-2-py3-none-any.whl",
    "demo-1.0-py2.py3-none-any.whl",
    "demo-1.0-cp311-cp311-linux_x86_64.whl",
    "demo-1.0-cp311-abi3-linux_x86_64.whl",
]
