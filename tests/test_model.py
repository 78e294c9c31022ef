import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from pypi_registry.model import Group, Project, Visibility

PLACES = [Project, Group]


@pytest.mark.parametrize("kind", PLACES)
def test_a_place_is_a_value(kind: type[Project] | type[Group]) -> None:
    place = kind(1, "acme/tools", visibility=Visibility.PUBLIC)
    for same in (kind(1, "acme/tools", "", Visibility.PUBLIC), pickle.loads(pickle.dumps(place))):
        assert same == place
        assert hash(same) == hash(place)
    assert replace(place, path="acme/other") != place
    assert repr(place).startswith(f"{kind.__name__}(id=1, path='acme/tools'")
    with pytest.raises(FrozenInstanceError):
        place.path = "elsewhere"  # type: ignore[misc]
    assert not hasattr(place, "__dict__")


def test_a_project_is_no_group_of_the_same_number_and_path() -> None:
    places: set[Project | Group] = {Project(1, "acme"), Group(1, "acme")}
    assert len(places) == 2
