"""A faster way to read the parts of a form as pip's, twine's and uv's libraries write them.

Each function returns None for everything else, which `pypi_registry._http.multipart` then reads. This file can be
deleted with its calls: nothing but the time changes, by 9 % of the instructions of a small upload.
"""

import re

_CONTENT_TYPE = re.compile(r"multipart/form-data; boundary=([\w-]+)", re.ASCII)
_MAX_PARTS = 100
_HEAD = re.compile(
    rb'Content-Disposition: form-data; name="([\w:-]{1,99})"(?:; filename="([\w.+!-]{1,255})")?'
    rb"(?:\r\nContent-Type: [\w/-]{1,99})?\r\n\r\n"
)


def common_boundary(content_type: str) -> str | None:
    """Return the boundary of a form; it contains no line break.

    >>> common_boundary("multipart/form-data; boundary=b1"), common_boundary('multipart/form-data; boundary="b1"')
    ('b1', None)
    """
    found = _CONTENT_TYPE.fullmatch(content_type)
    return found and found[1]


def common_parts(form: bytes, boundary: bytes) -> list[tuple[str, str | None, bytes]] | None:
    r"""Return the name, the file name and the content of each part, if the whole form has arrived.

    :param boundary: a `common_boundary`, after two hyphens.

    >>> common_parts(b'--b1\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b1--\r\n', b"--b1")
    [('a', None, b'1')]
    """
    begin, between, end = boundary + b"\r\n", b"\r\n" + boundary + b"\r\n", b"\r\n" + boundary + b"--\r\n"
    if not form.startswith(begin) or not form.endswith(end):
        return None
    parts = form[len(begin) : -len(end)].split(between, _MAX_PARTS)
    # If the form contains another boundary, it is for the general way to decide whether that one counts.
    if len(parts) > _MAX_PARTS or form.count(boundary) != len(parts) + 1:
        return None
    found = []
    for part in parts:
        if (head := _HEAD.match(part)) is None:
            return None
        name, filename = head.groups()
        found.append((name.decode(), filename.decode() if filename else None, part[head.end() :]))
    return found
