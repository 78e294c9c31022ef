"""Real distributions, of 2006 to today, from the index that pip uses: thirty, and with --long the whole corpus."""

from pathlib import Path

import pytest

from pypi_registry.distributions import verify
from tests.corpus import __main__ as corpus
from tests.corpus.checking import EXPLAINED, check
from tests.corpus.fetching import Chosen, Index, era_of, pinned

SAMPLE = [*pinned(Path(__file__).parents[1] / "corpus" / "sample.txt")]
ALWAYS = {(Path(chosen.filename).suffix, era_of(chosen.year)): chosen for chosen in SAMPLE}.values()
"""One of each kind and era; the others take --long."""


@pytest.fixture(scope="module")
def index(request: pytest.FixtureRequest) -> Index:
    return Index(request.config.rootpath / ".cache" / "corpus")


@pytest.mark.slow
@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(chosen, id=chosen.filename, marks=[] if chosen in ALWAYS else [pytest.mark.long])
        for chosen in SAMPLE
    ],
)
def test_a_real_distribution_is_accepted(index: Index, chosen: Chosen) -> None:
    problems = check(index.path(chosen), verify)
    assert bool(problems) == (chosen.filename in EXPLAINED), problems


@pytest.mark.slow
@pytest.mark.long
def test_the_whole_corpus_is_accepted() -> None:
    assert corpus.main([]) == 0


def test_the_sample_is_mixed() -> None:
    names = [chosen.filename for chosen in SAMPLE]
    assert len(names) == 30
    assert sum(name.endswith(".whl") for name in names) >= 10
    assert sum(name.endswith((".tar.gz", ".zip")) for name in names) >= 10
    assert sum(chosen.year <= 2012 for chosen in SAMPLE) >= 8
