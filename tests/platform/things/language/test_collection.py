"""What is stored: ids, the journal, when things are deleted, and loading a collection from its rows."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.platform.things.language import (
    Collection,
    Emit,
    Row,
    Scope,
    call_procedure,
    load_collection,
    parse,
    run,
    serialise,
)
from flowthings_like.platform.things.language.compiler.program import stored_closure
from flowthings_like.wire.things import errors

from .support import Stuff


def ids(rows: list[Row]) -> set[int]:
    return {row.id for row in rows}


class Disk:
    """Rows as they were saved, journal by journal."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.procedures: dict[str, str] = {}
        self.next_id = 0

    def save(self, stuff: Stuff) -> None:
        journal = stuff.journal()
        self.rows.update({row.id: row for row in journal.rows})
        for id in journal.deleted:
            self.rows.pop(id, None)
        for name, source in journal.procedures.items():
            if source is None:
                del self.procedures[name]
            else:
                self.procedures[name] = source
        self.next_id = journal.next_id

    def load(self) -> Stuff:
        return Stuff(load_collection("stuff", self.rows.values(), self.procedures, self.next_id))


def test_a_new_collection_has_a_root_to_save() -> None:
    journal = Collection("stuff").take_journal()
    assert ids(journal.rows) == {2}
    assert journal.changes
    assert not Stuff().journal().changes


def test_reading_changes_nothing() -> None:
    stuff = Stuff()
    stuff("x = {a: [1]}; x.a; y = x; y.a.push(2); .map(|k, v| v); room(); set({}); return x, 2")
    assert not stuff.journal().changes


def test_what_is_stored_gets_an_id_and_is_saved() -> None:
    stuff = Stuff()
    stuff(".a = {b: [{}, room()], c: set({})}; unstored = {}")
    journal = stuff.journal()
    assert ids(journal.rows) == {2, 3, 4, 5, 6}
    assert [row.kind for row in journal.rows] == ["thing", "thing", "thing", "room", "thing"]
    assert journal.next_id == 7
    stuff(".a.b.push(1)")
    assert ids(stuff.journal().rows) == {3}
    stuff(".a.c.add({})")
    assert ids(stuff.journal().rows) == {3, 7}
    stuff(".a.b[0].x = 1")
    assert ids(stuff.journal().rows) == {4}
    stuff("x = .a; y = {inner: {}}; x.y = y")
    assert ids(stuff.journal().rows) == {3, 8, 9}


@pytest.mark.parametrize(
    "code",
    [
        ".a.l.pop()",
        ".a.l.shift()",
        ".a.l.unshift(1)",
        ".a.l.extend([1])",
        ".a.l.splice(0, 1)",
        ".a.l.remove(|| true)",
        ".a.l.clear()",
        ".a.l.fill(0)",
        ".a.l[0] = 5",
        ".a.l[0] += 5",
        ".a.s.clear()",
        ".a.s.remove(|| true)",
        ".a.set('x', 1)",
        ".a.del('l')",
        ".a.ren('l', 'm')",
        ".a.clear()",
        ".a.assign({x: 1})",
        ".a.l[0:1] = [7, {}]",
        "x = .a.l; wse(); x.push({})",
        "x = .a.s; x |= set({}); .a.x = 1",
        ".a.s |= set({})",
        ".a.remove(|name| name == 'l')",
        ".a['x'] = 1",
        "try({ .a.x = 1; raise('no'); })",
        "f = || .a.x = 1; f()",
    ],
)
def test_every_change_is_in_the_journal(code: str) -> None:
    stuff, disk = Stuff(Collection("stuff")), Disk()
    stuff.collection.mark_changed(stuff.collection.root)
    stuff(".a = {l: [1, 2], s: set({})}")
    disk.save(stuff)
    stuff(code)
    disk.save(stuff)
    assert disk.load()("return .a, 3, NO_IDS") == stuff("return .a, 3, NO_IDS")
    assert ids(list(disk.rows.values())) == {thing.id for thing in stuff.collection.things}


def test_a_list_is_owned_by_the_thing_it_is_a_property_of() -> None:
    stuff, disk = Stuff(Collection("stuff")), Disk()
    stuff.collection.mark_changed(stuff.collection.root)
    stuff(".book = book", book={"tags": ["old"], "more": {"tags": []}})
    disk.save(stuff)
    stuff(".book.tags.push('new'); .book.more.tags.push({}); x = .book.tags; x.push('mine')")
    disk.save(stuff)
    assert disk.load()("return .book, 3, NO_IDS") == {"tags": ["old", "new", "mine"], "more": {"tags": [{}]}}


