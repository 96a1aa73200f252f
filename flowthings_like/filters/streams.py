"""Searches for streams: a filter on metadata as a LookupStreams, or as a WHERE clause with $1 parameters.

The document of a stream has the members `uuid`, `collection`, `tags`, `annotations`, and the tags `name` and
`unit` again by these names. A tag that is empty is missing. Annotations have the values that are written in
them as JSON; a text that is not JSON is that text.

    plan(mem.collection == "sensors/jfk")        # a Lookup, which says it all
    plan(mem.name.re("^t"))                      # a Query: left(coalesce(name, ''), 1) = $1

A server knows the annotations' texts alone. So it is asked for the streams that can match, and their
annotations are tested when they come. It cannot be asked for NOT of such a rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .columns import literal_pattern
from .nodes import Compare, Exists, Filter, Member, Regex
from .stream_conditions import MOST_PARAMETERS, Conditions, stream_member
from .target import all_of, cannot, conjuncts, split

__all__ = ["Lookup", "Query", "StreamPlan", "plan"]

LONGEST_QUERY = 12 << 10
"""Bytes of a WHERE clause. The embedded platform takes statements of 16 KiB."""


@dataclass(slots=True)
class Lookup:
    """The arguments of a LookupStreams.

    Attributes:
        collection: the collection, or how it begins.
        is_prefix: whether it is how it begins.
        tags, annotations: those that a stream must have; None stands for any value.
    """

    collection: str = ""
    is_prefix: bool = True
    tags: dict[str, str | None] = field(default_factory=dict)
    annotations: dict[str, str | None] = field(default_factory=dict)

    def __str__(self) -> str:
        named = [
            f"{what} {sorted(given)}"
            for what, given in (("tags", self.tags), ("annotations", self.annotations))
            if given
        ]
        place = "any collection" if self.is_prefix and not self.collection else "a collection"
        return ", ".join([f"LookupStreams: {place}", *named])


@dataclass(frozen=True, slots=True)
class Query:
    """A WHERE clause on the table `streams`, and the values of $1, $2 and so on."""

    where: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What to ask a server for, and the filter to test on what comes; None if all of it matches."""

    request: Lookup | Query
    rest: Filter | None


def plan(node: Filter | None, *, partial: bool = False, has_sql: bool = True) -> StreamPlan:
    """How to find the streams that match a filter; None stands for all streams.

    Args:
        node: the filter.
        partial: whether parts may be tested here for which the server cannot be asked at all.
        has_sql: whether the server takes SQL. If not, streams may have any tags.

    Raises:
        CannotFilter: the server cannot be asked for a part, and `partial` is False; or there are too many
            values.
    """
    lookup, rest = _lookup_of(node)
    if rest is None:
        return StreamPlan(lookup, None)
    assert node is not None
    if not has_sql:
        if not partial:
            split(rest, _refuse_without_sql, partial=False)
        return StreamPlan(lookup, rest)
    split(node, _check, partial=partial)
    conditions = Conditions()
    found = conditions.of(node)
    where, parameters = conditions.numbered(found.sql)
    if len(parameters) > MOST_PARAMETERS or len(where) > LONGEST_QUERY:
        cannot("SQLQuery", node, f"takes at most {MOST_PARAMETERS} values; ask with fewer of them at a time")
    if not where:
        return StreamPlan(lookup, rest)
    return StreamPlan(Query(where, parameters), None if found.is_exact else _inexact(node))


def _check(node: Filter) -> None:
    if not Conditions().of(node).narrows:
        cannot(
            "SQLQuery",
            node,
            "compares collection, name and tags with texts, finds literal texts in them, and knows which "
            "annotations there are; use ==, IN, < or >, a pattern such as ^text, or EXISTS",
        )


def _refuse_without_sql(node: Filter) -> None:
    cannot(
        "LookupStreams",
        node,
        "knows one collection or how it begins, tags by ==, and which tags and annotations there are; join "
        "such rules with &",
    )


def _inexact(node: Filter) -> Filter | None:
    """The part of a filter for which the condition holds for other streams, too."""
    return all_of([part for part in conjuncts(node) if not Conditions().of(part).is_exact])


def _lookup_of(node: Filter | None) -> tuple[Lookup, Filter | None]:
    """A LookupStreams for a filter, and the parts that it does not say."""
    lookup = Lookup()
    if node is None:
        return lookup, None
    return lookup, all_of([part for part in conjuncts(node) if not _add(lookup, part)])


def _add(lookup: Lookup, part: Filter) -> bool:
    """Add a rule to a lookup. Returns whether the lookup can say it."""
    match part:
        case Compare(Member(("collection",)), "==", str(name)) if _is_text(name) and not lookup.collection:
            lookup.collection, lookup.is_prefix = name, False
            return True
        case Regex(Member(("collection",)), pattern, flags) if not lookup.collection:
            literal = literal_pattern(pattern, flags)
            if literal is not None and literal.starts:
                lookup.collection = literal.text
                return True
        case Compare(left, "==", str(text)) if (tag := _tag(left)) and _is_text(text):
            return _set(lookup.tags, tag, text)
        case Exists(member) if tag := _tag(member):
            return _set(lookup.tags, tag, None)
        case Exists(Member(("annotations", key)) as member) if stream_member(member).kind == "annotation":
            return _is_text(key) and _set(lookup.annotations, key, None)
    return False


def _tag(member: Member) -> str:
    """The tag that a member is on any server; "" if it is none."""
    match member.parts:
        case ("name" | "unit" as tag,) | ("tags", "name" | "unit" | "ingress" | "distiller" as tag):
            return tag
    return ""


def _is_text(text: str) -> bool:
    return bool(text) and "\0" not in text


def _set(wanted: dict[str, str | None], key: str, value: str | None) -> bool:
    if key in wanted:
        return False
    wanted[key] = value
    return True
