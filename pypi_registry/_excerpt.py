"""How a message quotes text from outside."""


def excerpt(text: str, limit: int = 60) -> str:
    """Quote a text for a message: escaped, and shortened in the middle if it has more than `limit` characters.

    >>> excerpt("1.0" + 100 * "x", limit=10)
    "'1.0xx…xxxxx'"
    """
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-(limit // 2) :]}"
    return repr(text)
