"""What every answer has in common, whatever was asked."""

from __future__ import annotations

import gzip
import json
import logging
from typing import Any

import pytest

from flowthings_like.platform.embedded import Platform
from flowthings_like.platform.rest import body

from .harness import Client
from .test_body import Sender


def test_a_success_and_its_envelope(api: Client) -> None:
    reply = api.post("/flow", {"path": "/acme/x"})
    assert reply.status == 201
    assert set(reply.envelope) == {"head", "body"}
    assert reply.head == {
        "status": 201,
        "ok": True,
        "errors": [],
        "messages": ["The request was processed and the resource now exists."],
        "references": {},
    }
    read = api.get("/flow/" + reply.body["id"])
    assert read.head == {"status": 200, "ok": True, "errors": [], "messages": [], "references": {}}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/flow/f1/a/b", 404),
        ("GET", "/flow/f000000000000000000000000", 404),
        ("GET", "/drop/f000000000000000000000000", 404),
        ("GET", "/drop", 400),
        ("GET", "/drop/x", 400),
        ("PATCH", "/flow", 405),
        ("DELETE", "/flow", 405),
        ("GET", "/track/simulate", 405),
        ("POST", "/flow", 400),
        ("MGET", "/flow", 400),
        ("GET", "/flow/%ff", 400),
        ("GET", "/flow?limit=-1", 400),
        ("GET", "/flow?filter=%ff", 400),
        ("POST", "/api-task/simulate", 400),
    ],
)
def test_a_failure_and_its_envelope(api: Client, method: str, path: str, status: int) -> None:
    reply = api(method, path)
    assert reply.error
    assert reply.status == status
    assert ("Allow" in reply.headers) is (status == 405)


def test_405_says_what_the_path_knows(api: Client) -> None:
    allowed = api("PATCH", "/flow").headers["Allow"].split(", ")
    assert set(allowed) == {"GET", "POST", "MGET", "MPUT", "HEAD", "OPTIONS"}
    nobody = api.as_(None)("OPTIONS", "/flow")
    assert nobody.ok() == {}
    assert nobody.headers["Allow"].split(", ") == allowed


def test_head_is_get_without_the_body(api: Client) -> None:
    flow = api.flow("x")
    reply = api("HEAD", f"/flow/{flow['id']}")
    assert (reply.status, reply.content) == (200, b"")
    assert int(reply.headers["Content-Length"]) == len(api.get(f"/flow/{flow['id']}").content)
    assert api("HEAD", "/nothing").status == 404


def test_pretty_answers_are_indented(api: Client) -> None:
    assert b"\n  " in api.get("/flow?pretty=true").content
    assert b"\n" not in api.get("/flow?pretty=false").content
    assert b"\n  " in api.get("/nothing?pretty=true").content


def test_trailing_slashes_unknown_parameters_and_content_types_do_not_matter(api: Client) -> None:
    body = json.dumps({"path": "/acme/x"}).encode()
    flow = api("POST", "/flow///?invalid=param", body, CONTENT_TYPE="application/x-www-form-urlencoded").ok(
        201
    )
    assert api.get(f"/flow/{flow['id']}/?nonsense").ok() == flow
    assert api("DELETE", f"/flow/{flow['id']}/", {"ignored": 1}).ok() == {}


def test_packed_bodies_are_read(api: Client) -> None:
    body = gzip.compress(json.dumps({"path": "/acme/x"}).encode())
    assert api("POST", "/flow", body, HTTP_CONTENT_ENCODING="gzip").ok(201)["path"] == "/acme/x"


def test_a_body_that_is_not_json_changes_nothing(api: Client) -> None:
    assert "line 1, column 9" in api("POST", "/flow", b'{"path":/acme/x}').error
    assert api.get("/flow").ok() == []


def test_a_body_that_is_too_large_is_read_to_its_end_and_refused(api: Client) -> None:
    sender = Sender(100 * 1024 * 1024)
    reply = api("POST", "/flow", **{"CONTENT_LENGTH": str(sender.left), "wsgi.input": sender})
    assert reply.status == 413
    assert f"the limit is {body.LIMIT} bytes" in reply.error
    assert sender.left == 0


