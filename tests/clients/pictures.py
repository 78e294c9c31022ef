"""Take the pictures of the web page for the README: ``python -m tests.clients.pictures [FOLDER]``.

It publishes invented packages to a registry of its own, and photographs a page with Chromium, light and dark. The
folder is ``docs/images`` by default.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from pypi_registry.testing import archives
from tests.clients import wire
from tests.clients.served import Served, served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
IMAGES = Path(__file__).parents[2] / "docs" / "images"
THEMES = {"light": 1, "dark": 0}
"""The number that Chromium has for each colour scheme."""

SECRET = "the-secret-of-the-pictures"
REGISTRY_TOML = f"""
forward_to = false
groups = [
  {{ id = 10, path = "acme", visibility = "public" }},
  {{ id = 11, path = "acme/data", visibility = "public" }},
]
projects = [
  {{ id = 1, path = "acme/data/pipelines", visibility = "public" }},
  {{ id = 2, path = "acme/website", visibility = "public" }},
  {{ id = 3, path = "acme/secrets" }},
]
users = [{{ name = "ada", roles = {{ acme = "maintainer" }} }}]
tokens = [{{ kind = "personal", user = "ada", scopes = ["api"], sha256 = "{sha256(SECRET.encode()).hexdigest()}" }}]
"""

DESCRIPTION = """\
Reads tables from **CSV**, **Parquet** and databases, and streams them through small functions.

## Usage

```python
from acme_streams import read, write

write("orders.parquet", read("orders.csv").where(country="NO"))
```

| format | read | write |
|---|---|---|
| CSV | yes | yes |
| Parquet | yes | yes |
| SQLite | yes | no |

See the [guide](https://docs.example/streams) for more.
"""
HEADERS = [
    ("Summary", "Streams of tables, one row at a time"),
    ("License-Expression", "MIT"),
    ("Author-email", "Ada Lovelace <ada@acme.example>"),
    ("Keywords", "tables,streams,etl"),
    ("Project-URL", "Documentation, https://docs.example/streams"),
    ("Project-URL", "Source, https://git.example/acme/streams"),
    ("Project-URL", "Changelog, https://docs.example/streams/changelog"),
    ("Classifier", "Development Status :: 5 - Production/Stable"),
    ("Classifier", "Programming Language :: Python :: 3"),
    ("Classifier", "Typing :: Typed"),
]
REQUIRES = ["pyarrow>=18", "rich>=14", 'tomli>=2; python_version < "3.11"']


def publish(server: Served) -> None:
    """Publish the packages of the pictures."""
    for version in ("0.9.0", "1.0.0", "1.1.0", "1.2.0", "2.0.0rc1", "2.0.0"):
        _publish(server, 1, "acme-streams", version, sdist=True)
    wire.request(
        "PATCH",
        f"{server.api}/projects/1/packages/3",
        wire.login(SECRET) | {"Content-Type": "application/json"},
        b'{"yanked": "drops the last row of a file"}',
    )
    for project, name, version in (
        (1, "acme-schemas", "3.4.1"),
        (2, "acme-theme", "1.8.0"),
        (2, "acme-icons", "0.3.0"),
        (3, "acme-vault", "5.0.2"),
    ):
        _publish(server, project, name, version)


def _publish(server: Served, project: int, name: str, version: str, *, sdist: bool = False) -> None:
    options = {"metadata_version": "2.4", "requires_python": ">=3.11", "requires": REQUIRES, "headers": HEADERS}
    made = [archives.make_wheel(name, version, **options)]  # type: ignore[arg-type]  # a dictionary of all options
    if sdist:
        made.append(archives.make_sdist(name, version, **options))  # type: ignore[arg-type]  # likewise
    fields = {
        "name": name,
        "version": version,
        "metadata_version": "2.4",
        "summary": "Streams of tables, one row at a time",
        "author_email": "Ada Lovelace <ada@acme.example>",
        "keywords": "tables,streams,etl",
        "description": DESCRIPTION,
        "description_content_type": "text/markdown",
    }
    for file in made:
        url = f"{server.api}/projects/{project}/packages/pypi"
        answer = wire.upload(url, SECRET, fields, file.filename, file.data)
        assert answer.status == 201, answer.body


@contextmanager
def gallery(*options: str) -> Iterator[Served]:
    """Run a registry that has the packages of the pictures."""
    with TemporaryDirectory() as folder:
        config = Path(folder) / "registry.toml"
        config.write_text(REGISTRY_TOML, encoding="utf-8")
        with served(Path(folder) / "data", "--config", str(config), *options) as server:
            publish(server)
            yield server


def photograph(url: str, picture: Path, *, theme: str = "light", width: int = 1200, height: int = 1000) -> None:
    """Take a picture of a page."""
    with TemporaryDirectory() as profile:
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-sync"]
        command += ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}"]
        command += [f"--blink-settings=preferredColorScheme={THEMES[theme]}", f"--window-size={width},{height}"]
        subprocess.run([*command, f"--screenshot={picture}", url], check=True, capture_output=True, timeout=60)


def main() -> None:
    """Take the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with gallery("--url", "https://packages.example") as server:
        for theme in THEMES:
            photograph(f"{server.site}/acme/data/pipelines/-/packages/6", folder / f"page-{theme}.png", theme=theme)


if __name__ == "__main__":
    main()
