"""What was received becomes an upload that may be published, or all of its problems are named."""

import hashlib
import io
import re
from collections.abc import Callable, Iterable

import pytest
from packaging.utils import NormalizedName

from pypi_registry._http.multipart import Part
from pypi_registry._publishing.checks import check_upload, digest_problems, name_of, read_distribution
from pypi_registry._publishing.form import read_form
from pypi_registry.distributions import CoreMetadata, Report, Verify, verify
from pypi_registry.errors import InvalidUpload
from pypi_registry.model import Digests, PackageMetadata, Upload
from pypi_registry.testing.archives import Metadata, core_metadata, distribution
from tests.publishing.forms import DATA, Field, digests_of, file, form, text, texts, wheel_form


def check(parts: Iterable[Part], *, verify: Verify | None = verify) -> Upload:
    return check_upload(read_form(parts, io.BytesIO(), max_file_size=10**7, verify=verify))


def problems_of(parts: Iterable[Part], *, verify: Verify | None = verify) -> list[str]:
    with pytest.raises(InvalidUpload) as caught:
        check(parts, verify=verify)
    return list(caught.value.problems)


# A valid form


def test_an_upload_is_what_was_sent() -> None:
    data = distribution("de_mo_x-1.0rc1.tar.gz")
    parts = form(("md5_digest", "?"), name="De.mo_x", version="v1.0-RC1", filename="de_mo_x-1.0rc1.tar.gz")
    parts[2] = text("md5_digest", hashlib.md5(data).hexdigest())
    assert check(parts) == Upload(
        name="De.mo_x",
        normalized_name=NormalizedName("de-mo-x"),
        version="v1.0-RC1",
        filename="de_mo_x-1.0rc1.tar.gz",
        size=len(data),
        digests=Digests(hashlib.sha256(data).hexdigest(), md5=hashlib.md5(data).hexdigest()),
        requires_python="",
        metadata=PackageMetadata(),
        core_metadata=None,
    )


def test_a_name_may_have_255_characters() -> None:
    assert problems_of(form(name="d" * 255)) == [
        f"File name 'demo-1.0.tar.gz' does not match the name {'d' * 255} and the version '1.0'"
    ]


def test_a_version_may_have_255_characters() -> None:
    version = "1." + "0" * 253
    assert check(form(version=version)).version == version  # equal to the 1.0 of the file name


