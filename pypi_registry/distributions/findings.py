"""What was found in a file."""

from dataclasses import dataclass

from pypi_registry.distributions.metadata import CoreMetadata


@dataclass(frozen=True, slots=True)
class Findings:
    """What a wheel or an sdist says of itself, and what is wrong with it."""

    metadata: CoreMetadata | None = None
    """None if none was found, or none that can be read."""
    faults: tuple[str, ...] = ()
    """One sentence a fault; empty for a good file."""
