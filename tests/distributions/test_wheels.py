"""What a wheel must hold, rule by rule: METADATA, WHEEL, RECORD, and the folder that they lie in."""

import csv
import io
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypi_registry.distributions import Report, verify
from pypi_registry.distributions.limits import BUDGET
from pypi_registry.testing.archives import distribution
from tests.distributions.hostile import DATA, FILES, INFO, METADATA, Files, Row, digest_of, listed, record, rows
from tests.distributions.measuring import Counted, peak
from tests.distributions.zips import DEFLATED, SYMLINK, Entry, archive, streamed

NAME = "demo-1.0-py3-none-any.whl"
RECORD = INFO + b"RECORD"


def look(data: bytes, filename: str = NAME, budget: int | None = None) -> Report:
    return verify(io.BytesIO(data), filename, budget=budget)


def recorded(lines: Iterable[Row] | bytes, files: Files = FILES) -> bytes:
    """Make a wheel with this RECORD, which lies before the files."""
    data = lines if isinstance(lines, bytes) else record(lines)
    return archive([Entry(name=RECORD, data=data), *(Entry(name=path, data=data) for path, data in files.items())])


def saying(wheel_file: bytes) -> bytes:
    return archive(listed({**FILES, INFO + b"WHEEL": wheel_file}))


def changed(path: bytes, *, digest: bytes | None = None, size: bytes | None = None) -> list[Row]:
    """Give the rows of RECORD, one of which says something else."""
    return [
        (place, right if digest is None or place != path else digest, length if size is None or place != path else size)
        for place, right, length in rows(FILES)
    ]


# What is right


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0-py3-none-any.whl",
        "De.mo_x-1!2.0rc1.post1+local.1-1b-cp312.cp313-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    ],
)
def test_a_wheel_is_what_it_says(filename: str) -> None:
    data = distribution(filename, requires_python=">=3.8", headers=(("Dynamic", "License"),))
    found = look(data, filename)
    assert found.problems == ()
    assert found.metadata is not None
    name, version = filename.split("-")[:2]
    assert (found.metadata.name, found.metadata.version) == (name, version)
    assert found.metadata.requires_python == ">=3.8"
    assert found.metadata.dynamic == {"license"}
    with zipfile.ZipFile(io.BytesIO(data)) as theirs:
        [path] = [path for path in theirs.namelist() if path.endswith(".dist-info/METADATA")]
        assert found.metadata.data == theirs.read(path)


# RECORD


def spelled(files: Files, newline: str, quoting: Literal[0, 1]) -> bytes:
    """Write RECORD as csv does."""
    stream = io.StringIO()
    cells = [[cell.decode() for cell in row] for row in rows(files)]
    csv.writer(stream, lineterminator=newline, quoting=quoting).writerows(cells)
    return stream.getvalue().encode()


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(rows(FILES), id="as it is written"),
        pytest.param(rows(FILES)[::-1], id="in another order"),
        pytest.param(record(rows(FILES), newline=b"\r\n"), id="of Windows"),
        pytest.param(record(rows(FILES), newline=b"\r"), id="of old Macs"),
        pytest.param(record(rows(FILES)).rstrip(), id="without a last newline"),
        pytest.param(spelled(FILES, "\n", csv.QUOTE_ALL), id="quoted"),
        pytest.param([(path, digest, b"") for path, digest, _ in rows(FILES)], id="without sizes"),
        pytest.param(rows(FILES, "sha512"), id="of SHA-512"),
        pytest.param(rows(FILES, "sha3_256"), id="of SHA-3"),
        pytest.param(rows(FILES, "blake2b"), id="of BLAKE2"),
        pytest.param(rows(FILES)[:-1], id="without itself"),
    ],
)
def test_record_may_be_written_in_many_ways(lines: Iterable[Row] | bytes) -> None:
    assert look(recorded(lines)).problems == ()


