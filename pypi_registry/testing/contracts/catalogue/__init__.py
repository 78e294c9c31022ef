"""The suite of a catalogue: its hooks in `samples`, its tests by what they are about."""

from pypi_registry.testing.contracts.catalogue.adding import Adding
from pypi_registry.testing.contracts.catalogue.concurrency import AtOnce
from pypi_registry.testing.contracts.catalogue.deleting import Deleting
from pypi_registry.testing.contracts.catalogue.durability import Lasting
from pypi_registry.testing.contracts.catalogue.history import Remembering
from pypi_registry.testing.contracts.catalogue.listing import Listing
from pypi_registry.testing.contracts.catalogue.reading import Reading
from pypi_registry.testing.contracts.catalogue.revisions import Revising
from pypi_registry.testing.contracts.catalogue.yanking_and_status import Marking


class CatalogueContract(Adding, Reading, Deleting, Marking, Revising, Remembering, Listing, AtOnce, Lasting):
    """Tests a `Catalogue`: subclass it in your tests, and override `make_catalogue`, and `reopen` if your rows last.

    `leave_thread` is for a library that keeps something for each thread.
    """
