"""Core metadata as other people's parsers read it, and what an index makes of it."""

import email
import email.policy
import tracemalloc
from importlib.metadata import PathDistribution

import packaging.metadata
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.metadata import Metadata, parse_email
from packaging.utils import NormalizedName

from pypi_registry.distributions import CoreMetadata
from pypi_registry.distributions.limits import (
    MAX_FIELDS,
    MAX_HEADER,
    MAX_HEADER_LINES,
    MAX_METADATA,
    MAX_VALUE,
    MAX_VALUES,
)
from pypi_registry.distributions.metadata import header_values, is_metadata_served, metadata_problems, parse_metadata
from pypi_registry.distributions.report import InvalidArchive

HEAD = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"


def said(data: bytes) -> tuple[str, str, str, str]:
    found = parse_metadata(data)
    return found.metadata_version, found.name, found.version, found.requires_python


def problem_of(data: bytes) -> str:
    with pytest.raises(InvalidArchive) as caught:
        parse_metadata(data)
    return str(caught.value)


# What is read


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(HEAD, ("2.1", "demo", "1.0", ""), id="the least"),
        pytest.param(HEAD.rstrip(), ("2.1", "demo", "1.0", ""), id="without a last newline"),
        pytest.param(HEAD.replace(b"\n", b"\r\n"), ("2.1", "demo", "1.0", ""), id="of Windows"),
        pytest.param(HEAD.replace(b"\n", b"\r"), ("2.1", "demo", "1.0", ""), id="of old Macs"),
        pytest.param(
            b"Version: 1.0\nSummary: x\nName: demo\nMetadata-Version: 1.0", ("1.0", "demo", "1.0", ""), id="any order"
        ),
        pytest.param(HEAD.upper(), ("2.1", "DEMO", "1.0", ""), id="fields in capitals"),
        pytest.param(HEAD.replace(b": ", b":"), ("2.1", "demo", "1.0", ""), id="no blanks"),
        pytest.param(
            HEAD.replace(b": ", b":\t ").replace(b"2.1\n", b"2.1 \n").replace(b"1.0\n", b"1.0\t \n"),
            ("2.1", "demo", "1.0", ""),
            id="many blanks",
        ),
        pytest.param(HEAD.replace(b"demo", b"My.Pkg_demo"), ("2.1", "My.Pkg_demo", "1.0", ""), id="a name as it is"),
        pytest.param(HEAD.replace(b" 1.0", b" v1.0-RC1"), ("2.1", "demo", "v1.0-RC1", ""), id="a version as it is"),
        pytest.param(HEAD.replace(b"2.1", b"1.0"), ("1.0", "demo", "1.0", ""), id="the oldest format"),
        pytest.param(HEAD.replace(b"2.1", b"9.9"), ("9.9", "demo", "1.0", ""), id="a format of the future"),
        pytest.param(HEAD.replace(b"2.1", b"12.345"), ("12.345", "demo", "1.0", ""), id="a format of a far future"),
        pytest.param(HEAD + b"Requires-Python: >=3.8\n", ("2.1", "demo", "1.0", ">=3.8"), id="Requires-Python"),
        pytest.param(
            HEAD + b"requires-python: >=3.8,\n        <4\n", ("2.1", "demo", "1.0", ">=3.8, <4"), id="a folded field"
        ),
        pytest.param(HEAD + b"Requires-Python:\n", ("2.1", "demo", "1.0", ""), id="an empty Requires-Python"),
        pytest.param(
            HEAD + b"Requires-Python: " + b"x" * 255, ("2.1", "demo", "1.0", "x" * 255), id="as long as may be"
        ),
        pytest.param(
            HEAD + b"\nRequires-Python: >=3.8\nName: other\n",
            ("2.1", "demo", "1.0", ""),
            id="a description like fields",
        ),
        pytest.param(
            HEAD.replace(b"\n", b"\r\n") + b"\r\nRequires-Python: >=3.8\r\n",
            ("2.1", "demo", "1.0", ""),
            id="a description like fields, of Windows",
        ),
        pytest.param(
            HEAD + b"Description: Name: other\n        Version: 2.0\n",
            ("2.1", "demo", "1.0", ""),
            id="a folded Description",
        ),
        pytest.param(
            HEAD + b"Author: Jos\xe9\nSummary: caf\xc3\xa9\nRequires-Python: >=3.8\n",
            ("2.1", "demo", "1.0", ">=3.8"),
            id="what is not UTF-8, in other fields",
        ),
        pytest.param(HEAD + b"\n\x00\xff\xfe", ("2.1", "demo", "1.0", ""), id="a description of any bytes"),
        pytest.param(
            HEAD + b"Author: a\nAuthor: b\nClassifier: c\nClassifier: d\n",
            ("2.1", "demo", "1.0", ""),
            id="other fields twice",
        ),
        pytest.param(HEAD + b"\nFrom here on\n", ("2.1", "demo", "1.0", ""), id="a description like a mailbox"),
        pytest.param(
            HEAD + b"From: here\nFromage: brie\nRequires-Python: >=3.8\n",
            ("2.1", "demo", "1.0", ">=3.8"),
            id="fields that begin like a mailbox's line",
        ),
    ],
)
def test_what_metadata_says_is_read(data: bytes, expected: tuple[str, str, str, str]) -> None:
    assert said(data) == expected


