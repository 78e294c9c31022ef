"""The digests that other indexes declare, compared with the bytes that arrive."""

import hashlib
from collections.abc import Mapping
from typing import Protocol

from pypi_registry.errors import RegistryError


class Hash(Protocol):
    """A running digest."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class WrongDigest(RegistryError):
    """The bytes of a file do not have a digest that the source declares."""

    def __init__(self, algorithm: str, declared: str, received: str) -> None:
        super().__init__(algorithm, declared, received)
        self.algorithm = algorithm
        self.declared = declared
        self.received = received

    def __str__(self) -> str:
        return (
            f"its {self.algorithm} digest does not match: the source declares {self.declared}, "
            f"and {self.received} was received"
        )


_ALGORITHMS = {"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s", "blake2_256"}
_LENGTHS = {"blake2_256": 64}


def known_digests(declared: Mapping[str, str]) -> Mapping[str, str]:
    """Return those of the declared digests that can be compared: of a known algorithm, and in hexadecimal.

    >>> known_digests({"sha256": "AB" * 32, "crc32": "1234", "md5": "?"})
    {'sha256': 'abababababababababababababababababababababababababababababababab'}
    """
    return {
        name: text.lower()
        for name, text in declared.items()
        if name in _ALGORITHMS and len(text) <= 128 and _is_hexadecimal(text)
    }


def _is_hexadecimal(text: str) -> bool:
    return bool(text) and len(text) % 2 == 0 and all(letter in "0123456789abcdefABCDEF" for letter in text)


class Comparison:
    """Computes the digests that were declared for a file, while its bytes arrive."""

    def __init__(self, declared: Mapping[str, str]) -> None:
        self._declared = known_digests(declared)
        self._running = {name: _new_hash(name) for name in self._declared}

    def update(self, data: bytes) -> None:
        for running in self._running.values():
            running.update(data)

    def check(self) -> None:
        """Compare the digests, when all bytes have arrived.

        :raises WrongDigest: if one differs.
        """
        for name, running in self._running.items():
            if running.hexdigest() != self._declared[name]:
                raise WrongDigest(name, self._declared[name], running.hexdigest())


def _new_hash(name: str) -> Hash:
    if name == "blake2_256":  # PyPI's name for it
        return hashlib.blake2b(digest_size=32)
    return hashlib.new(name, usedforsecurity=False)