@pytest.mark.parametrize("code", ["x = .l; .del('l'); x.push({})", "x = .l; .l = 1; x.push({})"])
def test_a_list_that_stops_being_a_property_is_not_stored(code: str) -> None:
    stuff = Stuff()
    stuff(".l = [1]")
    stuff.journal()
    stuff(code)
    journal = stuff.journal()
    assert journal.next_id == 3
    assert not journal.deleted


def test_a_folder_whose_root_is_1_keeps_it() -> None:
    old = Collection("stuff", 1)
    stuff = Stuff(old)
    stuff(".a = {}; .me = root()")
    rows = [row for id in range(4) if (row := old.dump(id)) is not None]
    loaded = Stuff(load_collection("stuff", rows))
    assert loaded("[.id(), thing(1) == root(), .me == root(), thing(.a.id()) == .a]") == [1, True, True, True]


def test_changes_before_an_error_stay() -> None:
    stuff = Stuff()
    with pytest.raises(errors.ZeroDivisionError):
        stuff(".a = 1; .b = 1 / 0; .c = 3")
    assert ids(stuff.journal().rows) == {2}
    assert stuff(".keys()") == ["a"]


def test_what_nothing_refers_to_is_deleted_at_once() -> None:
    stuff = Stuff()
    stuff(".a = {b: {}}; .r = room()")
    stuff.journal()
    assert stuff(".del('a'); .del('r'); nil") is None
    journal = stuff.journal()
    assert journal.deleted == {3, 4, 5}
    assert journal.deleted_rooms == {5}
    assert ids(journal.rows) == {2}
    with pytest.raises(errors.LookupError):
        stuff("thing(3)")


@pytest.mark.parametrize("code", ["x = .a; .del('a'); x.nothing", "x = .a; .del('a'); f = |t| 1 / 0; f(x)"])
def test_an_error_keeps_nothing_alive(code: str) -> None:
    stuff = Stuff()
    stuff(".a = {}")
    with pytest.raises(errors.ThingsDBError) as raised:
        stuff(code)
    assert stuff.journal().deleted == {3}  # though the error, and so its traceback, is still here
    assert raised.value.__context__ is None


def test_what_only_a_variable_or_the_result_refers_to_is_deleted_after_the_query() -> None:
    stuff = Stuff()
    stuff(".a = {n: 1}")
    stuff.journal()
    assert stuff("x = .a; .del('a'); x") == {"#": 3, "n": 1}
    assert stuff.journal().deleted == {3}


def test_a_thing_that_moves_keeps_its_id() -> None:
    stuff = Stuff()
    stuff(".a = {}")
    stuff.journal()
    assert stuff("x = .a; .del('a'); .b = x; .b.id()") == 3
    assert stuff.journal().deleted == set()


def test_things_in_a_reference_cycle_are_deleted_by_the_garbage_collector() -> None:
    stuff = Stuff()
    stuff(".a = {}; .a.me = .a; .a.r = room()")
    stuff.journal()
    stuff(".del('a')")
    gc.collect()
    journal = stuff.journal()
    assert journal.deleted == {3, 4}
    assert journal.deleted_rooms == {4}


def test_ids_are_not_used_twice_even_after_loading() -> None:
    stuff, disk = Stuff(), Disk()
    stuff(".a = {}")
    disk.save(stuff)
    stuff(".a = {}; .del('a')")
    disk.save(stuff)
    assert disk.rows.keys() == {2}
    assert disk.load()(".b = {}; .b.id()") == 5


def test_emits_come_in_order_with_plain_arguments() -> None:
    stuff = Stuff()
    stuff(".r = room(); .r.emit('one', {a: {b: 1}}); .r.emit(2, 'two', {a: {b: 1}}, 3)")
    assert stuff.journal().emits == [Emit(3, "one", [{"a": {}}]), Emit(3, "two", [{"a": {"b": 1}}, 3])]
    assert stuff.journal().emits == []


def test_procedures_are_saved_as_text() -> None:
    stuff, disk = Stuff(), Disk()
    stuff(
        "new_procedure('add', |a, b| { // sum\n a + b; }); new_procedure('gone', || 1); del_procedure('gone')"
    )
    journal_before = dict(stuff.collection.procedures)
    disk_rows = stuff.journal()
    assert disk_rows.procedures == {"add": "|a, b| { // sum\n a + b; }", "gone": None}
    disk.procedures = {"add": journal_before["add"].text}
    assert disk.load()("run('add', 1, 2)") == 3


