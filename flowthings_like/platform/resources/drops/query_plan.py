"""The query planner: how a find over one flow's drops is done, and the rows it gives.

There are four plans. `by_index` reads the part of one element's index that the filter leaves. `by_order`
reads an element's index in its order. `indexed` reads the index of all indexed elements instead of the
documents. `documents` reads the drops themselves, newest first, and can do everything. The first plan that
gives the result with few steps is chosen; all of them give the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ....filters import index_columns
from ....filters.nodes import And
from ...store.bulk import fetch
from ...store.schema import SLOT_NAMES, drops
from ..query.query import BY_AGE, Query, member_parts
from . import rows
from .slot_postgresql import PostgresqlSlots
from .slot_sqlite import SqliteSlots

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql.selectable import Select

    from ....filters.index_columns import Rule
    from ....filters.nodes import Filter
    from ..query.search import Search
    from .flow_cache import Flow
    from .slot_sql import SlotSql

FEW = 1000
"""Drops up to which reading an index pays for a filter that does not ask for one value."""

MOST_RULES = 16
"""Most rules, and most members to sort by, in a statement over indexes."""

ALL_INDEXED = "drops_indexed"
"""The index that holds all indexed elements, in the order of time."""

_PAGE = " LIMIT ? OFFSET ?"
_SLOTS: dict[str, SlotSql] = {"sqlite": SqliteSlots(), "postgresql": PostgresqlSlots()}


class QueryPlan(NamedTuple):
    """How a find is done.

    Attributes:
        name: `by_index`, `by_order`, `indexed` or `documents`.
        slots: the indexed elements that are used.
        text, values: the statement without the page; "" if it is the query's own.
        gives_ids: whether its rows are ids, whose drops are read afterwards.
        rule: for `by_index`, what is looked up in the index.
    """

    name: str
    slots: tuple[int, ...] = ()
    text: str = ""
    values: tuple[Any, ...] = ()
    gives_ids: bool = False
    rule: Rule | None = None


class _Order(NamedTuple):
    """The members that decide the order, and whether the oldest comes first among equal ones."""

    members: tuple[tuple[str, bool], ...]
    oldest_first: bool

    @classmethod
    def of(cls, query: Query) -> _Order:
        if not query.sort:
            return _NEWEST_FIRST
        for index, (member, descending) in enumerate(query.sort):
            if member in BY_AGE:
                return cls(query.sort[:index], not descending)
        return cls(query.sort, False)

    @property
    def of_age(self) -> str:
        return "ASC" if self.oldest_first else "DESC"


_NEWEST_FIRST = _Order((), oldest_first=False)


def find(connection: Connection, flow: Flow, query: Query) -> list[Any]:
    """The rows of the drops that a query asks for, in its order."""
    plan = choose(connection, flow, query)
    if not plan.text:
        search = _search(connection, flow, query, plan)
        return search.fetch(connection, rows.of(flow), lambda row: rows.to_filtered(row, flow.path))
    found = fetch(connection, plan.text, (*plan.values, query.limit, query.start))
    if not plan.gives_ids:
        return found
    ids = [drop_id for (drop_id,) in found]
    if plan.name == "by_order" and len(ids) < query.limit:
        ids += _without_the_member(connection, flow, query, plan, len(ids))
    by_id = rows.find_by_id(connection, flow.id, ids)
    return [by_id[drop_id] for drop_id in ids]


def explain(connection: Connection, flow: Flow, query: Query) -> dict[str, Any]:
    """How a find would be done, without doing it.

    Returns:
        `uses`, the name of the plan; `elements`, whose indexes are used; `building`, the elements whose index
        is not ready yet; `plan`, the database's own account.
    """
    plan = choose(connection, flow, query)
    text: str = plan.text
    values: Any = (*plan.values, query.limit, query.start)
    if not text:
        compiled = _search(connection, flow, query, plan).statement.compile(
            dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
        )
        named = {**compiled.construct_params(), **rows.of(flow)}
        order = compiled.positiontup
        text, values = str(compiled), named if order is None else tuple(named[name] for name in order)
    account = [line[-1] for line in fetch(connection, f"{slot_sql(connection).explain} {text}", values)]
    listed = () if flow.indexes is None else flow.indexes.elements
    ready = () if flow.indexes is None else flow.indexes.ready.values()
    return {
        "uses": plan.name,
        "elements": [listed[slot] for slot in plan.slots],
        "building": [name for slot, name in enumerate(listed) if name and slot not in ready],
        "plan": account,
    }


def choose(connection: Connection, flow: Flow, query: Query) -> QueryPlan:
    """The plan for a query."""
    order = _Order.of(query)
    slots = {} if flow.indexes is None else flow.indexes.ready
    if not slots:
        return _documents(flow, query, order)
    rules, is_whole = _rules(connection, flow, query, slots)
    rule = _best(connection, flow, rules, bool(order.members))
    if rule is not None:
        return _by_index(slot_sql(connection), flow, rule, rules, is_whole, order)
    by = _sort_slots(connection, flow, slots, order)
    if not is_whole or by is None:
        return _documents(flow, query, order)
    if len(by) == 1 and not rules:
        return _by_order(slot_sql(connection), flow, by[0], order)
    return (
        _indexed(slot_sql(connection), flow, rules, by, order)
        if by or rules
        else _documents(flow, query, order)
    )


def search_all(connection: Connection, flow: Flow, query: Query) -> Search:
    """The search for all drops that a query's filter leaves, in any order, by an index if one leaves few."""
    rule = _selective_rule(connection, flow, query)
    plan = QueryPlan("documents" if rule is None else "by_index", rule=rule)
    found = _search(connection, flow, query, plan)
    return found._replace(statement=found.statement.limit(None).offset(None))


