"""A faster way to read the parts of a form as pip's, twine's and uv's libraries write them.

Each function returns None for everything else, which `pypi_registry._http.multipart` then reads. This file can be
deleted with its calls: nothing but the time changes, by 9 % of a small upload.
"""

import re

_CONTENT_TYPE = re.compile(r"multipart/form-data; boundary=([\w-]+)", re.ASCII)
_HEAD = re.compile(
    rb'Content-Disposition: form-data; name="([\w:-]{1,99})"(?:; filename="([\w.+!-]{1,255})")?'
    rb"(?:\r\nContent-Type: [\w/-]{1,99})?\r\n\r\n"
)


def common_boundary(content_type: str) -> str | None:
    """Return the boundary of a form.

    >>> common_boundary("multipart/form-data; boundary=b1"), common_boundary('multipart/form-data; boundary="b1"')
    ('b1', None)
    """
    found = _CONTENT_TYPE.fullmatch(content_type)
    return found and found[1]


def common_part(data: bytes, at: int, boundary: bytes) -> tuple[bytes, bytes | None, int, int, int] | None:
    r"""Return a part of which all bytes have arrived: its name, its file name, and three positions.

    They are those of its content, of the line break before the next boundary, and behind this boundary and the line
    break or the two hyphens that follow it.

    >>> common_part(b'Content-Disposition: form-data; name="a"\r\n\r\n1\r\n--b1\r\n', 0, b"--b1")
    (b'a', None, 44, 45, 53)
    """
    if (head := _HEAD.match(data, at)) is None:
        return None
    # No other spelling of a boundary can come before the first occurrence, so this one is not compared with the others.
    content, found = head.end(), data.find(boundary, head.end())
    end, behind = found - 2, found + len(boundary) + 2
    if end < content or data[end:found] != b"\r\n" or data[behind - 2 : behind] not in (b"\r\n", b"--"):
        return None
    return head[1], head[2], content, end, behind
