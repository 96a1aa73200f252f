"""The Flask extension: the scope of a request, thunks in JSON and in templates, and its end."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from typing import Any

import flask
import jinja2
import pytest

from flowthings_like import ConfigurationError, DeadlineExceeded, Token, UnretrievedFailure
from flowthings_like.integrations.flask import FlowThings, RequestScopes
from flowthings_like.integrations.jinja import install
from flowthings_like.transport.call_scope import limit_call

from ..green.fakes import until
from .support import Platform


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def app() -> flask.Flask:
    return flask.Flask(__name__)


@pytest.fixture
def flowthings(app: flask.Flask, platform: Platform) -> FlowThings:
    def credentials(environ: Any) -> Token:
        return Token("acme", flask.request.headers["X-Token"])  # the request is there when it is called

    return FlowThings(app, RequestScopes(platform.api(), credentials=credentials, timeout_header="X-Timeout"))


def headers(token: str = "one", **more: str) -> dict[str, str]:
    return {"X-Token": token, **{name.replace("_", "-"): value for name, value in more.items()}}


def test_thunks_are_values_in_json(app: flask.Flask, flowthings: FlowThings) -> None:
    @app.get("/jsonify")
    def with_jsonify() -> Any:
        flow = flowthings.lazy.flow.read("f1")
        return flask.jsonify(flow=flow, list=[flow, flow["token"]], other=object())

    @app.get("/thunk")
    def thunk() -> Any:
        return flowthings.lazy.flow.read("f1")

    @app.get("/dict")
    def of_thunks() -> Any:
        return {"flow": flowthings.lazy.flow.read("f1")}

    client = app.test_client()
    flow = {"id": "f1", "token": "two"}
    assert client.get("/thunk", headers=headers("two")).json == flow
    assert client.get("/dict", headers=headers("two")).json == {"flow": flow}
    app.testing = True
    with pytest.raises(TypeError, match="not JSON serializable"):  # as without the extension
        client.get("/jsonify", headers=headers())


TEMPLATE = """\
{% if missing is none %}no flow{% endif %}
{{ flow.id }} {{ flow["token"]|upper }} {{ flow.id|replace("f", flow.token) }} {{ ids|join(",") }}
{% for flow in flows %}{{ loop.index }}:{{ flow.id }} {% endfor %}{{ flows|length }}
{{ flow|tojson }} {{ missing|default("nothing", true) }} {{ html }} {{ "%s!"|format(html) }}
{{ is_true is true }} {{ absent is defined }} {{ flow is mapping }} {{ html is string }}"""
RENDERED = """\
no flow
f1 ONE one1 f2,f3
1:f2 2:f3 2
{"id": "f1", "token": "one"} nothing &lt;b&gt; &lt;b&gt;!
True False True True"""


def test_thunks_are_values_in_templates(app: flask.Flask, flowthings: FlowThings) -> None:
    @app.get("/")
    def page() -> str:
        lazy = flowthings.lazy
        flows = lazy.map(flowthings.api.flow.read, ["f2", "f3"])
        return flask.render_template_string(
            TEMPLATE,
            flow=lazy.flow.read("f1"),
            flows=lazy.call(list, flows),
            ids=[flow.then(lambda flow: flow["id"]) for flow in flows],
            missing=lazy.call(lambda: None),
            html=lazy.call(lambda: "<b>"),
            is_true=lazy.call(lambda: True),
        )

    assert app.test_client().get("/", headers=headers()).text == RENDERED


def test_plain_jinja_environments() -> None:
    environment = jinja2.Environment()
    install(environment)
    install(environment)  # once is enough, and twice does no harm
    assert (
        environment.from_string("{{ [1, 2]|map('string')|join('-') }} {{ 3 is odd }}").render() == "1-2 True"
    )
    asynchronous = jinja2.Environment(enable_async=False, autoescape=True)
    install(asynchronous)
    assert asynchronous.from_string("{{ x|list|first }}{{ x is none }}").render(x="ab") == "aFalse"


def test_a_streamed_response_has_its_scope_until_its_end(app: flask.Flask, flowthings: FlowThings) -> None:
    kept: list[Any] = []

    @app.get("/")
    def stream() -> Any:
        scope = flowthings.scope
        kept.append(scope)

        def parts() -> Iterator[str]:
            for id in ("f1", "f2"):
                yield scope.lazy.flow.read(id)["id"]

        return flask.Response(flask.stream_with_context(parts()))

    with app.test_client().get("/", headers=headers()) as answer:
        assert answer.text == "f1f2"
    with pytest.raises(ConfigurationError, match="closed"):
        kept[0].api.flow.find()


def test_a_view_whose_deadline_has_passed_is_answered_with_504(
    app: flask.Flask, flowthings: FlowThings
) -> None:
    @app.get("/")
    def late() -> str:
        until(lambda: flowthings.scope.left() < 0)
        return str(flowthings.api.flow.read("f1"))

    @app.get("/other")
    def other() -> str:
        raise DeadlineExceeded("of something else")

    client = app.test_client()
    answer = client.get("/", headers=headers(X_Timeout="0.01"))
    assert answer.status == "504 Gateway Timeout"
    assert client.get("/other", headers=headers(X_Timeout="60")).status_code == 500
    assert client.get("/", headers=headers(X_Timeout="soon")).status_code == 400
    assert limit_call(None) is None


def test_a_handler_of_the_applications_own_answers(app: flask.Flask, flowthings: FlowThings) -> None:
    @app.get("/")
    def late() -> str:
        until(lambda: flowthings.scope.left() < 0)
        return str(flowthings.api.flow.read("f1"))

    @app.errorhandler(DeadlineExceeded)
    def own(error: DeadlineExceeded) -> Any:
        return "try again", 503

    assert app.test_client().get("/", headers=headers(X_Timeout="0.01")).status_code == 503


def test_a_request_context_without_the_middleware(app: flask.Flask, flowthings: FlowThings) -> None:
    with app.test_request_context(headers=headers("two")):
        scope = flowthings.scope
        assert flowthings.scope is scope
        assert flowthings.lazy is flowthings.lazy
        assert flowthings.api.flow.read("f1")["token"] == "two"
    with pytest.raises(ConfigurationError, match="closed"):
        scope.api.flow.read("f1")


def test_writes_that_nobody_waits_for_are_finished(
    app: flask.Flask, flowthings: FlowThings, platform: Platform
) -> None:
    held: list[Any] = []
    found: list[Any] = []

    @app.get("/")
    def view() -> str:
        held.append(platform.hold())
        found.append(flowthings.lazy.call(held[0].wait, 20))
        flowthings.lazy.flow.create({"path": "/acme/a"})
        return "done"

    with app.test_client().get("/", headers=headers()) as answer:
        assert answer.text == "done"
        held[0].set()
    assert found[0].force() is True
    assert platform.asked == [("one", "POST", 1)]


def test_the_extension_is_made_first_and_bound_later(platform: Platform) -> None:
    extension, app = FlowThings(), flask.Flask(__name__)
    with pytest.raises(ConfigurationError, match="needs scopes"):
        extension.init_app(app)
    with app.test_request_context(), pytest.raises(ConfigurationError, match="init_app"):
        extension.scope  # noqa: B018
    scopes = RequestScopes(platform.api())
    extension.init_app(app, scopes)
    with pytest.raises(ConfigurationError, match="already"):
        extension.init_app(app, scopes)
    with app.test_request_context():
        assert extension.api.flow.read("f1")["token"] == "own"


def held_objects() -> int:
    """How many objects the garbage collector knows, without garbage."""
    for _ in range(3):
        gc.collect()
    return len(gc.get_objects())


@pytest.mark.parametrize("requests", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_requests_leave_nothing_behind(
    app: flask.Flask, flowthings: FlowThings, platform: Platform, requests: int
) -> None:
    """Some of them are abandoned, fail, or come too late."""

    @app.get("/<int:number>")
    def view(number: int) -> Any:
        lazy = flowthings.lazy
        found = [lazy.flow.read(f"f{id}") for id in range(5)]
        lazy.flow.create({"path": "/acme/a"}).then(len)
        if number % 7 == 0:
            return flask.Response(flow["id"] for flow in [*found, {"id": 1 / 0 if number % 2 else "end"}])
        return {"flows": found}

    def ask(numbers: range) -> None:
        client = app.test_client()
        for number in numbers:
            with client.get(f"/{number}", headers=headers(str(number % 3), X_Timeout="100")) as answer:
                if number % 5:
                    answer.get_data()
        platform.asked.clear()

    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.logger.disabled = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnretrievedFailure)
        ask(range(200))
        before = held_objects()
        ask(range(requests))
        until(lambda: held_objects() < before + 300)
