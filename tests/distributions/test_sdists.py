"""What an sdist must hold, as a gzipped tar and as a zip, rule by rule."""

import io
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from pypi_registry.distributions import Report, verify
from pypi_registry.distributions.limits import MAX_METADATA
from pypi_registry.testing.archives import distribution
from tests.distributions import tars, zips
from tests.distributions.measuring import Counted, peak
from tests.distributions.tars import Member
from tests.distributions.zips import Entry, archive

METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
NAMES = ["demo-1.0.tar.gz", "demo-1.0.zip"]
both = pytest.mark.parametrize("filename", NAMES, ids=["tar", "zip"])


@dataclass(frozen=True, slots=True)
class Held:
    """A member, whatever the archive."""

    path: str
    data: bytes = b""
    link: str = ""


INFO = Held("demo-1.0/PKG-INFO", METADATA)
SETUP = Held("demo-1.0/setup.py", b"setup()\n")


def made(filename: str, members: Iterable[Held]) -> bytes:
    """Make an sdist of members; what ends in a slash is a folder, what has a link is one."""
    return (zipped if filename.endswith(".zip") else tarred)([*members])


def tarred(members: list[Held]) -> bytes:
    return tars.zipped(tars.tar(map(in_a_tar, members)))


def in_a_tar(held: Held) -> Member:
    kind = tars.SYMLINK if held.link else tars.FOLDER if held.path.endswith("/") else tars.FILE
    return Member(name=held.path.encode(), data=held.data, type=kind, link=held.link.encode())


def zipped(members: list[Held]) -> bytes:
    return archive(
        Entry(
            name=held.path.encode(),
            data=held.link.encode() or held.data,
            attributes=zips.SYMLINK if held.link else 0o100644 << 16,
        )
        for held in members
    )


def look(filename: str, *members: Held) -> Report:
    return verify(io.BytesIO(made(filename, members)), filename)


# What is right


@pytest.mark.parametrize("filename", ["demo-1.0.tar.gz", "De.mo_x-1!2.0rc1+local.1.zip", "old-name-1.0-1.tar.gz"])
def test_an_sdist_is_what_it_says(filename: str) -> None:
    name, version = {"d": ("demo", "1.0"), "D": ("De.mo_x", "1!2.0rc1+local.1"), "o": ("old-name", "1.0-1")}[
        filename[0]
    ]
    data = distribution(filename, name=name, version=version, requires_python=">=3.8", files={"setup.py": ""})
    found = verify(io.BytesIO(data), filename)
    assert found.problems == ()
    assert found.metadata is not None
    assert (found.metadata.name, found.metadata.version) == (name, version)
    assert found.metadata.requires_python == ">=3.8"


@both
@pytest.mark.parametrize(
    "members",
    [
        pytest.param([INFO], id="the least"),
        pytest.param([SETUP, INFO], id="metadata last"),
        pytest.param([Held("demo-1.0/"), Held("demo-1.0/demo/"), INFO, SETUP], id="folders"),
        pytest.param([INFO, Held("demo-1.0/demo.egg-info/PKG-INFO", b"anything")], id="metadata deeper, of any sort"),
        pytest.param([INFO, Held("demo-1.0/pkg-info", b"anything")], id="metadata in another case"),
        pytest.param([INFO, Held("demo-1.0/a", link="b/../setup.py")], id="a link that stays inside"),
        pytest.param([INFO, Held("demo-1.0/a", link="."), Held("demo-1.0/b", link="a")], id="links to each other"),
        pytest.param([Held("other/PKG-INFO", METADATA), Held("other/setup.py")], id="a folder of another name"),
    ],
)
def test_an_sdist_is_one_folder_with_metadata_in_it(filename: str, members: list[Held]) -> None:
    found = look(filename, *members)
    assert found.problems == ()
    assert found.metadata is not None
    assert found.metadata.data == METADATA


# What is wrong


