"""Random requests and filter texts. None makes the platform fail, and responses are as the document says.

The requests go to all routes, MGET and MPUT among them. They are made of what the platform knows (names of
members, ids and paths that exist) and of what it does not expect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.resources.base import registry
from flowthings_like.platform.resources.query import parameters
from flowthings_like.platform.rest import openapi
from flowthings_like.platform.rest.application import Limits
from flowthings_like.platform.rest.routes import Router
from tests.filters import strategies as filters
from tests.platform.vocabulary import NAMES, TEXTS, WORDS, assert_no_failure, json_text, values

from .harness import Client, Reply, client_of

pytestmark = [pytest.mark.once, pytest.mark.exhaustive]

DOCUMENT = openapi.document(Router(registry.resources().values()).routes(), "v4.0")
OPERATIONS = [
    (method.upper(), path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in {**item, **item.get(openapi.ADDITIONAL, {})}.items()
    if method not in ("parameters", openapi.ADDITIONAL)
]
FAMILIAR = [each for each in OPERATIONS if each[1].startswith(("/drop", "/flow", "/track"))]
"""The operations on what is known to exist."""
SEGMENTS = {path: item.get("parameters", []) for path, item in DOCUMENT["paths"].items()}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with open_platform(tmp_path_factory.mktemp("fuzz") / "data", "acme", limits=Limits()) as opened:
        yield opened


@pytest.fixture(scope="module")
def api(platform: Platform) -> Client:
    return client_of(platform)


@pytest.fixture(scope="module")
def known(api: Client) -> dict[str, list[str]]:
    """Ids that exist, by the names of segments."""
    flows = [api.flow(name, index=["elems.temp"])["id"] for name in ("a", "b")]
    drops = [api.post(f"/drop/{flows[0]}", {"elems": {"temp": n}}).ok(201)["id"] for n in range(3)]
    track = api.post("/track", {"source": "/acme/a", "destination": "/acme/b", "disabled": True}).ok(201)
    doomed = [api.flow(f"doomed/{n}")["id"] for n in range(20)]
    ids = [*flows, *drops, track["id"], api.get("/identity").ok()[0]["id"]]
    return {"id": ids, "flow": [*flows, "/acme/a", "/acme/b"], "drop": drops, "doomed": doomed}


def like(schema: Any, odd: st.SearchStrategy[Any], paths: list[str]) -> st.SearchStrategy[Any]:
    """Values of a schema of the document, and now and then an odd one in their place or within."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    kinds = schema.get("type", "anything")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if "anyOf" in schema:
        found = st.one_of([like(each, odd, paths) for each in schema["anyOf"]])
    elif "enum" in schema:
        found = st.sampled_from(schema["enum"])
    elif kind == "object" and "properties" in schema:
        members = {name: like(each, odd, paths) for name, each in schema["properties"].items()}
        needed = {name: members.pop(name) for name in schema.get("required", ())}
        few = st.lists(st.sampled_from(sorted(members)), max_size=4, unique=True) if members else st.just([])
        found = few.flatmap(
            lambda names: st.fixed_dictionaries({**needed, **{name: members[name] for name in names}})
        )
    elif kind == "object":
        value = like(schema.get("additionalProperties", {}), odd, paths)
        found = st.dictionaries(st.sampled_from(["temp", "a", *paths]), value, min_size=1, max_size=3)
    elif kind == "array":
        found = st.lists(like(schema["items"], odd, paths), max_size=3)
    elif kind == "string":
        pattern = schema.get("pattern", "")
        fit = [
            text for text in (*paths, "temp > 1", "tcp://x:1", "https://x.com") if re.search(pattern, text)
        ]
        found = st.sampled_from(fit) if fit else st.from_regex(pattern)
    elif kind in ("integer", "number"):
        most = min(schema.get("maximum", 10_000), 2**53)
        found = st.integers(max(schema.get("minimum", 0), -most), most)
    elif kind == "boolean":
        found = st.booleans()
    else:
        return odd
    return st.integers(0, 19).flatmap(lambda chance: found if chance else odd)


