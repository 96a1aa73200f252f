"""The OpenTelemetry spans of calls: their parents, links, attributes, and what a platform is sent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import baggage, context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flowthings_like import API, FlowThingsNotFound, Token, telemetry
from flowthings_like.records import BytesPayloadType, Key

from ..green.fakes import submitted_together
from ..services.support import serving


class Tracing:
    """A tracer for the program's own spans, and all spans that have ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("test")

    def ended(self, name: str = "") -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if name in ("", span.name)]


@pytest.fixture
def tracing() -> Iterator[Tracing]:
    made = Tracing()
    subscription = telemetry.instrument(made.provider)
    yield made
    subscription.close()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[API]:
    with API.embedded(tmp_path_factory.mktemp("data")) as opened:
        yield opened


def parent(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def id_of(span: Any) -> int:
    found: int = span.get_span_context().span_id
    return found


def test_a_call_is_a_span_of_the_current_one(api: API, tracing: Tracing) -> None:
    with tracing.tracer.start_as_current_span("job") as job, pytest.raises(FlowThingsNotFound):
        api.flow.read("f" + "0" * 24)
    (span,) = tracing.ended("GET /flow")
    assert parent(span) == id_of(job)
    assert span.attributes is not None
    assert span.attributes["http.request.method"] == "GET"
    assert span.attributes["http.response.status_code"] == 404
    assert span.attributes["error.type"] == "FlowThingsNotFound"
    assert not span.status.is_ok


def lazily(api: API) -> None:
    lazy = api.lazy()
    for thunk in [lazy.flow.find(limit=1) for _ in range(3)]:
        thunk.force()


def asynchronously(api: API) -> None:
    with api.async_() as calls:
        for _ in range(3):
            calls.flow.find(limit=1)


def mapped(api: API) -> None:
    for thunk in api.lazy().map(lambda _: api.flow.find(limit=1), range(3)):
        thunk.force()


@pytest.mark.parametrize("run", [lazily, asynchronously, mapped])
def test_parents_are_kept_in_other_threads(run: Callable[[API], None], api: API, tracing: Tracing) -> None:
    with tracing.tracer.start_as_current_span("job") as job:
        run(api)
    spans = tracing.ended("GET /flow")
    assert [parent(span) for span in spans] == [id_of(job)] * 3


def test_a_call_in_a_batch_has_a_link_to_it(api: API, tracing: Tracing) -> None:
    ids = [api.flow.create({"path": f"/acme/linked{number}"})["id"] for number in range(2)]
    lazy, jobs, thunks = api.lazy(), [], []
    with submitted_together(lazy):
        for id in ids:
            with tracing.tracer.start_as_current_span("job") as job:
                thunks.append(lazy.flow.read(id))
                jobs.append(id_of(job))
    assert [thunk["id"] for thunk in thunks] == ids
    (request,) = tracing.ended("MGET /flow")
    reads = tracing.ended("FlowService.read")
    assert sorted(map(parent, reads), key=str) == sorted(jobs, key=str)
    assert [[link.context.span_id for link in read.links] for read in reads] == [[id_of(request)]] * 2
    assert request.attributes is not None
    assert request.attributes["flowthings.calls"] == 2


def test_all_families_make_spans(api: API, tracing: Tracing) -> None:
    with tracing.tracer.start_as_current_span("job") as job:
        api.things.query("1")
        api.things.lazy().query("1").force()

        def interaction(cursor: Any) -> None:
            cursor.execute("select 1")
            with tracing.tracer.start_as_current_span("inside"):
                pass

        api.db.run_interaction(interaction)
        list(api.stream.list_collections())
        api.record(BytesPayloadType()).get(Key.min(), Key.max())
    assert [parent(span) for span in tracing.ended("query")] == [id_of(job)] * 2
    (block,), (inside,) = tracing.ended("run_interaction"), tracing.ended("inside")
    assert (parent(block), parent(inside)) == (id_of(job), id_of(block))
    assert all(parent(span) == id_of(job) for span in tracing.ended("ListCollections"))
    assert tracing.ended("ListCollections")
    assert [parent(span) for span in tracing.ended("get")] == [id_of(job)]


def test_traceparent_is_sent_and_nothing_else(tracing: Tracing) -> None:
    with serving() as server:
        token = context.attach(baggage.set_baggage("user", "private"))
        try:
            with API(Token("acme", "secret"), host=server.address, secure=False) as api:
                api.flow.read("f1")
        finally:
            context.detach(token)
    (span,), (seen,) = tracing.ended("GET /flow"), server.seen
    assert seen.headers["traceparent"].split("-")[2] == f"{id_of(span):016x}"
    assert "baggage" not in seen.headers
    assert span.attributes is not None
    assert (span.attributes["server.address"], span.attributes["server.port"]) == (
        "127.0.0.1",
        int(server.address.rpartition(":")[2]),
    )


def test_a_process_without_opentelemetry_is_told_what_to_install() -> None:
    script = """
import sys
sys.modules["opentelemetry"] = None
from flowthings_like import ConfigurationError, telemetry
try:
    telemetry.instrument()
except ConfigurationError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'flowthings_like[telemetry]'" in done.stdout