def restricted(connection: Connection, flow: Flow, query: Query, statement: Select[Any]) -> Select[Any]:
    """A statement over a flow's drops, restricted by an index if one leaves few for the query's filter."""
    rule = _selective_rule(connection, flow, query)
    return statement if rule is None else slot_sql(connection).restrict(statement, rule)


def _selective_rule(connection: Connection, flow: Flow, query: Query) -> Rule | None:
    slots = {} if flow.indexes is None else flow.indexes.ready
    rules, _ = _rules(connection, flow, query, slots)
    return _best(connection, flow, rules, is_sorted=True)


def columns(connection: Connection, flow: Flow) -> index_columns.Columns | None:
    """The columns that filters may read in place of a flow's documents; None if it has no index."""
    if flow.indexes is None or not flow.indexes.ready:
        return None
    slots = flow.indexes.ready
    disordered = [
        slot for slot in slots.values() if holds(connection, flow.id, slot, "=", index_columns.LONG)
    ]
    return index_columns.Columns(slots, slot_sql(connection).columns, disordered)


def slot_sql(connection: Connection) -> SlotSql:
    """How the database reads the columns of indexed elements."""
    return _SLOTS[connection.dialect.name]


def selective(connection: Connection, flow: Flow, node: Filter | None, now: int) -> str:
    """The name of an index that leaves few drops for a filter; "" if there is none."""
    rule = _selective_rule(connection, flow, Query(filter=node, now=now))
    return "" if rule is None else f"drops_by_{SLOT_NAMES[rule.slot]}"


def span(connection: Connection, flow: Flow) -> tuple[int, int] | None:
    """When the first and the last drop of a flow with indexes were created; None if it has no drops."""
    # In two statements: SQLite looks up one extreme, but reads everything for two in one statement.
    first, last = (
        fetch(connection, f"SELECT {extreme}(indexed) {slot_sql(connection).all_indexed()}", (flow.id,))[0][0]
        for extreme in ("min", "max")
    )
    return None if first is None else (first, last)


def holds(connection: Connection, flow_id: str, slot: int, op: str, value: bytes | str) -> bool:
    """Whether a column has a value that compares so with `value` in any drop of a flow."""
    sql = slot_sql(connection)
    compared = sql.compared(slot, op, value)
    text = f"SELECT 1 {sql.source(slot)}{compared.text} LIMIT 1"
    return bool(fetch(connection, text, (flow_id, *compared.values)))


def _rules(
    connection: Connection, flow: Flow, query: Query, slots: index_columns.Slots
) -> tuple[list[Rule], bool]:
    """The filter's rules that indexes can check, and whether these are the whole filter."""
    rules: list[Rule] = []
    node, is_whole = query.filter, True
    for one in node.filters if isinstance(node, And) else () if node is None else (node,):
        rule = index_columns.rule(one, slots, query.now) if len(rules) < MOST_RULES else None
        if (
            rule is not None
            and rule.orders_text
            and holds(connection, flow.id, rule.slot, "=", index_columns.LONG)
        ):
            rule = None
        if rule is not None:
            rules.append(rule)
        is_whole = is_whole and rule is not None and rule.exact
    return rules, is_whole


