"""Which names count as misspelt, and which as a client's own."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.platform.problems import BadRequest
from flowthings_like.platform.resources.base import registry
from flowthings_like.platform.resources.query.misspellings import PARAMETERS, check, nearest

RESOURCES = registry.resources().values()
OF = {resource.name: resource.known for resource in RESOURCES}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("limt", "limit"),
        ("lmit", "limit"),
        ("Limit", "limit"),
        ("limits", "limit"),
        ("limitt", "limit"),
        ("ilmit", "limit"),
        ("srot", "sort"),
        ("sorts", "sort"),
        ("oder", "order"),
        ("orders", "order"),
        ("filtre", "filter"),
        ("filters", "filter"),
        ("fliter", "filter"),
        ("stat", "start"),
        ("ref", "refs"),
        ("olny", "only"),
        ("hint", "hints"),
        ("PATH", "path"),
        ("skp", "skip"),
        ("levle", "level"),
    ],
)
def test_misspelt_parameters(name: str, meant: str) -> None:
    assert nearest(name, PARAMETERS) == meant
    with pytest.raises(BadRequest, match=f"there is no parameter '{name}': did you mean '{meant}'"):
        check([name], PARAMETERS, "parameter")


@pytest.mark.parametrize(
    ("kind", "name", "meant"),
    [
        ("flow", "capcity", "capacity"),
        ("flow", "capactiy", "capacity"),
        ("flow", "Capacity", "capacity"),
        ("flow", "discription", "description"),
        ("flow", "display_name", "displayName"),
        ("flow", "displayname", "displayName"),
        ("flow", "filer", "filter"),
        ("flow", "indexes", "index"),
        ("flow", "creationdate", "creationDate"),
        ("track", "sources", "source"),
        ("track", "destinaton", "destination"),
        ("track", "disable", "disabled"),
        ("share", "issuedto", "issuedTo"),
        ("token", "path", "paths"),
        ("group", "memberIDs", "memberIds"),
        ("identity", "firstname", "firstName"),
        ("device", "reportPeriodicty", "reportPeriodicity"),
        ("api-task", "periodicty", "periodicity"),
        ("rss", "uri", "url"),
        ("mqtt", "url", "uri"),
        ("mqtt", "usrname", "username"),
    ],
)
def test_misspelt_members(kind: str, name: str, meant: str) -> None:
    assert nearest(name, OF[kind]) == meant


# Cache busters, what clients of the original send besides, and names that anybody might choose.
OTHERS = [
    *(
        "_",
        "cb",
        "nocache",
        "callback",
        "cache",
        "timeout",
        "invalid",
        "flatten",
        "t",
        "ts",
        "rand",
        "random",
    ),
    *("nonce", "format", "state", "token", "account", "jsonp", "r", "v", "version", "utm_source", "port"),
    *("offset", "page", "count", "from", "to", "since", "until", "fields", "time", "date", "type", "model"),
    *("id", "data", "default", "short_name", "x" * 200, "", "é"),
]


@pytest.mark.parametrize("name", OTHERS)
def test_what_others_send_still_passes(name: str) -> None:
    check([name], PARAMETERS, "parameter")


@pytest.mark.parametrize("kind", sorted(OF))
@pytest.mark.parametrize(
    "name",
    [
        "colour",
        "unit",
        "units",
        "owner",
        "creationTime",
        "state",
        "tags",
        "category2",
        "x-own",
        "lat",
        "note",
    ],
)
def test_members_of_ones_own_pass(kind: str, name: str) -> None:
    check([name], OF[kind], "member")


def test_the_page_on_compatibility_lists_what_is_known() -> None:
    page = (Path(__file__).parents[4] / "docs" / "compatibility.md").read_text(encoding="utf-8")
    section = page.split("## What the embedded platform knows")[1].split("\n## ")[0]
    rows = dict(
        re.findall(r"^\| ([\w-]+) \| (.*) \|$", section.split("members that mean something")[1], re.M)
    )
    for resource in RESOURCES:
        known = {*resource.members, *resource.path_members}
        listed = set(re.findall(r"`(\w+)`", rows[resource.name]))
        assert known <= listed <= known | resource.readonly, resource.name
    assert set(re.findall(r"`(\w+)`", section.split("| resource | members")[0])) >= PARAMETERS - {"flatten"}


@given(st.sampled_from(sorted(PARAMETERS | OF["flow"])), st.data())
def test_a_letter_left_out_is_noticed_and_what_is_known_is_not(known: str, data: st.DataObject) -> None:
    every = PARAMETERS | OF["flow"]
    check([known], every, "name")
    at = data.draw(st.integers(1, len(known) - 1))
    missed = known[:at] + known[at + 1 :]
    if len(missed) >= 3 and missed not in every:
        assert nearest(missed, every) is not None


@given(st.text(max_size=60), st.sampled_from(sorted(OF)))
def test_any_name_is_known_misspelt_or_a_clients_own(name: str, kind: str) -> None:
    found = nearest(name, OF[kind])
    assert found is None or difflib.SequenceMatcher(None, name.lower(), found.lower()).ratio() > 0.5
