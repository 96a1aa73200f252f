"""Tracks with JavaScript: what becomes of the drops, with whose rights, and what a failing script costs."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from flowthings_like.platform.problems import BadRequest, Forbidden
from flowthings_like.platform.resources import script_reads
from flowthings_like.platform.resources.access.rights import Caller
from flowthings_like.platform.resources.base import verbs as resource_verbs
from flowthings_like.platform.resources.drops import script_outputs, script_runs, verbs
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.resources.flows import FLOW
from flowthings_like.platform.resources.query.query import Query
from flowthings_like.platform.resources.tracks import TRACK, simulate
from flowthings_like.platform.scripts.runner import ScriptLimits, ScriptRunner, ScriptsTooLong

from ..harness import ME, add_track, at_once, counted, sizes_agree

T0 = 1_357_000_000_000
EDITOR = Caller("acme", ME.identity, (("/acme/a", frozenset({"administer"})),), "k1")


@pytest.fixture
def flows(store: Store) -> dict[str, str]:
    store.script_reads = script_reads.read
    return {name: new_flow(store, f"/acme/{name}") for name in "abcd"}


def new_flow(store: Store, path: str) -> str:
    return str(resource_verbs.create(store, ME, FLOW, {"path": path})["id"])


def track(store: Store, js: str, caller: Caller = ME, source: str = "/acme/a", **members: Any) -> Any:
    return resource_verbs.create(store, caller, TRACK, {"source": source, "js": js, **members})


def create(store: Store, *drops: dict[str, Any]) -> list[dict[str, Any]]:
    return verbs.create_many(store, ME, "/acme/a", [{"elems": elems} for elems in drops])


def elems(store: Store, flow: str) -> list[Any]:
    return [drop["elems"] for drop in reversed(verbs.find(store, ME, flow, Query(limit=20_000)))]


def test_a_script_makes_another_drop(store: Store, flows: dict[str, str]) -> None:
    made = track(
        store, "drop => { drop.elems.f = drop.elems.c * 9 / 5 + 32; return drop; }", destination="/acme/b"
    )
    (drop,) = verbs.create_many(
        store,
        ME,
        "/acme/a",
        [{"elems": {"c": 20}, "fhash": "h", "creationDate": T0, "location": {"lat": 1, "lon": 2}}],
    )
    (copy,) = verbs.find(store, ME, "/acme/b")
    assert copy == {
        "id": copy["id"],
        "flowId": flows["b"],
        "path": "/acme/b",
        "creationDate": T0,
        "creatorId": ME.identity,
        "elems": {"c": 20, "f": 68},
        "location": {"lat": 1, "lon": 2},
        "version": 0,
        "parentDropId": {"flowId": flows["a"], "dropId": drop["id"]},
    }
    assert elems(store, "/acme/a") == [{"c": 20}]
    totals = counted(store)
    assert totals["trackHit", made["id"]] == totals["trackPass", made["id"]] == 1
    sizes_agree(store)


def test_it_says_where_drops_go(store: Store, flows: dict[str, str]) -> None:
    track(
        store,
        """function (drop) {
            if (drop.elems.n === 0) return null;
            if (drop.elems.n === 1) return {'/acme/b': drop, '/acme/c': [{elems: {x: 1}}, {elems: {x: 2}}]};
            if (drop.elems.n === 2) return {'/acme/nowhere': drop, '/acme/d': []};
            return [drop, {elems: {n: -drop.elems.n}}];
        }""",
        destination=["/acme/c", "/acme/d"],
    )
    create(store, *({"n": n} for n in range(4)))
    assert elems(store, "/acme/b") == [{"n": 1}]
    assert elems(store, "/acme/c") == [{"x": 1}, {"x": 2}, {"n": 3}, {"n": -3}]
    assert elems(store, "/acme/d") == [{"n": 3}, {"n": -3}]
    sizes_agree(store)


def test_a_filter_comes_first_and_scripts_follow_each_other(store: Store, flows: dict[str, str]) -> None:
    track(store, "drop => { drop.elems.n *= 10; return drop; }", destination="/acme/b", filter="n > 1")
    add_track(store, "/acme/b", "/acme/c")
    track(
        store,
        "drop => { drop.elems.from = [drop.id, drop.flowId, drop.parentDropId.dropId]; return drop; }",
        source="/acme/c",
        destination=["/acme/d", "/acme/a"],
    )
    one, two, three = create(store, {"n": 1}, {"n": 2}, {"n": 3})
    assert elems(store, "/acme/b") == [{"n": 20}, {"n": 30}]
    in_b = {drop["elems"]["n"]: drop["id"] for drop in verbs.find(store, ME, "/acme/b")}
    in_c = {drop["elems"]["n"]: drop["id"] for drop in verbs.find(store, ME, "/acme/c")}
    assert elems(store, "/acme/d") == [
        {"n": n, "from": [in_c[n], flows["c"], in_b[n]]} for n in (20, 30)
    ]  # the ids that the script saw are those that were stored
    assert [drop["id"] for drop in reversed(verbs.find(store, ME, "/acme/a"))] == [
        one["id"],
        two["id"],
        three["id"],
    ]  # a chain of tracks comes through no flow twice


def test_numbers_and_types_that_it_leaves_alone_are_kept(store: Store, flows: dict[str, str]) -> None:
    track(
        store,
        "drop => { drop.elems.more = [1]; drop.elems.changed = 7; return drop; }",
        destination="/acme/b",
    )
    given = {
        "large": 2**60 + 1,
        "real": 3.0,
        "list": [2**60 + 1, {"x": 1.0}],
        "since": {"type": "date", "value": 5},
        "changed": {"type": "date", "value": 6},
    }
    create(store, given)
    (plain,) = elems(store, "/acme/b")
    assert plain == {**given, "since": 5, "changed": 7, "more": [1]}
    assert (type(plain["real"]), type(plain["list"][1]["x"])) == (float, float)
    (typed,) = verbs.find(store, ME, "/acme/b", hints=True)
    assert typed["elems"]["since"] == {"type": "date", "value": 5}
    assert typed["elems"]["changed"] == {"type": "integer", "value": 7}


def test_it_reads_with_its_writer_s_rights(store: Store, flows: dict[str, str]) -> None:
    store.script_reads = script_reads.read
    verbs.create(store, ME, "/acme/c", {"elems": {"limit": 30}, "fhash": "now"})
    (limit,) = verbs.find(store, ME, "/acme/c")
    source = """drop => {
        const limit = Flow.Drop.findOne('/acme/c', 'EXISTS limit').elems.limit;
        return {elems: {
            limit,
            all: Flow.Drop.find('/acme/c', {limit: 5}).length,
            same: Flow.Drop.findFHash('/acme/c', 'now').id === Flow.Drop.get('/acme/c', LIMIT).id,
            none: [Flow.Drop.findOne('/acme/c', 'limit > 99'), Flow.Drop.findFHash('/acme/c', 'x'),
                   Flow.Drop.get('/acme/c', 'd000000000000000000000000'), Flow.Flow.get('/acme/nowhere')],
            sum: Flow.Drop.aggregate('/acme/c', {output: ['$sum:limit']})[0]['$sum:limit'],
            flows: [Flow.Flow.get('/acme/c').path, Flow.Flow.find("path == '/acme/b'")[0].path],
            track: Flow.Track.get(Flow.Track.find()[0].id).source,
        }};
    }""".replace("LIMIT", repr(limit["id"]))
    track(store, source, destination="/acme/b")
    create(store, {"n": 1})
    (found,) = elems(store, "/acme/b")
    assert found == {
        "limit": 30,
        "all": 1,
        "same": True,
        "none": [None] * 4,
        "sum": 30,
        "flows": ["/acme/c", "/acme/b"],
        "track": "/acme/a",
    }


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("Drop.find('/acme/c')", "no dropRead right"),
        ("Drop.findOne('/acme/c')", "no dropRead right"),
        ("Drop.findFHash('/acme/c', 'now')", "no dropRead right"),
        ("Drop.get('/acme/c', 'd000000000000000000000000')", "no dropRead right"),
        ("Drop.aggregate('/acme/c', {output: ['$count']})", "no dropRead right"),
        ("Flow.get('/acme/c')", "no read right"),
        ("Drop.find('/acme/a', 'n >')", "line 1"),
        ("Drop.find('/acme/a', [1])", "a search is a filter, or a map"),
        ("Drop.find(5)", "argument 1 must be a flow"),
        ("Drop.get('/acme/a')", "argument 2 must be a drop"),
        ("Track.get()", "argument 1 must be a track"),
    ],
)
def test_what_it_may_not_read_is_an_exception(
    store: Store, flows: dict[str, str], call: str, reason: str
) -> None:
    source = f"drop => {{ try {{ Flow.{call}; }} catch (e) {{ return {{elems: {{e: e.message}}}}; }} }}"
    new_flow(store, "/acme/a/out")
    track(store, source, EDITOR, destination="/acme/a/out")
    create(store, {"n": 1})
    (found,) = elems(store, "/acme/a/out")
    assert reason in found["e"]


def test_a_script_finds_no_flows_or_tracks_beyond_its_writer_s_rights(
    store: Store, flows: dict[str, str]
) -> None:
    new_flow(store, "/acme/a/out")
    track(store, "drop => drop", source="/acme/b", destination="/acme/c")
    source = "() => ({elems: {flows: Flow.Flow.find().length, tracks: Flow.Track.find().length}})"
    track(store, source, EDITOR, destination="/acme/a/out")
    create(store, {"n": 1})
    assert elems(store, "/acme/a/out") == [{"flows": 2, "tracks": 1}]


def test_a_script_writes_nowhere_beyond_its_writer_s_rights(
    store: Store, flows: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    new_flow(store, "/acme/a/out")
    made = track(store, "drop => ({'/acme/a/out': drop, '/acme/b': drop})", EDITOR)
    assert made["jsRights"] == {"/acme/a": ["administer"]}
    with caplog.at_level(logging.WARNING):
        create(store, {"n": 1})
    assert elems(store, "/acme/b") == elems(store, "/acme/a/out") == []
    assert "no dropWrite right at /acme/b" in caplog.text
    # Somebody with more rights who edits another member lends the script none.
    again = resource_verbs.update(store, ME, TRACK, made["id"], {"description": "x", "jsRights": {}})
    assert again["jsRights"] == {"/acme/a": ["administer"]}
    create(store, {"n": 2})
    assert elems(store, "/acme/b") == []
    again = resource_verbs.update(store, ME, TRACK, made["id"], {"js": "drop => ({'/acme/b': drop})"})
    assert "jsRights" not in again
    create(store, {"n": 3})
    assert elems(store, "/acme/b") == [{"n": 3}]
    again = resource_verbs.update(store, EDITOR, TRACK, made["id"], {"js": "drop => ({'/acme/b':  drop})"})
    assert again["jsRights"] == {"/acme/a": ["administer"]}
    with pytest.raises(Forbidden):
        track(store, "drop => drop", EDITOR, destination="/acme/b")


@pytest.mark.parametrize("member", ["source", "destination", "filter"])
def test_whoever_leads_other_drops_through_a_script_reaches_no_further_by_it(
    store: Store, flows: dict[str, str], member: str
) -> None:
    for path in ("/acme/a/in", "/acme/a/out"):
        new_flow(store, path)
    made = track(store, "drop => ({[drop.elems.to]: drop})", source="/acme/a", filter="EXISTS to")
    assert "jsRights" not in made
    verbs.create(store, ME, "/acme/a", {"elems": {"to": "/acme/b"}})
    assert elems(store, "/acme/b") == [{"to": "/acme/b"}]
    changes = {"source": "/acme/a/in", "destination": "/acme/a/out", "filter": "to != 1"}
    changed = resource_verbs.update(store, EDITOR, TRACK, made["id"], {member: changes[member]})
    assert changed["jsRights"] == {"/acme/a": ["administer"]}
    changed = resource_verbs.update(store, ME, TRACK, made["id"], {"filter": ""})
    verbs.create(store, ME, changed["source"], {"elems": {"to": "/acme/b"}})
    assert elems(store, "/acme/b") == [{"to": "/acme/b"}]


@pytest.mark.parametrize(
    ("js", "reason"),
    [
        ("drop => nothing", "line 1: ReferenceError"),
        ("drop => 5", "it must return a drop"),
        ("drop => ({'/other/x': drop})", "outside the account"),
        ("drop => ({'x': drop})", "the path must be a string such as"),
        ("drop => ({'/acme/b': 5})", "a drop must be a map"),
        ("drop => ({elems: {}})", "elems must not be empty"),
        ("drop => { drop.color = 'red'; return drop; }", "a drop has no member 'color'"),
        ("drop => Array(2000).fill({elems: {n: 1}})", f"more than {script_outputs.MOST_OUTPUTS} drops"),
        ("drop => { for (;;) {} }", "it took more than 0.2 s"),
    ],
)
def test_a_script_that_fails_makes_nothing_and_the_drop_is_stored(
    store: Store, flows: dict[str, str], caplog: pytest.LogCaptureFixture, js: str, reason: str
) -> None:
    made = track(store, js, destination="/acme/b")
    with caplog.at_level(logging.WARNING):
        create(store, {"n": 1}, {"n": 2})
    assert elems(store, "/acme/a") == [{"n": 1}, {"n": 2}]
    assert elems(store, "/acme/b") == []
    assert made["id"] in caplog.text
    assert reason in caplog.text


def test_scripts_that_take_too_long_for_one_create_refuse_it(store: Store, flows: dict[str, str]) -> None:
    store.scripts.close()
    store.scripts = ScriptRunner(ScriptLimits(total=0.2, slice=0.05))
    track(
        store,
        "d => { const end = Date.now() + 50; while (Date.now() < end); return d; }",
        destination="/acme/b",
    )
    with pytest.raises(ScriptsTooLong):
        create(store, *({"n": n} for n in range(100)))
    assert elems(store, "/acme/a") == elems(store, "/acme/b") == []
    create(store, {"n": 1})
    assert elems(store, "/acme/b") == [{"n": 1}]


def test_all_scripts_of_one_create_have_a_limit_together(
    store: Store, flows: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_runs, "TOTAL", 0.0)
    track(store, "drop => drop", destination="/acme/b")
    with pytest.raises(ScriptsTooLong, match="disable some of the tracks"):
        create(store, {"n": 1})


def test_many_writers_at_once(store: Store, flows: dict[str, str]) -> None:
    track(store, "drop => { drop.elems.n *= 2; return drop; }", destination="/acme/b")
    results = at_once([lambda n=n: create(store, {"n": n}) for n in range(40)])  # type: ignore[misc]
    assert not [result for result in results if isinstance(result, BaseException)]
    assert sorted(each["n"] for each in elems(store, "/acme/b")) == [2 * n for n in range(40)]
    sizes_agree(store)


def test_the_writer_does_not_wait_for_a_script(store: Store, flows: dict[str, str]) -> None:
    track(store, "drop => { for (;;) {} }", destination="/acme/b")
    slow = threading.Thread(target=create, args=(store, {"n": 1}))
    done: list[int] = []
    slow.start()
    while slow.is_alive():
        verbs.create(store, ME, "/acme/c", {"elems": {"n": 1}})
        done.append(1)
    slow.join()
    assert len(done) > 2


def test_an_update_of_the_script_counts_at_once(store: Store, flows: dict[str, str]) -> None:
    made = track(store, "drop => ({elems: {v: 1}})", destination="/acme/b")
    create(store, {"n": 1})
    resource_verbs.update(store, ME, TRACK, made["id"], {"js": "drop => ({elems: {v: 2}})"})
    create(store, {"n": 1})
    assert resource_verbs.update(store, ME, TRACK, made["id"], {"js": None}).get("js") is None
    create(store, {"n": 1})
    assert elems(store, "/acme/b") == [{"v": 1}, {"v": 2}, {"n": 1}]


def test_a_simulation_stores_nothing(store: Store, flows: dict[str, str]) -> None:
    drop = {"elems": {"n": 3, "since": {"type": "date", "value": 5}}}
    js = "drop => {\n  console.log('n is', drop.elems.n);\n  return {'/acme/b': drop, '/acme/c': []};\n}"
    assert simulate(store, ME, {"drop": drop, "js": js}) == {
        "drops": [{"path": "/acme/b", "elems": {"n": 3, "since": 5}}],
        "log": [{"line_no": 2, "message": "n is 3"}],
        "errors": [],
    }
    assert simulate(store, ME, {"drop": drop, "js": "drop => drop"})["drops"] == [
        {"elems": {"n": 3, "since": 5}}
    ]
    assert simulate(store, ME, {"drop": drop, "js": js, "filter": "n > 3"})["log"] == []
    failed = simulate(store, ME, {"drop": drop, "js": "drop => {\n Flow.log('here'); return drop.x.y; }"})
    assert failed["drops"] == []
    assert failed["log"] == [{"line_no": 2, "message": "here"}]
    assert failed["errors"] == ["line 2: TypeError: cannot read property 'y' of undefined"]
    assert "SyntaxError" in simulate(store, ME, {"drop": drop, "js": "drop =>"})["errors"][0]
    assert simulate(store, EDITOR, {"drop": drop, "js": js})["errors"] == ["no dropWrite right at /acme/b"]
    reading = "() => ({elems: {n: Flow.Drop.find('/acme/c').length}})"
    assert simulate(store, EDITOR, {"drop": drop, "js": reading})["errors"] != []
    assert simulate(store, ME, {"drop": drop, "js": reading})["drops"] == [{"elems": {"n": 0}}]
    assert [elems(store, f"/acme/{name}") for name in "abcd"] == [[], [], [], []]
    with pytest.raises(BadRequest, match="js must be a string"):
        simulate(store, ME, {"drop": drop, "js": 5})
