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
    r"""Return the sentence of an error with its cause in parentheses, on one line, for logs and for administrators.

    The cause of a `StorageUnavailable` is what a disk, a database or an object store reported. Clients must not see it.

    >>> error = RuntimeError("the disk cannot be read")
    >>> error.__cause__ = OSError("an error\nof the device")
    >>> with_cause(error)
    'the disk cannot be read (an error of the device)'
    """
    cause = " ".join(str(error.__cause__ or "").split())
    if len(cause) > _MAX_CAUSE:
        cause = f"{cause[:_MAX_CAUSE]}…"
    return f"{error} ({cause})" if cause and cause not in str(error) else str(error)
