"""Writes to the standard output what must not be lost, such as a secret."""

import errno
import os
from typing import TextIO


def write_out(stream: TextIO | None, text: str) -> None:
    """Write a text at once.

    :param stream: None for a process without standard streams.
    :raises OSError: if that is not possible; its ``filename`` names the standard output.
    """
    try:
        if stream is None or stream.closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        stream.write(text)
        stream.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, "the standard output") from error