@given(
    st.sets(
        st.text(
            st.characters(exclude_characters="/\\:", exclude_categories=["Cc", "Cs", "Zl", "Zp"]),
            min_size=1,
            max_size=9,
        ),
        max_size=4,
    ),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
@settings(max_examples=50, deadline=None)
def test_record_names_paths_of_any_letters(names: set[str], newline: str, quoting: Literal[0, 1]) -> None:
    files = {**FILES, **{f"demo/x{name}".encode(): b"" for name in names}}
    members = [*files.items(), (RECORD, spelled(files, newline, quoting))]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as written:
        for path, data in members:
            written.writestr(path.decode(), data)
    assert look(out.getvalue()).problems == ()


@pytest.mark.parametrize(
    ("signature", "lines"),
    [
        (b"RECORD.jws", []),
        (b"RECORD.p7s", []),
        (b"RECORD.jws", [(INFO + b"RECORD.jws", b"", b"")]),
        (b"RECORD.jws", [(INFO + b"RECORD.jws", digest_of(b"signed"), b"6")]),
    ],
    ids=str,
)
def test_a_signature_may_stand_beside_record(signature: bytes, lines: list[Row]) -> None:
    files = {**FILES, INFO + signature: b"signed"}
    assert look(recorded([*rows(FILES), *lines], files)).problems == ()


def test_folders_need_not_be_recorded() -> None:
    folders = [Entry(name=name) for name in (b"demo/", INFO, b"empty/", b"demo/deep/er/")]
    assert look(archive([*folders, *listed()])).problems == ()


EXTRA = {**FILES, b"demo/extra.py": b"x"}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(recorded(rows(FILES), EXTRA), "RECORD does not list 'demo/extra.py'", id="a file more"),
        pytest.param(
            recorded(rows(FILES), {**FILES, **{b"demo/%d" % number: b"" for number in range(5)}}),
            "RECORD does not list 'demo/0', 'demo/1', 'demo/2' and 2 more",
            id="five files more",
        ),
        pytest.param(
            recorded(rows(FILES), {**FILES, b"RECORD.jws": b""}),
            "RECORD does not list 'RECORD.jws'",
            id="a signature elsewhere",
        ),
        pytest.param(
            recorded(rows(EXTRA)), "RECORD lists files that are not in the archive: 'demo/extra.py'", id="a file less"
        ),
        pytest.param(recorded([*rows(FILES), (b"demo/", b"", b"")]), "RECORD has no digest for 'demo/'", id="a folder"),
        pytest.param(
            recorded([*rows(FILES), (INFO + b"RECORD.jws", b"", b"")]),
            "RECORD lists files that are not in the archive: 'demo-1.0.dist-info/RECORD.jws'",
            id="a signature that is not there",
        ),
        pytest.param(
            recorded(changed(DATA, size=b"399")), "RECORD has a different size for 'demo/data.txt'", id="a size"
        ),
        pytest.param(
            recorded(changed(DATA, size=b"0400")), "RECORD has a different size for 'demo/data.txt'", id="a zero"
        ),
        pytest.param(
            recorded(changed(DATA, size=b" 400")), "RECORD has a different size for 'demo/data.txt'", id="a blank"
        ),
        pytest.param(recorded(changed(DATA, digest=b"")), "RECORD has no digest for 'demo/data.txt'", id="no digest"),
        pytest.param(
            recorded(changed(DATA, digest=digest_of(FILES[DATA], "md5"))),
            "RECORD has digests of 'md5', but only sha256 and better are permitted",
            id="MD5",
        ),
        pytest.param(
            recorded(changed(DATA, digest=digest_of(FILES[DATA], "sha224"))),
            "RECORD has digests of 'sha224', but only sha256 and better are permitted",
            id="SHA-224",
        ),
        pytest.param(
            recorded(changed(DATA, digest=b"shake_256=x")),
            "RECORD has digests of 'shake_256', but only sha256 and better are permitted",
            id="a digest without a length",
        ),
        pytest.param(
            recorded(changed(DATA, digest=digest_of(b"other"))),
            "RECORD has a different digest for 'demo/data.txt'",
            id="digest",
        ),
        pytest.param(
            recorded(changed(DATA, digest=b"sha256=")),
            "RECORD has a different digest for 'demo/data.txt'",
            id="empty digest",
        ),
        pytest.param(
            recorded(changed(RECORD, digest=digest_of(b""))),
            "RECORD has a different digest for 'demo-1.0.dist-info/RECORD'",
            id="a digest of itself",
        ),
    ],
)
def test_record_must_say_what_is_there(data: bytes, problem: str) -> None:
    assert problem in look(data).problems


