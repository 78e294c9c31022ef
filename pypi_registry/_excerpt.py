"""How a message quotes text from outside, and names the cause of an error."""

_MAX_CAUSE = 300  # characters; psycopg quotes whole statements


def excerpt(text: str, limit: int = 60) -> str:
    """Quote a text for a message: escaped, and shortened in the middle if it has more than `limit` characters.

    >>> excerpt("1.0" + 100 * "x", limit=10)
    "'1.0xx…xxxxx'"
    """
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-(limit // 2) :]}"
    return repr(text)


def with_cause(error: BaseException) -> str:
    r"""Return the sentence of an error with its first cause in parentheses, on one line, for logs and administrators.

    The cause of a `StorageUnavailable` is what a disk, a database or an object store reported. Clients must not see it.

    >>> error = RuntimeError("the disk cannot be read")
    >>> error.__cause__ = OSError("an error\nof the device")
    >>> with_cause(error)
    'the disk cannot be read (an error of the device)'
    """
    first, seen = error, {id(error)}
    while (before := first.__cause__) is not None and id(before) not in seen:
        first = before
        seen.add(id(first))
    sentence, cause = _on_one_line(error), _on_one_line(first)
    if len(cause) > _MAX_CAUSE:
        cause = f"{cause[:_MAX_CAUSE]}…"
    return f"{sentence} ({cause})" if cause and cause not in sentence else sentence


def _on_one_line(error: BaseException) -> str:
    printable = (letter if letter.isprintable() else " " for letter in str(error))  # no ESC reaches a terminal
    return " ".join("".join(printable).split())
