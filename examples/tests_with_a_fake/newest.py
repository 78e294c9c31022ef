"""Print the newest version of a package: ``python newest.py INDEX_URL NAME``."""

import sys

import requests
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version
from requests.adapters import HTTPAdapter
from urllib3 import Retry

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
RETRIES = Retry(3, status_forcelist=[429, 503], backoff_factor=0.1)  # it waits for the time in Retry-After
TIMEOUT = 10  # seconds


def newest_version(index_url: str, name: str) -> Version | None:
    """Return the newest version that is not yanked; None if the index has none.

    :raises requests.RequestException: if the index does not respond, or not in JSON.
    """
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=RETRIES))
        session.mount("https://", HTTPAdapter(max_retries=RETRIES))
        url = f"{index_url}/{canonicalize_name(name)}/"
        response = session.get(url, headers={"Accept": SIMPLE_JSON}, timeout=TIMEOUT)
        if response.status_code == 404:
            return None
        response.raise_for_status()
        files = response.json()["files"]
    return max((version_of(file["filename"]) for file in files if not file.get("yanked")), default=None)


def version_of(filename: str) -> Version:
    return (parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename)(filename)[1]


def main() -> int:
    _, index_url, name = sys.argv
    try:
        version = newest_version(index_url, name)
    except requests.RequestException as error:
        print(f"the index does not respond: {error}", file=sys.stderr)
        return 2
    print(version or f"there is no {name}")
    return 0 if version else 1


if __name__ == "__main__":
    sys.exit(main())