@pytest.mark.parametrize(
    "row", [b"demo", b"demo,", b"demo,sha256=x,1,2", b"a b c", b'"demo', b"demo,\xff,", b"\0", b"", b"\r\n"]
)
def test_record_must_be_a_table_of_three_columns(row: bytes) -> None:
    data = record(rows(FILES)) + row + b"\n"
    [problem] = look(recorded(data)).problems
    assert problem.startswith("RECORD is not a table of path, digest and size in UTF-8")


@pytest.mark.parametrize("path", [INFO + b"METADATA", INFO + b"WHEEL"])
@pytest.mark.parametrize(("budget", "is_named"), [(None, True), (1000, True), (0, False)])
def test_what_is_read_anyway_is_compared_too_as_far_as_the_budget_goes(
    path: bytes, budget: int | None, is_named: bool
) -> None:
    problems = look(recorded(changed(path, digest=digest_of(b"other"))), budget=budget).problems
    assert problems == ((f"RECORD has a different digest for {path.decode()!r}",) if is_named else ())


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_line_of_record_has_a_limit(ending: bytes) -> None:
    for more, problem in [
        (0, "RECORD lists files that are not in the archive"),
        (1, "RECORD has a line of more than 8192"),
    ]:
        long = b"y" * (8192 - len(b",,0" + ending) + more) + b",,0" + ending
        problems = look(recorded(record(rows(FILES), newline=ending) + long)).problems
        assert problems[0].startswith(problem)


def test_record_names_a_path_once() -> None:
    problems = look(recorded([*rows(FILES), *rows(FILES)[:1]])).problems
    assert problems == ("RECORD lists more than once 'demo/__init__.py'",)


def test_what_else_is_wrong_with_record_is_named_beside_a_row_that_stands_there_again() -> None:
    lines = changed(DATA, size=b"7")
    files = {**FILES, b"demo/extra.py": b"x", b"demo/more.py": b""}
    assert look(recorded([*lines, *2 * lines[:1]], files)).problems == (
        "RECORD lists more than once 'demo/__init__.py'",
        "RECORD does not list 'demo/extra.py', 'demo/more.py'",
        "RECORD has a different size for 'demo/data.txt'",
    )


def test_record_names_no_more_files_than_there_are() -> None:
    lines = [*rows(FILES), *((b"demo/%06d" % number, digest_of(b""), b"0") for number in range(2000))]
    assert look(recorded(lines)).problems == ("RECORD lists more files than the archive has members",)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"".join(b"%d,,\n" % number for number in range(20_000)), id="many rows"),
        pytest.param(b'"' * 150_000, id="a field without an end"),
    ],
)
def test_a_record_costs_little_more_than_itself(data: bytes) -> None:
    entry = Entry(name=RECORD, data=data, method=DEFLATED)
    made = archive([entry, *listed()[:-1]])
    with peak() as held:
        problems = look(made).problems
    assert any(problem.startswith("RECORD ") for problem in problems)
    assert held.bytes < 1_000_000 + 4 * len(data)


# The budget


