"""The inputs of one script: which are sent to a process, what came back, what is asked and answered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import orjson

from ...errors import InvalidInput
from ..problems import BadRequest, Problem
from .script import Answer, Run, Script

__all__ = ["Batch", "encoded"]

MOST_INPUTS = 1000
"""Inputs that are sent to a process at once."""
MOST_BYTES = 4 << 20
"""Bytes of inputs after which no more are sent at once."""
MOST_QUESTIONS = 20
"""How often a script may ask the platform for something, for one input."""
LONGEST_ANSWER = 1 << 20
"""Bytes of JSON that a script is given in answer to one question."""
MOST_STOPPED = 3
"""How often a script is stopped before the rest of its inputs is not run."""


class _Input:
    """One input of a script, and what it was answered so far."""

    __slots__ = ("answers", "index", "text", "wanted")

    def __init__(self, index: int, value: Any) -> None:
        self.index = index
        self.text = orjson.dumps(value).decode()
        self.answers: dict[str, str] = {}  # JSON by question
        self.wanted: str | None = None  # a question without an answer

    def request(self) -> dict[str, str]:
        """The input as a process takes it."""
        answers = ",".join(f"{orjson.dumps(key).decode()}:{text}" for key, text in self.answers.items())
        return {"text": self.text, "answers": f"{{{answers}}}"}


class Batch:
    """The inputs of one `run`: which wait, and what came of the others.

    Attributes:
        runs: by input, its result; complete when none waits.
        waiting: the inputs without one, in order.
        size: bytes of results so far.
    """

    def __init__(self, script: Script, inputs: Sequence[Any]) -> None:
        self.runs = [Run() for _ in inputs]
        self.waiting = deque(_Input(index, value) for index, value in enumerate(inputs))
        self.size = 0
        self._script = script
        self._sent: list[_Input] = []
        self._asking: list[_Input] = []
        self._stopped = 0

    def request(self, seconds: float) -> bytes:
        """The request for the next inputs, which do not wait any longer."""
        sent: list[_Input] = []
        size = 0
        while self.waiting and len(sent) < MOST_INPUTS and size < MOST_BYTES:
            given = self.waiting.popleft()
            sent.append(given)
            size += len(given.text) + sum(map(len, given.answers.values()))
        self._sent = sent
        return encoded(self._script, seconds, [given.request() for given in sent])

    def take(self, replies: list[bytes]) -> float | None:
        """Take the replies to the last request.

        Returns:
            Seconds of processor time for an input; None if the script was stopped.
        """
        sent, self._sent = deque(self._sent), []
        seconds: float | None = 0.0
        is_complete = bool(replies) and replies[-1].startswith(b".")
        if is_complete:
            seconds = float(replies.pop()[1:]) / max(len(replies), 1)
        for frame in replies:
            given = sent.popleft()
            self.size += len(frame)
            if frame.startswith(b"="):
                self._finish(given, frame[1:])
            else:
                self._stop(given, frame[1:].decode())
                seconds = None
        if not is_complete:
            if sent:
                self._stop(sent.popleft(), "it took too long, and its process was ended")
            seconds = None
        self.waiting.extendleft(reversed(sent))
        if self._stopped >= MOST_STOPPED:
            for given in self.waiting:
                self.runs[given.index].error = f"not run, because js was stopped {MOST_STOPPED} times before"
            self.waiting.clear()
        return seconds

    def answer(self, answer: Answer, seconds: float) -> None:
        """Answer the questions that came with the last replies, so that the script can run again.

        Those that are left after so many seconds are asked again, when the script has its next turn.
        """
        asking, self._asking = self._asking, []
        end = time.monotonic() + seconds
        for given in asking:
            assert given.wanted is not None
            given.answers[given.wanted] = _answered(answer, given.wanted)
            if time.monotonic() > end:
                break
        self.waiting.extendleft(reversed(asking))

    def _finish(self, given: _Input, reply: bytes) -> None:
        run = self.runs[given.index]
        try:
            found = orjson.loads(reply)
            if "wanted" in found:
                if len(given.answers) >= MOST_QUESTIONS:
                    run.error = f"it asks for more than {MOST_QUESTIONS} things"
                else:
                    given.wanted = found["wanted"]
                    self._asking.append(given)
                return
            run.log, run.size = found["log"], len(reply)
            if "error" in found:
                line = found["line"]
                run.error = found["error"] if line is None else f"line {line}: {found['error']}"
            else:
                run.value = orjson.loads(found["value"])
        except orjson.JSONDecodeError:
            run.error = "it returned what is no JSON: half a surrogate pair, or lists in lists without end"

    def _stop(self, given: _Input, reason: str) -> None:
        self._stopped += 1
        self.runs[given.index].error = reason


def _answered(answer: Answer, question: str) -> str:
    """The answer to a question, as JSON: {"value": …} or {"error": …}."""
    try:
        name, values = orjson.loads(question)
        text = orjson.dumps({"value": answer(name, values)})
        if len(text) > LONGEST_ANSWER:
            raise BadRequest(f"{name} found {len(text)} bytes: {LONGEST_ANSWER} is the most, set a limit")
    except Problem as problem:
        text = orjson.dumps({"error": problem.message})
    except InvalidInput as error:
        text = orjson.dumps({"error": str(error)})
    return text.decode()


def encoded(script: Script, seconds: float, inputs: list[dict[str, str]]) -> bytes:
    """A request to a process: run a script on inputs, and take no further one after so many seconds."""
    return orjson.dumps(
        {"kind": script.kind.value, "source": script.source, "seconds": seconds, "inputs": inputs}
    )
