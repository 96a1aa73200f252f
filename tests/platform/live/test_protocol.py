"""Live messages as any client speaks them: over sockets, without this library's client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket

from flowthings_like import API
from flowthings_like.platform.live import front, outgoing, session, session_ids, sockets
from flowthings_like.testing.server import Server

from .harness import PATIENCE, Wire, new_session, wire


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as started:
        yield started


@pytest.fixture
def url(server: Server) -> str:
    return f"http://{server.address}"


@pytest.fixture
def api(server: Server) -> Iterator[API]:
    with server.api() as made:
        yield made


@pytest.fixture
def flow(api: API) -> str:
    return str(api.flow.create({"path": "/acme/a"})["id"])


@pytest.fixture
def client(url: str, server: Server) -> Iterator[Wire]:
    with wire(url, server.token) as opened:
        yield opened


def create(api: API, flow: str, *numbers: int) -> None:
    for n in numbers:
        api.drop(flow).create({"elems": {"n": n}})


# Sessions


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-Auth-Account": "acme"}, 401),
        ({"X-Auth-Token": "TOKEN"}, 401),
        ({"X-Auth-Token": "wrong", "X-Auth-Account": "acme"}, 403),
        ({"X-Auth-Token": "TOKEN", "X-Auth-Account": "other"}, 403),
        ({"X-Auth-Token": "TOKEN", "X-Auth-Account": "acme"}, 201),
    ],
)
def test_a_session_needs_both_headers(url: str, server: Server, headers: dict[str, str], status: int) -> None:
    headers = {name: server.token if value == "TOKEN" else value for name, value in headers.items()}
    for path in ("/session", "/session/"):
        answer = requests.post(url + path, headers=headers, timeout=PATIENCE)
        assert (answer.status_code, answer.json()["head"]["status"]) == (status, status)
        assert bool(answer.json()["head"]["errors"]) == (status != 201)


def test_a_session_id_is_url_safe_has_dots_and_no_secret(url: str, server: Server) -> None:
    found = new_session(url, server.token)
    assert "." in found
    assert found == requests.utils.quote(found, safe="")
    assert server.token not in found


def test_a_changed_session_id_opens_nothing(url: str, server: Server) -> None:
    account, home, name, expiry, nonce, signature = new_session(url, server.token).split(".")
    for parts in (
        ("other", home, name, expiry, nonce, signature),
        (account, home, "master", expiry, nonce, signature),
        (account, home, name, str(int(expiry) + 1), nonce, signature),
        (account, home, name, expiry, nonce, signature[:-1]),
        ("x",),
        ("A", home, name, expiry, nonce, signature),
    ):
        answer = requests.get(f"{url}/session/{'.'.join(parts)}/polling?path=/acme/a", timeout=PATIENCE)
        assert answer.status_code in (400, 403), answer.text


def test_a_session_expires(url: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_ids, "VALID", -1)
    answer = requests.get(f"{url}/session/{new_session(url, server.token)}/polling", timeout=PATIENCE)
    assert answer.status_code == 403
    assert "expired" in answer.text


def test_the_session_of_a_deleted_token_opens_nothing(url: str, api: API, flow: str) -> None:
    token = api.token.create({"paths": {"/acme/a": {"dropRead": True}}})
    found = new_session(url, token["tokenString"])
    api.token.delete(token["id"])
    answer = requests.get(f"{url}/session/{found}/polling?flowId={flow}", timeout=PATIENCE)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/session", 405),
        ("POST", "/session/ID/ws", 405),
        ("GET", "/session/ID", 404),
        ("GET", "/session/ID/other", 404),
        ("GET", "/session/ID/ws", 400),
        ("GET", "/session/ID/polling", 400),
        ("GET", "/session/ID/polling?path=/acme/none", 404),
        ("GET", "/session/ID/polling?path=/acme/a&since=then", 400),
        ("GET", "/session/ID/polling?path=/acme/a&filter=n+%3E", 400),
        ("GET", "/session/ID/streaming?path=/acme/a&wait=long", 400),
    ],
)
def test_what_is_not_there(url: str, server: Server, flow: str, method: str, path: str, status: int) -> None:
    path = path.replace("ID", new_session(url, server.token))
    answer = requests.request(method, url + path, timeout=PATIENCE)
    assert answer.status_code == status, answer.text
    assert answer.json()["head"]["errors"]


# The WebSocket


@pytest.mark.parametrize("message_id", [0, 7, "7", "text", None])
def test_a_reply_repeats_the_msg_id_with_its_type(client: Wire, flow: str, message_id: Any) -> None:
    found = client.ask(msgId=message_id, object="drop", type="subscribe", flowId=flow)
    head = found["head"]
    assert head["msgId"] == message_id
    assert type(head["msgId"]) is type(message_id)
    assert (head["status"], head["ok"], head["errors"], found["body"]) == (200, True, [], {})
    assert head["messages"]


def test_a_request_without_a_msg_id_is_answered_with_null(client: Wire, flow: str) -> None:
    assert client.ask(object="drop", type="subscribe", flowId=flow)["head"]["msgId"] is None


def test_pushes_name_what_was_subscribed_to_and_hold_path_and_flow(client: Wire, api: API, flow: str) -> None:
    client.subscribe(flow)
    client.subscribe("/acme/a")
    create(api, flow, 1)
    found = [client.hear(), client.hear()]
    assert sorted(each["resource"] for each in found) == sorted([flow, "/acme/a"])
    for each in found:
        assert each.keys() == {"type", "resource", "value"}
        assert each["type"] == "message"
        value = each["value"]
        assert (value["path"], value["flowId"], value["elems"]) == ("/acme/a", flow, {"n": 1})


def test_heartbeats_get_no_reply_and_pings_their_pong(client: Wire, flow: str) -> None:
    client.say(type="heartbeat")
    client.socket.ping('{"type":"heartbeat"}')
    assert client.socket.recv_data(control_frame=True) == (
        websocket.ABNF.OPCODE_PONG,
        b'{"type":"heartbeat"}',
    )
    client.subscribe(flow)


def test_messages_in_bytes_and_in_fragments(client: Wire, flow: str) -> None:
    text = json.dumps({"msgId": "ä", "object": "drop", "type": "subscribe", "flowId": flow}).encode()
    client.socket.send_binary(text)
    assert client.hear()["head"]["ok"]
    for start in range(0, len(text), 7):
        is_last = start + 7 >= len(text)
        opcode = websocket.ABNF.OPCODE_TEXT if start == 0 else websocket.ABNF.OPCODE_CONT
        client.socket.send_frame(websocket.ABNF(int(is_last), 0, 0, 0, opcode, 1, text[start : start + 7]))
    assert client.hear()["head"]["msgId"] == "ä"


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ({"object": "drop", "type": "subscribe", "flowId": "f" + "0" * 24}, 404),
        ({"object": "drop", "type": "subscribe", "flowId": "nonsense"}, 400),
        ({"object": "drop", "type": "subscribe"}, 400),
        ({"object": "flow", "type": "subscribe", "id": "f" + "0" * 24}, 400),
        ({"object": "drop", "type": "subscribe", "path": "/acme/a", "filter": 5}, 400),
        ({"object": "drop", "type": "subscribe", "path": "/acme/a", "since": "then"}, 400),
        ({"object": "drop", "type": "subscribe", "path": "/acme/a", "since": {"drop": "x"}}, 400),
        ({"object": "drop", "type": "create", "path": "/acme/a", "value": {}}, 400),
        ({"object": "drop", "type": "find", "path": "/acme/a"}, 400),
        ({"object": "drop", "type": "find", "path": "/acme/a", "id": "d" + "0" * 24}, 404),
        ({"object": "drop", "type": "findmany", "path": "/acme/a", "options": {"limit": "many"}}, 400),
        ({"object": "drop", "type": "findmany", "path": "/acme/a", "options": []}, 400),
        ({"object": "nothing", "type": "findmany"}, 404),
        ({"object": 5, "type": "findmany"}, 400),
        ({"object": "drop", "type": "drop"}, 400),
        ({}, 400),
    ],
)
def test_what_is_refused_has_an_error_and_the_session_goes_on(
    client: Wire, flow: str, message: dict[str, Any], status: int
) -> None:
    head = client.ask(msgId=9, **message)["head"]
    assert (head["status"], head["ok"], head["msgId"]) == (status, False, 9)
    assert len(head["errors"]) >= 1
    client.subscribe(flow)


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", '"x"', "[" * 100_000])
def test_what_is_no_message_is_refused_and_the_session_goes_on(client: Wire, flow: str, text: str) -> None:
    client.socket.send(text)
    assert client.hear()["head"]["status"] == 400
    client.subscribe(flow)


def test_a_find_over_the_socket_is_like_one_over_http(client: Wire, api: API, flow: str) -> None:
    create(api, flow, 1, 2, 3)
    found = client.ask(
        msgId=1, object="drop", type="findmany", flowId=flow, options={"limit": 2, "hints": True}
    )
    assert [drop["elems"]["n"] for drop in found["body"]] == [
        {"type": "integer", "value": 3},
        {"type": "integer", "value": 2},
    ]


def test_a_repeated_subscription_replaces_the_earlier_one(client: Wire, api: API, flow: str) -> None:
    client.subscribe(flow)
    client.subscribe(flow, filter="n > 1")
    create(api, flow, 1, 2)
    assert client.hear()["value"]["elems"] == {"n": 2}


def test_a_session_has_so_many_subscriptions(
    client: Wire, api: API, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MOST_SUBSCRIPTIONS", 1)
    client.subscribe(flow)
    client.subscribe(flow)
    assert client.ask(msgId=1, object="drop", type="subscribe", path="/acme/a")["head"]["status"] == 429


def test_a_message_that_is_too_long_ends_the_session(client: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "MAX_MESSAGE", 1000)
    client.socket.send("x" * 1001)
    assert client.ending() == (1009, "a message of more than 1000 bytes")


def test_what_is_no_frame_ends_the_session(client: Wire) -> None:
    client.socket.sock.sendall(b"\x8f\x80abcd")
    code, reason = client.ending()
    assert (code, "no WebSocket" in reason) == (1002, True)


def test_a_close_is_answered(client: Wire) -> None:
    client.socket.send_close()
    assert client.ending()[0] == 1000


def test_a_silent_client_is_cut_off_and_one_with_heartbeats_is_not(
    url: str, server: Server, api: API, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "STALL", 0.05)
    monkeypatch.setattr(sockets, "IDLE", 0.5)
    with wire(url, server.token) as silent, wire(url, server.token) as alive:
        alive.socket.settimeout(0.1)
        silent.socket.settimeout(0.001)
        code = None
        while code is None:
            alive.say(type="heartbeat")
            try:
                code, _ = silent.socket.recv_data(control_frame=True)
            except websocket.WebSocketTimeoutException:
                continue
        assert code == websocket.ABNF.OPCODE_CLOSE
        alive.socket.settimeout(PATIENCE)
        alive.subscribe(flow)


def test_a_client_that_does_not_read_is_cut_off_and_others_are_not(
    url: str, server: Server, api: API, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = api.flow.create({"path": "/acme/large", "capacity": 5})["id"]
    monkeypatch.setattr(outgoing, "MAX_UNSENT", 2 << 20)
    with wire(url, server.token) as lazy, wire(url, server.token) as eager:
        lazy.subscribe(flow)
        eager.subscribe(flow)
        text = "x" * 500_000
        for n in range(40):  # 20 MB, and no kernel keeps that much for a socket
            api.drop(flow).create({"elems": {"n": n, "text": text}})
            assert eager.hear()["value"]["elems"]["n"] == n
        received = 0
        lazy.socket.settimeout(PATIENCE)
        try:
            while True:
                received += len(lazy.socket.recv())
        except (OSError, websocket.WebSocketException):
            pass
        assert received < 40 * len(text)


def test_the_right_is_looked_at_with_every_push(url: str, api: API, flow: str) -> None:
    token = api.token.create({"paths": {"/acme/a": {"dropRead": True}}})
    with wire(url, token["tokenString"]) as client:
        client.subscribe(flow)
        create(api, flow, 1)
        assert client.hear()["value"]["elems"] == {"n": 1}
        api.token.delete(token["id"])
        create(api, flow, 2)
        found = client.hear()
        assert (found["head"]["status"], found["head"]["msgId"]) == (403, None)
        assert "has ended" in found["head"]["errors"][0]


def test_a_restricted_token_gets_no_more_over_the_socket_than_over_http(
    url: str, api: API, flow: str
) -> None:
    api.flow.create({"path": "/acme/b"})
    token = api.token.create({"paths": {"/acme/a": {"dropRead": True}}})
    with wire(url, token["tokenString"]) as client:
        for message in (
            {"object": "drop", "type": "subscribe", "path": "/acme/b"},
            {"object": "drop", "type": "findmany", "path": "/acme/b"},
            {"object": "drop", "type": "create", "path": "/acme/a", "value": {"elems": {"n": 1}}},
            {"object": "flow", "type": "create", "value": {"path": "/acme/a/c"}},
            {"object": "token", "type": "create", "value": {"paths": {"/acme": {"dropRead": True}}}},
        ):
            assert client.ask(msgId=1, **message)["head"]["status"] == 403, message


# Polls and streams


def poll(url: str, session_id: str, **params: Any) -> list[Any]:
    answer = requests.get(f"{url}/session/{session_id}/polling", params=params, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["body"])


def test_polls_go_on_where_the_last_one_ended(url: str, server: Server, api: API, flow: str) -> None:
    session_id = new_session(url, server.token)
    assert poll(url, session_id, flowId=flow, wait=0.05) == []
    create(api, flow, 1, 2)
    found = poll(url, session_id, flowId=flow, since="start", filter="n > 0")
    assert [each["value"]["elems"]["n"] for each in found] == [1, 2]
    create(api, flow, 3)
    (third,) = poll(url, session_id, path="/acme/a", since=found[-1]["cursor"])
    assert third["value"]["elems"] == {"n": 3}
    assert poll(url, session_id, flowId=flow, since=third["cursor"], wait=0.05) == []
    since = third["value"]["creationDate"]
    assert poll(url, session_id, flowId=flow, since=since)[-1]["value"] == third["value"]
    assert poll(url, session_id, flowId=flow, since=found[0]["value"]["id"])[-1]["value"] == third["value"]


def test_a_stream_has_a_push_in_each_line_and_heartbeats(
    url: str, server: Server, api: API, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "STREAM_HEARTBEAT", 0.05)
    place = f"{url}/session/{new_session(url, server.token)}/streaming"
    create(api, flow, 1)
    params = {"flowId": flow, "since": "start"}
    with requests.get(place, params=params, stream=True, timeout=PATIENCE) as answer:
        lines = answer.iter_lines(chunk_size=1)
        assert json.loads(next(lines))["value"]["elems"] == {"n": 1}
        assert json.loads(next(lines)) == {"type": "heartbeat"}
        create(api, flow, 2)
        found = json.loads(next(lines))
        while found == {"type": "heartbeat"}:
            found = json.loads(next(lines))
        assert found["value"]["elems"] == {"n": 2}
