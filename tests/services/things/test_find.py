"""find, first, count and iterate: things by a filter, which the node tests."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from flowthings_like import API, EXISTS, HAS, NOT, Client, mem
from flowthings_like.errors import CannotFilter, InvalidInput
from flowthings_like.wire.things import errors as things_errors

BOOKS: list[Any] = [
    {"title": "Amok", "year": 1922, "tags": ["novella", 1], "author": {"name": "Zweig"}},
    {"title": "Brand", "year": 1866.5, "author": {"name": None}},
    {"title": "casus", "year": "1900", "odd name": True},
    {"title": "Amok"},
    5,
    "no thing",
]


@pytest.fixture
def books(things: Client) -> Client:
    things.query(".books = books; .lib = {by_title: {}, all: set({n: 1}, {n: 2})};", books=BOOKS)
    things.query(".lib['odd name'] = [{a: 1}]; .lib.by_title.amok = .books[0];")
    things.query(".day = [{at: datetime(2020, 1, 2)}, {at: timeval(2021, 1, 1)}];")
    return things


def titles(client: Client, *filters: Any, **options: Any) -> list[Any]:
    return [thing.get("title") for thing in client.find(".books", *filters, **options)]


def test_things_are_found_by_a_filter(books: Client) -> None:
    assert titles(books) == ["Amok", "Brand", "casus", "Amok"]
    assert titles(books, mem.title.re("^A") & (mem.year >= 1900), sort="year", limit=10) == ["Amok"]
    assert titles(books, mem.year != 1922) == ["Brand", "casus", "Amok"]
    assert titles(books, NOT(EXISTS(mem.year)), "title == 'Amok'") == ["Amok"]
    assert titles(books, mem.year < 1900) == ["Brand"]  # no text is less than a number
    assert titles(books, mem.author.name == None) == ["Brand"]  # noqa: E711
    assert titles(books, mem.tags.CONTAINS("novella") | HAS("boolean")) == ["Amok", "casus"]
    assert titles(books, mem["odd name"] == True) == ["casus"]  # noqa: E712
    assert titles(books, mem["odd name"] == 1) == []


def test_places(books: Client) -> None:
    assert books.count(".lib.by_title", mem.year == 1922) == 1
    assert books.find(".lib.`odd name`", mem.a > 0)[0]["a"] == 1
    assert books.count(".lib.all", mem.n > 1) == 1
    with pytest.raises(things_errors.LookupError, match="nope"):
        books.find(".nope")
    for wrong in ("books", "", ".", ".a..b", ".a.del('b')", 5, ".a b;wse()"):
        with pytest.raises((InvalidInput, things_errors.LookupError)):
            books.find(wrong)  # type: ignore[call-overload]
    assert books.query(".has('books')")


def test_first_count_and_iterate(books: Client) -> None:
    assert books.count(".books") == 4
    assert books.count(".books", mem.title == "Amok") == 2
    first = books.first(".books", sort="title")
    assert first is not None
    assert first["title"] == "Amok"
    assert books.first(".books", mem.title == "nothing") is None
    found = books.iterate(".books", mem.title.IN("Amok", "casus"), size=2)
    assert [thing["title"] for thing in found] == ["Amok", "casus", "Amok"]
    assert len(list(books.iterate(".books", size=1, limit=2))) == 2


def test_sorted_by_types_and_then_by_values(books: Client) -> None:
    assert [one.get("year") for one in books.find(".books", sort="year")] == [None, 1866.5, 1922, "1900"]
    assert [one.get("year") for one in books.find(".books", sort="year", order="desc")] == [
        "1900",
        1922,
        1866.5,
        None,
    ]
    assert titles(books, sort=["title", "year"]) == ["Amok", "Amok", "Brand", "casus"]
    assert titles(books, sort="author.name", order="desc")[0] == "Amok"


def test_dates_are_milliseconds(books: Client) -> None:
    day = datetime(2020, 1, 2, tzinfo=timezone.utc)
    assert books.count(".day", mem.at == day) == 1
    assert books.count(".day", mem.at > day) == 1
    assert len(books.find(".day", sort="at")) == 2


def test_what_a_node_cannot_test(books: Client) -> None:
    near = mem.author.name.WITHIN(5, "KM", (1, 1))
    with pytest.raises(CannotFilter, match="partial=True"):
        books.find(".books", near)
    with pytest.raises(InvalidInput, match="deep=2"):
        books.find(".books", near, partial=True)
    assert titles(books, NOT(near), mem.title == "Brand", partial=True, deep=2) == ["Brand"]
    assert titles(books, mem.title == mem.title, partial=True, limit=1) == ["Amok"]
    assert books.count(".books", mem.title != mem.year, partial=True) == 4
    explained = books.find(".books", mem.title != mem.year, mem.year > 5, partial=True, explain=True)
    assert explained.rest == "title != year"


def test_names_and_values_are_variables(books: Client) -> None:
    node = mem["`'; .del('books'); '`"] == "it's } ; .del('books')"
    explained = books.find(".books", node, sort="`a'b`", limit=77, explain=True)
    assert not any(part in str(explained) for part in ("del", "it's", "77", "a'b"))
    assert books.find(".books", node) == []
    assert books.query(".has('books')")


def test_a_filter_of_many_rules(books: Client) -> None:
    node = mem.year == -1
    for number in range(90):
        node |= mem.year == number
    assert titles(books, node | (mem.year == 1922)) == ["Amok"]
    deep = mem.year == 1922
    for _ in range(30):
        deep = (deep & (mem.year > 0)) | (mem.year == 1)
    assert titles(books, deep) == ["Amok"]


def test_in_parallel(api: API, books: Client) -> None:
    lazy = api.lazy()
    counts = [lazy.things.count(".books", mem.title == title) for title in ("Amok", "casus")]
    assert counts == [2, 1]
    calls = api.things.async_()
    calls.find(".books", mem.year == 1922)
    assert [thing["title"] for thing in calls.results()[0]] == ["Amok"]


def test_arguments_are_checked(books: Client) -> None:
    for wrong in ({"limit": -1}, {"order": "up"}, {"sort": 5}, {"deep": 128}, {"deep": True}):
        with pytest.raises((InvalidInput, TypeError)):
            books.find(".books", **wrong)
    with pytest.raises(InvalidInput):
        books.iterate(".books", size=0)
