"""rows_as: what rows are returned as, and what is said where the columns do not fit."""

from __future__ import annotations

import collections
import gc
import sqlite3
import sys
import types
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.errors import InvalidInput
from flowthings_like.services.database.rows import check_rows_as, convert_rows, row_maker


@dataclass
class User:
    login: str
    name: str = "nobody"
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    login: str
    name: str


class Pair(NamedTuple):
    login: str
    name: str = "nobody"


class Required(TypedDict):
    login: str
    name: str


class Partial(Required, total=False):
    city: str


class Plain:
    def __init__(self, login: str, *, name: str) -> None:
        self.seen = (login, name)


ROWS = [("yoen", "Van der Veld"), ("esteban", "García")]


def columns(*names: str) -> list[tuple[Any, ...]]:
    """A cursor's description."""
    return [(name, None, None, None, None, None, None) for name in names]


@pytest.mark.parametrize("rows_as", [None, tuple, tuple[str, str]])
def test_tuples(rows_as: Any) -> None:
    made = convert_rows(rows_as, columns("login", "name"), [list(row) for row in ROWS])
    assert made == ROWS
    assert {type(row) for row in made} == {tuple}


def test_by_default_the_rows_of_a_row_factory_stay_as_they_are() -> None:
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    cursor = database.execute("select 'yoen' as login")
    (row,) = convert_rows(None, cursor.description, cursor.fetchall())
    assert row["login"] == "yoen"
    cursor = database.execute("select 'yoen' as login, 5 as tags")
    assert convert_rows(User, cursor.description, cursor.fetchall()) == [User("yoen", tags=5)]  # type: ignore[arg-type]
    database.close()


@pytest.mark.parametrize("rows_as", [tuple, dict, Pair, User])
def test_dicts_of_a_row_factory(rows_as: Any) -> None:
    made = convert_rows(rows_as, columns("name", "login"), [{"name": "Yoen", "login": "yoen"}])
    expected = {tuple: ("Yoen", "yoen"), dict: {"name": "Yoen", "login": "yoen"}}
    assert made == [expected.get(rows_as) or rows_as("yoen", "Yoen")]


@pytest.mark.parametrize("rows_as", [dict, dict[str, Any], Required])
def test_dicts(rows_as: Any) -> None:
    made = convert_rows(rows_as, columns("login", "name"), ROWS)
    assert made == [{"login": login, "name": name} for login, name in ROWS]
    assert list(made[0]) == ["login", "name"]


@pytest.mark.parametrize("names", [("login", "name"), ("name", "login")])
@pytest.mark.parametrize("rows_as", [User, Frozen, Pair, Plain, lambda login, name: (login, name)])
def test_classes_and_functions_take_columns_by_name(rows_as: Any, names: tuple[str, str]) -> None:
    row = {"login": "yoen", "name": "Yoen"}
    (made,) = convert_rows(rows_as, columns(*names), [tuple(row[name] for name in names)])
    if isinstance(made, Plain):
        assert made.seen == ("yoen", "Yoen")
    else:
        assert made == rows_as(**row)


def test_columns_may_leave_out_what_has_a_default() -> None:
    assert convert_rows(User, columns("tags", "login"), [(["a"], "yoen")]) == [User("yoen", tags=["a"])]
    assert convert_rows(Pair, columns("login"), [("yoen",)]) == [Pair("yoen")]
    assert convert_rows(Partial, columns("name", "login"), [("Yoen", "yoen")]) == [
        {"name": "Yoen", "login": "yoen"}
    ]
    assert convert_rows(lambda login: login, columns("login"), ROWS[:1]) == ["yoen"]


@pytest.mark.parametrize(
    ("rows_as", "names", "said"),
    [
        (
            User,
            ("name", "city"),
            "User needs login and has no city; .* columns are name, city, .* login, name, tags",
        ),
        (Required, ("login",), "Required needs name; .* columns are login"),
        (Required, ("login", "name", "city"), "Required has no city"),
        (Partial, ("login", "name", "age"), "Partial has no age"),
        (Pair, (), "Pair needs login; .* columns are none"),
        (lambda login: login, ("name",), "the function needs login and has no name"),
        (dict, ("a", "b", "a"), "several columns are called a; .* with AS"),
        (User, ("login", "login"), "several columns are called login"),
    ],
)
def test_columns_that_do_not_fit(rows_as: Any, names: tuple[str, ...], said: str) -> None:
    check_rows_as(rows_as)
    with pytest.raises(InvalidInput, match=said):
        row_maker(rows_as, columns(*names))