def _best(connection: Connection, flow: Flow, rules: list[Rule], is_sorted: bool) -> Rule | None:
    """The rule that leaves few drops, or leaves them in the wanted order."""
    equal = None if is_sorted else next((rule for rule in rules if rule.is_equality), None)
    if len(rules) == 1 and equal is not None:
        return equal
    least, count = None, FEW
    for rule in rules:
        counted = slot_sql(connection).count(rule, FEW)
        found = fetch(connection, counted.text, (flow.id, *counted.values))[0][0]
        if found < count:
            least, count = rule, found
    return equal if least is None else least


def _sort_slots(
    connection: Connection, flow: Flow, slots: index_columns.Slots, order: _Order
) -> tuple[int, ...] | None:
    """The slots of the members that decide the order; None if one is not indexed, or holds values that are
    sorted otherwise than it is kept."""
    found: list[int] = []
    if len(order.members) > MOST_RULES:
        return None
    for member, _ in order.members:
        path = index_columns.path_of(member_parts(member))
        slot = None if path is None else slots.get(path)
        if slot is None or holds(connection, flow.id, slot, ">", index_columns.NULL):
            return None
        found.append(slot)
    return tuple(found)


def _documents(flow: Flow, query: Query, order: _Order) -> QueryPlan:
    if query.filter is not None or order.members:
        return QueryPlan("documents")
    text = f"{rows.SELECT_TEXT} WHERE flow_id = ? ORDER BY id {order.of_age}{_PAGE}"
    return QueryPlan("documents", (), text, (flow.id,))


def _by_index(
    sql: SlotSql, flow: Flow, rule: Rule, rules: list[Rule], is_whole: bool, order: _Order
) -> QueryPlan:
    if not is_whole or order.members:
        return QueryPlan("by_index", (rule.slot,), rule=rule)
    found = sql.by_rule(rows.SELECT_TEXT, flow.id, rules, rule, order.of_age)
    return QueryPlan("by_index", (rule.slot,), found.text + _PAGE, found.values, rule=rule)


def _by_order(sql: SlotSql, flow: Flow, slot: int, order: _Order) -> QueryPlan:
    in_order = sql.order(slot, "DESC" if order.members[0][1] else "ASC")
    text = f"SELECT id {sql.source(slot)} AND {sql.is_scalar(slot)} ORDER BY {in_order}, id {order.of_age}"
    return QueryPlan("by_order", (slot,), text + _PAGE, (flow.id,), gives_ids=True)


def _indexed(sql: SlotSql, flow: Flow, rules: list[Rule], by: Sequence[int], order: _Order) -> QueryPlan:
    tests = sql.of_rules(rules)
    sorts: list[str] = []
    for slot, (_, descending) in zip(by, order.members, strict=True):
        sorts += sql.sort(slot, "DESC" if descending else "ASC")
    sorts += [f"indexed {order.of_age}", f"id {order.of_age}"]
    text = f"SELECT id {sql.all_indexed()}{tests.text} ORDER BY {', '.join(sorts)}{_PAGE}"
    used = tuple(dict.fromkeys([rule.slot for rule in rules] + list(by)))
    return QueryPlan("indexed", used, text, (flow.id, *tests.values), gives_ids=True)


def _without_the_member(
    connection: Connection, flow: Flow, query: Query, plan: QueryPlan, found: int
) -> Iterable[str]:
    """The ids that follow behind those of `by_order`: of the drops where the member is missing or null."""
    (slot,), order = plan.slots, _Order.of(query)
    sql = slot_sql(connection)
    skip = 0
    if not found and query.start:
        counted = f"SELECT count(*) {sql.source(slot)} AND {sql.is_scalar(slot)}"
        skip = query.start - fetch(connection, counted, (flow.id,))[0][0]
    text = (
        f"SELECT id {sql.all_indexed()} AND {sql.is_no_scalar(slot)} "
        f"ORDER BY indexed {order.of_age}, id {order.of_age}{_PAGE}"
    )
    return [drop_id for (drop_id,) in fetch(connection, text, (flow.id, query.limit - found, skip))]


def _search(connection: Connection, flow: Flow, query: Query, plan: QueryPlan) -> Search:
    """A query's own statement, with the index that the plan reads."""
    rule, sql = plan.rule, slot_sql(connection)
    statement = rows.SELECT.where(rows.IN_FLOW)
    return query.apply(
        statement if rule is None else sql.restrict(statement, rule),
        columns=rows.COLUMNS,
        document=drops.c.elems,
        newest=rows.NEWEST if rule is None else sql.newest(rule),
        dialect=connection.dialect,
        indexed=None if rule is None else columns(connection, flow),
    )
