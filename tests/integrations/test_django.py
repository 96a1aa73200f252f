"""The Django middleware: the scope of a request, thunks in JSON and in templates, and its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings

from flowthings_like import CallCancelled, ConfigurationError, Token, force
from flowthings_like.transport.call_scope import limit_call

from ..green.fakes import until
from .support import Platform

MIDDLEWARE = "flowthings_like.integrations.django.FlowThingsMiddleware"

if not settings.configured:
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[MIDDLEWARE],
        SECRET_KEY="none",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"builtins": ["flowthings_like.integrations.django_filters"]},
            }
        ],
        LOGGING_CONFIG=None,
    )
    django.setup()

from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.template import Context, Template
from django.test import Client, RequestFactory, override_settings
from django.urls import path

from flowthings_like.integrations.django import FlowThingsMiddleware, JSONEncoder, RequestScopes

platform = Platform()
kept: list[Any] = []
scopes = RequestScopes(
    platform.api(),
    credentials=lambda environ: Token("acme", environ["HTTP_X_TOKEN"]),
    timeout_header="X-Timeout",
)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    platform.__init__()  # type: ignore[misc]
    kept.clear()
    with override_settings(FLOWTHINGS_SCOPES=scopes, ROOT_URLCONF=__name__, MIDDLEWARE=[MIDDLEWARE]):
        yield


TEMPLATE = """\
{{ flow.id }} {{ flow.token|upper }}{% if missing|force is None %} none{% endif %}
{% for flow in flows %}{{ forloop.counter }}:{{ flow.id }} {% endfor %}{{ flows|length }}
{{ missing|default_if_none:"nothing" }} {{ html }} {{ ids|join:"," }}
{{ flow|json_script:"data" }}"""
RENDERED = """\
f1 ONE none
1:f2 2:f3 2
nothing &lt;b&gt; f2,f3
<script id="data" type="application/json">{"id": "f1", "token": "one"}</script>"""


def as_json(request: Any) -> Any:
    lazy = request.flowthings.lazy
    return JsonResponse({"flow": lazy.flow.read("f1"), "at": 1}, encoder=JSONEncoder)


def as_page(request: Any) -> Any:
    lazy, api = request.flowthings.lazy, request.flowthings.api
    flows = lazy.map(api.flow.read, ["f2", "f3"])
    context = {
        "flow": lazy.flow.read("f1"),
        "flows": lazy.call(list, flows),
        "ids": [flow.then(lambda flow: flow["id"]) for flow in flows],
        "missing": lazy.call(lambda: None),
        "html": lazy.call(lambda: "<b>"),
    }
    return HttpResponse(Template(TEMPLATE).render(Context(context)))


def streamed(request: Any) -> Any:
    scope = request.flowthings
    kept.append(scope)

    def parts() -> Iterator[bytes]:
        for id in ("f1", "f2"):
            yield scope.lazy.flow.read(id)["id"].encode()
        scope.lazy.flow.create({"path": "/acme/a"})

    return StreamingHttpResponse(parts())


def endless(request: Any) -> Any:
    scope = request.flowthings

    def parts() -> Iterator[bytes]:
        platform.hold()
        kept.append(scope.lazy.flow.find())
        while True:
            yield b"more"

    return StreamingHttpResponse(parts())


def late(request: Any) -> Any:
    until(lambda: request.flowthings.left() < 0)
    return HttpResponse(str(request.flowthings.api.flow.read("f1")))


def written(request: Any) -> Any:
    kept.append(request.flowthings)
    request.flowthings.lazy.flow.create({"path": "/acme/a"})
    return HttpResponse("done")


def failing(request: Any) -> Any:
    kept.append(request.flowthings)
    request.flowthings.api.flow.read("f1")
    raise ZeroDivisionError


def a_file(request: Any) -> Any:
    return FileResponse(Path(__file__).open("rb"))


urlpatterns = [
    path(view.__name__, view)
    for view in (as_json, as_page, streamed, endless, late, written, failing, a_file)
]


def get(name: str, token: str = "one", **headers: str) -> Any:
    return Client(headers={"X-Token": token, **headers}, raise_request_exception=False).get(f"/{name}")


def test_thunks_are_values_in_json() -> None:
    assert get("as_json", "two").json() == {"flow": {"id": "f1", "token": "two"}, "at": 1}


def test_thunks_are_values_in_templates() -> None:
    assert get("as_page").content.decode() == RENDERED


def test_a_streamed_response_has_its_scope_until_its_end() -> None:
    answer = get("streamed")
    assert b"".join(answer.streaming_content) == b"f1f2"
    answer.close()
    assert platform.asked[-1] == ("one", "POST", 1)
    with pytest.raises(ConfigurationError, match="closed"):
        kept[0].api.flow.find()


@pytest.mark.needs("green", "a call in an OS thread cannot be interrupted")
def test_a_streamed_response_that_is_closed_before_its_end_has_its_calls_cancelled() -> None:
    environ = RequestFactory(headers={"X-Token": "one"}).get("/endless").environ
    response: Any = WSGIHandler()(environ, lambda *_: None)
    assert next(iter(response)) == b"more"
    assert platform.entered.wait(20)
    response.close()
    with pytest.raises(CallCancelled):
        force(kept[0])
    assert limit_call(None) is None


def test_a_view_whose_deadline_has_passed_is_answered_with_504() -> None:
    answer = get("late", **{"X-Timeout": "0.01"})
    assert (answer.status_code, answer.reason_phrase) == (504, "Gateway Timeout")
    assert get("late", **{"X-Timeout": "soon"}).status_code == 400
    assert limit_call(None) is None


def test_writes_that_nobody_waits_for_are_finished() -> None:
    assert get("written").content == b"done"
    assert platform.asked == [("one", "POST", 1)]
    with pytest.raises(ConfigurationError, match="closed"):
        kept[0].api.flow.find()


def test_a_view_that_fails_ends_the_scope() -> None:
    assert get("failing").status_code == 500
    with pytest.raises(ConfigurationError, match="closed"):
        kept[0].api.flow.find()


def test_a_file_is_sent_by_the_servers_own_means() -> None:
    environ = RequestFactory(headers={"X-Token": "one"}).get("/a_file").environ
    made: list[Any] = []
    environ["wsgi.file_wrapper"] = lambda file, size: made.append(file) or [file.read()]
    response: Any = WSGIHandler()(environ, lambda *_: None)
    assert b"".join(response) == Path(__file__).read_bytes()
    made[0].close()
    assert limit_call(None) is None


def test_the_setting_names_the_scopes() -> None:
    with override_settings(FLOWTHINGS_SCOPES=f"{__name__}.scopes"):
        assert FlowThingsMiddleware(lambda request: None).scopes is scopes
    for wrong in (None, Token("a", "b")):
        with (
            override_settings(FLOWTHINGS_SCOPES=wrong),
            pytest.raises(ConfigurationError, match=r"FLOWTHINGS_SCOPES is .*give a RequestScopes"),
        ):
            FlowThingsMiddleware(lambda request: None)