class TestPackedReplies:
    @pytest.fixture
    def outside(self, platform: Platform, api: Client) -> Client:
        """A caller who is not in this process."""
        for index in range(20):
            api.flow(f"flow{index}", description="all work and no play " * 5)
        return api.as_(platform.accounts.new_master("acme"))

    def test_large_ones_are_compressed_if_the_client_accepts_gzip(self, outside: Client) -> None:
        plain = outside.get("/flow")
        packed = outside.get("/flow", HTTP_ACCEPT_ENCODING="deflate, gzip;q=0.5")
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers["Vary"] == "Accept-Encoding"
        assert gzip.decompress(packed.content) == plain.content
        assert len(packed.content) < len(plain.content) / 2

    @pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "deflate, gzip; q=0.0, br"])
    def test_they_are_not_if_it_does_not(self, outside: Client, accepted: str) -> None:
        assert "Content-Encoding" not in outside.get("/flow", HTTP_ACCEPT_ENCODING=accepted).headers

    def test_not_small_ones(self, outside: Client) -> None:
        reply = outside.get("/flow?limit=1", HTTP_ACCEPT_ENCODING="gzip")
        assert "Content-Encoding" not in reply.headers

    def test_not_within_the_process(self, outside: Client, api: Client) -> None:
        assert "Content-Encoding" not in api.get("/flow", HTTP_ACCEPT_ENCODING="gzip").headers

    def test_very_large_ones(self, outside: Client, api: Client) -> None:
        api.flow("wide")
        api.post("/drop/%2Facme%2Fwide", [{"elems": {"x": "y" * 1000, "n": n}} for n in range(400)]).ok(201)
        packed = outside.get("/drop?path=/acme/wide&limit=400", HTTP_ACCEPT_ENCODING="gzip")
        assert len(gzip.decompress(packed.content)) > 256 * 1024
        assert len(packed.ok()) == 400


def test_a_fault_of_the_program_is_logged_and_not_shown(
    api: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a private detail")

    monkeypatch.setattr(platform.store, "read", broken)
    reply = api.get("/flow")
    assert reply.status == 500
    assert "private" not in reply.error
    assert "a private detail" in caplog.text
    assert platform.token not in caplog.text


def test_requests_are_logged_without_tokens_and_bodies(
    api: Client, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="flowthings_like.platform"):
        token = api.post("/token", {"paths": {"/acme/x": {"dropRead": True}}, "description": "hush"}).ok(201)
        api.get("/nothing?x=hush")
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("POST /v4.0/acme/token 201 ")
    assert second.startswith("GET /v4.0/acme/nothing 404 ")
    assert first.endswith(" ms")
    for secret in (token["tokenString"], platform.token, "hush"):
        assert secret not in caplog.text


class TestWhoComesIn:
    def test_a_token_is_needed(self, api: Client) -> None:
        reply = api.as_(None).get("/flow")
        assert reply.status == 401
        assert "X-Auth-Token" in reply.error
        assert "WWW-Authenticate" in reply.headers

    @pytest.mark.parametrize("token", ["wrong", "x" * 32, "ä"])
    def test_it_must_be_a_known_one(self, api: Client, token: str) -> None:
        assert api.as_(token).get("/flow").status == 403

    def test_it_must_be_the_accounts(self, api: Client, platform: Platform) -> None:
        platform.accounts.ensure("other")
        token = platform.accounts.new_master("other")
        assert api.as_(token).get("/flow").status == 403
        assert api.as_(token, "other").get("/flow").ok() == []
        assert api.as_(token, "nobody").get("/flow").status == 403
        assert api.as_(platform.token, "other").get("/flow").status == 403

    def test_the_account_header_may_be_given_and_must_then_agree(self, api: Client) -> None:
        assert api.get("/flow", HTTP_X_AUTH_ACCOUNT="acme").ok() == []
        assert "'other'" in api.get("/flow", HTTP_X_AUTH_ACCOUNT="other").error

    def test_a_new_master_token_replaces_the_old_one(self, api: Client, platform: Platform) -> None:
        old = api.as_(platform.accounts.first_master("acme"))
        assert old.token is not None
        assert len(old.token) == 32
        assert platform.accounts.first_master("acme") is None
        old.get("/flow").ok()
        new = api.as_(platform.accounts.new_master("acme"))
        new.get("/flow").ok()
        assert old.get("/flow").status == 403

    @pytest.mark.sqlite("looks into the file of the database")
    def test_no_token_is_stored(self, api: Client, platform: Platform, tmp_path: Any) -> None:
        master = platform.accounts.new_master("acme")
        restricted = api.post("/token", {"paths": {"/acme/x": {"dropRead": True}}}).ok(201)["tokenString"]
        platform.close()
        stored = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())
        assert b"acme" in stored
        for secret in (master, restricted, platform.token):
            assert secret.encode() not in stored
