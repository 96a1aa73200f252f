"""Random live messages: each gets one reply with its `msgId`, and none makes the platform fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowthings_like.platform import problems
from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.live.session import Session
from flowthings_like.platform.resources.base import registry
from tests.platform.rest.harness import client_of
from tests.platform.vocabulary import TEXTS, assert_no_failure, json_text, values

pytestmark = [pytest.mark.once, pytest.mark.exhaustive]

TYPES = ["create", "find", "findmany", "update", "delete", "subscribe", "unsubscribe", "heartbeat", "other"]
OBJECTS = ["drop", *(name.replace("-", "_") for name in registry.resources()), "statistics", "nothing", "a/b"]
STATUSES = {200, 201} | {
    kind.status
    for kind in vars(problems).values()
    if isinstance(kind, type) and issubclass(kind, problems.Problem) and kind is not problems.Problem
}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with open_platform(tmp_path / "data", "acme") as opened:
        yield opened


@pytest.fixture
def ids(platform: Platform) -> list[str]:
    api = client_of(platform)
    flow = api.flow("a")["id"]
    drops = [api.post(f"/drop/{flow}", {"elems": {"temp": n}}).ok(201)["id"] for n in range(3)]
    return [flow, *drops, api.flow("b")["id"], "/acme/a"]


def opened(platform: Platform) -> Session:
    live = platform.front.live
    return live.open(live.new_session_id(platform.token, "acme"))


def messages(ids: list[str]) -> st.SearchStrategy[bytes]:
    anything = values(ids)
    name = st.sampled_from([*ids, *TEXTS])
    since = st.sampled_from(
        ["now", "start", {"time": 0}, {"drop": ids[1]}, {"cursor": "1.1"}, {"cursor": ""}]
    )
    message = st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES) | anything},
        optional={
            "msgId": anything,
            "object": st.sampled_from(OBJECTS) | anything,
            "id": name | st.lists(name, max_size=3) | anything,
            "flowId": name | anything,
            "path": name | anything,
            "value": st.fixed_dictionaries({"elems": anything, "path": name}) | anything,
            "options": st.dictionaries(st.sampled_from(["limit", "skip", "filter", "sort", "only"]), anything)
            | anything,
            "since": since | anything,
            "filter": name | anything,
            "hints": anything,
        },
    )
    return message.map(json_text) | anything.map(json_text) | st.binary(max_size=30)


def replies(session: Session) -> list[Any]:
    """What the session sends now, without pushes."""
    texts = [json.loads(text) for batch in session.outgoing.take() for text in batch.texts]
    return [text for text in texts if text.get("type") != "message"]


def fuzz(platform: Platform, ids: list[str], caplog: pytest.LogCaptureFixture, most: int) -> None:
    @settings(max_examples=most)
    @given(st.lists(messages(ids), min_size=1, max_size=8))
    @example([b""])
    @example([b"[" * 100_000])
    @example([b'{"type": "find", "msgId": 1, "object": "drop", "id": {}}'])
    def one(texts: list[bytes]) -> None:
        session = opened(platform)
        try:
            for text in texts:
                session.receive(text)
                found = replies(session)
                assert_no_failure(caplog)
                if found:
                    (reply,) = found
                    assert reply["head"]["status"] in STATUSES, (text, reply)
                    assert reply["head"]["ok"] is (reply["head"]["status"] < 400)
                else:
                    assert json.loads(text)["type"] == "heartbeat"
                session.output(0)
        finally:
            session.close()

    one()


def test_messages(platform: Platform, ids: list[str], caplog: pytest.LogCaptureFixture) -> None:
    fuzz(platform, ids, caplog, 200)


@pytest.mark.long
def test_many_messages(platform: Platform, ids: list[str], caplog: pytest.LogCaptureFixture) -> None:
    fuzz(platform, ids, caplog, 20_000)


def test_a_request_without_an_answer_is_noticed(platform: Platform) -> None:
    session = opened(platform)
    session.receive(b'{"type": "find", "msgId": 7, "object": "flow"}')
    (reply,) = replies(session)
    assert (reply["head"]["msgId"], reply["head"]["status"]) == (7, 400)
