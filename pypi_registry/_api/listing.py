"""Lists of the Packages API: their parameters, their pages, and GitLab's headers about the other pages."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, quote_plus, urlencode

from pypi_registry._api.access import REVALIDATE
from pypi_registry._api.call import Call
from pypi_registry._http.errors import InvalidParameter
from pypi_registry._http.request import Request
from pypi_registry._http.response import VARY, Response, json_response

_DEFAULT_PER_PAGE, _MAX_PER_PAGE = 20, 100
_MAX_VALUE = 255
_PARAMETERS = frozenset(
    {
        "page",
        "per_page",
        "order_by",
        "sort",
        "package_name",
        "package_version",
        "package_type",
        "status",
        "include_versionless",
        "exclude_subgroups",
    }
)


def list_parameters(request: Request) -> Mapping[str, str]:
    """Return those parameters of a list that GitLab documents. If one is repeated, its last value counts.

    Others are dropped and never repeated in links: one may be a secret that was passed by mistake.

    :raises InvalidParameter: if one is longer than any name or version.
    """
    given = parse_qsl(request.header("QUERY_STRING"), keep_blank_values=True, errors="replace")
    parameters = {name: value for name, value in given if name in _PARAMETERS}
    for name, value in parameters.items():
        # Each is in up to four links of one header. nginx responds 502 if all headers have more than 4 KB.
        if len(quote_plus(value)) > _MAX_VALUE:
            raise InvalidParameter(name, f"is too long (at most {_MAX_VALUE} characters in a URL)")
    return parameters


def choice(parameters: Mapping[str, str], name: str, allowed: Container[str], default: str) -> str:
    """Return the value of a parameter.

    :raises InvalidParameter: if it is not one of those allowed.
    """
    value = parameters.get(name, default)
    if value not in allowed:
        raise InvalidParameter(name)
    return value


# GitLab's API reads booleans with dry-types' `Params::Bool`, which knows these words and no other spellings of them
# (https://dry-rb.org/gems/dry-types/). python-gitlab sends `True`, JavaScript `true`.
_TRUE = frozenset({"1", "on", "On", "ON", "t", "true", "True", "TRUE", "T", "y", "yes", "Yes", "YES", "Y"})
_FALSE = frozenset({"0", "off", "Off", "OFF", "f", "false", "False", "FALSE", "F", "n", "no", "No", "NO", "N"})


def flag(parameters: Mapping[str, str], name: str) -> bool:
    """Return the value of a boolean parameter; False by default, and if it is empty."""
    return choice(parameters, name, {"", *_TRUE, *_FALSE}, "") in _TRUE


def is_descending(parameters: Mapping[str, str]) -> bool:
    """Return whether a list is sorted in descending order."""
    return choice(parameters, "sort", ("asc", "desc"), "asc") == "desc"


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page of a list was requested."""

    page: int
    """Counted from 1."""
    per_page: int

    @property
    def offset(self) -> int:
        """The number of entries on earlier pages."""
        return (self.page - 1) * self.per_page


def read_paging(parameters: Mapping[str, str]) -> Paging:
    """Return which page was requested.

    :raises InvalidParameter: if a number is malformed or 0.
    """
    page, per_page = read_page_number(parameters), _number(parameters, "per_page", _DEFAULT_PER_PAGE)
    return Paging(page, min(per_page, _MAX_PER_PAGE))


def read_page_number(parameters: Mapping[str, str]) -> int:
    """Return the number of the page that was requested; 1 by default.

    :raises InvalidParameter: if it is malformed or 0.
    """
    return _number(parameters, "page", 1)


def _number(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name) or str(default)  # GitLab's API reads an empty number as none
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) > 0):
        raise InvalidParameter(name)
    return int(text)


Relation = Literal["prev", "next", "first", "last"]


def neighbours(paging: Paging, total: int | None, *, has_next: bool) -> Mapping[Relation, int]:
    """Return the numbers of the other pages; without a total there is no last page.

    >>> neighbours(Paging(2, 20), 60, has_next=True)
    {'prev': 1, 'next': 3, 'first': 1, 'last': 3}
    >>> neighbours(Paging(2, 20), None, has_next=True)
    {'prev': 1, 'next': 3, 'first': 1}
    """
    pages: dict[Relation, int] = {}
    last = None if total is None else page_count(paging, total)
    if paging.page > 1 and (last is None or paging.page <= last + 1):
        pages["prev"] = paging.page - 1
    if has_next:
        pages["next"] = paging.page + 1
    pages["first"] = 1
    if last is not None:
        pages["last"] = last
    return pages


def page_count(paging: Paging, total: int) -> int:
    """Return how many pages a list has; at least one, even if it is empty."""
    return max(1, -(-total // paging.per_page))


def list_response(
    call: Call, path: str, entities: Sequence[object], paging: Paging, total: int | None, *, has_next: bool
) -> Response:
    """Respond with one page of the list at a path.

    GitLab's manual, "Pagination response headers": "For performance reasons, if a query returns more than 10,000
    records", the headers ``X-Total`` and ``X-Total-Pages`` and the link ``rel="last"`` are left out.

    :param total: entries of the whole list; None if it has more than are counted.
    """
    pages = neighbours(paging, total, has_next=has_next)
    query = list_parameters(call.request)
    url = f"{call.api_url}{path}"
    links = ", ".join(
        f'<{url}?{urlencode({**query, "page": page, "per_page": paging.per_page})}>; rel="{relation}"'
        for relation, page in pages.items()
    )
    counts = {
        "X-Total": total,
        "X-Total-Pages": None if total is None else page_count(paging, total),
        "X-Per-Page": paging.per_page,
        "X-Page": paging.page,
        "X-Next-Page": pages.get("next", ""),
        "X-Prev-Page": pages.get("prev", ""),
    }
    headers = [(name, str(count)) for name, count in counts.items() if count is not None]
    return json_response("200 OK", entities, VARY, REVALIDATE, ("Link", links), *headers)