@both
@pytest.mark.parametrize(
    ("members", "problem"),
    [
        pytest.param([], "an sdist must have one folder at its top, but this has none", id="nothing"),
        pytest.param([SETUP], "there is no PKG-INFO in the folder 'demo-1.0'", id="no metadata"),
        pytest.param([Held("PKG-INFO", METADATA)], "there is no PKG-INFO in the folder 'PKG-INFO'", id="no folder"),
        pytest.param(
            [SETUP, Held("demo-1.0/a/PKG-INFO", METADATA)], "there is no PKG-INFO in the folder 'demo-1.0'", id="deeper"
        ),
        pytest.param(
            [SETUP, Held("demo-1.0/PKG-INFO/")],
            "there is no PKG-INFO in the folder 'demo-1.0'",
            id="metadata as a folder",
        ),
        pytest.param(
            [Held("demo-1.0/info", METADATA), Held("demo-1.0/PKG-INFO", link="info")],
            "there is no PKG-INFO in the folder 'demo-1.0'",
            id="metadata as a link",
        ),
        pytest.param(
            [INFO, Held("setup.py")],
            "an sdist must have one folder at its top, but this has 'demo-1.0', 'setup.py'",
            id="a file beside the folder",
        ),
        pytest.param(
            [INFO, *(Held(f"{letter}/x") for letter in "abc")],
            "an sdist must have one folder at its top, but this has 'a', 'b', 'c' and 1 more",
            id="four folders",
        ),
        pytest.param(
            [INFO, Held("other/")],
            "an sdist must have one folder at its top, but this has 'demo-1.0', 'other'",
            id="a folder more",
        ),
        pytest.param(
            [Held("demo-1.0/PKG-INFO", b"Name: demo\nVersion: 1.0")], "PKG-INFO has no Metadata-Version", id="half"
        ),
        pytest.param([INFO, Held("demo-1.0/../x")], "the path 'demo-1.0/../x' contains '..'", id="a path"),
        pytest.param([INFO, SETUP, SETUP], "the path 'demo-1.0/setup.py' occurs more than once", id="a file twice"),
        pytest.param(
            [INFO, Held("demo-1.0/a"), Held("demo-1.0/a", link="b")],
            "the path 'demo-1.0/a' occurs more than once",
            id="file and link",
        ),
        pytest.param(
            [INFO, Held("demo-1.0/a", link="../b")],
            "the link 'demo-1.0/a' points to '../b', outside the archive",
            id="a link that leads out",
        ),
        pytest.param(
            [INFO, Held("demo-1.0/a", link="setup.py"), Held("demo-1.0/b", link="a/x")],
            "the link 'demo-1.0/b' points to 'a/x', through another link",
            id="a link through a link",
        ),
    ],
)
def test_a_problem_is_named(filename: str, members: list[Held], problem: str) -> None:
    assert problem in look(filename, *members).problems


@both
def test_problems_of_all_kinds_are_named_together(filename: str) -> None:
    members = [Held("demo-1.0/PKG-INFO", METADATA.replace(b"demo", b"other")), Held("demo-1.0/a", link="/etc")]
    found = look(filename, *members)
    assert len(found.problems) == 2
    assert "points to '/etc'" in found.problems[0]
    assert "does not match" in found.problems[1]
    assert found.metadata is not None


@both
def test_metadata_has_a_limit(filename: str) -> None:
    text = METADATA + b"\n" + b"x" * (MAX_METADATA - len(METADATA) - 1)
    assert look(filename, Held("demo-1.0/PKG-INFO", text)).problems == ()
    found = look(filename, Held("demo-1.0/PKG-INFO", text + b"x"))
    assert found == Report(None, (f"'demo-1.0/PKG-INFO' has {MAX_METADATA + 1} bytes, more than {MAX_METADATA}",))


