"""The schema that a check carries: whatever the check accepts fits it, and so does what is stored."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowthings_like.platform.json_schema import Check, accepts, schema_of
from flowthings_like.platform.problems import BadRequest
from flowthings_like.platform.resources.access import rights
from flowthings_like.platform.resources.base import members, registry
from flowthings_like.platform.resources.tasks import RSS
from flowthings_like.platform.rest import body
from tests.platform.vocabulary import json_text, values

pytestmark = pytest.mark.once

CHECKS = {
    f"{resource.name}.{name}": check
    for resource in registry.resources().values()
    for name, check in resource.members.items()
    # What these are is checked later, when the caller is known.
    if name not in ("paths", "destination")
}
CHECKS |= {
    "filled": members.filled(5),
    "integer": members.integer(-3, 10),
    "one_of": members.one_of(1, "a", None),
    "ids": members.ids("fd"),
}
TEXTS = [
    " https://x",
    "HTTPS://x",
    "http://x\n",
    "tcp://x:1\n",
    "5",
    "-3",
    "99",
    " 5",
    "1.0",
    "a\n",
    "f" + "0" * 24,
]


@pytest.mark.parametrize("name", CHECKS)
def test_what_a_check_accepts_fits_its_schema(name: str) -> None:
    check = CHECKS[name]
    accepted = jsonschema.Draft202012Validator(schema_of(check))
    stored = jsonschema.Draft202012Validator(schema_of(check, stored=True))

    @settings(max_examples=50)
    @given(values([]) | st.sampled_from(TEXTS))
    @example({"http": {"uri": "https://x"}})
    @example("\u2003")
    def one(value: Any) -> None:
        try:
            value = body.parse(json_text(value))  # no other values get this far
            found = check(name, value)
        except BadRequest:
            return
        accepted.validate(value)
        stored.validate(found)

    one()


def test_what_rights_accept_fits_their_schema() -> None:
    validator = jsonschema.Draft202012Validator(schema_of(rights.member(["read"])))
    for paths in ({"/acme": {"read": True}}, {"/acme/": {"write": False}}, {"/acme/a": {"read": False}}):
        rights.check(paths, "acme", ["read"])
        validator.validate(paths)
    for refused in (
        {},
        {"/acme": {}},
        {"/acme": {"write": True}},
        {"acme": {"read": True}},
        {"/acme": {"x": 1}},
    ):
        assert not validator.is_valid(refused)
        with pytest.raises(BadRequest):
            rights.check(refused, "acme", ["read"])


@pytest.mark.parametrize(
    "url", [" https://example.com", "https://example.com\n", "https://exa mple.com", "\x01http://x"]
)
def test_a_url_has_no_blanks(url: str) -> None:
    with pytest.raises(BadRequest, match="must be a URL"):
        RSS.members["url"]("url", url)


def test_a_check_that_accepts_more_than_it_says_is_noticed() -> None:
    check: Check = accepts({"type": "string"})(lambda name, value: value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(check("x", 5), schema_of(check))