@pytest.mark.parametrize(
    ("name", "normalized"),
    [
        ("De_Mo.x", "de-mo-x"),
        ("d" * 255, "d" * 255),
        ("d" * 256, None),
        ("-demo", None),
        ("demo\n", None),
        ("", None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_the_name_of_a_form_is_known_before_the_form_is_checked(name: str, normalized: str | None) -> None:
    parts = [text("name", name), text("name", "other")]
    assert name_of(read_form(parts, io.BytesIO(), max_file_size=10, verify=None)) == normalized


# Problems

NO_FILENAME = "File name '' is invalid: at most 255 letters, digits and '._+!-', no path"


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        pytest.param(lambda: [*form()[:2]], "content is missing", id="no file"),
        pytest.param(lambda: form()[1:], "name is missing", id="no name"),
        pytest.param(lambda: form(name=""), "name is missing", id="an empty name"),
        pytest.param(lambda: [form()[0], form()[2]], "version is missing", id="no version"),
        pytest.param(lambda: form(version=""), "version is missing", id="an empty version"),
        pytest.param(lambda: form(("name", "demo")), "name appears more than once", id="a name twice"),
        pytest.param(lambda: form(("name", "other")), "name appears more than once", id="two names"),
        pytest.param(lambda: form(("name", "")), "name appears more than once", id="a name, then an empty one"),
        pytest.param(lambda: [text("name", ""), *form()], "name appears more than once", id="an empty name first"),
        pytest.param(
            lambda: [*form(), text("name", "demo")], "name appears more than once", id="a name after the file"
        ),
        pytest.param(lambda: form(("version", "1.0")), "version appears more than once", id="a version twice"),
        pytest.param(lambda: form(("version", "2.0")), "version appears more than once", id="two versions"),
        pytest.param(
            lambda: [*form(), file("demo-1.0.tar.gz", DATA)], "content appears more than once", id="a file twice"
        ),
        pytest.param(
            lambda: [*form(), file("demo-1.0.zip", b"other")], "content appears more than once", id="two files"
        ),
        pytest.param(
            lambda: [*form(), file("../../x", b"other")], "content appears more than once", id="a hostile second file"
        ),
        pytest.param(lambda: [*form()[:2], text("content", DATA)], "content is not a file", id="a file as text"),
        pytest.param(lambda: [*form(), text("content", DATA)], "content is not a file", id="a file, and one as text"),
        pytest.param(lambda: form(filename=""), NO_FILENAME, id="a file without a name"),
        pytest.param(lambda: form(name="-demo"), "Name is invalid: '-demo' must consist of", id="an invalid name"),
        pytest.param(
            lambda: form(name="demo\n"), "Name is invalid: 'demo\\n' must consist of", id="a name and a newline"
        ),
        pytest.param(
            lambda: form(name="@a/demo"), "Name is invalid: '@a/demo' must consist of", id="a name with a scope"
        ),
        pytest.param(
            lambda: form(name="te\u017ft"), "Name is invalid: 'te\u017ft' must consist of", id="a name with a long s"
        ),
        pytest.param(
            lambda: [text("name", b"caf\xe9"), *form()[1:]],
            "Name is invalid: 'caf\ufffd' must consist of",
            id="a latin-1 name",
        ),
        pytest.param(
            lambda: form(name="d" * 256), "Name is invalid: longer than 255 characters", id="a name of 256 characters"
        ),
        pytest.param(
            lambda: form(name="d" * 100_000),
            "Name is invalid: longer than 255 characters",
            id="a name of 100,000 characters",
        ),
        pytest.param(
            lambda: form(version="1.0_1"),
            "Version is invalid: '1.0_1' is not a valid version: unexpected '_1'",
            id="an invalid version",
        ),
        pytest.param(
            lambda: form(version="1.0\n"),
            "Version is invalid: '1.0\\n' is not a valid version: unexpected '\\n'",
            id="a version and a newline",
        ),
        pytest.param(
            lambda: form(version="latest"),
            "Version is invalid: 'latest' is not a valid version",
            id="a word as a version",
        ),
        pytest.param(
            lambda: form(version="1" * 256),
            "Version is invalid: longer than 255 characters",
            id="a version of 256 characters",
        ),
        pytest.param(
            lambda: form(version="1" * 5000),
            "Version is invalid: longer than 255 characters",
            id="a version of 5000 digits",
        ),
        pytest.param(
            lambda: form(filename="../../demo-1.0.tar.gz"),
            "File name '../../demo-1.0.tar.gz' is invalid",
            id="a hostile file name",
        ),
        pytest.param(
            lambda: form(filename="demo-1.0.egg"),
            "File name 'demo-1.0.egg' has neither",
            id="a file name with another suffix",
        ),
        pytest.param(
            lambda: form(filename="demo-2.0.tar.gz"),
            "File name 'demo-2.0.tar.gz' does not match the name demo and the version '1.0'",
            id="a file of another version",
        ),
        pytest.param(
            lambda: form(filename="other-1.0-py3-none-any.whl"),
            "File name 'other-1.0-py3-none-any.whl' does not match the name demo and the version '1.0'",
            id="a file of another name",
        ),
        pytest.param(
            lambda: form(filename="demo-1.0-py3-none-any.whl", name="other"),
            "File name 'demo-1.0-py3-none-any.whl' does not match the name other and the version '1.0'",
            id="another name in the form",
        ),
        pytest.param(
            lambda: form(filename="demo-1.0-py3-none-any.whl", version="2.0"),
            "File name 'demo-1.0-py3-none-any.whl' does not match the name demo and the version '2.0'",
            id="another version in the form",
        ),
        pytest.param(
            lambda: form(("requires_python", ">=3.8\x00")),
            "Requires python is invalid: it contains a control character",
            id="NUL in requires_python",
        ),
    ],
)
def test_one_problem_is_named_once(parts: Callable[[], list[Part]], problem: str) -> None:
    [found] = problems_of(parts())
    assert found.startswith(problem)


def test_an_empty_form_lacks_three_things() -> None:
    assert problems_of([]) == ["content is missing", "name is missing", "version is missing"]


def test_all_problems_are_named_together() -> None:
    problems = problems_of(
        [
            text("name", "-demo"),
            text("name", "demo"),
            text("version", "1.0_1"),
            text("version", "1.0"),
            text("sha256_digest", "0" * 64),
            text("md5_digest", "abc"),
            text("blake2_256_digest", "x" * 64),
            text("requires_python", "\x1b[2J"),
            text("content", "text"),
            file("demo-1.0.tar.gz", DATA),
            file("demo-1.0.zip", DATA),
        ]
    )
    assert sorted(" ".join(problem.split()[:4]) for problem in problems) == [
        "Name is invalid: '-demo'",
        "Requires python is invalid:",
        "Version is invalid: '1.0_1'",
        "blake2_256_digest is invalid: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'",
        "content appears more than",
        "content is not a",
        "md5_digest is invalid: 'abc'",
        "name appears more than",
        "sha256_digest does not match",
        "version appears more than",
    ]


def test_only_the_first_of_very_many_problems_are_named() -> None:
    problems = problems_of(form(*(("md5_digest", f"{number:x}") for number in range(2, 3000))))
    assert len(problems) == 21
    assert problems[0] == "md5_digest is invalid: '2' is not 32 hexadecimal digits"
    assert re.fullmatch(r"and 29\d\d more problems", problems[-1])


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([("name", "demo"), ("version", "1.0_1")], id="an invalid version"),
        pytest.param([("name", "-demo"), ("version", "1.0")], id="an invalid name"),
        pytest.param([("name", "demo")], id="no version"),
        pytest.param([("version", "1.0")], id="no name"),
    ],
)
def test_an_invalid_file_name_is_named_beside_other_problems(fields: list[Field]) -> None:
    problems = problems_of([*texts(fields), file("demo-1.0.egg", DATA)])
    assert len(problems) == 2
    assert any(problem.startswith("File name 'demo-1.0.egg'") for problem in problems)


