"""Values that ThingsDB's protocol can carry, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

integers = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
scalars = st.none() | st.booleans() | integers | st.floats(allow_nan=False) | texts | st.binary(max_size=40)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)
names = st.from_regex(r"[A-Za-z_][0-9A-Za-z_]{0,20}", fullmatch=True)
