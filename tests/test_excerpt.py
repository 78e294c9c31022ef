"""How a message quotes text from outside, and names the cause of an error."""

from itertools import pairwise

from pypi_registry._excerpt import with_cause


def caused(*texts: str) -> Exception:
    """Return an error, each of whose causes has the next text."""
    errors = [RuntimeError(text) for text in texts]
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    return errors[0]


def test_the_first_cause_is_named() -> None:
    assert with_cause(caused("it failed", "a timeout", "No space left on device")) == (
        "it failed (No space left on device)"
    )


def test_no_control_character_is_left() -> None:
    assert with_cause(caused("it\nfailed\x1b[31m", "an\r\nerror\x07\u202e of a disk")) == (
        "it failed [31m (an error of a disk)"
    )


def test_causes_in_a_circle_end() -> None:
    error = caused("a", "b")
    assert error.__cause__ is not None
    error.__cause__.__cause__ = error
    assert with_cause(error) == "a (b)"


def test_a_cause_that_the_sentence_contains_is_not_repeated() -> None:
    assert with_cause(caused("the disk is full", "disk is full")) == "the disk is full"


def test_a_long_cause_is_cut() -> None:
    assert len(with_cause(caused("it failed", "x" * 10_000))) < 320
