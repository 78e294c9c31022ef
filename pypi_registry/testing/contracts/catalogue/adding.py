"""What `Catalogue.add` promises: what was sent comes back as it was, in one package a version, or nothing happened."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from packaging.utils import canonicalize_name

from pypi_registry.errors import FileTaken, UploadsRefused
from pypi_registry.model import Digests, NameStatus, Package, PackageFile, PackageMetadata, Project, Status, Upload
from pypi_registry.testing.contracts.catalogue.samples import (
    AT,
    DEMO,
    ELSEWHERE,
    LIBS,
    OTHER,
    TOOLS,
    CatalogueHooks,
    add,
    everything,
    filenames,
    listed,
    upload,
)
from pypi_registry.testing.contracts.threads import raised

KEY = "0123456789abcdef" * 2


class Adding(CatalogueHooks):
    """The tests of `Catalogue.add`."""

    def test_what_was_added_is_given_back_as_it_was(self) -> None:
        catalogue = self.make_catalogue()
        sent = Upload(
            name="My.Pkg",
            normalized_name=canonicalize_name("My.Pkg"),
            version="1.0-RC1",
            filename="My.Pkg-1.0rc1+x.tar.gz",
            size=5 * 1024**3,
            digests=Digests("a" * 64, "b" * 32, "c" * 64),
            requires_python=">=3.8, <4",
            core_metadata=b"Name: My.Pkg\n",
        )
        added = catalogue.add(ELSEWHERE, sent, KEY, AT)
        assert added == PackageFile(
            id=added.id,
            package=Package(added.package.id, ELSEWHERE.id, "My.Pkg", sent.normalized_name, "1.0-RC1", AT),
            filename="My.Pkg-1.0rc1+x.tar.gz",
            size=5 * 1024**3,
            digests=Digests("a" * 64, "b" * 32, "c" * 64),
            requires_python=">=3.8, <4",
            uploaded_at=AT,
            key=KEY,
            metadata_sha256=sha256(b"Name: My.Pkg\n").hexdigest(),
        )
        assert list(catalogue.files([ELSEWHERE.id], sent.normalized_name)) == [added]
        assert list(catalogue.package_files(added.package)) == [added]
        assert catalogue.file([ELSEWHERE.id], "a" * 64, sent.filename) == added
        assert catalogue.package([ELSEWHERE.id], added.package.id) == added.package
        assert catalogue.core_metadata(added) == b"Name: My.Pkg\n"
        assert listed(catalogue, [ELSEWHERE.id]) == ([added.package], 1)
        assert list(catalogue.names([ELSEWHERE.id])) == [sent.normalized_name]
        assert catalogue.has_name([ELSEWHERE.id], sent.normalized_name)
        assert catalogue.revision([ELSEWHERE.id], sent.normalized_name) > 0
        assert catalogue.revision([ELSEWHERE.id], None) > 0

    def test_what_was_not_said_stays_unsaid(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, upload("demo-1.0.tar.gz"))
        (found,) = catalogue.files([TOOLS.id], DEMO)
        assert found.digests == Digests("a" * 64, None, None)
        assert (found.requires_python, found.metadata_sha256, found.package.yanked) == ("", None, None)

    def test_a_text_about_a_package_may_hold_any_character(self) -> None:
        catalogue = self.make_catalogue()
        said = PackageMetadata(summary="é ☃ \U0001f40d \0 ' \" \\ %s {} \r\n", description="x" * 4000)
        added = add(catalogue, TOOLS, replace(upload(), about=said))
        assert catalogue.about(added.package) == said

    def test_what_the_last_upload_of_a_package_said_replaces_what_was_said_before(self) -> None:
        catalogue = self.make_catalogue()
        first = PackageMetadata("2.1", "a@host.example", "summary", "one, two", "description", "text/markdown")
        package = add(catalogue, TOOLS, replace(upload("one.zip"), about=first)).package
        other = add(catalogue, TOOLS, replace(upload("two.zip", version="2.0"), about=first)).package
        assert catalogue.about(package) == first
        second = PackageMetadata(metadata_version="2.4", description="é ☃\n\0 {}")
        add(catalogue, TOOLS, replace(upload("three.zip", version="1.0.0"), about=second))
        assert catalogue.about(package) == second
        assert catalogue.about(other) == first

    def test_core_metadata_is_that_of_its_file_byte_by_byte(self) -> None:
        catalogue = self.make_catalogue()
        sent = [b"Name: demo\r\n\0\xff\xfe", None, b"", b"x" * 300_000]
        files = [
            add(catalogue, TOOLS, replace(upload(f"demo-1.0-{number}.whl"), core_metadata=data))
            for number, data in enumerate(sent)
        ]
        found = [catalogue.core_metadata(file) for file in files]
        assert found == sent
        assert {type(data) for data in found} == {bytes, type(None)}
        for file, data in zip(catalogue.files([TOOLS.id], DEMO), sent, strict=True):
            assert file.metadata_sha256 == (None if data is None else sha256(data).hexdigest())

    def test_a_time_is_aware_and_kept_to_the_microsecond_in_any_year(self) -> None:
        catalogue = self.make_catalogue()
        times = [datetime(year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) for year in (1969, 1999, 2999)]
        for number, at in enumerate(times):
            add(catalogue, TOOLS, upload(f"{number}.zip", version=str(number)), at=at)
        found = catalogue.files([TOOLS.id], DEMO)
        for when in ([file.uploaded_at for file in found], [file.package.created_at for file in found]):
            assert when == times
            assert {at.utcoffset() for at in when} == {timedelta(0)}

    def test_a_package_came_when_its_first_file_did(self) -> None:
        catalogue = self.make_catalogue()
        first = add(catalogue, TOOLS, "demo-1.0.zip")
        second = add(catalogue, TOOLS, "demo-1.0.tar.gz", at=AT + timedelta(hours=1))
        assert first.package == second.package
        assert second.uploaded_at > second.package.created_at == AT
        catalogue.delete_file(first)
        package = catalogue.package([TOOLS.id], first.package.id)
        assert package is not None
        assert package.created_at == AT

    def test_equal_versions_are_one_package_named_as_it_first_was(self) -> None:
        catalogue = self.make_catalogue()
        for number, (first, second) in enumerate(_EQUAL):
            name = canonicalize_name(f"my-pkg{number}")
            one = add(catalogue, TOOLS, upload(f"{number}-one.zip", f"My.Pkg{number}", first)).package
            two = add(catalogue, TOOLS, upload(f"{number}-two.zip", f"my_pkg{number}", second)).package
            assert one == two == Package(one.id, TOOLS.id, f"My.Pkg{number}", name, first, AT), (first, second)
            assert {file.package for file in catalogue.files([TOOLS.id], name)} == {one}

    def test_what_differs_is_another_package(self) -> None:
        catalogue = self.make_catalogue()
        packages = [
            add(catalogue, project, upload(f"{number}.zip", name, version)).package
            for number, (project, name, version) in enumerate(_DIFFERENT)
        ]
        assert len({package.id for package in packages}) == len(_DIFFERENT)
        assert [(package.project_id, package.name, package.version) for package in packages] == [
            (project.id, name, version) for project, name, version in _DIFFERENT
        ]

    def test_a_file_name_is_there_once_in_a_project(self) -> None:
        catalogue = self.make_catalogue()
        first = add(catalogue, TOOLS, "demo-1.0.tar.gz")
        twins = [upload("demo-1.0.tar.gz"), upload("demo-1.0.tar.gz", "other", "2.0", "b" * 64)]
        for twin in twins:
            error = raised(FileTaken, add, catalogue, TOOLS, twin)
            assert error.filename == "demo-1.0.tar.gz"
        assert list(catalogue.files([TOOLS.id], DEMO)) == [first]

    def test_a_file_name_has_case_and_is_free_in_another_project(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0.tar.gz")
        add(catalogue, TOOLS, "Demo-1.0.tar.gz")
        add(catalogue, LIBS, "demo-1.0.tar.gz")
        found = filenames(catalogue.files([TOOLS.id, LIBS.id], DEMO))
        assert found == ["demo-1.0.tar.gz", "Demo-1.0.tar.gz", "demo-1.0.tar.gz"]

    def test_an_upload_whose_file_name_is_taken_changes_nothing(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, replace(upload(), about=PackageMetadata(summary="first")))
        before = everything(catalogue)
        moved = Project(TOOLS.id, "moved/tools")
        for refused in (upload(), upload(version="2.0"), upload(name="other"), upload(name="DEMO", version="1.0.0")):
            said = replace(refused, about=PackageMetadata(summary="second"), core_metadata=b"Name: demo\n")
            raised(FileTaken, add, catalogue, moved, said)
            assert everything(catalogue) == before, refused

    def test_a_name_that_is_archived_or_quarantined_takes_no_uploads_and_nothing_changes(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0.zip")
        moved = Project(TOOLS.id, "moved/tools")
        for status in (Status.ARCHIVED, Status.QUARANTINED):
            catalogue.set_status(TOOLS, DEMO, NameStatus(status, "done"))
            before = everything(catalogue)
            for refused in (upload("demo-2.zip", version="2"), upload("demo-1.0.zip"), upload("d.zip", "DEMO")):
                error = raised(UploadsRefused, add, catalogue, moved, refused)
                assert (error.name, error.reason) == ("demo", status.value)
                assert everything(catalogue) == before, refused

    def test_uploads_are_refused_under_that_name_in_that_project_only_and_until_it_is_active_again(self) -> None:
        catalogue = self.make_catalogue()
        catalogue.set_status(TOOLS, DEMO, NameStatus(Status.ARCHIVED))
        add(catalogue, LIBS, "demo-1.0.zip")
        add(catalogue, TOOLS, upload("other-1.0.zip", "other"))
        for status in (Status.DEPRECATED, Status.ACTIVE):
            catalogue.set_status(TOOLS, DEMO, NameStatus(status))
            add(catalogue, TOOLS, f"demo-{status}.zip")
        assert filenames(catalogue.files([TOOLS.id], DEMO)) == ["demo-deprecated.zip", "demo-active.zip"]
        assert filenames(catalogue.files([TOOLS.id], OTHER)) == ["other-1.0.zip"]

    def test_ids_are_never_used_twice(self) -> None:
        catalogue = self.make_catalogue()
        files, packages = set[int](), set[int]()
        for number in range(12):
            file = add(catalogue, (TOOLS, LIBS)[number % 2], upload("demo-1.0.zip", version=str(number)))
            assert file.id not in files
            assert file.package.id not in packages
            files.add(file.id)
            packages.add(file.package.id)
            if number % 4 < 2:
                catalogue.delete_package(file.package)
            else:
                catalogue.delete_file(file)


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
