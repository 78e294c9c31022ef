"""Paths that are longer than a tar's header has room for, cut at any place."""

import io
import tarfile

import pytest

from pypi_registry.distributions import verify

METADATA = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["GNU", "pax"])
@pytest.mark.parametrize("length", range(97, 104))
def test_a_long_path_may_be_cut_at_a_slash(form: int, length: int) -> None:
    """As one of cookiecutter 1.7.3, whose first hundred characters are those of a folder."""
    folder = "demo-1.0/".ljust(length - 1, "a") + "/"
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=form) as archive:
        for path, data in {f"{folder}{'b' * 60}.py": b"x = 1\n", "demo-1.0/PKG-INFO": METADATA}.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    stream.seek(0)
    assert verify(stream, "demo-1.0.tar.gz").problems == ()