def test_problems_of_the_form_the_digests_and_the_file_are_named_together() -> None:
    data = distribution("demo-1.0-py3-none-any.whl", headers=(("Name", "another"),))
    parts = [text("name", "-demo"), text("md5_digest", "x"), file("demo-1.0-py3-none-any.whl", data)]
    assert [problem.split()[0] for problem in problems_of(parts)] == ["version", "Name", "md5_digest", "METADATA"]


@pytest.mark.parametrize("filename", ["demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl"])
def test_an_invalid_name_and_version_in_the_file_are_named_once_each(filename: str) -> None:
    data = distribution(filename, name="-demo", version="latest")
    assert [problem[:47] for problem in problems_of([*form()[:2], file(filename, data)])] == [
        "the file's metadata is invalid: '-demo' must co",
        "the file's metadata is invalid: 'latest' is not",
    ]


# Digests

DIGESTS = digests_of(DATA)
each_digest = pytest.mark.parametrize("field", DIGESTS)
before_and_after = pytest.mark.parametrize("after", [False, True], ids=["before the file", "after the file"])


def with_digest(field: str, value: str, *, after: bool) -> list[Part]:
    return [*form(), text(field, value)] if after else form((field, value))


@before_and_after
@each_digest
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title])
def test_a_digest_may_be_declared_in_any_case(field: str, after: bool, spell: Callable[[str], str]) -> None:
    digests = check(with_digest(field, spell(DIGESTS[field]), after=after)).digests
    found = {
        "sha256_digest": digests.sha256,
        "md5_digest": digests.md5,
        "blake2_256_digest": digests.blake2_256,
    }
    expected = {"sha256_digest": DIGESTS["sha256_digest"], field: DIGESTS[field]}
    assert {name: digest for name, digest in found.items() if digest is not None} == expected


def test_all_digests_may_be_declared() -> None:
    digests = check(form(*DIGESTS.items())).digests
    assert (digests.sha256, digests.md5, digests.blake2_256) == tuple(DIGESTS.values())


@before_and_after
@pytest.mark.parametrize("spell", [str.lower, str.upper])
def test_a_blake2_digest_of_64_bytes_as_setuptools_sends_it_is_compared(
    after: bool, spell: Callable[[str], str]
) -> None:
    digest = hashlib.blake2b(DATA).hexdigest()
    found = check(with_digest("blake2_256_digest", spell(digest), after=after)).digests
    assert found == Digests(DIGESTS["sha256_digest"])  # the field of the model is for 32 bytes


@before_and_after
def test_another_blake2_digest_of_64_bytes_is_a_problem(after: bool) -> None:
    [problem] = problems_of(with_digest("blake2_256_digest", "0" * 128, after=after))
    assert problem.startswith(f"blake2_256_digest does not match the file: {'0' * 128} was declared, ")
    assert problem.endswith(f" {hashlib.blake2b(DATA).hexdigest()} was received")


def test_blake2_digests_of_both_lengths_are_compared() -> None:
    wrong = [("blake2_256_digest", "0" * length) for length in (64, 128)]
    right = [("blake2_256_digest", hashlib.blake2b(DATA, digest_size=size).hexdigest()) for size in (32, 64)]
    assert check(form(*right)).digests == Digests(DIGESTS["sha256_digest"], blake2_256=right[0][1])
    assert [problem.split()[:2] for problem in problems_of(form(*right, *wrong))] == [["blake2_256_digest", "does"]] * 2


