"""Restricted tokens and shares: what each caller may do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.resources.access import accounts, expiry

from ..harness import until
from .harness import Client, client_of


@pytest.fixture
def flows(api: Client) -> dict[str, Any]:
    """In /acme: weather, weather/jfk, weatherman and secret, a drop in each."""
    made = {name: api.flow(name) for name in ("weather", "weather/jfk", "weatherman", "secret")}
    for flow in made.values():
        api.post(f"/drop/{flow['id']}", {"elems": {"a": 1}}).ok(201)
    return made


def token(api: Client, **permissions: bool) -> Client:
    """A caller with these permissions at /acme/weather."""
    created = api.post("/token", {"paths": {"/acme/weather": permissions}}).ok(201)
    return api.as_(created["tokenString"])


def statuses(caller: Client, flows: dict[str, Any], method: str, body: Any = None) -> dict[str, int]:
    return {name: caller(method, f"/drop/{flow['id']}", body).status for name, flow in flows.items()}


WITHIN = {"weather", "weather/jfk"}


def reached(statuses: dict[str, int], good: int, hidden: int = 403) -> set[str]:
    assert set(statuses.values()) <= {good, hidden}
    return {name for name, status in statuses.items() if status == good}


class TestTokens:
    def test_reading_drops(self, api: Client, flows: Any) -> None:
        caller = token(api, dropRead=True)
        assert reached(statuses(caller, flows, "GET"), 200) == WITHIN
        assert reached(statuses(caller, flows, "POST", {"elems": {"a": 2}}), 201) == set()
        assert reached(statuses(caller, flows, "DELETE"), 200) == set()

    def test_writing_drops(self, api: Client, flows: Any) -> None:
        caller = token(api, dropWrite=True, dropRead=False)
        assert reached(statuses(caller, flows, "GET"), 200) == set()
        assert reached(statuses(caller, flows, "POST", {"elems": {"a": 2}}), 201) == WITHIN
        assert reached(statuses(caller, flows, "POST", [{"elems": {"a": 2}}]), 201) == WITHIN

    def test_objects_beneath_can_be_read_and_not_written(self, api: Client, flows: Any) -> None:
        track = {"source": "/acme/weather", "destination": "/acme/weather/jfk", "disabled": True}
        stored = api.post("/track", track).ok(201)
        hidden = api.post("/track", {**track, "source": "/acme/secret"}).ok(201)
        caller = token(api, dropRead=True, dropWrite=True)
        assert {flow["path"] for flow in caller.get("/flow").ok()} == {"/acme/weather", "/acme/weather/jfk"}
        assert caller.get("/track").ok() == [stored]
        assert caller.get(f"/track/{stored['id']}").ok() == stored
        assert caller.get(f"/track/{hidden['id']}").status == 403
        assert caller.get(f"/flow/{flows['secret']['id']}").status == 403
        every = [flow["id"] for flow in flows.values()]
        assert set(caller("MGET", "/flow", every).ok()) == {flows[name]["id"] for name in WITHIN}
        assert caller.post("/flow", {"path": "/acme/weather/lga"}).status == 403
        assert caller.put(f"/flow/{flows['weather']['id']}", {"capacity": 1}).status == 403
        assert caller.delete(f"/flow/{flows['weather']['id']}").status == 403
        assert caller.post("/track", track).status == 403

    def test_the_case_of_a_path_matters(self, api: Client, flows: Any) -> None:
        api.flow("Weather")
        api.flow("WEATHER/jfk")
        caller = token(api, dropRead=True)
        assert {flow["path"] for flow in caller.get("/flow").ok()} == {"/acme/weather", "/acme/weather/jfk"}

    def test_pages_are_cut_from_what_may_be_seen(self, api: Client, flows: Any) -> None:
        caller = token(api, dropRead=True)
        assert [flow["path"] for flow in caller.get("/flow?limit=1&start=1").ok()] == ["/acme/weather"]

    def test_administering(self, api: Client, flows: Any) -> None:
        caller = token(api, administer=True)
        assert reached(statuses(caller, flows, "GET"), 200) == WITHIN
        caller.post("/flow", {"path": "/acme/weather/lga"}).ok(201)
        assert caller.post("/flow", {"path": "/acme/other"}).status == 403
        assert caller.post("/flow", {"path": "/acme/weathers"}).status == 403
        caller.put(f"/flow/{flows['weather']['id']}", {"capacity": 1}).ok()
        caller.post("/track", {"source": "/acme/weather", "destination": "/acme/weather/jfk"}).ok(201)
        for source, destination in (("secret", "weather"), ("weather", "secret")):
            track = {"source": f"/acme/{source}", "destination": f"/acme/{destination}"}
            assert caller.post("/track", track).status == 403

    def test_rights_can_be_handed_on_but_not_made(self, api: Client, flows: Any) -> None:
        beneath = {"paths": {"/acme/weather/jfk": {"dropRead": True}}}
        beyond = {"paths": {"/acme/weather": {"dropRead": True}, "/acme/secret": {"dropRead": True}}}
        administrator = token(api, administer=True)
        passed_on = administrator.post("/token", beneath).ok(201)
        assert reached(statuses(api.as_(passed_on["tokenString"]), flows, "GET"), 200) == {"weather/jfk"}
        assert administrator.post("/token", beyond).status == 403
        assert administrator.post("/token", {"paths": {"/acme": {"dropRead": True}}}).status == 403
        writer = token(api, dropRead=True, dropWrite=True)
        assert writer.post("/token", beneath).status == 403
        assert writer.delete(f"/token/{passed_on['id']}").status == 403
        assert writer.post("/share", {"issuedTo": "i" + "0" * 24, **beneath}).status == 403

    def test_a_token_reads_itself(self, api: Client, flows: Any) -> None:
        api.post("/token", {"paths": {"/acme/secret": {"dropRead": True}}}).ok(201)
        body = {"paths": {"/acme/weather": {"dropRead": True}}, "duration": 60_000}
        created = api.post("/token", body).ok(201)
        caller = api.as_(created["tokenString"])
        (found,) = caller.get("/token").ok()
        assert found["id"] == created["id"]
        assert 0 < found["expiresInMs"] <= 60_000
        assert caller.get(f"/token/{created['id']}").ok()["paths"] == created["paths"]

    def test_what_lies_at_no_path_is_the_masters(self, api: Client, flows: Any) -> None:
        group = api.post("/group", {"memberIds": []}).ok(201)
        caller = token(api, administer=True)
        assert caller.get("/group").ok() == []
        assert caller.get(f"/group/{group['id']}").status == 403
        assert caller.post("/group", {"memberIds": []}).status == 403
        assert len(caller.get("/identity").ok()) == 1
        me = caller.get("/identity").ok()[0]
        assert caller.put(f"/identity/{me['id']}", {"email": "x@example.com"}).status == 403

    def test_the_whole_account(self, api: Client, flows: Any) -> None:
        created = api.post("/token", {"paths": {"/acme/": {"dropRead": True}}}).ok(201)
        assert reached(statuses(api.as_(created["tokenString"]), flows, "GET"), 200) == set(flows)

    def test_deleting_one_revokes_it_at_once(self, api: Client, flows: Any) -> None:
        created = api.post("/token", {"paths": {"/acme/weather": {"dropRead": True}}}).ok(201)
        caller = api.as_(created["tokenString"])
        caller.get("/flow").ok()
        api.delete(f"/token/{created['id']}").ok()
        assert caller.get("/flow").status == 403

    def test_it_expires(self, api: Client, flows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        body = {"paths": {"/acme/weather": {"dropRead": True}}, "duration": 60_000}
        created = api.post("/token", body).ok(201)
        caller = api.as_(created["tokenString"])
        caller.get("/flow").ok()
        later = created["creationDate"] + 60_000
        monkeypatch.setattr(expiry.ids, "now_ms", lambda: later)
        monkeypatch.setattr(accounts, "_MAX_AGE", -1.0)  # nothing is remembered
        api.as_("x").get("/flow")
        caller.application._accounts.invalidate()
        assert "expired" in caller.get("/flow").error
        assert api.get(f"/token/{created['id']}").ok()["expiresInMs"] == 0

    def test_it_is_worth_nothing_elsewhere(self, api: Client, platform: Platform, flows: Any) -> None:
        platform.accounts.ensure("other")
        caller = token(api, administer=True)
        assert caller.as_(caller.token, "other").get("/flow").status == 403


class TestShares:
    @pytest.fixture
    def other(self, api: Client, platform: Platform) -> Client:
        """The account `other`, asking about /acme."""
        platform.accounts.ensure("other")
        return api.as_(platform.accounts.new_master("other"))

    @pytest.fixture
    def theirs(self, other: Client) -> str:
        """The identity of `other`."""
        return str(other.as_(other.token, "other").get("/identity").ok()[0]["id"])

    def test_nothing_is_shared_unasked(self, other: Client, flows: Any) -> None:
        assert other.get("/flow").status == 403

    def test_rights_add_up_over_shares(self, api: Client, other: Client, theirs: str, flows: Any) -> None:
        api.post("/share", {"issuedTo": theirs, "paths": {"/acme/weather": {"dropRead": True}}}).ok(201)
        assert reached(statuses(other, flows, "GET"), 200, 404) == WITHIN
        assert other.get("/flow").ok() == []
        paths = {"/acme/weather/jfk": {"read": True, "dropWrite": True}}
        api.post("/share", {"issuedTo": theirs, "paths": paths}).ok(201)
        assert reached(statuses(other, flows, "GET"), 200, 404) == WITHIN
        posted = statuses(other, flows, "POST", {"elems": {"a": 2}})
        assert posted == {"weather": 403, "weather/jfk": 201, "weatherman": 404, "secret": 404}
        assert [flow["path"] for flow in other.get("/flow").ok()] == ["/acme/weather/jfk"]
        newest = api.get(f"/drop/{flows['weather/jfk']['id']}?limit=1&refs=1")
        assert newest.body[0]["creatorId"] == theirs
        assert newest.head["references"]["identity"] == {theirs: {"id": theirs, "name": "other"}}

    def test_writing_objects(self, api: Client, other: Client, theirs: str, flows: Any) -> None:
        paths = {"/acme/weather": {"read": True, "write": True}}
        api.post("/share", {"issuedTo": theirs, "paths": paths}).ok(201)
        other.post("/flow", {"path": "/acme/weather/lga"}).ok(201)
        assert other.post("/flow", {"path": "/acme/x"}).status == 403
        assert other.post("/share", {"issuedTo": "i" + "0" * 24, "paths": paths}).status == 403

    def test_groups_have_members(self, api: Client, other: Client, theirs: str, flows: Any) -> None:
        group = api.post("/group", {"memberIds": [theirs]}).ok(201)
        api.post("/share", {"issuedTo": group["id"], "paths": {"/acme/weather": {"dropRead": True}}}).ok(201)
        assert reached(statuses(other, flows, "GET"), 200, 404) == WITHIN
        api.put(f"/group/{group['id']}", {"memberIds": []}).ok()
        assert reached(statuses(other, flows, "GET"), 200) == set()

    def test_deleting_one_ends_it(self, api: Client, other: Client, theirs: str, flows: Any) -> None:
        share = api.post("/share", {"issuedTo": theirs, "paths": {"/acme": {"dropRead": True}}}).ok(201)
        assert reached(statuses(other, flows, "GET"), 200) == set(flows)
        api.delete(f"/share/{share['id']}").ok()
        assert reached(statuses(other, flows, "GET"), 200) == set()

    def test_references_do_not_show_what_may_not_be_read(
        self, api: Client, other: Client, theirs: str, flows: Any
    ) -> None:
        api.post("/share", {"issuedTo": theirs, "paths": {"/acme/weather": {"dropRead": True}}}).ok(201)
        (me,) = api.get("/identity").ok()
        api.put(f"/identity/{me['id']}", {"email": "private@example.com"}).ok()
        reply = other.get(f"/drop/{flows['weather']['id']}?refs=1")
        assert "flow" not in reply.head["references"]

    def test_references_show_guests_the_public_part_of_an_identity(
        self, api: Client, other: Client, theirs: str, flows: Any
    ) -> None:
        api.post("/share", {"issuedTo": theirs, "paths": {"/acme/weather": {"dropRead": True}}}).ok(201)
        (me,) = api.get("/identity").ok()
        api.put(f"/identity/{me['id']}", {"email": "private@example.com", "displayName": "A"}).ok()
        place = f"/drop/{flows['weather']['id']}?refs=1"
        shown = {"id": me["id"], "name": "acme", "displayName": "A"}
        assert other.get(place).head["references"]["identity"] == {me["id"]: shown}
        assert api.get(place).head["references"]["identity"][me["id"]]["email"] == "private@example.com"

    def test_a_request_in_the_callers_own_account_is_told_where_to_ask(
        self, api: Client, other: Client, theirs: str, flows: Any
    ) -> None:
        at_home = other.as_(other.token, "other")
        weather, secret = flows["weather"]["id"], flows["secret"]["id"]
        assert at_home.get(f"/drop/{weather}").status == 404
        paths = {"/acme/weather": {"dropRead": True, "read": True}}
        share = api.post("/share", {"issuedTo": theirs, "paths": paths}).ok(201)
        for path in (f"/drop/{weather}", "/drop/%2Facme%2Fweather", f"/flow/{weather}"):
            refused = at_home.get(path)
            assert refused.status == 403
            assert "Token('acme', …)" in refused.error
        assert at_home.post("/drop", {"path": "/acme/weather", "elems": {"a": 1}}).status == 403
        asked = [{"flowId": weather}]
        assert "Token('acme', …)" in at_home("MGET", "/drop", asked).error
        for path in (f"/drop/{secret}", "/drop/%2Facme%2Fsecret", f"/flow/{secret}"):
            assert at_home.get(path).status == 404
        # A restricted token acts for nobody elsewhere, so it is told nothing.
        made = at_home.post("/token", {"paths": {"/other": {"dropRead": True}}}).ok(201)
        assert at_home.as_(made["tokenString"]).get(f"/drop/{weather}").status == 404
        api.delete(f"/share/{share['id']}").ok()
        assert at_home.get(f"/drop/{weather}").status == 404

    def test_guests_do_not_learn_what_else_there_is(
        self, api: Client, other: Client, theirs: str, flows: Any
    ) -> None:
        api.post("/share", {"issuedTo": theirs, "paths": {"/acme/weather": {"read": True}}}).ok(201)
        hidden = api.post("/track", {"source": "/acme/secret", "destination": "/acme/weather"}).ok(201)
        for path in (f"/flow/{flows['secret']['id']}", f"/track/{hidden['id']}"):
            assert other.get(path).status == 404
            assert "secret" not in other.get(path).error
            assert other.delete(path).status == 404
            changed = other.put(path, {"displayName": "x"})  # no right to write anything comes before it
            assert (changed.status, changed.error) == (403, "no write right anywhere in /acme")

    def test_they_are_issued_to_existing_identities(self, api: Client, other: Client, theirs: str) -> None:
        paths = {"/acme/weather": {"dropRead": True}}
        for nobody, said in (
            ("i" + "0" * 24, "there is no identity i0"),
            ("g" + "0" * 24, "there is no group g0"),
        ):
            refused = api.post("/share", {"issuedTo": nobody, "paths": paths})
            assert refused.status == 400
            assert said in refused.error
        group = other.as_(other.token, "other").post("/group", {"memberIds": [theirs]}).ok(201)
        assert "no group" in api.post("/share", {"issuedTo": group["id"], "paths": paths}).error
        assert api.get("/share").ok() == []

    def test_groups_hold_existing_identities(self, api: Client, theirs: str) -> None:
        nobody = "i" + "0" * 24
        refused = api.post("/group", {"memberIds": [theirs, nobody]})
        assert refused.error == f"memberIds: there is no identity {nobody}"
        assert refused.status == 400
        group = api.post("/group", {"memberIds": [theirs]}).ok(201)
        assert "no identity" in api.put(f"/group/{group['id']}", {"memberIds": [theirs, nobody]}).error
        assert "no identity" in api.put(f"/group/{group['id']}/memberIds", [nobody]).error
        many = [theirs] * 1200
        assert "no identity" in api.put(f"/group/{group['id']}", {"memberIds": [*many, nobody]}).error
        assert api.put(f"/group/{group['id']}", {"memberIds": many}).ok()["memberIds"] == many

    def test_one_that_runs_out_ends_then(
        self, api: Client, other: Client, theirs: str, flows: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = {"issuedTo": theirs, "paths": {"/acme/weather": {"dropRead": True}}, "duration": 50}
        api.post("/share", body).ok(201)
        monkeypatch.setattr(accounts, "_MAX_AGE", 1000.0)
        place = f"/drop/{flows['weather']['id']}"
        until(lambda: other.get(place).status == 403)


class TestWhatGuestsHandOn:
    """A guest with `administer` may issue tokens and shares, which last no longer than its own share."""

    PATHS: ClassVar[dict[str, Any]] = {"/acme/weather": {"administer": True}}

    @pytest.fixture
    def other(self, api: Client, platform: Platform) -> Client:
        platform.accounts.ensure("other")
        return api.as_(platform.accounts.new_master("other"))

    @pytest.fixture
    def share(self, api: Client, other: Client, platform: Platform) -> Any:
        """The share of /acme/weather for `other`."""
        theirs = platform.accounts.ensure("other")
        return api.post("/share", {"issuedTo": theirs, "paths": self.PATHS}).ok(201)

    def test_a_guests_token_acts_for_the_guest(
        self, api: Client, other: Client, platform: Platform, share: Any, flows: Any
    ) -> None:
        made = other.post("/token", {"paths": self.PATHS}).ok(201)
        caller = api.as_(made["tokenString"])
        drop = caller.post("/drop", {"path": "/acme/weather", "elems": {"a": 1}}).ok(201)
        assert drop["creatorId"] == made["issuedBy"] == platform.accounts.ensure("other")
        owner = platform.accounts.ensure("acme")
        assert caller.get(f"/identity/{owner}").status == 403
        assert caller.get("/identity").ok() == []
        assert caller.get(f"/statistics/apiCallByIdentity/{owner}").status == 403

    def test_it_ends_with_the_share(self, api: Client, other: Client, share: Any, flows: Any) -> None:
        made = other.post("/token", {"paths": self.PATHS}).ok(201)
        caller = api.as_(made["tokenString"])
        assert reached(statuses(caller, flows, "GET"), 200, 404) == WITHIN
        passed_on = caller.post("/token", {"paths": {"/acme/weather/jfk": {"dropRead": True}}}).ok(201)
        last = api.as_(passed_on["tokenString"])
        assert reached(statuses(last, flows, "GET"), 200, 404) == {"weather/jfk"}
        api.delete(f"/share/{share['id']}").ok()
        assert caller.get("/flow").status == last.get("/flow").status == 403

    def test_it_shrinks_with_the_share(self, api: Client, other: Client, share: Any, flows: Any) -> None:
        made = other.post("/token", {"paths": self.PATHS}).ok(201)
        paths = {"/acme/weather/jfk": {"dropRead": True}}
        api.post("/share", {"issuedTo": made["issuedBy"], "paths": paths}).ok(201)
        api.delete(f"/share/{share['id']}").ok()
        caller = api.as_(made["tokenString"])
        assert reached(statuses(caller, flows, "GET"), 200, 404) == {"weather/jfk"}
        assert reached(statuses(caller, flows, "POST", {"elems": {"a": 2}}), 201) == set()

    def test_so_does_what_is_shared_further(
        self, api: Client, other: Client, platform: Platform, share: Any, flows: Any
    ) -> None:
        ids = {name: platform.accounts.ensure(name) for name in ("third", "fourth")}
        third, fourth = (api.as_(platform.accounts.new_master(name)) for name in ids)
        other.post("/share", {"issuedTo": ids["third"], "paths": self.PATHS}).ok(201)
        third.post("/share", {"issuedTo": ids["fourth"], "paths": self.PATHS}).ok(201)
        back = {"issuedTo": platform.accounts.ensure("other"), "paths": self.PATHS}
        fourth.post("/share", back).ok(201)  # in a circle
        assert reached(statuses(fourth, flows, "GET"), 200, 404) == WITHIN
        api.delete(f"/share/{share['id']}").ok()
        for caller in (other, third, fourth):
            assert caller.get("/flow").status == 403


class TestWritingBlindly:
    """A writer without the right to read drops is not shown what others have written."""

    @pytest.fixture
    def drop(self, api: Client, flows: Any) -> Any:
        model = {"elems": {"word": "hidden", "n": 1}, "fhash": "h", "location": {"lat": 1, "lon": 2}}
        return api.post(f"/drop/{flows['weather']['id']}", model).ok(201)

    def test_updates(self, api: Client, drop: Any) -> None:
        flow, id = drop["flowId"], drop["id"]
        writer = token(api, dropWrite=True)
        replies = [
            writer.put(f"/drop/{flow}/{id}", {}).ok(),
            writer.put(f"/drop/{flow}/{id}", {"location": {"lat": 3, "lon": 4}}).ok(),
            writer("MPUT", f"/drop/{flow}", {id: {}}).ok()[id],
            writer.put(f"/drop/{flow}/{id}/elems.n", 2).ok(),
        ]
        for shown in replies:
            assert shown.keys() <= {"id", "flowId", "path", "lastEditDate"}
            assert shown["id"] == id
        now = api.get(f"/drop/{flow}/{id}").ok()
        assert now["elems"] == {"word": "hidden", "n": 2}
        assert now["location"] == {"lat": 3, "lon": 4}

    def test_replacing_by_fhash(self, api: Client, drop: Any) -> None:
        model = {"elems": {"n": 5}, "fhash": "h"}
        shown = token(api, dropWrite=True).post(f"/drop/{drop['flowId']}", model).ok(201)
        assert shown.keys() == {"id", "flowId", "path", "lastEditDate", "fhash", "elems"}
        whole = token(api, dropWrite=True, dropRead=True).post(f"/drop/{drop['flowId']}", model).ok(201)
        assert whole["location"] == drop["location"]


def test_an_error_tells_no_path_that_was_not_named(api: Client, flows: Any) -> None:
    """A restricted token that asks by an id that it has learnt elsewhere."""
    caller = token(api, dropRead=True)
    secret = flows["secret"]["id"]
    track = api.post("/track", {"source": "/acme/secret", "destination": "/acme/weather"}).ok(201)
    for method, path, body in (
        ("GET", f"/drop/{secret}", None),
        ("POST", f"/drop/{secret}", {"elems": {"a": 1}}),
        ("POST", f"/drop/{secret}/aggregate", {"output": ["$count"]}),
        ("GET", f"/flow/{secret}", None),
        ("PUT", f"/flow/{secret}", {"capacity": 1}),
        ("DELETE", f"/flow/{secret}", None),
        ("GET", f"/track/{track['id']}", None),
        ("GET", f"/statistics/flowDropAdded/{secret}", None),
        ("MGET", "/drop", [{"flowId": secret}]),
    ):
        refused = caller(method, path, body)
        assert refused.status == 403
        assert "secret" not in refused.error
    assert "/acme/secret" in caller.get("/drop/%2Facme%2Fsecret").error


def test_statistics_count_nothing_that_may_not_be_read(api: Client, flows: Any) -> None:
    (me,) = api.get("/identity").ok()
    place = f"/statistics/dropCreatedBy/{me['id']}"
    assert sum(api.get(place).ok()) == 4
    refused = token(api, dropRead=True, administer=True).get(place)
    assert refused.status == 403
    assert "whole account" in refused.error
    whole = api.post("/token", {"paths": {"/acme": {"dropRead": True}}}).ok(201)
    assert sum(api.as_(whole["tokenString"]).get(place).ok()) == 4
    assert token(api, dropRead=True).get(f"/statistics/flowDropAdded/{flows['weather']['id']}").status == 200


class TestOtherProcesses:
    """Two platforms on one folder remember tokens apart; the mark is all that they share."""

    @pytest.fixture
    def elsewhere(self, tmp_path: Path, platform: Platform) -> Iterator[Client]:
        with open_platform(tmp_path / "data", "acme") as second:
            yield client_of(second)

    def test_a_deleted_token_is_refused_at_once(
        self, api: Client, elsewhere: Client, flows: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(accounts, "_MAX_AGE", 1000.0)
        for _ in range(50):
            made = api.post("/token", {"paths": {"/acme": {"dropRead": True}}}).ok(201)
            there = elsewhere.as_(made["tokenString"])
            assert there.get("/flow?limit=1").status == 200
            api.delete(f"/token/{made['id']}").ok()
            assert there.get("/flow?limit=1").status == 403

    def test_so_is_a_replaced_master_token(
        self, api: Client, elsewhere: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(accounts, "_MAX_AGE", 1000.0)
        old = elsewhere.as_(platform.accounts.new_master("acme"))
        assert old.get("/flow").status == 200
        platform.accounts.new_master("acme")
        assert old.get("/flow").status == 403

    def test_what_was_looked_up_meanwhile_is_not_remembered(
        self, api: Client, elsewhere: Client, flows: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The token is deleted between another process's look-up and its answer."""
        monkeypatch.setattr(accounts, "_MAX_AGE", 1000.0)
        made = api.post("/token", {"paths": {"/acme": {"dropRead": True}}}).ok(201)
        there = elsewhere.as_(made["tokenString"])
        store = elsewhere.application._accounts._store
        read = store.read

        def slow(work: Any) -> Any:
            found = read(work)
            monkeypatch.setattr(store, "read", read)
            api.delete(f"/token/{made['id']}").ok()
            return found

        monkeypatch.setattr(store, "read", slow)
        assert there.get("/flow").status == 200  # it was under way
        assert there.get("/flow").status == 403