def test_the_bytes_are_kept_as_they_are() -> None:
    data = HEAD.replace(b"\n", b"\r\n") + b"\r\n\xff\0 description \r\n\n"
    assert parse_metadata(data).data == data


ascii_words = st.text("abcXYZ019._-+!<>=, ", max_size=12).map(str.strip)
words = st.text("abcXYZ019:é☃ ", max_size=12).map(str.strip)
headers = st.one_of(
    st.tuples(st.sampled_from(["Summary", "Author", "License", "Name-", "X"]), words),
    st.tuples(st.sampled_from(["Requires-Dist", "Dynamic", "Classifier"]), ascii_words),
)


@given(
    st.lists(headers, max_size=6),
    ascii_words,
    st.sampled_from(["\n", "\r\n"]),
    st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=40)),
)
@settings(max_examples=50, deadline=None)
def test_packaging_and_importlib_read_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    headers: list[tuple[str, str]],
    requires_python: str,
    newline: str,
    description: str | None,
) -> None:
    lines = [("Metadata-Version", "2.2"), ("Name", "My.Demo"), ("Version", "1.0-rc1"), *headers]
    lines[2:2] = [("Requires-Python", requires_python)] if requires_python else []
    text = "".join(f"{field}: {value}{newline}" for field, value in lines)
    data = (text if description is None else f"{text}{newline}{description}").encode()
    found = parse_metadata(data)

    theirs, _ = parse_email(data)
    assert (found.metadata_version, found.name, found.version) == (
        theirs["metadata_version"],
        theirs["name"],
        theirs["version"],
    )
    assert found.requires_python == " ".join(theirs.get("requires_python", "").split())
    assert found.dynamic == {" ".join(value.split()).lower() for value in theirs.get("dynamic", [])}

    folder = tmp_path_factory.getbasetemp() / "demo-1.0.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_bytes(data)
    installed = PathDistribution(folder).metadata
    assert (found.name, found.version) == (installed["Name"], installed["Version"])


