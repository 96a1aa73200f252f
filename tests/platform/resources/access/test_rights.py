"""Paths and rights, without a store."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.platform.problems import BadRequest, Forbidden
from flowthings_like.platform.resources.access import account_paths, rights
from flowthings_like.platform.resources.access.rights import PERMISSIONS, Caller

NAME = st.text("abAB", min_size=1, max_size=2)
PATH = st.lists(NAME, min_size=1, max_size=3).map(lambda names: "/acme/" + "/".join(names))
GRANTS = st.lists(st.tuples(PATH, st.frozensets(st.sampled_from(PERMISSIONS))), max_size=4).map(tuple)


def segments(path: str) -> list[str]:
    return path.split("/")


@settings(deadline=None, max_examples=200)
@given(GRANTS, PATH, st.sampled_from(PERMISSIONS))
def test_a_right_reaches_its_path_and_what_lies_beneath(granted: Any, path: str, permission: str) -> None:
    caller = Caller("acme", "i0", granted)
    expected = any(
        segments(path)[: len(segments(prefix))] == segments(prefix) and {permission, "administer"} & names
        for prefix, names in granted
    )
    assert caller.may(path, permission) is bool(expected)
    if expected:
        caller.require(path, permission)
    else:
        with pytest.raises(Forbidden, match=permission):
            caller.require(path, permission)
    assert any(account_paths.covers(prefix, path) for prefix in caller.prefixes(permission) or ()) is bool(
        expected
    )


@settings(deadline=None, max_examples=100)
@given(GRANTS, GRANTS, PATH, st.sampled_from(PERMISSIONS))
def test_rights_add_up(one: Any, other: Any, path: str, permission: str) -> None:
    alone = Caller("acme", "i0", one).may(path, permission) or Caller("acme", "i0", other).may(
        path, permission
    )
    assert Caller("acme", "i0", one + other).may(path, permission) is alone


@settings(deadline=None, max_examples=200)
@given(GRANTS, GRANTS, PATH, st.sampled_from(PERMISSIONS))
def test_an_intersection_holds_what_both_hold(one: Any, other: Any, path: str, permission: str) -> None:
    both = Caller("acme", "i0", one).may(path, permission) and Caller("acme", "i0", other).may(
        path, permission
    )
    assert Caller("acme", "i0", rights.intersection(one, other)).may(path, permission) is both


def test_there_is_no_right_outside_the_account() -> None:
    master = Caller("acme", "i0")
    assert master.may("/acme/x", "administer")
    assert master.prefixes("read") is None
    for path in ("/other/x", "/acmeother/x", "/acm", "acme/x"):
        assert not master.may(path, "read")
    lent = Caller("acme", "i0", (("/other", frozenset({"administer"})),))
    assert not lent.may("/other/x", "read")


@pytest.mark.parametrize("path", ["/acme/x", "/acme/X-y_z:1.5/:inbox", "/acme/" + "x" * 122])
def test_good_paths(path: str) -> None:
    assert account_paths.check(path, "acme") == path


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (None, "must be a string"),
        (5, "must be a string"),
        ("acme/x", "must be a string such as"),
        ("/other/x", "outside the account"),
        ("/acme", "needs a segment"),
        ("/acme/", "a segment is made of"),
        ("/acme//x", "a segment is made of"),
        ("/acme/x/", "a segment is made of"),
        ("/acme/a b", "a segment is made of"),
        ("/acme/ä", "a segment is made of"),
        ("/acme/..", "a segment is made of"),
        ("/acme/x\n", "a segment is made of"),
        ("/acme/" + "x" * 123, "128 is the most"),
    ],
)
def test_bad_paths_say_what_is_wrong(path: Any, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        account_paths.check(path, "acme")


@pytest.mark.parametrize(
    ("granted", "reason"),
    [
        (None, "paths is required"),
        ({}, "paths is required"),
        ([], "paths is required"),
        ({"/other/x": {"dropRead": True}}, "outside the account"),
        ({"/acme/x": {}}, "needs a map of permissions"),
        ({"/acme/x": True}, "needs a map of permissions"),
        ({"/acme/x": {"fly": True}}, "no permission 'fly'"),
        ({"/acme/x": {"dropRead": "yes"}}, "must be true or false"),
        ({"/acme/x": {"write": True}}, "cannot be granted here"),
    ],
)
def test_bad_grants_say_what_is_wrong(granted: Any, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        rights.check(granted, "acme", ("dropRead", "dropWrite"))


def test_grants_leave_out_what_is_not_granted() -> None:
    checked = rights.check(
        {"/acme/": {"dropRead": True, "write": False}, "/acme/x": {"dropWrite": False}}, "acme", ("dropRead",)
    )
    assert rights.grants(checked) == (("/acme", frozenset({"dropRead"})),)
    assert rights.grants(checked, always=frozenset({"read"})) == (("/acme", frozenset({"dropRead", "read"})),)
