"""Iterates over a long list page by page, while others add to it and delete from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...changes import join_filters
from ...errors import InvalidInput, InvalidResponse
from ...filters.build import mem
from ...wire.rest import LARGEST_LIMIT

__all__ = ["pages"]


def pages(
    fetch: Callable[[dict[str, Any]], Any], filter: Any, page: int, order: str, params: dict[str, Any]
) -> Iterator[Any]:
    """Check the arguments at once, and return an iterator over all resources in the order of their ids.

    A page is requested by the last id of the page before it. An offset would shift when resources are added.

    Args:
        fetch: makes one request with these query parameters and returns its list.
        filter: which resources; None for all.
        page: the number of resources to fetch in one request.
        order: "asc" or "desc".
        params: more query parameters; `limit` ends the whole iteration, not a page.

    Raises:
        InvalidInput: the page size, the order or a parameter cannot be used.
    """
    if not _is_count(page) or not 1 <= page <= LARGEST_LIMIT:
        raise InvalidInput(f"page is {page!r}; give a whole number from 1 to {LARGEST_LIMIT}")
    if order not in ("asc", "desc"):
        raise InvalidInput(f"order is {order!r}; give 'asc' or 'desc'")
    unfit = sorted({"sort", "start", "skip"} & params.keys()) + (["refs"] if params.get("refs") else [])
    if unfit:
        raise InvalidInput(
            f"iterate goes through all ids in their order and does not take {', '.join(unfit)}; use find"
        )
    limit = params.pop("limit", None)
    if limit is not None and (not _is_count(limit) or limit < 0):
        raise InvalidInput(f"limit is {limit!r}; give a whole number")
    filters = [part for part in (filter, params.pop("filter", None)) if part is not None]
    # The filter of later pages is joined with one on the id. A text that does not parse should fail now.
    join_filters([*filters, mem.id > ""])
    if params.get("only") and "id" not in params["only"].split(","):
        params["only"] += ",id"
    return _walk(fetch, filters, page, order, limit, params)


def _walk(
    fetch: Callable[[dict[str, Any]], Any],
    filters: list[Any],
    page: int,
    order: str,
    limit: int | None,
    params: dict[str, Any],
) -> Iterator[Any]:
    last: str | None = None
    left = limit
    while left is None or left > 0:
        size = page if left is None else min(page, left)
        beyond = [] if last is None else [mem.id < last if order == "desc" else mem.id > last]
        asked = {**params, "sort": "id", "order": order, "limit": size}
        if filters or beyond:
            asked["filter"] = join_filters([*filters, *beyond])
        found = fetch(asked)
        if not isinstance(found, list):
            raise InvalidResponse(f"a page of results should be a list, not {type(found).__name__}")
        for resource in found:
            _check_order(resource, last, order)
            last = resource["id"]
            yield resource
        if len(found) < size:
            return
        left = None if left is None else left - len(found)


def _check_order(resource: Any, last: str | None, order: str) -> None:
    """Raise InvalidResponse if the ids are not in order.

    Without this check a platform that ignores `sort` or `filter` would be asked for the same page for ever.
    """
    id = resource.get("id")
    if not isinstance(id, str) or (last is not None and (id >= last if order == "desc" else id <= last)):
        raise InvalidResponse(
            "the platform does not return pages in the order of ids; use find with start= and limit="
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
