"""Loads that workers of Celery share: a source is cut into parts, and each part is a task.

    app = Celery("loads", broker="redis://localhost", backend="redis://localhost")
    jobs.celery.register(app)                                        # in the module of the workers
    report = jobs.celery.load(app, LoadSpec("all.csv", "/acme/weather"), Where(data="/srv/data"))

A task is acknowledged when its part is loaded. A worker that is lost leaves its part to another one, which
loads it again: each row is stored once. Workers read the source themselves, so it has to be in their reach
under the same name. Messages hold no rows and no secrets: a worker finds the token of a profile by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ..api import API
from ..errors import ConfigurationError, InvalidInput
from ..transport.retry import Backoff
from .checkpoint import Checkpoint, Counts, locked
from .errors import LoadStopped
from .parts import PartResult, load_part
from .progress import Progress, Report, Stopwatch
from .rejects import RejectFile, as_json
from .sinks.base import Run, check_refusals
from .sources.base import Part
from .spec import LoadSpec
from .table import Position, Refusal

if TYPE_CHECKING:
    from .sinks.base import Sink
    from .sources.base import Source

__all__ = ["TASK", "Where", "load", "register"]

TASK = "flowthings_like.load_part"
"""The name of the task."""

MOST_RETRIES = 10
"""How often a part is loaded again, at most, after a failure that may pass."""

_PAUSES = Backoff(base=1.0, most=60.0)


@dataclass(frozen=True)
class Where:
    """The platform that workers load into.

    Attributes:
        data: the folder of an embedded platform; None for that of a profile.
        profile: as for `API.connect`.
        account: the account in the folder.
    """

    data: str | None = None
    profile: str | None = None
    account: str = "acme"

    @contextmanager
    def opened(self) -> Iterator[API]:
        """An API, for the block."""
        if self.data is None:
            api = API.connect(self.profile)
        else:
            api = API.embedded(self.data, account=self.account)
        with api:
            yield api


def register(app: Any, name: str = TASK) -> Any:
    """Add the task that loads parts to an app of Celery. Its workers call this when they import their module.

    Args:
        app: a `celery.Celery`, whose serializer is JSON, as it is by default.
        name: of the task.

    Returns:
        The task.
    """

    def load_part_of(
        task: Any,
        spec: dict[str, Any],
        where: dict[str, Any],
        part: dict[str, Any],
        load_id: str,
        began: int,
    ) -> dict[str, Any]:
        try:
            return _load_part(LoadSpec.from_json(spec), Where(**where), _part(part), load_id, began)
        except LoadStopped as error:
            if not error.retryable:
                raise
            pause = _PAUSES.pause(task.request.retries + 1)
            raise task.retry(countdown=pause, exc=LoadStopped(str(error))) from None

    return app.task(
        load_part_of,
        name=name,
        bind=True,
        acks_late=True,
        reject_on_worker_lost=True,
        max_retries=MOST_RETRIES,
    )


def _load_part(spec: LoadSpec, where: Where, part: Part, load_id: str, began: int) -> dict[str, Any]:
    with where.opened() as api:
        found = load_part(spec.open_source(api), spec.open_sink(api), spec.options(), part, load_id, began)
    refusals = [orjson.loads(as_json(refusal)) for refusal in found.refusals]
    return {"counts": asdict(found.counts), "refusals": refusals}


def _part(told: dict[str, Any]) -> Part:
    return Part(Position(**told["start"]), told["rows"])


def load(
    app: Any,
    spec: LoadSpec,
    where: Where,
    *,
    rows_per_part: int = 100_000,
    checkpoint: str | os.PathLike[str] | None = None,
    rejects: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    name: str = TASK,
) -> Report:
    """Cut a load into parts, have workers load them, and wait for all of them.

    Files are cut. A flow and a query are one part.

    Args:
        app: the app, with a result backend.
        spec: the load. Its `calls_per_second` and `parallel` are those of each process of a worker.
        where: the platform.
        rows_per_part: a part should take a worker far less time than the broker waits until it gives the part
            to another one: the visibility time-out of Redis, the `consumer_timeout` of RabbitMQ.
        checkpoint: a file that keeps which parts are done. The same call with the same file goes on there.
        rejects: a file for the rows that are refused; without it such a row stops the load.
        timeout: seconds to wait for each part; None waits for ever.
        on_progress: called with the Progress when a part is done.
        name: of the task.

    Raises:
        InvalidInput, ConfigurationError: the load cannot be made, or another one uses the checkpoint now.
            Nothing was sent.
        LoadStopped: a part has failed. Those that have begun go on.
        TimeoutError: a part was not done in time.
    """
    if rows_per_part < 1:
        raise InvalidInput(f"rows_per_part is {rows_per_part!r}; give a whole number, 1 or more")
    if spec.source == "-":
        raise ConfigurationError("workers cannot read a pipe of this process; give a file")
    if where.data is not None:
        where = Where(str(Path(where.data).resolve()), None, where.account)
    if rejects is None:
        spec = LoadSpec.from_json({**spec.to_json(), "max_rejects": 0})
    path = None if checkpoint is None else Path(checkpoint)
    with locked(path), where.opened() as api:
        source, sink = spec.open_source(api), spec.open_sink(api)
        settings = {
            **source.settings(),
            **sink.settings(),
            **spec.options().settings(sink),
            "rows_per_part": rows_per_part,
        }
        coordinator = _Coordinator(app, spec, where, settings, path, on_progress, name)
        _check(source, sink, spec, coordinator.state)
        return coordinator.run(source, rows_per_part, rejects, timeout)


def _check(source: Source, sink: Sink, spec: LoadSpec, state: Checkpoint) -> None:
    """Check the first rows, as a worker would, before anything is sent."""
    options = spec.options()
    units = options.time_units(source)
    run = Run(state.id, True, state.began, source.key, lambda: None, options.max_rejects, time_units=units)
    for chunk in source.chunks(min(100, options.batch_of(sink)), Position()):
        options.pipeline(source, sink, run).check(chunk)
        break


class _Coordinator:
    """Sends the parts of a load, and collects what became of them."""

    def __init__(
        self,
        app: Any,
        spec: LoadSpec,
        where: Where,
        settings: dict[str, Any],
        checkpoint: Path | None,
        on_progress: Callable[[Progress], object] | None,
        name: str,
    ) -> None:
        self._app = app
        self._spec = spec
        self._where = where
        self._checkpoint = checkpoint
        found = None if checkpoint is None else Checkpoint.load(checkpoint, settings)
        self.state = found or Checkpoint(settings)
        self._on_progress = on_progress
        self._name = name

    def run(
        self, source: Source, rows: int, rejects: str | os.PathLike[str] | None, timeout: float | None
    ) -> Report:
        state = self.state
        before, watch = state.counts.rows, Stopwatch(state.counts.rows)
        if not state.is_complete:
            parts = [part for part in source.parts(rows) if part.start.row >= state.position.row]
            total = parts[-1].start.row + (parts[-1].rows or 0) if parts else 0
            with RejectFile(None if rejects is None else Path(rejects), state.rejects_size) as file:
                self._save()  # before anything is sent: the parts are those of this load
                sent = [(part, self._send(part)) for part in parts]
                try:
                    self._collect(sent, file, watch, total, timeout)
                except BaseException:
                    _revoke(sent)
                    raise
            state.is_complete = True
            self._save()
        return Report(**asdict(state.counts), seconds=watch.seconds, rows_now=state.counts.rows - before)

    def _send(self, part: Part) -> Any:
        state = self.state
        arguments = (self._spec.to_json(), asdict(self._where), asdict(part), state.id, state.began)
        return self._app.tasks[self._name].apply_async(arguments)

    def _collect(
        self,
        sent: list[tuple[Part, Any]],
        rejects: RejectFile,
        watch: Stopwatch,
        total: int,
        timeout: float | None,
    ) -> None:
        state = self.state
        for part, result in sent:
            found = _result(result.get(timeout=timeout, disable_sync_subtasks=False))
            self._commit(part, found, rejects)
            if self._on_progress is not None:
                counts = state.counts
                fraction = counts.rows / total if total else None
                self._on_progress(watch.progress(counts.rows, counts.stored, counts.refused, fraction))

    def _commit(self, part: Part, found: PartResult, rejects: RejectFile) -> None:
        state = self.state
        if found.refusals:
            run = Run(state.id, True, state.began, None, lambda: None, self._spec.max_rejects)
            check_refusals(state.counts.refused + found.counts.refused, found.refusals[-1], run)
            rejects.add(found.refusals)
            state.rejects_size = rejects.size
        state.counts.add(found.counts)
        state.position = Position(part.start.row + found.counts.rows)
        self._save()

    def _save(self) -> None:
        if self._checkpoint is not None:
            self.state.save(self._checkpoint)


def _revoke(sent: list[tuple[Part, Any]]) -> None:
    """Have the workers leave out the parts that they have not begun."""
    for _, result in sent:
        result.revoke()


def _result(told: dict[str, Any]) -> PartResult:
    return PartResult(Counts(**told["counts"]), [Refusal(**refusal) for refusal in told["refusals"]])
