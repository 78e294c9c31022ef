"""No reader costs more than its bytes: four times of what it reads is at most eight times the work."""

import io

import pytest

from pypi_registry.distributions import verify
from pypi_registry.distributions.filenames import _parsed_wheel_filename
from tests.counting import calls_of
from tests.distributions.costs import READERS, Reader, main

GROWING = {name: reader for name, reader in READERS.items() if len(reader.sizes) > 1}


def work(reader: Reader, data: bytes) -> int:
    return calls_of(lambda: verify(io.BytesIO(data), reader.filename))


@pytest.mark.parametrize("reader", [pytest.param(reader, id=name) for name, reader in GROWING.items()])
def test_four_times_the_size_is_at_most_eight_times_the_calls(reader: Reader) -> None:
    size = reader.sizes[0]
    small, large = (work(reader, reader.make(count)) for count in (size, 4 * size))
    assert large <= 8 * small


@pytest.mark.parametrize("row", ["file name: tags", "file name: different tags", "file name: hyphens"])
def test_a_file_name_is_verified_in_few_calls(row: str) -> None:
    _parsed_wheel_filename.cache_clear()
    reader = READERS[row]
    assert work(reader, reader.make(1)) < 5_000


def test_the_program_prints_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["nothing: an sdist"])
    assert "| nothing | an sdist |" in capsys.readouterr().out


# What one call costs is not seen above: joining paths, or searching a long text again and again, is one call each.
@pytest.mark.slow
@pytest.mark.long
def test_every_reader_costs_less_than_five_seconds_per_megabyte() -> None:
    assert main([]) == 0
