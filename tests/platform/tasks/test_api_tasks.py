"""API tasks, from the first request to drops, status and report: against a real HTTP server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API, Token
from flowthings_like.errors import FlowThingsBadRequest, FlowThingsForbidden

from .waiting import run_of, until
from .web import Page, Web

JSON = {"Content-Type": "application/json"}


def script(url: str, callback: str = "text => [{elems: JSON.parse(text)}]", **request: Any) -> str:
    return f"new Task({{request: {json.dumps({'uri': url, **request})}, callback: {callback}}})"


def new_task(api: API, js: str, **members: Any) -> Any:
    return api.api_task.create({"destination": "/acme/x", "js": js, **members})


def elems(api: API, flow: str = "/acme/x") -> list[Any]:
    return [drop["elems"] for drop in api.drop(flow).find()]


def test_a_new_task_runs_at_once(api: API, web: Web) -> None:
    web.pages["/w"] = Page(b'{"temp": 39}', headers=JSON)
    made = new_task(api, script(web.url("/w")))
    assert made["nextRun"] >= made["creationDate"]
    task = run_of(api.api_task, made["id"])
    assert elems(api) == [{"temp": 39}]
    assert (task["status"], task["runCt"]) == ("OK", 1)
    assert "statusMessage" not in task
    assert task["nextRun"] == task["lastRun"] + task["periodicity"]
    assert task["reportPath"] == f"/acme/:reports/{made['id']}-report"
    (report,) = elems(api, task["reportPath"])
    assert (report["status"], report["drops"]) == ("OK", 1)
    assert api.flow.read(task["reportFlowId"])["path"] == task["reportPath"]


def test_what_is_asked_for(api: API, web: Web) -> None:
    web.pages["/w"] = Page(b"{}")
    js = script(web.url("/w?q=a b"), "text => null", method="POST", headers={"X-Key": "k"}, body="päng")
    task = run_of(api.api_task, new_task(api, js)["id"])
    assert task["status"] == "NO_NEW_DATA"
    (asked,) = web.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/w?q=a%20b", "päng".encode())
    assert asked.headers["X-Key"] == "k"
    assert asked.headers["Host"] == f"127.0.0.1:{web.port}"


def test_it_runs_again_when_it_is_told_to_or_changed(api: API, web: Web) -> None:
    web.pages["/w"] = Page(b'{"n": 1}')
    id_ = new_task(api, script(web.url("/w")))["id"]
    run_of(api.api_task, id_)
    web.pages["/w"] = Page(b'{"n": 2}')
    assert api.api_task.run(id_)["id"] == id_
    run_of(api.api_task, id_, 2)
    api.api_task.update({"id": id_, "js": script(web.url("/w"), "text => ({elems: {text}})")})
    run_of(api.api_task, id_, 3)
    assert elems(api) == [{"text": '{"n": 2}'}, {"n": 2}, {"n": 1}]
    before = api.api_task.read(id_)["nextRun"]
    assert api.api_task.update({"id": id_, "displayName": "weather"})["nextRun"] == before


def test_a_disabled_task_does_not_run(api: API, web: Web) -> None:
    web.pages["/w"] = Page(b'{"n": 1}')
    task = new_task(api, script(web.url("/w")), disabled=True)
    assert "nextRun" not in task
    with pytest.raises(FlowThingsBadRequest, match="is disabled"):
        api.api_task.run(task["id"])
    run_of(api.api_task, new_task(api, script(web.url("/w")))["id"])  # a later one
    assert len(web.asked) == 1
    api.api_task.update({"id": task["id"], "disabled": False})
    run_of(api.api_task, task["id"])
    assert len(web.asked) == 2
    assert "nextRun" not in api.api_task.update({"id": task["id"], "disabled": True})


def test_a_failing_task_says_why_and_backs_off(api: API, web: Web) -> None:
    web.pages["/w"] = Page(b"down", status=503)
    id_ = new_task(api, script(web.url("/w")), periodicity=60_000)["id"]
    first = run_of(api.api_task, id_)
    assert (first["status"], first["statusMessage"]) == ("ERROR", "the answer was 503 Service Unavailable")
    assert first["nextRun"] - first["lastRun"] == 60_000
    for runs, wait in (2, 120_000), (3, 240_000):
        api.api_task.run(id_)
        task = run_of(api.api_task, id_, runs)
        assert task["nextRun"] - task["lastRun"] == wait
    web.pages["/w"] = Page(b"down", status=429, headers={"Retry-After": "7200"})
    api.api_task.run(id_)
    task = run_of(api.api_task, id_, 4)
    assert task["nextRun"] - task["lastRun"] == 7_200_000
    web.pages["/w"] = Page(b'{"n": 1}')
    api.api_task.run(id_)
    task = run_of(api.api_task, id_, 5)
    assert task["nextRun"] - task["lastRun"] == 60_000
    assert "statusMessage" not in task
    reports = elems(api, task["reportPath"])
    assert [report["status"] for report in reports] == ["OK", "ERROR", "ERROR", "ERROR", "ERROR"]
    assert reports[1]["message"] == "the answer was 429 Too Many Requests"


@pytest.mark.parametrize(
    ("callback", "reason"),
    [
        ("text => { throw new Error('no'); }", "no"),
        ("text => [{temp: 1}]", "drop 0: "),
        ("text => 3", "drop 0: a drop must be a map"),
    ],
)
def test_a_failing_script(api: API, web: Web, callback: str, reason: str) -> None:
    web.pages["/w"] = Page(b"{}")
    task = run_of(api.api_task, new_task(api, script(web.url("/w"), callback))["id"])
    assert task["status"] == "ERROR"
    assert reason in task["statusMessage"]
    assert elems(api) == []


def test_a_missing_destination(api: API, web: Web) -> None:
    web.pages["/w"] = Page(b'{"n": 1}')
    task = run_of(api.api_task, new_task(api, script(web.url("/w")), destination="/acme/none")["id"])
    assert task["statusMessage"] == "there is no flow /acme/none"


@pytest.mark.parametrize(
    ("source", "body", "expected"),
    [
        ({}, b'[{"a": 1, "b": null}, {"a": 2}]', [{"a": 2}, {"a": 1}]),
        ({"items": "data.rows"}, b'{"data": {"rows": [{"a": 1}]}}', [{"a": 1}]),
        ({"items": "data.rows"}, b"{}", []),
        ({"format": "text"}, b"\xef\xbb\xbfhi", [{"text": "hi"}]),
        (
            {"format": "xml", "items": "s.t"},
            b"<s><t id='1'>a</t><t>b</t></s>",
            [{"text": "b"}, {"@id": "1", "#text": "a"}],
        ),
        (
            {"format": "xml"},
            "<?xml version='1.0' encoding='iso-8859-1'?><a><b>ä</b></a>".encode("latin-1"),
            [{"a": {"b": "ä"}}],
        ),
    ],
)
def test_a_source_without_a_script(
    api: API, web: Web, source: dict[str, Any], body: bytes, expected: list[Any]
) -> None:
    web.pages["/w"] = Page(body)
    source = {"http": {"uri": web.url("/w")}, **source}
    task = run_of(api.api_task, api.api_task.create({"destination": "/acme/x", "source": source})["id"])
    assert elems(api) == expected
    assert task["status"] == ("OK" if expected else "NO_NEW_DATA")


@pytest.mark.parametrize(
    ("form", "body", "reason"),
    [
        ("json", b"<html>", "is no JSON"),
        ("xml", b"{}", "is no XML"),
        ("xml", b"<!DOCTYPE a [<!ENTITY b 'b'>]><a>&b;</a>", "is no XML"),
    ],
)
def test_a_source_of_another_format(api: API, web: Web, form: str, body: bytes, reason: str) -> None:
    web.pages["/w"] = Page(body)
    source = {"http": {"uri": web.url("/w")}, "format": form}
    task = run_of(api.api_task, api.api_task.create({"destination": "/acme/x", "source": source})["id"])
    assert reason in task["statusMessage"]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"source": {}}, "source must say what to fetch"),
        ({"source": {"http": {"url": "x"}}}, "source must say what to fetch"),
        ({"source": {"http": {"uri": "x", "verb": "GET"}}}, "has no member 'verb'"),
        ({"source": {"http": {"uri": "x"}, "form": "xml"}}, "has no member 'form'"),
        ({"source": {"http": {"uri": "x"}, "format": "csv"}}, "source.format must be one of json, xml, text"),
        ({"source": {"http": {"uri": "x"}}, "js": script("x")}, "js or a source, not both"),
    ],
)
def test_bad_sources_are_refused(api: API, members: dict[str, Any], reason: str) -> None:
    with pytest.raises(FlowThingsBadRequest, match=reason):
        api.api_task.create({"destination": "/acme/x", **members})


def test_private_addresses_are_refused(tmp_path: Path, web: Web) -> None:
    with API.embedded(tmp_path / "other", tasks=True) as api:
        api.flow.create({"path": "/acme/x"})
        web.pages["/w"] = Page(b"{}")
        for host in ("127.0.0.1", "localhost", "127.1", "0x7f000001", "[::ffff:127.0.0.1]"):
            task = run_of(api.api_task, new_task(api, script(web.url("/w", host)))["id"])
            refused = "tasks may not connect to", "no address of"  # some resolvers know no 127.1
            assert task["statusMessage"].startswith(refused)
        assert web.asked == []


def test_a_restricted_writer_lends_only_its_own_rights(api: API, web: Web, tmp_path: Path) -> None:
    web.pages["/w"] = Page(b"{}")
    api.flow.create({"path": "/acme/secret"})
    api.drop("/acme/secret").create({"elems": {"code": 7}})
    token = api.token.create({"paths": {"/acme/x": {"administer": True}}})
    restricted = API.embedded(tmp_path / "data")
    restricted.creds = Token("acme", token["tokenString"])
    with restricted:
        read = script(web.url("/w"), "text => Flow.Drop.find('/acme/secret')")
        made = new_task(restricted, read)
        task = run_of(restricted.api_task, made["id"])
        assert "no dropRead right" in task["statusMessage"]
        api.api_task.update({"id": made["id"], "periodicity": 70_000})  # by an editor with all rights
        assert "no dropRead right" in run_of(api.api_task, made["id"], 2)["statusMessage"]
        with pytest.raises(FlowThingsForbidden):
            new_task(restricted, read, destination="/acme/secret")
        # Nor does an editor gain rights by sending the drops of somebody else's script elsewhere.
        api.flow.create({"path": "/acme/x/y"})
        full = new_task(api, read, disabled=True)
        moved = restricted.api_task.update({"id": full["id"], "destination": "/acme/x/y", "disabled": False})
        assert moved["jsRights"] == {"/acme/x": ["administer", "read"]}
        assert "no dropRead right" in run_of(api.api_task, full["id"])["statusMessage"]


def test_one_process_runs_the_tasks_and_another_takes_over(tmp_path: Path, web: Web) -> None:
    web.pages["/w"] = Page(b'{"n": 1}')
    options: dict[str, Any] = {"tasks": True, "task_networks": ["127.0.0.1"]}
    first = API.embedded(tmp_path / "data", **options)
    with API.embedded(tmp_path / "data", **options) as second:
        second.flow.create({"path": "/acme/x"})
        id_ = new_task(second, script(web.url("/w")))["id"]
        run_of(second.api_task, id_)
        first.close()
        second.api_task.run(id_)
        run_of(second.api_task, id_, 2)
    assert len(web.asked) == 2


def test_closing_ends_a_fetch_and_the_task_stays_due(tmp_path: Path, web: Web) -> None:
    options: dict[str, Any] = {"tasks": True, "task_networks": ["127.0.0.1"]}
    web.pages["/w"] = lambda file: until(lambda: is_over)  # sends nothing
    is_over: list[bool] = []
    try:
        with API.embedded(tmp_path / "data", **options) as api:
            api.flow.create({"path": "/acme/x"})
            id_ = new_task(api, script(web.url("/w")))["id"]
            until(lambda: web.asked)
    finally:
        is_over.append(True)
    web.pages["/w"] = Page(b'{"n": 1}')
    with API.embedded(tmp_path / "data", **options) as api:
        assert run_of(api.api_task, id_)["status"] == "OK"
        assert elems(api) == [{"n": 1}]
