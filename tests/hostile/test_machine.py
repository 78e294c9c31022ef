"""Random sequences of requests against a model in a few lines of Python: what a caller sees never differs."""

import io
import json
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from werkzeug.test import Client

from pypi_registry import AllowAll, Registry
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import distribution

PROJECTS = ("acme%2Ftools", "acme%2Flibs")
SPELLINGS = {"demo": ("demo", "Demo", "DEMO"), "a-b": ("a-b", "A_b", "a.B")}  # by normalized name
VERSIONS = {"1": ("1.0", "1", "1.0.0"), "2rc1": ("2.0rc1", "2rc1")}  # by canonical version
ENDS = (".tar.gz", "-py3-none-any.whl", "-1-py3-none-any.whl")
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
ACCEPTS_UPLOADS = ("active", "deprecated")

projects = st.sampled_from(PROJECTS)
names = st.sampled_from([*SPELLINGS])
versions = st.sampled_from([*VERSIONS])
statuses = st.sampled_from(["active", "deprecated", "archived", "quarantined"])


def tags_of(filename: str) -> list[str]:
    """Return what follows the name and the version in the file name of a wheel; nothing of an sdist."""
    return filename.split("-", 2)[2:]


class Machine(RuleBasedStateMachine):
    """Sends requests to a registry, and does the same to dictionaries."""

    @initialize()
    def open(self) -> None:
        self.client = Client(self.registry())
        self.files: dict[tuple[str, str, str], dict[str, bytes]] = {}
        """By project, name and version: the bytes of each file name."""
        self.reasons: dict[tuple[str, str, str], str] = {}
        self.statuses: dict[tuple[str, str], str] = {}

    def registry(self) -> Registry:
        return Registry(auth=AllowAll(), catalogue=MemoryCatalogue(), blobs=MemoryBlobs())

    def _base(self, project: str) -> str:
        return f"/projects/{project}/packages/pypi"

    @rule(project=projects, name=names, version=versions, end=st.sampled_from(ENDS), data=st.data())
    def upload(self, project: str, name: str, version: str, end: str, data: st.DataObject) -> None:
        spelled = data.draw(st.sampled_from(SPELLINGS[name])), data.draw(st.sampled_from(VERSIONS[version]))
        filename = f"{spelled[0].replace('-', '_')}-{spelled[1]}{end}"
        content = distribution(filename, payload=data.draw(st.sampled_from([b"one", b"two"])))
        form = {"name": spelled[0], "version": spelled[1], "content": (io.BytesIO(content), filename)}
        response = self.client.post(self._base(project), data=form)
        package = self.files.get((project, name, version), {})
        if self.statuses.get((project, name), "active") not in ACCEPTS_UPLOADS:
            assert response.status_code == 403, response.text
        elif tags_of(filename) in map(tags_of, package):  # also under another spelling of its name
            assert response.status_code == 400 and "already been taken" in response.text
        else:
            assert response.status_code == 201, response.text
            self.files[project, name, version] = {**package, filename: content}

    @rule(project=projects, name=names, version=versions, data=st.data())
    def delete_a_file(self, project: str, name: str, version: str, data: st.DataObject) -> None:
        package = self.files.get((project, name, version))
        if not package:
            return
        filename = data.draw(st.sampled_from(sorted(package)))
        path = self._package(project, name, version)
        ids = {file["file_name"]: file["id"] for file in self._json(f"{path}/package_files")}
        assert ids.keys() == package.keys()
        path = f"{path}/package_files/{ids[filename]}"
        assert self.client.delete(path).status_code == 204
        assert self.client.delete(path).status_code == 404
        del package[filename]
        if not package:
            self._forget(project, name, version)

    @rule(project=projects, name=names, version=versions)
    def delete_a_package(self, project: str, name: str, version: str) -> None:
        if (project, name, version) in self.files:
            path = self._package(project, name, version)
            assert self.client.delete(path).status_code == 204
            assert self.client.delete(path).status_code == 404
            self._forget(project, name, version)

    def _forget(self, *package: str) -> None:
        project, name, version = package
        del self.files[project, name, version]
        self.reasons.pop((project, name, version), None)

    @rule(project=projects, name=names, version=versions, reason=st.sampled_from([True, False, "", "broken", "<b>"]))
    def yank(self, project: str, name: str, version: str, reason: object) -> None:
        if (project, name, version) in self.files:
            response = self.client.patch(self._package(project, name, version), json={"yanked": reason})
            assert response.status_code == 200, response.text
            if reason is False:
                self.reasons.pop((project, name, version), None)
            else:
                self.reasons[project, name, version] = "" if reason is True else str(reason)

    @rule(project=projects, name=names, status=statuses)
    def set_a_status(self, project: str, name: str, status: str) -> None:
        if any(key[:2] == (project, name) for key in self.files):
            response = self.client.patch(f"{self._base(project)}/simple/{name}", json={"status": status})
            assert response.status_code == 200, response.text
            self.statuses[project, name] = status

    def _json(self, path: str) -> Any:
        return json.loads(self.client.get(path, headers=JSON).data)

    def _package(self, project: str, name: str, version: str) -> str:
        spelled = [*VERSIONS[version]]
        found = self._json(f"/projects/{project}/packages?per_page=100")
        [id_] = [
            package["id"] for package in found if package["name"] in SPELLINGS[name] and package["version"] in spelled
        ]
        return f"/projects/{project}/packages/{id_}"

    @invariant()
    def every_page_shows_what_the_model_has(self) -> None:
        if not hasattr(self, "client"):
            return
        for project in PROJECTS:
            base = f"{self._base(project)}/simple/"
            index = [entry["name"] for entry in self._json(base)["projects"]]
            wanted = sorted({name for at, name, _ in self.files if at == project})
            assert index == wanted
            for name in SPELLINGS:
                self._check_page(project, name, f"{base}{name}/")

    def _check_page(self, project: str, name: str, path: str) -> None:
        response = self.client.get(path, headers=JSON)
        packages = {key: files for key, files in self.files.items() if key[:2] == (project, name)}
        if not packages:
            assert response.status_code == 404
            return
        page: Any = json.loads(response.data)
        status = self.statuses.get((project, name), "active")
        assert page.get("project-status", {}).get("status", "active") == status
        found = {}
        for file in page["files"]:
            with self.client.get(urljoin(f"http://localhost{path}", file["url"])) as downloaded:
                content = downloaded.data
            assert sha256(content).hexdigest() == file["hashes"]["sha256"]
            found[file["filename"]] = (content, file.get("yanked", False))
        expected: dict[str, tuple[bytes, object]] = {}
        for key, files in packages.items():
            yanked = (self.reasons[key] or True) if key in self.reasons else False
            expected |= {filename: (content, yanked) for filename, content in files.items()}
        assert found == ({} if status == "quarantined" else expected)


class DurableMachine(Machine):
    """The same over SQLite and files, which are opened again between requests."""

    def registry(self) -> Registry:
        self.folder = Path(tempfile.mkdtemp())
        return self._open()

    def _open(self) -> Registry:
        self.catalogue = SQLiteCatalogue(self.folder / "catalogue.sqlite3")
        return Registry(auth=AllowAll(), catalogue=self.catalogue, blobs=FileBlobs(self.folder / "files"))

    @rule()
    def restart(self) -> None:
        self.catalogue.close()
        self.client = Client(self._open())

    def teardown(self) -> None:
        if hasattr(self, "catalogue"):
            self.catalogue.close()
            shutil.rmtree(self.folder)


def run(machine: type[Machine], sequences: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[*HealthCheck],
        ),
    )


@pytest.mark.parametrize("machine", [Machine, DurableMachine])
def test_short_sequences_of_requests_agree_with_the_model(machine: type[Machine]) -> None:
    run(machine, sequences=8, steps=12)


@pytest.mark.long
@pytest.mark.parametrize("machine", [Machine, DurableMachine])
def test_long_sequences_of_requests_agree_with_the_model(machine: type[Machine]) -> None:
    run(machine, sequences=150, steps=50)
    print({"sequences": 150, "steps": 50})
