"""Runs an API task: asks its script what to fetch, fetches it, and has the script make drops of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..problems import BadRequest
from ..resources.access.rights import Caller
from ..resources.drops.track_script import to_grants
from ..resources.task_schedule import RunState
from ..resources.task_scripts import drops_of, request_of
from ..scripts.script import Kind, Script
from .contents import drops_from, text_of
from .fetch import FetchedRequest
from .response import check_answer
from .yields import Yield

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..resources.drops.resource_store import ResourceStore
    from ..resources.task_schedule import StoredTask
    from .fetch import Fetcher

__all__ = ["run_api_task"]


def run_api_task(store: ResourceStore, fetcher: Fetcher, task: StoredTask) -> Yield:
    """Fetch what the task asks for, and make drops of it. They are not written yet.

    Raises:
        Problem: it cannot be fetched, or the script fails.
    """
    source = task.body.get("source")
    if source is not None:
        answer = fetcher.fetch(_to_fetch(source["http"]))
        check_answer(answer)
        return Yield(drops_from(answer, source), RunState())
    rights = task.body.get("jsRights")
    writer = Caller(task.account, task.body["creatorId"], None if rights is None else to_grants(rights))
    script = Script(Kind.TASK, task.body["js"], task.account)
    answer = fetcher.fetch(_to_fetch(request_of(_run(store, script, {}, writer))))
    check_answer(answer)
    return Yield(drops_of(_run(store, script, {"text": text_of(answer)}, writer)), RunState())


def _run(store: ResourceStore, script: Script, value: Any, writer: Caller) -> Any:
    (run,) = store.scripts.run(script, [value], store.script_answers(writer))
    if run.error is not None:
        raise BadRequest(run.error)
    return run.value


def _to_fetch(request: Mapping[str, Any]) -> FetchedRequest:
    """A request as a script or a source states it. Raises Problem if it is none."""
    method, headers, body = request.get("method", "GET"), request.get("headers"), request.get("body")
    if not isinstance(method, str):
        raise BadRequest("method must be a string")
    if headers is not None and not isinstance(headers, dict):
        raise BadRequest('headers must be a map such as {"Accept": "application/json"}')
    if body is not None and not isinstance(body, str):
        raise BadRequest("body must be a string: JSON.stringify makes one")
    try:
        content = None if body is None else body.encode()
    except UnicodeEncodeError:
        raise BadRequest("body is no Unicode text") from None
    return FetchedRequest(request["uri"], method.upper(), headers or {}, content)