def test_of_much_metadata_one_is_read() -> None:
    text = METADATA + b"\n" + bytes(MAX_METADATA // 2)
    many = [Held(f"{number}/PKG-INFO", text) for number in range(5)]
    with peak() as held:
        found = look("demo-1.0.tar.gz", *many)
    assert len(found.problems) == 1
    assert held.bytes < 12 * len(text)  # five of them are made here
    entries = [Entry(name=b"%d/PKG-INFO" % number, data=METADATA + b"\n" + b"x" * 300_000) for number in range(6)]
    stream = Counted(archive(entries))
    assert len(verify(stream, "demo-1.0.zip", budget=0).problems) == 1
    assert stream.given < 500_000


def test_nothing_of_an_unsound_zip_is_read() -> None:
    entry = Entry(name=b"demo-1.0/PKG-INFO", data=METADATA)
    found = verify(io.BytesIO(archive([entry, entry])), "demo-1.0.zip")
    assert found == Report(None, ("the path 'demo-1.0/PKG-INFO' occurs more than once",))


@pytest.mark.parametrize(
    ("data", "size"),
    [(b"a" * 4097, 4097), (b"damaged", 7)],
    ids=["a target that is too long", "a target that is damaged"],
)
def test_a_link_in_a_zip_whose_target_cannot_be_read_leads_out(data: bytes, size: int) -> None:
    told = {} if size > 4096 else {"crc": 7}
    link = Entry(name=b"demo-1.0/a", data=data, attributes=zips.SYMLINK, local=told, central=told)
    problems = verify(
        io.BytesIO(archive([Entry(name=INFO.path.encode(), data=METADATA), link])), "demo-1.0.zip", budget=0
    ).problems
    assert problems == ("the link 'demo-1.0/a' points to '\\x00', which is not a path",)


@pytest.mark.parametrize(("budget", "count"), [(None, 1), (10**6, 1), (0, 0)])
def test_damage_in_a_zip_is_found_within_the_budget(budget: int | None, count: int) -> None:
    told = {"crc": 7}
    entries = [
        Entry(name=INFO.path.encode(), data=METADATA),
        Entry(name=b"demo-1.0/x", data=b"x", local=told, central=told),
    ]
    assert len(verify(io.BytesIO(archive(entries)), "demo-1.0.zip", budget=budget).problems) == count


# Tars alone


def hard(path: str, target: str) -> Member:
    return Member(name=path.encode(), type=tars.HARD_LINK, link=target.encode())


def look_at_tar(*members: Member) -> tuple[str, ...]:
    return verify(io.BytesIO(tars.zipped(tars.tar([in_a_tar(INFO), in_a_tar(SETUP), *members]))), NAMES[0]).problems


@pytest.mark.parametrize(
    "links",
    [
        [hard("demo-1.0/a", "demo-1.0/setup.py")],
        [hard("demo-1.0/a", "demo-1.0/setup.py"), hard("demo-1.0/b", "demo-1.0/a")],
        [hard("demo-1.0/a", "demo-1.0/PKG-INFO")],
    ],
    ids=["of a file", "of another", "of metadata"],
)
def test_a_hard_link_is_another_name_of_a_file_before_it(links: list[Member]) -> None:
    assert look_at_tar(*links) == ()


@pytest.mark.parametrize(
    ("links", "target"),
    [
        ([hard("demo-1.0/a", "demo-1.0/b")], "demo-1.0/b"),
        ([hard("demo-1.0/a", "demo-1.0/a")], "demo-1.0/a"),
        ([hard("demo-1.0/a", "/etc/passwd")], "/etc/passwd"),
        ([hard("demo-1.0/a", "demo-1.0")], "demo-1.0"),
        ([hard("demo-1.0/a", "demo-1.0/b"), hard("demo-1.0/b", "demo-1.0/a")], "demo-1.0/b"),
        ([in_a_tar(Held("demo-1.0/l", link="setup.py")), hard("demo-1.0/a", "demo-1.0/l")], "demo-1.0/l"),
    ],
    ids=["nowhere", "itself", "outside", "a folder", "each other", "a symbolic link"],
)
def test_a_hard_link_to_anything_else_is_named(links: list[Member], target: str) -> None:
    assert f"the link 'demo-1.0/a' points to {target!r}, which is not an earlier file" in look_at_tar(*links)


def test_metadata_that_is_a_hard_link_is_none() -> None:
    members = [in_a_tar(Held("demo-1.0/info", METADATA)), hard("demo-1.0/PKG-INFO", "demo-1.0/info")]
    found = verify(io.BytesIO(tars.zipped(tars.tar(members))), NAMES[0])
    assert found == Report(None, ("there is no PKG-INFO in the folder 'demo-1.0'",))


def test_a_device_is_named() -> None:
    problems = look_at_tar(
        Member(name=b"demo-1.0/null", type=tars.CHARACTER), Member(name=b"demo-1.0/p", type=tars.FIFO)
    )
    assert problems == tuple(f"the member 'demo-1.0/{name}' is a device or a pipe" for name in ("null", "p"))


@pytest.mark.parametrize("name", [b"/", b"//", b"../", b"/demo-1.0/"])
def test_a_folder_elsewhere_is_named(name: bytes) -> None:
    assert any("the path" in problem for problem in look_at_tar(Member(name=name, type=tars.FOLDER)))


def test_what_was_found_before_a_tar_breaks_off_is_named_with_it() -> None:
    whole = tars.tar([in_a_tar(INFO), in_a_tar(Held("demo-1.0/../x")), in_a_tar(SETUP)], end=b"")
    found = verify(io.BytesIO(tars.zipped(whole[:-512])), NAMES[0])
    assert found.problems == ("the archive is truncated", "the path 'demo-1.0/../x' contains '..'")
    assert found.metadata is not None
