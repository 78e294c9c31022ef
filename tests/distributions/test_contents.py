"""Contents of zips are read within a budget, in the order of the file, and compared with what is known of them."""

import hashlib
import io
from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest

from pypi_registry.distributions.contents import content_problems, read_all, read_member
from pypi_registry.distributions.report import InvalidArchive
from pypi_registry.distributions.zips import Zip
from tests.distributions.measuring import Counted, peak
from tests.distributions.zips import DEFLATED, Entry, archive, streamed

A = Entry(name=b"a", data=b"a" * 100)
B = Entry(name=b"b", data=b"b" * 50, method=DEFLATED)
C = Entry(name=b"c", data=b"c" * 10)
ENTRIES = [A, B, C]


def opened(*entries: Entry) -> Zip:
    return Zip(io.BytesIO(archive(entries)))


def damaged(entry: Entry) -> Entry:
    return replace(entry, local={"crc": 7}, central={"crc": 7})


# Small files


def test_a_small_file_is_read() -> None:
    found = opened(*ENTRIES)
    assert [read_member(found, entry.name.decode(), len(entry.data)) for entry in ENTRIES] == [A.data, B.data, C.data]
    assert [read_all(found, member) for member in found.members] == [A.data, B.data, C.data]


@pytest.mark.parametrize(
    ("path", "limit", "problem"),
    [
        pytest.param("nowhere", 1000, "the archive has no 'nowhere'", id="not there"),
        pytest.param("A", 1000, "the archive has no 'A'", id="in another case"),
        pytest.param("a", 99, "'a' has 100 bytes, more than 99", id="too large"),
        pytest.param("b", 49, "'b' has 50 bytes, more than 49", id="too large when unpacked"),
    ],
)
def test_what_is_not_there_or_too_large_is_not_read(path: str, limit: int, problem: str) -> None:
    stream = Counted(archive(ENTRIES))
    found = Zip(stream)
    before = stream.given
    with pytest.raises(InvalidArchive) as caught:
        read_member(found, path, limit)
    assert str(caught.value) == problem
    assert stream.given == before


def test_a_small_file_that_is_damaged_is_not_given() -> None:
    with pytest.raises(InvalidArchive, match="CRC"):
        read_member(opened(A, damaged(B)), "b", 1000)


# All files, as far as the budget goes


@pytest.mark.parametrize(
    ("budget", "checked"),
    [
        pytest.param(None, "abc", id="all"),
        pytest.param(160, "abc", id="just all"),
        pytest.param(159, "ab", id="a byte less than all"),
        pytest.param(110, "ac", id="what still fits"),
        pytest.param(100, "a", id="the first"),
        pytest.param(99, "bc", id="all but the first"),
        pytest.param(59, "b", id="the second"),
        pytest.param(10, "c", id="the last"),
        pytest.param(9, "", id="too little for any"),
        pytest.param(0, "", id="nothing"),
    ],
)
def test_files_are_unpacked_as_long_as_the_budget_lasts(budget: int | None, checked: str) -> None:
    found = opened(*map(damaged, ENTRIES))
    assert [*content_problems(found, {}, budget)] == [
        f"the contents of {path!r} do not have the CRC that the archive states" for path in checked
    ]


def test_the_order_is_that_of_the_file() -> None:
    data = archive([damaged(A), damaged(B)])
    at, second = data.index(b"PK\1\2"), data.rindex(b"PK\1\2")
    found = Zip(io.BytesIO(data[:at] + data[second:-22] + data[at:second] + data[-22:]))
    assert [member.path for member in found.members] == ["b", "a"]
    assert "'a'" in next(content_problems(found, {}, None))
    assert [problem[:19] for problem in content_problems(found, {}, 100)] == ["the contents of 'a'"]


def test_an_empty_file_costs_nothing_and_may_be_damaged() -> None:
    problems = [*content_problems(opened(damaged(Entry(name=b"empty"))), {}, 0)]
    assert problems == ["the contents of 'empty' do not have the CRC that the archive states"]


def test_what_says_late_where_it_ends_is_unpacked_whatever_the_budget() -> None:
    entry = damaged(B)
    late = replace(streamed(entry, crc=7), local={"crc": 0, "packed": 0, "size": 0})
    assert len([*content_problems(opened(late), {}, 0)]) == 1
    assert [*content_problems(opened(streamed(B)), {}, 0)] == []


def test_nothing_is_unpacked_of_what_is_unsound() -> None:
    stream = Counted(archive([*map(damaged, ENTRIES), replace(C, name=b"a")]))
    found = Zip(stream)
    assert len(found.problems) == 1
    before = stream.given
    assert [*content_problems(found, {}, None)] == []
    assert stream.given == before


ALGORITHMS = ["sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_digest_may_be_written_in_three_ways(algorithm: str) -> None:
    found = opened(*ENTRIES)
    digest = hashlib.new(algorithm, B.data).digest()
    padded = urlsafe_b64encode(digest).decode()
    for right in (padded.rstrip("="), padded, digest.hex()):
        assert [*content_problems(found, {"b": (algorithm, right)}, None, "RECORD")] == []
    other = urlsafe_b64encode(hashlib.new(algorithm, A.data).digest()).decode().rstrip("=")
    for wrong in (other, "", padded[:-4], digest.hex().upper(), padded.swapcase(), f"{padded}="):
        assert [*content_problems(found, {"b": (algorithm, wrong)}, None, "RECORD")] == [
            "RECORD has a different digest for 'b'"
        ]


def test_a_digest_of_nothing_there_is_nobodys() -> None:
    assert [*content_problems(opened(A), {"nowhere": ("sha256", "x")}, None, "RECORD")] == []


def test_each_file_that_differs_is_named_and_a_damaged_one_once() -> None:
    digests = dict.fromkeys("abc", ("sha256", "wrong"))
    assert [*content_problems(opened(A, damaged(B), C), digests, None, "it")] == [
        "it has a different digest for 'a'",
        "the contents of 'b' do not have the CRC that the archive states",
        "it has a different digest for 'c'",
    ]


def test_large_contents_are_not_held() -> None:
    large = replace(A, data=bytes(20_000_000), method=DEFLATED)
    found = opened(large)
    right = urlsafe_b64encode(hashlib.sha256(large.data).digest()).decode().rstrip("=")
    with peak() as held:
        assert [*content_problems(found, {"a": ("sha256", right)}, None)] == []
    assert held.bytes < 1_000_000