@pytest.mark.parametrize(
    ("budget", "named"), [(None, "abc"), (160, "abc"), (159, "ab"), (110, "ac"), (99, "bc"), (9, ""), (0, "")], ids=str
)
def test_digests_are_compared_as_long_as_the_budget_lasts(budget: int | None, named: str) -> None:
    right = {b"demo/a": b"a" * 100, b"demo/b": b"b" * 50, b"demo/c": b"c" * 10}
    wrong = {path: data.swapcase() for path, data in right.items()}
    lines = [*rows(wrong)[:-1], *rows(FILES)]
    entries = [*(Entry(name=path, data=data) for path, data in right.items()), *listed()[:-1]]
    made = archive([*entries, Entry(name=RECORD, data=record(lines))])
    problems = look(made, budget=budget).problems
    assert problems == tuple(f"RECORD has a different digest for 'demo/{name}'" for name in named)


def test_what_is_streamed_is_unpacked_first_and_uses_the_budget_up() -> None:
    right = {b"demo/a": b"a" * 100, b"demo/b": b"b" * 50, b"demo/c": b"c" * 10}
    lines = [*rows({path: data.swapcase() for path, data in right.items()})[:-1], *rows(FILES)]
    last = Entry(name=b"demo/c", data=right[b"demo/c"], method=DEFLATED)
    entries = [*(Entry(name=path, data=right[path]) for path in (b"demo/a", b"demo/b")), *listed()[:-1]]
    made = archive([*entries, Entry(name=RECORD, data=record(lines)), streamed(last)])
    for budget, named in [(0, "c"), (59, "c"), (60, "bc"), (110, "ac"), (159, "ac"), (160, "abc"), (None, "abc")]:
        problems = look(made, budget=budget).problems
        assert problems == tuple(f"RECORD has a different digest for 'demo/{name}'" for name in named), budget


@pytest.mark.parametrize("is_streamed", [False, True])
def test_digests_of_much_more_than_the_archive_are_not_compared(is_streamed: bool) -> None:
    zeros = bytes(2_000_000)
    lines = [*rows({b"demo/zeros": zeros.replace(b"\0", b"1")})[:-1], *rows(FILES)]
    entry = Entry(name=b"demo/zeros", data=zeros, method=DEFLATED)
    made = archive([*listed()[:-1], Entry(name=RECORD, data=record(lines)), streamed(entry) if is_streamed else entry])
    assert len(zeros) > 200 * len(made)
    assert look(made, budget=BUDGET).problems == ()
    assert look(made).problems == ("RECORD has a different digest for 'demo/zeros'",)


def test_little_is_read_of_a_large_wheel() -> None:
    large = {b"demo/large.bin": bytes(20_000_000), **FILES}
    stream = Counted(archive(listed(large)))
    with peak() as held:
        assert verify(stream, NAME, budget=1_000_000).problems == ()
    assert stream.given < 150_000
    assert held.bytes < 1_000_000


# WHEEL

RIGHT = b"Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.mark.parametrize(
    ("wheel_file", "filename"),
    [
        pytest.param(RIGHT, NAME, id="as it is written"),
        pytest.param(RIGHT.replace(b"\n", b"\r\n"), NAME, id="of Windows"),
        pytest.param(RIGHT.replace(b"1.0", b"0.1"), NAME, id="an old version"),
        pytest.param(RIGHT.replace(b"1.0", b"1.9"), NAME, id="a newer version"),
        pytest.param(RIGHT.replace(b"1.0", b"1.0.1"), NAME, id="a version of three numbers"),
        pytest.param(RIGHT.replace(b"true", b"False"), NAME, id="False in capitals"),
        pytest.param(RIGHT.replace(b"1.0", b"1.0 \t").replace(b"any", b"any "), NAME, id="blanks at ends"),
        pytest.param(RIGHT.replace(b"Tag: py3-none-any\n", b""), NAME, id="no tags"),
        pytest.param(RIGHT.lower(), NAME, id="fields in lower case"),
        pytest.param(RIGHT + b"Tag: py2-none-any\n", NAME, id="more tags"),
        pytest.param(RIGHT.replace(b"py3-none-any", b"py2.py3-none-any"), NAME, id="compressed tags"),
        pytest.param(RIGHT.replace(b"py3-none-any", b"py3-none-linux_x86_64"), NAME, id="another platform"),
        pytest.param(RIGHT.replace(b"py3-none-any", b"Py3-NONE-any"), NAME, id="tags in capitals"),
        pytest.param(RIGHT, "demo-1.0-py2.py3-none-any.whl", id="fewer tags"),
        pytest.param(RIGHT + b"Build: 7\n", NAME, id="a build that the file name does not have"),
        pytest.param(
            RIGHT.replace(b"py3-none-any", b"cp312-abi3-linux_x86_64"),
            "demo-1.0-1-cp311.cp312-cp311.abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            id="compressed tags in the file name",
        ),
    ],
)
def test_wheel_may_say(wheel_file: bytes, filename: str) -> None:
    assert look(saying(wheel_file), filename).problems == ()


