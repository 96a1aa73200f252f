"""Scripts of API tasks: the request that one makes, and the drops that it makes of the response.

    new Task({
        request: {uri: "https://example.com/weather.json", method: "GET", headers: {}},
        callback: function (text) { return [{elems: JSON.parse(text)}]; }
    })

`request` may be a function that returns such a map. The script itself reaches nothing: the platform makes the
request, and runs the callback on the text of the response.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..problems import BadRequest, Problem
from ..scripts.script import Kind, Script
from .base.members import filled
from .drops import validation

if TYPE_CHECKING:
    from .access.rights import Caller
    from .base.resource import Document
    from .drops.resource_store import ResourceStore

LONGEST_JS = 200_000
"""Most characters of a task's script."""

MOST_DROPS = 10_000
"""Most drops that a callback may return."""

source_text = filled(LONGEST_JS)
"""The check of a task's `js`."""

_REQUEST = frozenset({"uri", "method", "headers", "body"})


def check_script(store: ResourceStore, caller: Caller, members: Mapping[str, Any]) -> None:
    """Refuse a task whose script does not compile. The caller's share of the time is used."""
    given = members.get("js")
    if given is not None:
        store.scripts.check(Script(Kind.TASK, source_text("js", given), caller.identity))


def simulate(store: ResourceStore, caller: Caller, task: Any) -> Document:
    """What a task's script does; nothing is fetched or stored.

    Args:
        task: {js, text}. text: the response to run the callback on; without it the callback is not run.

    Returns:
        {request, drops, log, errors}. request: what the task would ask for, empty if it failed. drops: what
        its callback returned. log: {line_no, message} for each line that the script logged. errors: messages.
    """
    if not isinstance(task, dict):
        raise BadRequest("the body must be a JSON object: {js, text}")
    if task.get("js") is None:
        raise BadRequest("js is required: the task's request and callback")
    script = Script(Kind.TASK, source_text("js", task["js"]), caller.identity)
    inputs: list[dict[str, Any]] = [{}]
    text = task.get("text")
    if text is not None:
        if not isinstance(text, str):
            raise BadRequest("text must be a string: the response that the callback is run on")
        inputs.append({"text": text})
    runs = store.scripts.run(script, inputs, store.script_answers(caller))
    found: Document = {"request": {}, "drops": [], "log": [], "errors": []}
    for run, (member, check) in zip(runs, (("request", request_of), ("drops", drops_of)), strict=False):
        found["log"] += run.log
        error = run.error
        if error is None:
            try:
                found[member] = check(run.value)
            except Problem as problem:
                error = problem.message
        if error is not None and error not in found["errors"]:
            found["errors"].append(error)
    return found


def request_of(value: Any) -> dict[str, Any]:
    """The request that a script states. Raises BadRequest if it is none."""
    if not isinstance(value, dict) or not isinstance(value.get("uri"), str):
        raise BadRequest('request must be a map such as {uri: "https://example.com/data.json"}')
    if unknown := sorted(value.keys() - _REQUEST):
        raise BadRequest(f"request has no member {unknown[0]!r}: there are {', '.join(sorted(_REQUEST))}")
    return value


def drops_of(value: Any) -> list[dict[str, Any]]:
    """The drops that a callback has returned, checked: a list of them, one, or none.

    Raises:
        BadRequest, TooLarge: one is wrong, or there are too many.
    """
    drops = [] if value is None else value if isinstance(value, list) else [value]
    if len(drops) > MOST_DROPS:
        raise BadRequest(f"the callback returned {len(drops)} drops: {MOST_DROPS} is the most")
    for index, drop in enumerate(drops):
        try:
            validation.validated(drop)
        except Problem as problem:
            raise type(problem)(f"drop {index}: {problem.message}") from problem
    return drops