def test_marks_of_a_typed_dict_in_text_annotations(monkeypatch: pytest.MonkeyPatch) -> None:
    extensions = pytest.importorskip("typing_extensions")
    module = types.ModuleType("typed_dicts_of_a_test")
    scope = vars(module)
    scope["te"] = extensions
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(
        "from __future__ import annotations\n"
        "class Some(te.TypedDict):\n    a: int\n    b: te.NotRequired[int]\n"
        "class Rest(te.TypedDict, total=False):\n    a: te.Required[int]\n    b: int\n",
        scope,
    )
    for kind in (scope["Some"], scope["Rest"]):
        assert convert_rows(kind, columns("a"), [(1,)]) == [{"a": 1}]
        with pytest.raises(InvalidInput, match="needs a"):
            row_maker(kind, columns("b"))


@pytest.mark.parametrize(
    ("rows_as", "said"),
    [
        ("dict", "rows_as is 'dict'; give tuple, dict"),
        (5, "rows_as is 5; give"),
        (str, "rows_as is str, which has no columns; .*=lambda name: name"),
        (list, "rows_as is list"),
        (list[int], "rows_as is list"),
        (collections.OrderedDict, "rows_as is OrderedDict"),
        (divmod, "rows_as is divmod, which takes arguments by position only"),
        (min, "rows_as is min, whose parameters cannot be found out"),
    ],
)
def test_what_rows_cannot_be_returned_as(rows_as: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_rows_as(rows_as)


@pytest.mark.parametrize("rows_as", [None, tuple, dict, User, Frozen, Pair, Required, Plain, lambda a: a])
def test_a_statement_without_rows(rows_as: Any) -> None:
    check_rows_as(rows_as)
    assert row_maker(rows_as, None) is None
    assert convert_rows(rows_as, None, []) == []


def test_a_class_without_hash_and_an_object_that_can_be_called() -> None:
    class Counter:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, login: str) -> int:
            return len(login)

    assert convert_rows(Counter(), columns("login"), [("yoen",)]) == [4]


def test_a_function_is_not_kept() -> None:
    class Owner:
        pass

    owner = Owner()
    alive = weakref.ref(owner)

    def bound(owner: Owner) -> Callable[[str], tuple[Owner, str]]:
        return lambda login: (owner, login)

    convert_rows(bound(owner), columns("login"), [("yoen",)])
    del owner
    gc.collect()
    assert alive() is None


odd_names = st.text(min_size=1, max_size=5) | st.sampled_from(
    [
        "count(*)",
        "class",
        "a'b",
        'a"b',
        "a\\",
        "{x}",
        "\n",
        "make",
        "row",
        "ﬁ",
        "fi",
        "None",
        "é",
        "__import__",
    ]
)


@given(names=st.lists(odd_names, max_size=6, unique=True))
def test_any_name_of_a_column(names: list[str]) -> None:
    values = tuple(range(len(names)))
    expected = [dict(zip(names, values, strict=True))]
    assert convert_rows(dict, columns(*names), [values]) == expected
    assert convert_rows(lambda **row: row, columns(*names), [values]) == expected


@given(
    order=st.permutations(["a", "b", "c", "d", "e"]),
    count=st.integers(2, 5),
)
def test_any_order_of_columns(order: list[str], count: int) -> None:
    names = sorted(order[:count], key=order.index)
    names += [name for name in ("a", "d") if name not in names]

    def call(a: int, b: int = -1, c: int = -2, *, d: int, e: int = -3) -> dict[str, int]:
        return {"a": a, "b": b, "c": c, "d": d, "e": e}

    values = {name: number for number, name in enumerate(names)}
    assert convert_rows(call, columns(*names), [tuple(values.values())]) == [call(**values)]