@st.composite
def requests(draw: Any, known: dict[str, list[str]]) -> tuple[str, str, str, bytes]:
    """A method, a path as the document writes it, what is asked for, and a body."""
    method, path, operation = draw(st.sampled_from(OPERATIONS) | st.sampled_from(FAMILIAR))
    patterns = {each["name"]: each["schema"].get("pattern", "") for each in SEGMENTS[path]}
    segments = []
    for segment in path.split("/")[1:]:
        if segment.startswith("{"):
            name = segment[1:-1]
            there = known["doomed"] if method == "DELETE" else known.get(name, [])
            likely = [id_ for id_ in there if re.search(patterns[name], id_)]
            segment = draw(st.sampled_from([*likely * 3, *NAMES, *TEXTS[2:8]]))
        segments.append(quote(segment, safe="", errors="surrogatepass"))
    names = st.sampled_from([*parameters.SCHEMAS, "limt"])
    params = draw(st.dictionaries(names, st.sampled_from(TEXTS[:40]), max_size=3))
    query = urlencode(params, errors="surrogatepass")
    everything = [id_ for ids in known.values() for id_ in ids]
    odd = values(everything)
    usual = odd
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        usual = like(content["schema"], odd, [*everything, *(f"/acme/new/{n}" for n in range(99))])
    body = draw(usual.map(json_text) | odd.map(json_text) | st.binary(max_size=20))
    return method, path, f"/{'/'.join(segments)}?{query}", body


def check(reply: Reply, operation: Any) -> None:
    """The response is one of those that the document names."""
    responses = operation["responses"]
    assert str(reply.status) in responses, reply.content
    found = responses[str(reply.status)]
    if "$ref" in found:
        found = DOCUMENT["components"]["responses"][found["$ref"].rsplit("/", 1)[1]]
    schema = found["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(reply.envelope)


def fuzz_requests(
    api: Client, known: dict[str, list[str]], caplog: pytest.LogCaptureFixture, most: int
) -> None:
    described = {(method, path): operation for method, path, operation in OPERATIONS}

    @settings(max_examples=most)
    @given(requests(known))
    def one(request: tuple[str, str, str, bytes]) -> None:
        method, path, target, body = request
        reply = api(method, target, body)
        assert_no_failure(caplog)
        # A segment may be a word that means something of its own, such as /track/simulate.
        if reply.status != 405:
            check(reply, described[method, path])

    one()


def fuzz_filters(api: Client, caplog: pytest.LogCaptureFixture, most: int) -> None:
    flow = api.get("/flow?limit=1").ok()[0]["id"]
    texts = st.one_of(
        st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join),
        st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=14).map("".join),
        filters.filters.map(str),
    )

    @settings(max_examples=most)
    @given(texts, st.integers(0, 3))
    @example("(" * 3000, 0)
    @example("NOT " * 3000, 1)
    @example("temp == 1 || " * 900 + "temp == 2", 0)
    @example("temp =~ /(a*)*b/", 0)
    def one(text: str, way: int) -> None:
        query = urlencode({"filter": text}, errors="surrogatepass")
        if way == 0:
            reply = api.get(f"/drop/{flow}?{query}")
        elif way == 1:
            reply = api.get(f"/flow?{query}")
        elif way == 2:
            reply = api.post(f"/drop/{flow}/aggregate", {"output": ["$count"], "filter": text})
        else:
            reply = api.post("/track/simulate", {"drop": {"elems": {"temp": 1}}, "filter": text})
        assert reply.status in (200, 400), reply.content
        assert_no_failure(caplog)

    one()


@pytest.mark.once
def test_requests(api: Client, known: dict[str, list[str]], caplog: pytest.LogCaptureFixture) -> None:
    fuzz_requests(api, known, caplog, 1500)


def test_filters(api: Client, known: Any, caplog: pytest.LogCaptureFixture) -> None:
    fuzz_filters(api, caplog, 1000)


@pytest.mark.long
def test_many_requests(api: Client, known: dict[str, list[str]], caplog: pytest.LogCaptureFixture) -> None:
    fuzz_requests(api, known, caplog, 20_000)


@pytest.mark.long
def test_many_filters(api: Client, known: Any, caplog: pytest.LogCaptureFixture) -> None:
    fuzz_filters(api, caplog, 20_000)
