"""Every signature of the original client's documentation can be called as it is written: by position, by
name, and with any number of the optional arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import flowthings_like
from flowthings_like import API, M, Token, mem
from flowthings_like.errors import InvalidInput

from ..support import CREDS, Identity, asked, echo, make_api

LINES = [
    line
    for line in Path(__file__).with_name("signatures.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
MODEL = {"id": "f1", "elems": {"a": 1}}
VALUES: Mapping[str, Any] = {
    "account": "acme",
    "token": "secret",
    "default": None,
    "env_var": "VCAP_SERVICES",
    "creds": CREDS,
    "async_lib": "threads",
    "secure": False,
    "pool": 2,
    "method": "GET",
    "path": "/flow",
    "id": "f1",
    "ids": ["f1", "f2"],
    "filters": mem.a == 1,
    "model": MODEL,
    "models": [MODEL],
    "pattern": "^x",
    "flags": "i",
    "items": "x",
    "distance": 5,
    "unit": "KM",
    "coords": (1, 2),
    "zip": "10001",
    "member": mem.a,
    "elem_type": "string",
    "filter": mem.a == 1,
    "flow_id": "f1",
    "track_id": "t1",
    "identity_id": "i1",
    "year": 2026,
    "month": 11,
    "day": 27,
    "level": "hour",
    "outputs": ["$avg:a"],
    "group_by": ["b"],
    "rules": {"hot": mem.a > 1},
    "sorts": ["b"],
    "key": "displayName",
    "val": "Foo",
}
OTHERS: Mapping[str, Mapping[str, Any]] = {
    "API": {"params": {"limit": 5}},
    "api.request": {"data": {"a": 1}, "params": {"limit": 5}},
    "service.delete": {"data": {"why": 1}},
    "drop.delete": {"data": {"why": 1}},
    "service.find": {"...": "f1"},
    "drop.find": {"...": "d1"},
    "service.save": {"...": MODEL},
    "drop.save": {"...": MODEL},
}
"""What stands for an argument in one call, where its name alone does not say it."""


@dataclass(frozen=True)
class Signature:
    """A documented call.

    Attributes:
        name: what is called, such as "service.read".
        required: the names of the arguments that it needs.
        optional: those that it does not need, in order.
        takes_more: whether further arguments may be given by name.
    """

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    takes_more: bool

    @property
    def by_position_only(self) -> bool:
        """Whether an argument has no name."""
        return any(name.startswith(("*", ".")) for name in self.required)

    def value(self, argument: str) -> Any:
        """What to give for an argument."""
        name = argument.lstrip("*")
        return OTHERS.get(self.name, {}).get(name, VALUES.get(name))


def parsed(line: str) -> Signature:
    name, _, inner = line.removesuffix(")").partition("(")
    inner = re.sub(r"=\([^)]*\)", "=x", inner)
    first, *rest = inner.split("[")
    required, optional = [], []
    takes_more = False
    for argument in filter(None, re.split(r",\s*", first)):
        if argument.startswith("**"):
            takes_more = True
        elif "=" in argument:
            optional.append(argument.partition("=")[0])
        else:
            required.append(argument)
    optional += [part.strip(", ]").partition("=")[0] for part in rest]
    return Signature(name, tuple(required), tuple(optional), takes_more)


def target(name: str) -> Callable[..., Any]:
    """What a documented name stands for."""
    api = make_api(params={})
    first, _, rest = name.partition(".")
    roots: dict[str, Any] = {
        "api": api,
        "service": api.flow,
        "drop": api.drop("f1"),
        "mem": mem.a,
        "m": M(MODEL),
    }
    found = roots[first] if first in roots else getattr(flowthings_like, first)
    for part in filter(None, rest.split(".")):
        found = getattr(found, part)
    assert callable(found)
    return found


def called(signature: Signature, optional: int, by_name: bool) -> Any:
    """The result of a call with so many of the optional arguments, as a value to compare."""
    names = [*signature.required, *signature.optional[:optional]]
    more = {"limit": 3} if signature.takes_more and signature.name != "M" else {}
    if signature.name == "M" and signature.takes_more:
        more = {"displayName": "Foo"}
    if by_name and not signature.by_position_only:
        given: dict[str, Any] = {name: signature.value(name) for name in names}
        result = _call(signature.name, (), {**given, **more})
    else:
        result = _call(signature.name, tuple(signature.value(name) for name in names), more)
    return _comparable(result)


def _call(name: str, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
    if name == "API":
        named = {**named, "host": "test", "version": "test", "request": echo, "encoder": Identity()}
    return target(name)(*positional, **named)


def _comparable(result: Any) -> Any:
    if isinstance(result, API):
        return [result.flow.find_many(), result.creds]
    if isinstance(result, M):
        return result.done()
    if isinstance(result, Token):
        return (result.account, result.token)
    if hasattr(result, "flow"):  # an async_ or lazy view
        return type(result).__name__
    return result if isinstance(result, (dict, list, tuple)) else str(result)


SIGNATURES = [parsed(line) for line in LINES]


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda signature: signature.name)
def test_it_is_called_by_position_and_by_name(signature: Signature, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VCAP_SERVICES", raising=False)
    if signature.name == "Token.from_bluemix":
        monkeypatch.setattr(f"{__name__}.OTHERS", {signature.name: {"default": CREDS}})
    least = 1 if signature.name in ("mem.WITHIN", "Token.from_bluemix") else 0
    for optional in range(least, len(signature.optional) + 1):
        by_position = called(signature, optional, by_name=False)
        assert called(signature, optional, by_name=True) == by_position, (signature, optional)
        if signature.takes_more and isinstance(by_position, dict) and "params" in by_position:
            assert by_position["params"].items() >= {"limit": 3}.items()


def test_all_documented_calls_are_read() -> None:
    assert len(SIGNATURES) == len(LINES) > 40
    assert parsed(LINES[2]) == Signature("API", ("creds",), ("async_lib", "secure", "params"), False)
    within = next(signature for signature in SIGNATURES if signature.name == "mem.WITHIN")
    assert within == Signature("mem.WITHIN", ("distance", "unit"), ("coords", "zip"), False)
    assert parsed("service.read(id, **params)") == Signature("service.read", ("id",), (), True)


def test_an_api_takes_four_arguments_by_position() -> None:
    api = API(CREDS, "threads", False, {"limit": 5}, host="test", request=echo, encoder=Identity())
    sent = api.flow.find_many()
    assert sent["url"].startswith("http://test/")
    assert sent["params"] == {"limit": 5}
    with pytest.raises(InvalidInput, match="params"):
        API(CREDS, None, True, "flows.example.com")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "argument", "statistic"),
    [
        ("flow_drop_added", "flow_id", "flowDropAdded"),
        ("flow_tracked", "flow_id", "flowTracked"),
        ("track_hit", "track_id", "trackHit"),
        ("track_pass", "track_id", "trackPass"),
        ("api_call_by_identity", "identity_id", "apiCallByIdentity"),
        ("drop_created_by", "identity_id", "dropCreatedBy"),
    ],
)
def test_statistics_have_the_documented_names(name: str, argument: str, statistic: str) -> None:
    count = getattr(make_api().statistics, name)
    found = count(**{argument: "x1"}, year=2026, month=2, level="day")
    assert found == asked("GET", f"/statistics/{statistic}/x1/2026/2", params={"level": "day"})


def test_a_place_may_be_given_twice_or_not_at_all() -> None:
    both = mem.location.WITHIN(5, "MILES", coords=(1, 2), zip="10001")
    assert str(both) == "location WITHIN 5 MILES OF [1,2]"
    with pytest.raises(InvalidInput, match=r"needs a place: coords=\(lat, lon\) or zip='10001'"):
        mem.location.WITHIN(5, "MILES")
