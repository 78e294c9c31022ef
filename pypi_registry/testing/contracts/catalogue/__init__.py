"""The suite of a catalogue: `samples` has its hooks and helpers, the other modules have its tests by subject.

Where a test belongs: with a second instance over the same data, in `durability`; with several threads, in
`concurrency`; with records, in `records`; with a revision, in `revisions`;
with a wheel variant, in `variants`. Every other test belongs to the method that
changes something (`adding`, `deleting`, `yanking_and_status`) if it is about what one change does. It belongs to the
method that reads (`pages_and_files`, `package_lists`, `history`) if it is about what is returned, in which order.
"""

from pypi_registry.testing.contracts.catalogue.adding import Adding
from pypi_registry.testing.contracts.catalogue.concurrency import Concurrency
from pypi_registry.testing.contracts.catalogue.deleting import Deleting
from pypi_registry.testing.contracts.catalogue.durability import Durability
from pypi_registry.testing.contracts.catalogue.history import History
from pypi_registry.testing.contracts.catalogue.package_lists import PackageLists
from pypi_registry.testing.contracts.catalogue.pages_and_files import PagesAndFiles
from pypi_registry.testing.contracts.catalogue.records import Records
from pypi_registry.testing.contracts.catalogue.revisions import Revisions
from pypi_registry.testing.contracts.catalogue.variants import Variants
from pypi_registry.testing.contracts.catalogue.yanking_and_status import YankingAndStatus


class CatalogueContract(
    Adding,
    PagesAndFiles,
    Deleting,
    YankingAndStatus,
    Revisions,
    History,
    PackageLists,
    Records,
    Variants,
    Concurrency,
    Durability,
):
    """Tests a `Catalogue`: subclass it in your tests, and override `make_catalogue`.

    Override `reopen` if the rows are durable, `make_second_catalogue` if a test can have two catalogues, and `fill` if
    there is a faster way to add 10,000 files.
    """