@pytest.mark.parametrize(
    ("wheel_file", "problems"),
    [
        pytest.param(
            b"",
            ["WHEEL has no Wheel-Version, or more than one", "WHEEL must have one Root-Is-Purelib, true or false"],
            id="nothing",
        ),
        pytest.param(b"\n" + RIGHT, ["WHEEL has no Wheel-Version", "Root-Is-Purelib"], id="an empty line first"),
        pytest.param(
            RIGHT.replace(b"1.0", b"2.0"), ["Wheel-Version '2.0', but installers support 1.0"], id="a version of 2"
        ),
        pytest.param(RIGHT.replace(b"1.0", b"10.0"), ["Wheel-Version '10.0'"], id="a version of 10"),
        pytest.param(RIGHT.replace(b"1.0", b""), ["no Wheel-Version"], id="an empty version"),
        pytest.param(RIGHT.replace(b"1.0", b"1"), ["no Wheel-Version"], id="a version of one number"),
        pytest.param(RIGHT.replace(b"1.0", b".1"), ["no Wheel-Version"], id="half a version"),
        pytest.param(RIGHT.replace(b"1.0", b"one"), ["no Wheel-Version"], id="a word"),
        pytest.param(RIGHT.replace(b"1.0", b"1" * 5000 + b".0"), ["Wheel-Version"], id="a version of 5000 digits"),
        pytest.param(RIGHT.replace(b"1.0", "١.٠".encode()), ["no Wheel-Version"], id="Arabic digits"),
        pytest.param(RIGHT + b"Wheel-Version: 1.0\n", ["or more than one"], id="a version twice"),
        pytest.param(RIGHT.replace(b"true", b"yes"), ["Root-Is-Purelib"], id="yes"),
        pytest.param(RIGHT.replace(b"true", b"true "), ["Root-Is-Purelib"], id="a blank after true"),
        pytest.param(RIGHT + b"X: \xe9\n", ["WHEEL is not UTF-8"], id="Latin-1"),
        pytest.param(RIGHT + b"\n\xe9\n", ["WHEEL is not UTF-8"], id="Latin-1 after the fields"),
        pytest.param(b"From x\n" + RIGHT, ["'From '"], id="a mailbox"),
        pytest.param(RIGHT.replace(b"Root-Is-Purelib: true\n", b""), ["Root-Is-Purelib"], id="nothing of purity"),
        pytest.param(RIGHT + b"Root-Is-Purelib: true\n", ["Root-Is-Purelib"], id="purity twice"),
        pytest.param(RIGHT.replace(b"py3-none-any", b"whatever"), ["invalid tags: 'whatever'"], id="no tag"),
        pytest.param(RIGHT + b"Tag: py3-none\n", ["invalid tags: 'py3-none'"], id="two parts"),
        pytest.param(RIGHT + b"Tag: py3-none-any-x\n", ["invalid tags: 'py3-none-any-x'"], id="four parts"),
        pytest.param(RIGHT + b"Tag:\n", ["invalid tags: ''"], id="an empty tag"),
        pytest.param(RIGHT + b"Tag: py!3-none-any\n", ["invalid tags: 'py!3-none-any'"], id="a tag with a mark"),
        pytest.param(
            RIGHT.replace(b"py3", b"py2"),
            ["tags that the file name 'demo-1.0-py3-none-any.whl' does not have"],
            id="another Python",
        ),
        pytest.param(RIGHT.replace(b"none", b"abi3"), ["does not have: 'py3-abi3-any'"], id="another ABI"),
        pytest.param(
            RIGHT.replace(b"py3-none", b"py2-none") + b"Tag: py3-abi3-any\n",
            ["does not have: 'py2-none-any', 'py3-abi3-any'"],
            id="the Python of one tag and the ABI of another",
        ),
        pytest.param(
            RIGHT.replace(b"1.0", b"2.0").replace(b"true", b"").replace(b"py3", b"py2"),
            ["Wheel-Version", "Root-Is-Purelib", "tags"],
            id="three problems at once",
        ),
    ],
)
def test_wheel_may_not_say(wheel_file: bytes, problems: list[str]) -> None:
    found = look(saying(wheel_file))
    assert len(found.problems) == len(problems)
    assert [words for words, problem in zip(problems, found.problems, strict=True) if words not in problem] == []
    assert found.metadata is not None