def test_no_digest_is_required() -> None:
    assert check(form()).digests == Digests(DIGESTS["sha256_digest"])


@before_and_after
@each_digest
def test_a_digest_that_does_not_match_is_named_with_the_computed_one(field: str, after: bool) -> None:
    real = DIGESTS[field]
    wrong = ("1" if real[0] == "0" else "0") + real[1:]
    assert problems_of(with_digest(field, wrong.upper(), after=after)) == [
        f"{field} does not match the file: {wrong} was declared, {real} was received"
    ]


@before_and_after
@each_digest
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda real: real[:-1], id="one digit less"),
        pytest.param(lambda real: real + "0", id="one digit more"),
        pytest.param(lambda real: real[:-1] + "g", id="not hexadecimal"),
        pytest.param(lambda real: " " + real, id="a space before"),
        pytest.param(lambda real: real + "\n", id="a newline after"),
        pytest.param(lambda real: real[:-1] + "\n", id="a newline for the last digit"),
        pytest.param(lambda real: "0x" + real[2:], id="0x"),
        pytest.param(lambda real: "\u0661" * len(real), id="Arabic digits"),
        pytest.param(lambda real: "sha256=" + real, id="the name of the digest"),
        pytest.param(lambda real: "0" * 100_000, id="very long"),
    ],
)
def test_a_text_that_is_not_a_digest_is_a_problem(field: str, after: bool, damage: Callable[[str], str]) -> None:
    [problem] = problems_of(with_digest(field, damage(DIGESTS[field]), after=after))
    assert problem.startswith(f"{field} is invalid: '")
    assert problem.endswith(f" is not {len(DIGESTS[field])} hexadecimal digits")
    assert problem.isprintable()
    assert len(problem) < 200


@each_digest
def test_each_value_of_a_repeated_digest_is_checked(field: str) -> None:
    real, wrong = DIGESTS[field], "0" * len(DIGESTS[field])
    expected = [f"{field} does not match the file: {wrong} was declared, {real} was received"]
    assert problems_of(form((field, real), (field, wrong))) == expected
    assert problems_of(form((field, wrong), (field, real))) == expected
    assert problems_of([*form((field, real)), text(field, wrong)]) == expected
    assert check(form((field, real), (field, real.upper()))).size == len(DATA)


@pytest.mark.parametrize(
    ("declared", "problems"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["AbCd"], [], id="either case"),
        pytest.param(["abc"], ["x is invalid: 'abc' is not 4 hexadecimal digits"], id="short"),
        pytest.param(["abcg"], ["x is invalid: 'abcg' is not 4 hexadecimal digits"], id="not a digit"),
        pytest.param(["ABCE"], ["x does not match the file: abce was declared, abcd was received"], id="other"),
        pytest.param(
            ["abcd", "abce", "\n"],
            [
                "x does not match the file: abce was declared, abcd was received",
                "x is invalid: '\\n' is not 4 hexadecimal digits",
            ],
            id="several",
        ),
    ],
)
def test_the_problems_of_digests(declared: list[str], problems: list[str]) -> None:
    assert list(digest_problems("x", declared, "abcd")) == problems


# Texts

LIMITS = {
    "keywords": 1024,
    "metadata_version": 16,
    "author_email": 2048,
    "summary": 255,
    "description": 4000,
    "description_content_type": 128,
}
letters = pytest.mark.parametrize("letter", ["x", "é", "\U0001f40d"], ids=["ASCII", "two bytes", "four bytes"])


def text_of(upload: Upload, field: str) -> str:
    value: str = getattr(upload.metadata, field)
    return value


@letters
@pytest.mark.parametrize(("field", "limit"), LIMITS.items())
def test_a_text_as_long_as_the_limit_is_kept(field: str, limit: int, letter: str) -> None:
    assert text_of(check(form((field, letter * limit))), field) == letter * limit


@letters
@pytest.mark.parametrize("more", [1, 100_000], ids=["one more", "many more"])
@pytest.mark.parametrize(("field", "limit"), LIMITS.items())
def test_a_longer_text_is_shortened_and_ends_in_three_dots(field: str, limit: int, letter: str, more: int) -> None:
    assert text_of(check(form((field, letter * (limit + more)))), field) == letter * (limit - 3) + "..."


