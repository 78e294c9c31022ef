"""Builds the wheel of the sdist that contains this file: PKG-INFO becomes METADATA, other files stay (PEP 517).

`make_sdist` copies this file into every sdist without a build of its own, so that the sdist is built without an index.
It imports only the standard library. The copy sets `STEM` in a line at its end.
"""

import base64
import zipfile
from hashlib import sha256
from pathlib import Path

STEM = ""
"""The beginning of the file name of the wheel: ``demo-1.0``."""

_FOLDER = Path(__file__).parent
_NOT_INSTALLED = {"PKG-INFO", "pyproject.toml", Path(__file__).name}
_WHEEL = b"Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: object = None) -> str:
    """Write the wheel into a directory, and return its file name."""
    paths = sorted(path for path in _FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    files = {path.relative_to(_FOLDER).as_posix(): path.read_bytes() for path in paths}
    metadata, info = files["PKG-INFO"], f"{STEM}.dist-info"
    files = {path: data for path, data in files.items() if path not in _NOT_INSTALLED}
    files.update({f"{info}/METADATA": metadata, f"{info}/WHEEL": _WHEEL})
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    filename = f"{STEM}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / filename, "w") as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)
    return filename


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode()