def test_tags_that_multiply_are_not_multiplied() -> None:
    many = b".".join(b"a%d" % number for number in range(100))
    tag = b"Tag: " + b"-".join([many] * 3) + b"\n"
    with peak() as held:
        [problem] = look(saying(RIGHT.replace(b"Tag: py3-none-any\n", tag * 20))).problems
    assert "tags that the file name" in problem
    assert len(problem) < 500
    assert held.bytes < 4_000_000


# The folder, and what must be in it


def moved(folder: bytes) -> bytes:
    return archive(listed_in(folder))


def listed_in(folder: bytes) -> list[Entry]:
    files = {path.replace(INFO, folder): data for path, data in FILES.items()}
    lines = [(path.replace(INFO, folder), digest, size) for path, digest, size in rows(files)]
    return [
        *(Entry(name=path, data=data) for path, data in files.items()),
        Entry(name=folder + b"RECORD", data=record(lines)),
    ]


@pytest.mark.parametrize(
    "folder", [b"demo-1.0.dist-info/", b"Demo-1.0.dist-info/", b"demo-1.0.0.dist-info/", b"demo-v1.dist-info/"]
)
def test_the_folder_is_named_as_the_file_is(folder: bytes) -> None:
    assert look(moved(folder)).problems == ()


@pytest.mark.parametrize(
    "folder",
    [
        b"other-1.0.dist-info/",
        b"demo-2.0.dist-info/",
        b"demo.dist-info/",
        b"demo-latest.dist-info/",
        b"demo-1.0-1.dist-info/",
    ],
)
def test_a_folder_of_another_name_is_refused(folder: bytes) -> None:
    found = look(moved(folder))
    assert found == Report(None, (f"the folder {folder[:-1].decode()!r} does not match the file name '{NAME}'",))


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        pytest.param([], "none", id="nothing"),
        pytest.param([Entry(name=b"demo.py")], "none", id="no folder"),
        pytest.param([Entry(name=b"demo-1.0.dist-info")], "none", id="a file of its name"),
        pytest.param(listed_in(b"demo/demo-1.0.dist-info/"), "none", id="deeper"),
        pytest.param(
            [*listed(), Entry(name=b"demo-2.0.dist-info/x")], "'demo-1.0.dist-info', 'demo-2.0.dist-info'", id="two"
        ),
        pytest.param(
            [*listed(), Entry(name=b"demo-2.0.dist-info/")],
            "'demo-1.0.dist-info', 'demo-2.0.dist-info'",
            id="two, one empty",
        ),
        pytest.param(
            [*listed(), Entry(name=b"demo-1.0.DIST-info/x")],
            "'demo-1.0.DIST-info', 'demo-1.0.dist-info'",
            id="two by case",
        ),
    ],
)
def test_a_wheel_has_one_folder(entries: list[Entry], named: str) -> None:
    found = look(archive(entries))
    assert found == Report(None, (f"a wheel must have one .dist-info folder at its top, but this has {named}",))


