"""Checks that a SQL statement is one SELECT over known tables with known functions.

The statement's tree comes from DuckDB's own parser, so that what is checked is what would be run. Everything
that is not listed here is refused: a function that a later version of DuckDB brings is not allowed by itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .problems import Code, StreamProblem

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LONGEST_STATEMENT", "TABLES", "bad_sql", "check"]

TABLES = frozenset({"streams", "devices", "units"})

LONGEST_STATEMENT = 16 << 10
"""Bytes of a statement."""

MOST_CONCATENATIONS = 8
"""Each may double the length of a text, and one may build on another."""

MOST_TABLES = 32
"""More of them take the planner long."""

_CONCATENATIONS = frozenset({"||", "concat", "concat_ws"})

_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE"})

_SOURCES = frozenset({"BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY", "EMPTY_FROM", "EXPRESSION_LIST"})

_ALLOWED = """
Operators
    + - * / // % ^ ** & | ~~ !~~ ~~* !~~* ~~~ ~ || -> ->> @> <@ concat concat_ws
Aggregates and window functions
    count count_star sum avg mean min max median mode stddev stddev_pop stddev_samp variance var_pop var_samp
    bool_and bool_or arg_min arg_max any_value first last quantile quantile_cont quantile_disc
    row_number rank dense_rank lag lead first_value last_value ntile
Texts
    lower upper length strlen char_length substr substring left right trim ltrim rtrim reverse position
    strpos instr starts_with ends_with prefix suffix contains split_part regexp_matches regexp_full_match
    regexp_extract like_escape not_like_escape ilike_escape not_ilike_escape md5
Numbers
    abs ceil ceiling floor round trunc sign sqrt ln log log10 log2 exp power pow mod greatest least
Times
    now current_timestamp get_current_timestamp today current_date date_part date_trunc date_diff datediff
    date_add date_sub epoch epoch_ms epoch_us epoch_ns to_timestamp make_timestamp strftime year month day
    hour minute second to_days to_hours to_minutes to_seconds to_months to_years to_weeks to_milliseconds
Others
    coalesce ifnull nullif if typeof unnest skeys exist fetchval
    json_extract json_extract_string json_extract_path
    json_extract_path_text json_keys json_exists json_contains json_type json_valid json_array_length
    list_value list_contains list_has len cardinality uuid random hash
"""
_FUNCTIONS = frozenset(name for line in _ALLOWED.splitlines() if line[:1] == " " for name in line.split())


def check(cursor: Any, statement: str, error: type[Exception]) -> None:
    """Raise BAD_SQL unless a statement may be run.

    Args:
        cursor: a connection to parse it with.
        statement: the text.
        error: what DuckDB raises.
    """
    try:
        size = len(statement.encode())
    except UnicodeEncodeError:
        raise bad_sql("a statement is text that can be encoded as UTF-8") from None
    if size > LONGEST_STATEMENT:
        raise bad_sql(f"a statement has at most {LONGEST_STATEMENT:,} bytes")
    try:
        ((text,),) = cursor.execute("select json_serialize_sql($1)", [statement]).fetchall()
    except (error, ValueError) as problem:
        raise bad_sql(str(problem)) from None
    try:
        tree = json.loads(text)
    except RecursionError:
        raise bad_sql("the statement is nested too deeply") from None
    if tree.get("error"):
        if tree.get("error_type") == "not implemented":
            raise bad_sql("only SELECT statements can be run")
        raise bad_sql(str(tree.get("error_message", "the statement cannot be parsed")))
    statements = tree["statements"]
    if len(statements) != 1:
        raise bad_sql(f"a query is one statement, not {len(statements)}")
    nodes = list(_nodes(statements[0]))
    known = TABLES | {str(key).lower() for node in nodes for key in _cte_names(node)}
    concatenations = tables = 0
    for node in nodes:
        kind, name = str(node.get("type", "")), str(node.get("function_name", "")).lower()
        if node.get("class") in ("FUNCTION", "WINDOW") and name and name not in _FUNCTIONS:
            raise bad_sql(f"the function {name[:64]} is not available here")
        concatenations += name in _CONCATENATIONS
        if kind == "BASE_TABLE":
            _check_table(node, known)
            tables += 1
        elif kind.endswith(("_NODE", "_REF")) and "class" not in node and kind not in _NODES:
            raise bad_sql("only plain SELECT statements can be run")
        elif kind == "TABLE_FUNCTION":
            raise bad_sql("table functions are not available here")
        elif "ref_type" not in node and "column_name_alias" in node and kind not in _SOURCES:
            raise bad_sql("only tables and subqueries can be selected from")
    if tables > MOST_TABLES:
        raise bad_sql(f"a query names at most {MOST_TABLES} tables")
    if concatenations > MOST_CONCATENATIONS:
        raise bad_sql(f"a query concatenates at most {MOST_CONCATENATIONS} times")


def bad_sql(message: str) -> StreamProblem:
    """The problem of a statement or a parameter that cannot be used."""
    return StreamProblem(Code.BAD_SQL, message[:500])


def _check_table(node: dict[str, Any], known: frozenset[str] | set[str]) -> None:
    name = str(node.get("table_name", ""))
    if node.get("schema_name") or node.get("catalog_name") or name.lower() not in known:
        raise bad_sql(f"there is no table {name[:64]!r}; there are {', '.join(sorted(TABLES))}")


def _cte_names(node: dict[str, Any]) -> Iterator[Any]:
    found = node.get("cte_map")
    for entry in found.get("map", ()) if isinstance(found, dict) else ():
        yield entry.get("key", "")


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects in the tree. Without recursion: a statement may be nested deeply."""
    waiting = [tree]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found