def test_all_metadata_is_kept() -> None:
    metadata = PackageMetadata(
        metadata_version="2.4",
        author_email="Ada <ada@example.com>",
        summary="A demo",
        keywords="alpha, beta gamma",
        description="# Demo\n\nÜber alles.\r\n",
        description_content_type="text/markdown; charset=UTF-8; variant=GFM",
    )
    fields = [(name, getattr(metadata, name)) for name in LIMITS]
    assert check(form(*fields)).metadata == metadata


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    assert check(form(("summary", b"caf\xe9"))).metadata.summary == "caf\ufffd"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param(">=3.8", ">=3.8", id="as it is"),
        pytest.param(">=3.8, <4", ">=3.8, <4", id="a space"),
        pytest.param("", "", id="empty"),
        pytest.param("   ", "", id="spaces only"),
        pytest.param("  >=3.8\n", ">=3.8", id="spaces around"),
        pytest.param(">=3.8,\r\n        <4", ">=3.8, <4", id="a folded header"),
        pytest.param(">=3.8,\t<4", ">=3.8, <4", id="a tab"),
        pytest.param(">=3.8,\n\n<4", ">=3.8, <4", id="empty lines"),
        pytest.param("!=3.2, '>=3'", "!=3.2, '>=3'", id="quotes"),
    ],
)
def test_white_space_in_requires_python_becomes_one_space(sent: str, kept: str) -> None:
    assert check(form(("requires_python", sent))).requires_python == kept


@pytest.mark.parametrize(
    "character",
    [*"\x00\x01\x07\x08\x0b\x0c\x0e\x1b\x1c\x1f\x7f", *"\x80\x85\x9b\x9f"],
    ids=lambda character: f"U+{ord(character):04X}",
)
def test_a_control_character_in_requires_python_is_a_problem(character: str) -> None:
    problems = problems_of(form(("requires_python", f">=3.8{character}<4")))
    assert problems == ["Requires python is invalid: it contains a control character"]


@pytest.mark.parametrize("filename", ["demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl"])
@pytest.mark.parametrize("in_file", ["", ">=3.8"])
@pytest.mark.parametrize("sent", ["3.6", "~=3", "anything <&> 'goes'"])
def test_requires_python_of_the_form_is_a_specifier(filename: str, in_file: str, sent: str) -> None:
    parts = [*form(("requires_python", sent))[:3], file(filename, distribution(filename, requires_python=in_file))]
    [problem] = problems_of(parts)
    assert problem.startswith("Requires python is invalid: ")
    assert sent[:3] in problem


def test_an_invalid_requires_python_in_the_file_and_the_form_is_named_once() -> None:
    data = distribution("demo-1.0.tar.gz", requires_python="~=3")
    [problem] = problems_of([*form(("requires_python", "~=3"))[:3], file("demo-1.0.tar.gz", data)])
    assert problem.startswith("PKG-INFO has an invalid Requires-Python: '~=3'")


def test_an_invalid_requires_python_is_refused_where_files_are_not_verified() -> None:
    data = distribution("demo-1.0.tar.gz", requires_python="~=3")
    parts = [*form(("requires_python", "~=3"))[:3], file("demo-1.0.tar.gz", data)]
    with pytest.raises(InvalidUpload, match="Requires python is invalid: '~=3'"):
        check(parts, verify=None)


@pytest.mark.parametrize("sent", [">=3.5.*", ">=3.7,", ">=3.6, !=3.7.*"])
def test_a_requires_python_that_installers_repair_is_kept(sent: str) -> None:
    assert check(form(("requires_python", sent))).requires_python == sent


def test_a_long_requires_python_is_not_shortened() -> None:
    longest = ">=3.6" + ",!=3.7.*" * 500
    assert check(form(("requires_python", longest))).requires_python == longest
    [problem] = problems_of(form(("requires_python", longest + ",!=3.7.*" * 50)))
    assert problem == "Requires python is invalid: longer than 4096 characters"


# The metadata in the file