def test_procedures_run_with_arguments_in_order_or_by_name() -> None:
    stuff = Stuff()
    stuff("new_procedure('f', |a, b| [a, b])")
    scope = Scope("@collection:stuff", stuff.collection)
    assert call_procedure("f", [1, {"x": 2}, 3], scope) == [1, {"x": 2}]
    assert call_procedure("f", {"b": 1, "c": 2}, scope) == [None, 1]
    assert call_procedure("f", None, scope) == [None, None]
    with pytest.raises(errors.LookupError, match="procedure `g` not found"):
        call_procedure("g", None, scope)
    with pytest.raises(errors.TypeError):
        call_procedure("f", 5, scope)  # type: ignore[arg-type]


def test_only_a_collection_has_a_root_and_only_a_node_no_procedures() -> None:
    own = Collection("@thingsdb")
    with pytest.raises(errors.LookupError, match="`@thingsdb` scope has no root"):
        run(parse(".x = 1"), Scope("@thingsdb", own, kind="thingsdb"), {})
    run(parse("new_procedure('f', || 1)"), Scope("@thingsdb", own, kind="thingsdb"), {})
    with pytest.raises(errors.LookupError, match="undefined in the `@node` scope"):
        run(parse("new_procedure('f', || 1)"), Scope("@node", own, kind="node"), {})


def test_what_is_loaded_but_not_reachable_is_deleted() -> None:
    stuff, disk = Stuff(Collection("stuff")), Disk()
    stuff.collection.mark_changed(stuff.collection.root)
    stuff(".a = {b: {}}")
    disk.save(stuff)
    disk.rows[2] = disk.rows[2]._replace(body=b"\x80")
    loaded = load_collection("stuff", disk.rows.values(), next_id=disk.next_id)
    assert loaded.take_journal().deleted == {3, 4}


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4).filter(lambda key: key != "#"), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.once
@settings(max_examples=100, deadline=None)
@given(plain)
def test_a_value_comes_back_as_it_was_given_and_saved(value: Any) -> None:
    stuff, disk = Stuff(Collection("stuff")), Disk()
    stuff.collection.mark_changed(stuff.collection.root)
    assert stuff(".v = value; return .v, 127, NO_IDS", value=value) == value
    disk.save(stuff)
    again = disk.load()
    assert again("return .v, 127, NO_IDS") == value
    assert again("return .v, 127") == stuff("return .v, 127")
    assert not again.journal().changes


def test_every_kind_of_value_can_be_saved() -> None:
    stuff, disk = Stuff(Collection("stuff")), Disk()
    stuff.collection.mark_changed(stuff.collection.root)
    stuff(
        ".t = {c: |x| x + 1, r: /a/i, e: err(-110, 'no'), d: datetime(0), s: set({n: 1}), o: room()};"
        ".t.z = datetime(2024, 7, 1, 'Europe/Amsterdam'); .t.v = timeval(5);"
        ".t.l = [[1], {}];"
        ".t.o.set_name('chat'); .t.me = .t; new_procedure('f', || 1); .t.info = procedures_info()"
    )
    disk.save(stuff)
    again = disk.load()
    assert again(".t") == stuff(".t")
    assert again("[.t.z.zone(), .t.z.move('months', 6), type(.t.v)]") == [
        "Europe/Amsterdam",
        "2025-01-01T00:00:00+0100",
        "timeval",
    ]
    assert again(
        "[.t.c(1), .t.r.test('A'), .t.e.code(), int(.t.d), room('chat').id(), .t.me == .t, .t.s.one().n]"
    )
    again(".t.l.push(1); .t.s.add({})")
    assert ids(again.journal().rows) == {3, 7}


def test_serialise_stops_at_depth_and_at_itself() -> None:
    collection = Collection("stuff")
    stuff = Stuff(collection)
    stuff(".a = {b: {c: {}}}; .a.b.a = .a")
    a = collection.root.props["a"]
    assert serialise(a, 0) == {"#": 3}
    assert serialise(a, 1) == {"#": 3, "b": {"#": 4}}
    assert serialise(a, 127) == {"#": 3, "b": {"#": 4, "c": {"#": 5}, "a": {"#": 3}}}
    assert serialise(a, 2, ids=False) == {"b": {"c": {}, "a": {}}}


def test_a_closure_that_no_longer_parses_raises_when_it_is_called() -> None:
    closure = stored_closure("|x| #5")
    assert (closure.text, closure.definition, closure.source) == ("|x| #5",) * 3
    stuff = Stuff()
    stuff.collection.set_procedure("old", closure)
    assert stuff("procedure_info('old').load().definition") == "|x| #5"
    with pytest.raises(errors.SyntaxError, match="invalid syntax in closure"):
        stuff("old(1)")
