"""The OpenAPI document: it is valid, it is whole, and it says what the platform does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from flowthings_like.platform.embedded import open_platform
from flowthings_like.platform.json_schema import Schema, accepts, or_null, schema_of
from flowthings_like.platform.problems import BadRequest
from flowthings_like.platform.resources.access.accounts import check_name
from flowthings_like.platform.resources.base import registry
from flowthings_like.platform.resources.base.resource import SET_BY_PLATFORM, Resource
from flowthings_like.platform.resources.query.misspellings import PARAMETERS
from flowthings_like.platform.rest import openapi
from flowthings_like.platform.rest.routes import Router
from tools import rest_table

from .harness import Client, client_of

RESOURCES = list(registry.resources().values())


@pytest.fixture(scope="module")
def document() -> Any:
    return openapi.document(Router(RESOURCES).routes(), "v4.0")


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    """The path, method and description of every operation."""
    for path, item in document["paths"].items():
        for method, described in {**item, **item.get(openapi.ADDITIONAL, {})}.items():
            if method not in ("parameters", openapi.ADDITIONAL):
                yield path, method.upper(), described


class TestServing:
    def test_it_is_served_without_a_token(self, api: Client, document: Any) -> None:
        reply = api.as_(None).raw("GET", openapi.PATH)
        assert reply.status == 200
        assert reply.envelope == document

    def test_it_is_compressed_for_those_who_take_it(self, api: Client, document: Any) -> None:
        reply = api.as_(None).raw("GET", openapi.PATH, HTTP_ACCEPT_ENCODING="gzip")
        assert reply.headers["Content-Encoding"] == "gzip"
        assert reply.envelope == document

    def test_head_and_options(self, api: Client) -> None:
        length = api.raw("GET", openapi.PATH).headers["Content-Length"]
        reply = api.raw("HEAD", openapi.PATH)
        assert (reply.status, reply.content, reply.headers["Content-Length"]) == (200, b"", length)
        assert api.raw("OPTIONS", openapi.PATH).headers["Allow"] == "GET, HEAD, OPTIONS"

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "MGET", "NONSENSE"])
    def test_no_other_method(self, api: Client, method: str) -> None:
        reply = api.raw(method, openapi.PATH)
        assert reply.status == 405
        assert reply.headers["Allow"] == "GET, HEAD, OPTIONS"

    def test_it_is_in_nobodys_way(self, tmp_path: Path) -> None:
        with pytest.raises(BadRequest, match="an account's name"):
            check_name(openapi.PATH.strip("/"))
        with open_platform(tmp_path, "openapi") as platform:
            api = client_of(platform)
            flow = api.flow("json")
            assert api.get("/flow").ok() == [flow]
            assert api.raw("GET", openapi.PATH + "/flow").status == 404


class TestTheDocument:
    def test_it_is_valid(self, document: Any) -> None:
        validate(document)

    def test_nothing_in_it_is_unused(self, document: Any) -> None:
        text = json.dumps(document)
        for kind in ("parameters", "responses", "schemas"):
            for name in document["components"][kind]:
                assert name in ("X-Auth-Account", "flatten", "path") or f"{kind}/{name}" in text, name

    def test_every_route_is_in_it(self, document: Any) -> None:
        """Whatever a client of the router finds, by any path that it can be found at, is described."""
        described = {(path, method) for path, method, _ in operations(document)}
        router = Router(RESOURCES)
        found = {
            (route.path, method)
            for table in (router._by_length, router._by_last)
            for methods in table.values()
            for route in router.routes()
            if route.methods is methods
            for method in methods
        }
        assert described == found
        assert len(described) == sum(map(len, [*router._by_length.values(), *router._by_last.values()]))

    def test_its_paths_are_those_that_requests_find(self, document: Any, api: Client) -> None:
        for path, item in document["paths"].items():
            methods = [m.upper() for m in item if m not in ("parameters", openapi.ADDITIONAL)]
            methods += item.get(openapi.ADDITIONAL, ())
            allowed = api("OPTIONS", re.sub(r"{\w+}", "x", path)).headers["Allow"].split(", ")
            assert set(methods) == set(allowed) - {"OPTIONS", "HEAD"}, path

    def test_names_are_unique(self, document: Any) -> None:
        names = [described["operationId"] for _, _, described in operations(document)]
        assert len(names) == len(set(names))

    @pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
    def test_every_member_is_in_it(self, document: Any, resource: Resource) -> None:
        schemas = document["components"]["schemas"]
        for name in (resource.name, f"{resource.name}.new", f"{resource.name}.changes"):
            assert schemas[name]["properties"].keys() == resource.known, name
        for name, check in resource.members.items():
            assert (
                schema_of(check)
                in (
                    schemas[f"{resource.name}.new"]["properties"][name],
                    {},
                )
                or or_null(schema_of(check)) == schemas[f"{resource.name}.new"]["properties"][name]
            )
        assert schemas[f"{resource.name}.new"]["required"] == list(resource.required)

    def test_every_parameter_is_in_it(self, document: Any) -> None:
        named = {
            each["name"] for each in document["components"]["parameters"].values() if each["in"] == "query"
        }
        assert named == PARAMETERS


class TestRoutesThatSayNothing:
    def test_a_handler_without_a_description(self) -> None:
        router = Router([])
        router._by_length["drop", 0] = {"GET": lambda request: pytest.fail("called")}
        with pytest.raises(TypeError, match="no description"):
            openapi.document(router.routes(), "v4.0")

    def test_a_check_without_a_schema(self) -> None:
        resource = Resource("station", "w", members={"height": lambda name, value: value})
        with pytest.raises(TypeError, match="no schema"):
            Router([resource])


def assert_fits(document: Any, schema: Schema, value: Any) -> None:
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(value)


@pytest.mark.parametrize("schema", [{}, {"type": "string"}, {"enum": [1]}, {"anyOf": [{"type": "integer"}]}])
def test_or_null_takes_null_and_what_was_taken_before(schema: Schema) -> None:
    validator = jsonschema.Draft202012Validator(or_null(schema))
    assert validator.is_valid(None)
    assert [validator.is_valid(value) for value in ("x", 1)] == [
        jsonschema.Draft202012Validator(schema).is_valid(value) for value in ("x", 1)
    ]


def test_a_check_keeps_its_schema_and_still_checks() -> None:
    check = accepts({"type": "string"})(lambda name, value: f"{name}={value}")
    assert check("a", "b") == "a=b"
    assert schema_of(check) == schema_of(check, stored=True) == {"type": "string"}


def test_what_the_platform_returns_fits(document: Any, api: Client) -> None:
    """One document of each kind that can be made here, as it is created, read and found."""
    models = {
        "flow": {"path": "/acme/a", "capacity": "20", "index": ["elems.a"], "mine": [1]},
        "track": {"source": "/acme/a", "destination": ["/acme/b"], "filter": "a == 1"},
        "group": {"memberIds": [api.get("/identity").ok()[0]["id"]]},
        "token": {"paths": {"/acme": {"dropRead": True}}, "duration": 5000},
        "device": {"path": "/acme/field/1", "deviceSummary": {"a": 1}},
        "api-task": {"destination": "/acme/a", "source": {"http": {"uri": "https://example.com"}}},
        "rss": {"destination": "/acme/a", "url": "https://example.com"},
        "mqtt": {"destination": "/acme/a", "uri": "tcp://example.com:1883", "topic": "a", "qos": 1},
    }
    api.flow("b")
    for name, model in models.items():
        assert_fits(document, {"$ref": f"#/components/schemas/{name}.new"}, model)
        made = api.post(f"/{name}", model).ok(201)
        assert_fits(document, {"$ref": f"#/components/schemas/{name}"}, made)
        for found in [api.get(f"/{name}/{made['id']}?only=x").ok(), *api.get(f"/{name}").ok()]:
            assert_fits(document, {"$ref": f"#/components/schemas/{name}.excerpt"}, found)
        sent_back = {key: value for key, value in made.items() if key not in SET_BY_PLATFORM}
        assert_fits(document, {"$ref": f"#/components/schemas/{name}.changes"}, sent_back)


def test_the_page_in_the_docs_lists_every_operation() -> None:
    page = rest_table.PAGE.read_text(encoding="utf-8")
    assert page.count("\n| `") > 50
    assert rest_table.written(page) == page, "run python -m tools.rest_table"


def test_a_null_id_in_an_update_is_none(api: Client) -> None:
    flow = api.flow("x")
    drop = api.post(f"/drop/{flow['id']}", {"elems": {"a": 1}}).ok(201)
    assert api.put(f"/flow/{flow['id']}", {"id": None, "name": "x"}).ok()["id"] == flow["id"]
    assert api("MPUT", "/flow", {flow["id"]: {"id": None}}).ok()[flow["id"]]["id"] == flow["id"]
    changed = api.put(f"/drop/{flow['id']}/{drop['id']}", {"id": None, "elems": {"a": 2}}).ok()
    assert (changed["id"], changed["elems"]) == (drop["id"], {"a": 2})