@pytest.mark.parametrize(
    ("in_file", "in_form", "kept"),
    [
        pytest.param(">=3.8", ">=3.9", ">=3.8", id="both"),
        pytest.param(">=3.8", "", ">=3.8", id="the file alone"),
        pytest.param("", ">=3.9", ">=3.9", id="the form alone"),
        pytest.param("", "", "", id="neither"),
    ],
)
@pytest.mark.parametrize("filename", ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"])
@pytest.mark.parametrize("check_file", [None, verify], ids=["any file", "verified"])
def test_requires_python_of_the_file_precedes_that_of_the_form(
    filename: str, in_file: str, in_form: str, kept: str, check_file: Verify | None
) -> None:
    data = distribution(filename, requires_python=in_file)
    parts = wheel_form(("requires_python", in_form), data=data, filename=filename)
    assert check(parts, verify=check_file).requires_python == kept


@pytest.mark.parametrize(
    ("filename", "metadata_version", "dynamic", "is_served"),
    [
        ("demo-1.0-py3-none-any.whl", "2.1", "Requires-Dist", True),
        ("demo-1.0.tar.gz", "2.1", "Classifier", False),
        ("demo-1.0.tar.gz", "2.2", "Requires-Dist", False),
        ("demo-1.0.tar.gz", "2.2", "Classifier", True),
        ("demo-1.0.zip", "2.2", "Classifier", True),
    ],
)
def test_core_metadata_is_kept_if_it_may_be_served(
    filename: str, metadata_version: str, dynamic: str, is_served: bool
) -> None:
    metadata: Metadata = {"metadata_version": metadata_version, "headers": (("Dynamic", dynamic),)}
    upload = check(wheel_form(data=distribution(filename, **metadata), filename=filename))
    assert upload.core_metadata == (core_metadata("demo", "1.0", **metadata) if is_served else None)


@pytest.mark.parametrize("filename", ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"])
def test_only_a_verifier_refuses_a_file_that_is_no_archive(filename: str) -> None:
    assert len(problems_of(wheel_form(data=b"junk", filename=filename))) == 1
    upload = check(wheel_form(data=b"junk", filename=filename), verify=None)
    assert (upload.size, upload.core_metadata) == (4, None)


def test_without_a_verifier_file_names_and_digests_are_checked_and_metadata_is_served() -> None:
    assert check(wheel_form(), verify=None).core_metadata == core_metadata("demo", "1.0")
    for parts in (form(filename="demo-2.0.tar.gz"), form(("md5_digest", "0" * 32), filename="demo-1.0.zip")):
        assert len(problems_of(parts, verify=None)) == 1


def test_the_problems_of_a_verifier_are_those_of_the_upload() -> None:
    report = Report(None, ("only wheels are published here", "and none on Sundays"))
    assert problems_of(form(), verify=lambda stream, filename: report) == [*report.problems]


def test_the_metadata_of_a_verifier_is_used() -> None:
    metadata = CoreMetadata(b"bytes", "2.2", "Demo", "1.0.0", ">=3.8", frozenset())
    upload = check(form(), verify=lambda stream, filename: Report(metadata))
    assert (upload.requires_python, upload.core_metadata) == (">=3.8", b"bytes")


def test_the_metadata_of_a_verifier_must_match_the_form() -> None:
    metadata = CoreMetadata(b"bytes", "2.2", "other", "2.0", "", frozenset())
    problems = problems_of(form(), verify=lambda stream, filename: Report(metadata))
    assert [problem.split()[0] for problem in problems] == ["Name", "Version"]


# Distributions without a form


@pytest.mark.parametrize("filename", ["de_mo-1.0-py3-none-any.whl", "de_mo-1.0.tar.gz", "de_mo-1.0.zip"])
@pytest.mark.parametrize("check_file", [None, verify], ids=["any file", "verified"])
def test_a_distribution_has_the_name_and_the_version_of_its_metadata(filename: str, check_file: Verify | None) -> None:
    metadata: Metadata = {"metadata_version": "2.2", "requires_python": ">=3.8"}
    data = distribution(filename, name="De-Mo", version="1.0.0", **metadata)
    stream = io.BytesIO(data)
    stream.seek(5)
    upload = read_distribution(stream, filename, verify=check_file)
    assert (upload.name, upload.normalized_name, upload.version) == ("De-Mo", "de-mo", "1.0.0")
    assert (upload.filename, upload.size) == (filename, len(data))
    assert upload.digests == Digests(hashlib.sha256(data).hexdigest())
    assert upload.requires_python == ">=3.8"
    assert upload.core_metadata == core_metadata("De-Mo", "1.0.0", **metadata)


@pytest.mark.parametrize(
    ("filename", "name", "version"),
    [
        ("my_demo-1.0-py3-none-any.whl", "my_demo", "1.0"),
        ("my_demo-1.0-1-py3-none-any.whl", "my_demo", "1.0"),
        ("my_demo-1.0.tar.gz", "my_demo", "1.0"),
        ("my-demo-1.0.tar.gz", "my-demo", "1.0"),
        ("my_demo-1.0.zip", "my_demo", "1.0"),
    ],
)
def test_a_distribution_without_metadata_has_the_name_and_the_version_of_its_file_name(
    filename: str, name: str, version: str
) -> None:
    upload = read_distribution(io.BytesIO(b"junk"), filename, verify=None)
    assert (upload.name, upload.version, upload.core_metadata) == (name, version, None)


@pytest.mark.parametrize(
    ("filename", "data", "problem"),
    [
        pytest.param("demo-1.0.tar.gz", b"junk", "", id="not an archive"),
        pytest.param("demo-1.0.egg", DATA, "File name 'demo-1.0.egg' has neither", id="another suffix"),
        pytest.param("../demo-1.0.tar.gz", DATA, "File name '../demo-1.0.tar.gz' is invalid", id="a path"),
        pytest.param("", DATA, "File name '' is invalid", id="an empty file name"),
        pytest.param(
            "demo-2.0.tar.gz",
            DATA,
            "File name 'demo-2.0.tar.gz' does not match the name demo and the version '1.0'",
            id="another version",
        ),
    ],
)
def test_a_distribution_with_a_problem_is_refused(filename: str, data: bytes, problem: str) -> None:
    with pytest.raises(InvalidUpload) as caught:
        read_distribution(io.BytesIO(data), filename, verify=verify)
    assert any(each.startswith(problem) for each in caught.value.problems)


# The uploaders: their fields, in their order, for one distribution. Repeated fields are repeated.

WHEEL = "my_pkg_demo-1.0.0rc1+local.1-py3-none-any.whl"
SDIST = "my_pkg_demo-1.0.0rc1+local.1.tar.gz"
VERSION = "1.0.0rc1+local.1"
EMAIL = "Ada Lovelace <ada@example.com>, Bob <bob@example.com>"
README = "# My.Pkg_demo\n\nA *demo* – with Ünïcode.\n"
ITS_OWN = "the digest of the file that is sent"

REPEATED: list[Field] = [
    ("classifiers", "Development Status :: 4 - Beta"),
    ("classifiers", "Programming Language :: Python :: 3"),
    ("project_urls", "Homepage, https://example.com/"),
    ("project_urls", "Source, https://example.com/source"),
    ("requires_dist", "requests>=2"),
    ("requires_dist", 'tomli; python_version < "3.11"'),
    ("dynamic", "version"),
    ("platform", "any"),
    ("supported_platform", "linux-x86_64"),
    ("requires_external", "libfoo"),
]

TWINE: list[Field] = [
    ("summary", "A demo"),
    ("metadata_version", "2.4"),
    ("license_expression", "MIT"),
    ("name", "My.Pkg-demo"),
    *REPEATED,
    ("provides_extra", "socks"),
    ("keywords", "alpha, beta gamma"),
    ("description_content_type", "text/markdown"),
    ("license_file", "LICENSE"),
    ("author_email", EMAIL),
    ("version", VERSION),
    ("requires_python", ">=3.8"),
    ("description", README),
    ("comment", "a comment"),
    ("sha256_digest", ITS_OWN),
    ("blake2_256_digest", ITS_OWN),
    ("attestations", '[{"version": 1, "verification_material": {}, "envelope": {}}]'),
    (":action", "file_upload"),
    ("protocol_version", "1"),
]

UV: list[Field] = [
    (":action", "file_upload"),
    ("sha256_digest", ITS_OWN),
    ("blake2_256_digest", ITS_OWN),
    ("protocol_version", "1"),
    ("metadata_version", "2.5"),
    ("name", "My.Pkg_demo"),
    ("version", VERSION),
    ("summary", "A demo"),
    ("description", README),
    ("description_content_type", "text/markdown"),
    ("author_email", EMAIL),
    ("keywords", "alpha,beta gamma"),
    ("license_expression", "MIT"),
    ("license_file", "LICENSE"),
    *REPEATED,
    ("provides_extra", "socks"),
    ("import_names", "my_pkg_demo"),
    ("import_namespaces", "my"),
    ("requires_python", ""),
]

POETRY: list[Field] = [
    ("requires_python", ">=3.8"),
    ("metadata_version", "2.4"),
    ("name", "My.Pkg_demo"),
    ("version", VERSION),
    ("md5_digest", ITS_OWN),
    ("sha256_digest", ITS_OWN),
    ("blake2_256_digest", ITS_OWN),
    ("summary", "A demo"),
    ("author_email", EMAIL),
    ("keywords", "alpha, beta gamma"),
    ("description", README),
    ("description_content_type", "text/markdown"),
    ("license_expression", "MIT"),
    ("license_file", "LICENSE"),
    *REPEATED,
    ("provides_extra", "socks"),
    ("import-name", "my_pkg_demo"),
    ("import-namespace", "my"),
    (":action", "file_upload"),
    ("protocol_version", "1"),
]

FLIT: list[Field] = [
    (":action", "file_upload"),
    ("name", "My.Pkg_demo"),
    ("version", VERSION),
    ("metadata_version", "2.3"),
    ("protocol_version", "1"),
    ("summary", "A demo"),
    ("home_page", "https://example.com/"),
    ("author", "Ada Lovelace"),
    ("author_email", EMAIL),
    ("maintainer", "Bob"),
    ("maintainer_email", "bob@example.com"),
    ("license", "MIT"),
    ("description", README),
    ("description_content_type", "text/markdown"),
    ("keywords", "alpha,beta gamma"),
    *REPEATED,
    ("provides_extra", "socks"),
    ("requires_python", ">=3.8"),
    ("provides", "my_pkg_demo"),
    ("md5_digest", ITS_OWN),
    ("sha256_digest", ITS_OWN),
]

HATCH: list[Field] = [
    ("metadata_version", "2.4"),
    ("name", "My.Pkg_demo"),
    ("version", VERSION),
    ("summary", "A demo"),
    ("author_email", EMAIL),
    ("license_expression", "MIT"),
    ("license_file", "LICENSE"),
    ("keywords", "alpha,beta gamma"),
    *REPEATED,
    ("requires_python", ">=3.8"),
    ("provides_extra", "socks"),
    ("import_name", "my_pkg_demo"),
    ("description_content_type", "text/markdown"),
    ("description", README),
    ("md5_digest", ITS_OWN),
    ("sha256_digest", ITS_OWN),
    ("blake2_256_digest", ITS_OWN),
    (":action", "file_upload"),
    ("protocol_version", "1"),
]

PDM: list[Field] = [
    ("name", "My.Pkg_demo"),
    ("version", VERSION),
    ("metadata_version", "2.4"),
    ("summary", "A demo"),
    ("home_page", ""),
    ("author", ""),
    ("author_email", EMAIL),
    ("maintainer", ""),
    ("maintainer_email", ""),
    ("license", ""),
    ("description", README),
    ("keywords", "alpha,beta gamma"),
    ("download_url", ""),
    ("comment", ""),
    ("sha256_digest", ITS_OWN),
    ("md5_digest", ITS_OWN),
    ("blake2_256_digest", ITS_OWN),
    ("requires_python", ">=3.8"),
    ("description_content_type", "text/markdown"),
    *REPEATED,
    ("provides_extras", "socks"),
    ("gpg_signature", f"{SDIST}.asc"),
    ("gpg_signature", "-----BEGIN PGP SIGNATURE-----"),
    ("protocol_version", "1"),
    (":action", "file_upload"),
]


@pytest.mark.parametrize("filename", [WHEEL, SDIST], ids=["wheel", "sdist"])
@pytest.mark.parametrize(
    ("fields", "pyversion", "after"),
    [
        pytest.param(TWINE, "source", [], id="twine"),
        pytest.param(
            TWINE, "source", [lambda: file(f"{SDIST}.asc", b"---", name="gpg_signature")], id="twine, with a signature"
        ),
        pytest.param(UV, "source", [], id="uv"),
        pytest.param(UV, "source", [lambda: text("attestations", "[]")], id="uv, with attestations after the file"),
        pytest.param(POETRY, "source", [], id="poetry"),
        pytest.param(FLIT, None, [], id="flit"),
        pytest.param(HATCH, "source", [], id="hatch"),
        pytest.param(PDM, "source", [], id="pdm"),
    ],
)
def test_the_form_of_an_uploader_is_valid(
    fields: list[Field], pyversion: str | None, after: list[Callable[[], Part]], filename: str
) -> None:
    if filename == WHEEL:
        kind: list[Field] = [("filetype", "bdist_wheel"), ("pyversion", "py3")]
    else:
        kind = [("filetype", "sdist"), *([("pyversion", pyversion)] if pyversion else [])]
    data = distribution(filename, name="My.Pkg_demo", requires_python=str(dict(fields)["requires_python"]))
    own = digests_of(data)
    fields = [(field, own[field] if value == ITS_OWN else value) for field, value in fields]
    upload = check([*texts(fields), *texts(kind), file(filename, data), *(part() for part in after)])
    sent = dict(fields)
    assert (upload.name, upload.normalized_name, upload.version) == (sent["name"], "my-pkg-demo", VERSION)
    assert (upload.filename, upload.size) == (filename, len(data))
    assert upload.requires_python == sent["requires_python"]
    declared = {name: own[name] for name in own if name in sent}
    assert upload.digests == Digests(
        own["sha256_digest"], declared.get("md5_digest"), declared.get("blake2_256_digest")
    )
    assert upload.metadata == PackageMetadata(
        metadata_version=str(sent["metadata_version"]),
        author_email=EMAIL,
        summary="A demo",
        keywords=str(sent["keywords"]),
        description=README,
        description_content_type="text/markdown",
    )