# What is wrong


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", ["no Metadata-Version", "no Name", "no Version"], id="nothing"),
        pytest.param(b"\n" + HEAD, ["no Metadata-Version", "no Name", "no Version"], id="a description only"),
        pytest.param(b"PK\x03\x04\x00\x01", ["no Metadata-Version", "no Name", "no Version"], id="junk"),
        pytest.param(HEAD.replace(b"Name: demo\n", b""), ["no Name"], id="no Name"),
        pytest.param(HEAD.replace(b"Version: 1.0\n", b""), ["no Version"], id="no Version"),
        pytest.param(b"Name: demo\nVersion: 1.0\n", ["no Metadata-Version"], id="no Metadata-Version"),
        pytest.param(HEAD.replace(b"demo", b""), ["no Name"], id="an empty Name"),
        pytest.param(HEAD.replace(b"demo", b" \t"), ["no Name"], id="a blank Name"),
        pytest.param(HEAD.replace(b"Name:", b"Name :"), ["no Name", "no Version"], id="a blank before a colon"),
        pytest.param(HEAD + b"Name: other\n", ["more than one Name"], id="two Names"),
        pytest.param(HEAD + b"Name: demo\n", ["more than one Name"], id="one Name twice"),
        pytest.param(HEAD + b"NAME: demo\n", ["more than one Name"], id="one Name twice, once in capitals"),
        pytest.param(HEAD + b"Name:\n", ["more than one Name"], id="a Name and an empty one"),
        pytest.param(
            b"Name:\nName: demo\n" + HEAD.replace(b"Name: demo\n", b""),
            ["more than one Name"],
            id="an empty Name and one",
        ),
        pytest.param(HEAD + b"Version: 2.0\n", ["more than one Version"], id="two Versions"),
        pytest.param(HEAD + b"Metadata-Version: 2.2\n", ["more than one Metadata-Version"], id="two formats"),
        pytest.param(
            HEAD + b"Requires-Python: >=3\nRequires-Python: >=3.8\n",
            ["more than one Requires-Python"],
            id="two Requires-Python",
        ),
        pytest.param(
            b"Metadata-Version: 2.1\nName: a\nName: b\n",
            ["no Version", "more than one Name"],
            id="two problems at once",
        ),
        pytest.param(HEAD.replace(b"2.1", b"2"), ["Metadata-Version", "'2'"], id="a format without a dot"),
        pytest.param(HEAD.replace(b"2.1", b"2.1.0"), ["Metadata-Version", "'2.1.0'"], id="a format with two dots"),
        pytest.param(HEAD.replace(b"2.1", b"2.1a"), ["Metadata-Version", "'2.1a'"], id="a format with a letter"),
        pytest.param(HEAD.replace(b"2.1", b".1"), ["Metadata-Version", "'.1'"], id="a format without a beginning"),
        pytest.param(HEAD.replace(b"2.1", "٢.١".encode()), ["Metadata-Version"], id="a format in Arabic digits"),
        pytest.param(HEAD.replace(b"2.1", b"1" * 5000), ["Metadata-Version"], id="a format of 5000 digits"),
        pytest.param(
            HEAD.replace(b"2.1", b"2." + b"1" * 5000), ["Metadata-Version"], id="a format of 5000 more digits"
        ),
        pytest.param(HEAD + b"Requires-Python: >=3\x1b[2J\n", ["Requires-Python"], id="an escape in Requires-Python"),
        pytest.param(HEAD + b"Requires-Python: >=3\0\n", ["Requires-Python"], id="NUL in Requires-Python"),
        pytest.param(
            HEAD + b"Requires-Python: " + b"x" * 256, ["Requires-Python", "255"], id="a Requires-Python too long"
        ),
        pytest.param(
            HEAD + b"Requires-Python: =?utf-8?q?=3E=3D3?=\n", ["Requires-Python", "decode"], id="an encoded word"
        ),
        pytest.param(HEAD.replace(b"demo", b"=?utf-8?q?demo?="), ["encoded word in Name"], id="an encoded Name"),
        pytest.param(
            HEAD + b"Dynamic: x\nRequires-Dist: a\nRequires-Dist: =?UTF-8?B?YQ==?=\n",
            ["encoded word in Requires-Dist"],
            id="an encoded dependency",
        ),
        pytest.param(HEAD.replace(b"1.0", b"1.0\x1c"), ["Version", "control characters"], id="a separator at an end"),
        pytest.param(HEAD.replace(b"demo", b"\x0bdemo"), ["Name", "control characters"], id="a tab before a Name"),
        pytest.param(HEAD.replace(b"demo", b"demo\n "), ["Name", "control characters"], id="a folded Name"),
        pytest.param(b"From x\n" + HEAD, ["'From '"], id="a mailbox"),
        pytest.param(HEAD + b"From x\nRequires-Python: >=3.8\n", ["'From '"], id="a mailbox's line among fields"),
        pytest.param(HEAD + b"From x: y\n", ["'From '"], id="a mailbox's line with a colon"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, words: list[str]) -> None:
    problem = problem_of(data)
    assert [words for words in words if words not in problem] == []
    assert problem.isprintable()
    assert len(problem) < 250


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(HEAD.replace(b"demo", b"demo\nName: demo"), id="a Name twice"),
        pytest.param(b"Name: demo\nVersion: 1.0\n", id="no Metadata-Version"),
    ],
)
def test_packaging_takes_neither(data: bytes) -> None:
    assert problem_of(data)
    # packaging 23.2 has a class of its own of that name.
    with pytest.raises((ExceptionGroup, getattr(packaging.metadata, "ExceptionGroup", ExceptionGroup))):
        Metadata.from_email(data)


