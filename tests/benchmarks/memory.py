"""How much memory the server takes for a large file, whatever its size.

Usage: python tests/benchmarks/memory.py [--size 2GiB]

It starts ``serve`` in a temporary folder (which TMPDIR chooses, and which needs room for three times the size),
publishes a wheel that holds a file of zeros in one streamed form, downloads it again, and samples the resident memory
of the server. It ends with status 1 if that was ever more than 150 MiB, or if other bytes came back. It reads /proc, so
it runs on Linux.
"""

import argparse
import base64
import hashlib
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection
from pathlib import Path

MIB = 1024**2
LIMIT = 150 * MIB
CHUNK = 1 * MIB
FILENAME = "enormous-1.0-py3-none-any.whl"
ZEROS = "enormous.bin"
INFO = "enormous-1.0.dist-info"
PLACE = "/api/v4/projects/1/packages/pypi"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=size_in_bytes, default="2GiB", help="such as 300MiB (default: %(default)s)")
    wanted: int = parser.parse_args().size
    secret = secrets.token_urlsafe()
    login = {"Authorization": "Basic " + base64.b64encode(f"any:{secret}".encode()).decode()}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_wheel(folder / FILENAME, wanted)
        size = (folder / FILENAME).stat().st_size
        (folder / "registry.toml").write_text(configuration(secret, size), encoding="utf-8")
        server, port = start(folder)
        try:
            memory = Memory(server.pid)
            print(f"at rest: {mib(memory.resident())}")
            sent, up = publish(port, login, folder / FILENAME)
            print(f"up:      {mib(size)} in {up:.1f} s, {size / up / 1e6:.0f} MB/s; peak {mib(memory.peak())}")
            received, down = download(port, login, sent)
            print(f"down:    {mib(size)} in {down:.1f} s, {size / down / 1e6:.0f} MB/s")
            memory.stop()
        finally:
            server.terminate()
            server.wait(60)
    peak = memory.peak()
    good = peak <= LIMIT and received == sent
    print(f"peak resident memory: {mib(peak)} (sampled: {mib(memory.highest)}), of at most {mib(LIMIT)}")
    print(f"the same bytes came back: {'yes' if received == sent else 'NO'}")
    print("PASS" if good else "FAIL")
    return 0 if good else 1


def size_in_bytes(text: str) -> int:
    match = re.fullmatch(r"([0-9]+) *(?:([KMGT])i?B?)?", text, re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size, such as 2GiB")
    unit: int = 1024 ** " KMGT".index((match[2] or " ").upper())
    return int(match[1]) * unit


def mib(size: int) -> str:
    return f"{size / MIB:.1f} MiB"


def make_wheel(path: Path, size: int) -> None:
    """Create a wheel that holds a file of zeros, as it is and not compressed; it is never in memory as a whole."""
    files: dict[str, Iterable[bytes]] = {
        ZEROS: (bytes(min(CHUNK, size - start)) for start in range(0, size, CHUNK)),
        f"{INFO}/METADATA": [b"Metadata-Version: 2.1\nName: enormous\nVersion: 1.0\n"],
        f"{INFO}/WHEEL": [b"Wheel-Version: 1.0\nGenerator: a benchmark\nRoot-Is-Purelib: true\nTag: py3-none-any\n"],
    }
    record = ""
    with zipfile.ZipFile(path, "w") as archive:
        for name, chunks in files.items():
            digest, length = hashlib.sha256(), 0
            with archive.open(name, "w", force_zip64=name == ZEROS and size > zipfile.ZIP64_LIMIT) as member:
                for chunk in chunks:
                    digest.update(chunk)
                    length += member.write(chunk)
            record += f"{name},sha256={base64.urlsafe_b64encode(digest.digest()).decode().rstrip('=')},{length}\n"
        archive.writestr(f"{INFO}/RECORD", f"{record}{INFO}/RECORD,,\n")


def configuration(secret: str, size: int) -> str:
    return f"""
        forward_to = false
        max_file_size = {size + 1}
        projects = [{{ id = 1, path = "main/packages" }}]
        users = [{{ name = "ada", roles = {{ "main" = "owner" }} }}]

        [[tokens]]
        kind = "personal"
        user = "ada"
        scopes = ["api"]
        sha256 = "{hashlib.sha256(secret.encode()).hexdigest()}"
    """


def start(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Start a server; return it with its port once it takes requests."""
    command = [sys.executable, "-m", "pypi_registry", "serve", "--port", "0", "--config", "registry.toml"]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        if match := re.match(r"Serving on http://127\.0\.0\.1:(\d+)/", line):
            return server, int(match[1])
    raise SystemExit(f"the server ended with status {server.wait()}")


class Memory:
    """The resident memory of a process in bytes, sampled all the time."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._over = threading.Event()
        self.highest = 0
        self._peak = 0
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def resident(self) -> int:
        return self._field("VmRSS")

    def peak(self) -> int:
        """The highest that the kernel ever saw, which no sample misses."""
        if not self._over.is_set():
            self._peak = self._field("VmHWM")
        return self._peak

    def stop(self) -> None:
        self.peak()
        self._over.set()
        self._thread.join()

    def _field(self, name: str) -> int:
        match = re.search(rf"^{name}:\s+(\d+) kB$", self._status.read_text(encoding="ascii"), re.MULTILINE)
        assert match
        return int(match[1]) * 1024

    def _sample(self) -> None:
        while not self._over.wait(0.05):
            self.highest = max(self.highest, self.resident())


def publish(port: int, login: dict[str, str], file: Path) -> tuple[str, float]:
    """Publish a file in a form that is never in memory as a whole; return its digest and the seconds that it took.

    The digest is declared behind the file, since it is known only then.
    """
    boundary = secrets.token_hex(16)
    fields = {":action": "file_upload", "protocol_version": "1", "name": "enormous", "version": "1.0"}
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{FILENAME}"\r\n\r\n'
    tail = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="sha256_digest"\r\n\r\n{{}}\r\n--{boundary}--\r\n'
    digest = hashlib.sha256()

    def body() -> Iterator[bytes]:
        yield head.encode()
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                yield chunk
        yield tail.format(digest.hexdigest()).encode()

    length = len(head) + file.stat().st_size + len(tail.format(64 * "0"))
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(length), **login}
    connection = HTTPConnection("127.0.0.1", port)
    started = time.perf_counter()
    connection.request("POST", PLACE, body(), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    seconds = time.perf_counter() - started
    connection.close()
    if answer.status != 201:
        raise SystemExit(f"the upload was refused: {answer.status} {answer.reason}: {text}")
    return digest.hexdigest(), seconds


def download(port: int, login: dict[str, str], sha256: str) -> tuple[str, float]:
    """Download the file in pieces; return the digest of what came and the seconds that it took."""
    connection = HTTPConnection("127.0.0.1", port)
    started = time.perf_counter()
    connection.request("GET", f"{PLACE}/files/{sha256}/{FILENAME}", headers=login)
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"the download was refused: {answer.status} {answer.reason}")
    digest = hashlib.sha256()
    while chunk := answer.read(CHUNK):
        digest.update(chunk)
    seconds = time.perf_counter() - started
    connection.close()
    return digest.hexdigest(), seconds


if __name__ == "__main__":
    sys.exit(main())