@pytest.mark.parametrize("missing", ["METADATA", "WHEEL", "RECORD"])
def test_each_of_three_files_must_be_there(missing: str) -> None:
    path = INFO + missing.encode()
    found = look(
        archive(entry for entry in listed({k: v for k, v in FILES.items() if k != path}) if entry.name != path)
    )
    assert found.problems == (f"the archive has no 'demo-1.0.dist-info/{missing}'",)
    assert (found.metadata is None) is (missing == "METADATA")


def test_all_three_may_be_wrong_at_once() -> None:
    files = {**FILES, INFO + b"METADATA": b"", INFO + b"WHEEL": b""}
    found = look(recorded(b"?", files))
    assert found.metadata is None
    assert [problem.split()[0] for problem in found.problems] == ["METADATA", "WHEEL", "WHEEL", "RECORD"]


@pytest.mark.parametrize("name", ["METADATA", "WHEEL", "RECORD"])
def test_none_of_them_may_be_huge(name: str) -> None:
    path, text = INFO + name.encode(), bytes(70_000_000 if name == "METADATA" else 40_000_000)
    entry = Entry(name=path, data=text, method=DEFLATED)
    stream = Counted(
        archive(
            entry if other.name == path else other for other in [*listed(), Entry(name=b"pad", data=bytes(2_000_000))]
        )
    )
    with peak() as held:
        problems = verify(stream, NAME).problems
    assert any(f"'demo-1.0.dist-info/{name}' has {len(text)} bytes, more than " in problem for problem in problems)
    assert held.bytes < 2_000_000


def test_metadata_that_is_damaged_is_not_believed() -> None:
    path = INFO + b"METADATA"
    made = archive(
        replace(entry, local={"crc": 7}, central={"crc": 7}) if entry.name == path else entry for entry in listed()
    )
    found = look(made)
    assert found.metadata is None
    assert (
        found.problems[0] == "the contents of 'demo-1.0.dist-info/METADATA' do not have the CRC that the archive states"
    )


def test_a_wheel_has_no_links() -> None:
    links = [Entry(name=b"demo/%d" % number, data=b"data.txt", attributes=SYMLINK) for number in range(2)]
    problems = look(archive([*listed(), *links])).problems
    assert problems[:2] == ("entry 'demo/0' is a link", "entry 'demo/1' is a link")


def test_a_file_name_that_is_none_is_named_once_and_the_metadata_read() -> None:
    found = look(archive(listed()), "demo.whl")
    assert found.metadata is not None
    assert found.metadata.data == METADATA
    assert len([problem for problem in found.problems if "is not valid for a wheel" in problem]) == 1


def test_a_file_name_that_is_none_has_no_tags_to_compare() -> None:
    for filename in ("demo.whl", "demo-1.0-py2-none.whl", "de mo-1.0-py2-none-any.whl"):
        [problem] = look(archive(listed()), filename).problems
        assert problem.startswith(f"File name {filename!r} is ")


def test_tags_of_a_file_name_that_multiply_are_not_multiplied() -> None:
    many = ".".join(f"a{number}" for number in range(80))
    with peak() as held:
        problems = look(archive(listed()), f"demo-1.0-{many}-{many}-{many}.whl").problems
    assert [problem[:9] for problem in problems] == ["File name"]
    assert held.bytes < 4_000_000


def test_problems_of_the_structure_come_first_and_nothing_is_unpacked_for_digests() -> None:
    entries = [replace(entry, data=b"other") if entry.name == DATA else entry for entry in listed()]
    problems = look(archive([*entries, Entry(name=b"demo/../x")])).problems
    assert problems[0] == "the path 'demo/../x' contains '..'"
    assert not any("digest" in problem for problem in problems)


def test_a_streamed_wheel_is_a_wheel() -> None:
    assert look(archive(streamed(replace(entry, method=DEFLATED)) for entry in listed()), budget=0).problems == ()