def test_the_fields_have_a_limit_and_the_lines_of_a_description_none() -> None:
    more = MAX_FIELDS - HEAD.count(b"\n")
    assert said(HEAD + b"A: b\n" * more) == said(HEAD)
    assert f"more than {MAX_FIELDS} fields" in problem_of(HEAD + b"A: b\n" * (more + 1))
    assert said(HEAD + b"\n" + b"A: b\n" * (more + 1)) == said(HEAD)


def test_the_lines_of_the_fields_have_a_limit() -> None:
    more = MAX_HEADER_LINES - HEAD.count(b"\n")
    assert said(HEAD + b"A: b" + b"\n b" * more) == said(HEAD)
    assert f"more than {MAX_HEADER_LINES} lines" in problem_of(HEAD + b"A: b" + b"\n b" * (more + 1))


@pytest.mark.parametrize("line_break", [b"\n", b"\r\n", b"\r"])
def test_the_bytes_of_the_fields_have_a_limit_however_they_are_folded(line_break: bytes) -> None:
    head, line = HEAD.replace(b"\n", line_break), line_break + b" " + b"b" * 20
    longest = head + b"A: b" + line * ((MAX_HEADER - len(head) - 4 - 2 * len(line_break)) // len(line))
    assert said(longest + 2 * line_break + b"text") == said(head)
    assert f"{MAX_HEADER} bytes" in problem_of(longest + 2 * line + b"text")


def test_the_values_that_are_read_have_a_limit_and_others_none() -> None:
    longest = b"x" * (MAX_VALUE - 1)  # and the space before it
    assert said(HEAD + b"Requires-Dist: " + longest) == said(HEAD)
    assert said(HEAD + b"Summary: " + longest + b"xx") == said(HEAD)
    assert f"Requires-Dist of more than {MAX_VALUE} bytes" in problem_of(HEAD + b"Requires-Dist: x" + longest)
    several = [b"Requires-Dist: %03d" % number + longest[3:] + b"\n" for number in range(MAX_VALUES // MAX_VALUE + 1)]
    assert said(HEAD + b"".join(several[:-2])) == said(HEAD)
    assert f"more than {MAX_VALUES} bytes of Metadata-Version, Name" in problem_of(HEAD + b"".join(several))


@pytest.mark.parametrize("text", [b"text\n", b"text\n folded: text\n", b"a b: text\n", b"\xe9:\n"])
def test_what_follows_a_line_that_is_no_field_is_not_counted(text: bytes) -> None:
    assert said(HEAD + text + HEAD) == said(HEAD)


def test_a_long_description_costs_no_more_than_itself() -> None:
    data = HEAD + b"\n" + b"A: b\n" * (MAX_METADATA // 5 - 20)
    tracemalloc.start()
    try:
        assert parse_metadata(data).data is data
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(data)


# What is served in a file's place

DEPENDENCIES = ["Requires-Dist", "requires-python", "PROVIDES-EXTRA", "Provides-Extra", " REQUIRES-dist "]
OTHERS = ["Classifier", "License", "Requires", "Requires-External", "Provides-Dist", "Version"]


def metadata(metadata_version: str, *dynamic: str) -> CoreMetadata:
    fields = "".join(f"Dynamic: {field}\n" for field in dynamic)
    return parse_metadata(HEAD.replace(b"2.1", metadata_version.encode()) + fields.encode())


@pytest.mark.parametrize("dynamic", [(), *[(field,) for field in DEPENDENCIES + OTHERS]], ids=str)
@pytest.mark.parametrize(
    "metadata_version", ["1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3", "2.4", "2.10", "9.9", "10.0"]
)
def test_metadata_of_a_wheel_is_always_served(metadata_version: str, dynamic: tuple[str, ...]) -> None:
    assert is_metadata_served(metadata(metadata_version, *dynamic), "demo-1.0-py3-none-any.whl")


@pytest.mark.parametrize("filename", ["demo-1.0.tar.gz", "demo-1.0.zip"])
@pytest.mark.parametrize(
    ("metadata_version", "is_final"),
    [
        ("1.0", False), ("1.1", False), ("1.2", False), ("2.0", False), ("2.1", False), ("0.9", False), ("1.9", False),
        ("2.2", True), ("2.3", True), ("2.4", True), ("2.10", True), ("9.9", True), ("3.0", True), ("10.0", True),
    ],
)  # fmt: skip
def test_metadata_of_an_sdist_is_served_if_a_wheel_of_it_must_say_the_same(
    filename: str, metadata_version: str, is_final: bool
) -> None:
    assert is_metadata_served(metadata(metadata_version), filename) is is_final
    for field in OTHERS:
        assert is_metadata_served(metadata(metadata_version, field), filename) is is_final
    for field in DEPENDENCIES:
        assert not is_metadata_served(metadata(metadata_version, field), filename)
        assert not is_metadata_served(metadata(metadata_version, "Classifier", field, "License"), filename)


def test_metadata_of_an_sdist_that_pip_cannot_decode_is_not_served() -> None:
    for data, served in ((b"Caf\xc3\xa9", True), (b"Caf\xe9", False)):
        found = parse_metadata(HEAD.replace(b"2.1", b"2.2") + b"\n" + data)
        assert is_metadata_served(found, "demo-1.0.tar.gz") is served


# What somebody else says


@pytest.mark.parametrize(
    ("name", "version", "problems"),
    [
        pytest.param("demo-x", "1.0rc1", [], id="the same"),
        pytest.param("demo-x", "1.0.0-RC.1", [], id="an equal version"),
        pytest.param(None, None, [], id="nothing"),
        pytest.param(None, "1.0rc1", [], id="the same version, no name"),
        pytest.param("demo-x", None, [], id="the same name, no version"),
        pytest.param("demo", "1.0rc1", ["Name is demo, but 'Demo.X' in the file's metadata"], id="another name"),
        pytest.param("demo", None, ["Name is demo, but 'Demo.X' in the file's metadata"], id="another name alone"),
        pytest.param("demo-x", "1.0", ["Version is '1.0', but '1.0-rc1' in the file's metadata"], id="another version"),
        pytest.param(
            None, "1.0", ["Version is '1.0', but '1.0-rc1' in the file's metadata"], id="another version alone"
        ),
        pytest.param(
            "other",
            "2",
            [
                "Name is other, but 'Demo.X' in the file's metadata",
                "Version is '2', but '1.0-rc1' in the file's metadata",
            ],
            id="all else",
        ),
    ],
)
def test_what_metadata_says_otherwise_is_named(name: str | None, version: str | None, problems: list[str]) -> None:
    found = parse_metadata(b"Metadata-Version: 2.1\nName: Demo.X\nVersion: 1.0-rc1\n")
    assert list(metadata_problems(found, None if name is None else NormalizedName(name), version)) == problems


@pytest.mark.parametrize("version", ["latest", "1.0.*", "1.0\x00"])
@pytest.mark.parametrize("theirs", ["1.0", None])
def test_what_is_no_version_is_said_to_be_none_once(version: str, theirs: str | None) -> None:
    found = CoreMetadata(b"", "2.1", "demo", version, "", frozenset())
    [problem] = metadata_problems(found, NormalizedName("demo"), theirs)
    assert problem.startswith(f"the file's metadata is invalid: {version!r} ")
    assert problem.isprintable()


def test_a_version_of_very_many_digits_is_another_version() -> None:
    found = CoreMetadata(b"", "2.1", "demo", "1" * 5000, "", frozenset())
    [problem] = metadata_problems(found, NormalizedName("demo"), "1.0")
    assert problem.startswith("Version is '1.0', but '111")
    assert len(problem) < 200


@pytest.mark.parametrize("theirs", [NormalizedName("demo"), None])
def test_what_is_no_name_is_said_to_be_none_once_and_the_version_is_still_looked_at(
    theirs: NormalizedName | None,
) -> None:
    found = CoreMetadata(b"", "2.1", "de mo", "latest", "", frozenset())
    name, version = metadata_problems(found, theirs, "1.0")
    assert name.startswith("the file's metadata is invalid: 'de mo' must consist of ")
    assert version.startswith("the file's metadata is invalid: 'latest' is not a valid version: ")


def test_a_field_without_a_name_hides_none_after_it() -> None:
    found = parse_metadata(b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n:\nRequires-Python: >=99\n")
    assert found.requires_python == ">=99"


@pytest.mark.parametrize("end", [b"", b":", b"a:"], ids=["alone", "and a colon", "in a name"])
@pytest.mark.parametrize("byte", range(256))
def test_a_line_belongs_to_the_fields_if_the_email_parser_says_so(byte: int, end: bytes) -> None:
    data = bytes([byte]) + end + b" 1\nName: demo\n"
    expected = email.message_from_bytes(data, policy=email.policy.compat32).get_all("Name", [])
    assert header_values(data, ["Name"], "METADATA") == {"Name": expected}
