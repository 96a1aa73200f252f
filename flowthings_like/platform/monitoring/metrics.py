"""The metrics of a served platform, which prometheus-client keeps in files that all workers share.

The master makes a folder for the files before it forks. Each worker writes files of its own there; whichever
worker is asked adds all of them up. Counters outlive their worker, gauges do not.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigurationError
from .platform_metrics import BusMetrics, LeaderMetrics, StoreMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..bus.reachability import BusState
    from ..store.statistics import StoreStatistics

__all__ = ["MetricsFiles", "ServerMetrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The upper bounds of the histogram's buckets, in seconds."""

_PREFIX = "flowthings-metrics-"
_ENVIRONMENT = "PROMETHEUS_MULTIPROC_DIR"
_PARTS = {"drops": "platform.db*", "streams": "streams/*", "records": "records/*"}


class MetricsFiles:
    """The folder of the files. Made by the master, before it imports prometheus-client.

    Raises:
        ConfigurationError: prometheus-client is not installed.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        _remove_left_over()
        self.path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{self._pid}-"))
        os.environ[_ENVIRONMENT] = str(self.path)  # which prometheus-client reads when it is imported
        try:
            import prometheus_client  # noqa: F401  # it is optional
        except ModuleNotFoundError as error:
            self.close()
            raise ConfigurationError(
                "metrics need the package prometheus-client: pip install 'flowthings_like[metrics]'"
            ) from error

    def forget(self, pid: int) -> None:
        """A worker has ended: its gauges count no more."""
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid, str(self.path))  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Remove the files. In a worker it does nothing."""
        if self._pid == os.getpid():
            shutil.rmtree(self.path, ignore_errors=True)


class ServerMetrics:
    """The metrics of one worker.

    Args:
        files: where they are kept.
        folder: the platform's folder, whose size is shown; None if there is none.
    """

    def __init__(self, files: MetricsFiles, folder: Path | None) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._files = files
        self._folder = folder
        own = CollectorRegistry()  # what is shown is read from the files
        labels = ("method", "resource")
        self._requests = Counter(
            "flowthings_requests", "Requests answered.", (*labels, "status"), registry=own
        )
        self._seconds = Histogram(
            "flowthings_request_seconds",
            "From a request's head to its response.",
            labels,
            buckets=SECONDS,
            registry=own,
        )

        def gauge(name: str, text: str, mode: Any = "livesum", labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"flowthings_{name}", text, labels, registry=own, multiprocess_mode=mode)

        self._running = gauge("requests_running", "Requests that are being answered.")
        self._connections = gauge(
            "connections", "Connections of clients, by what they do.", "livesum", ("phase",)
        )
        self._workers = gauge("workers", "Worker processes.")
        self._memory = gauge("memory_bytes", "Resident memory of all workers.")
        self._files_open = gauge("open_files", "Open files and sockets of all workers.")
        self._delay = gauge(
            "hub_delay_seconds", "By how much the slowest worker's event loop is late.", "livemax"
        )
        self._workers.set(1)
        self._store = StoreMetrics(own)
        self._leaders = LeaderMetrics(own)
        self._own = own
        self._bus: BusMetrics | None = None  # made when there is a bus: others would read its zeros as a loss

    @contextmanager
    def answering(self) -> Iterator[None]:
        """A block in which a request is answered."""
        self._running.inc()
        try:
            yield
        finally:
            self._running.dec()

    def answered(self, method: str, resource: str, status: str, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, resource, status).inc()
        self._seconds.labels(method, resource).observe(seconds)

    def observe_worker(self, phases: dict[str, int], delay: float) -> None:
        """Note the state of the worker, once a second.

        Args:
            phases: how many connections there are, by phase.
            delay: seconds by which the event loop is late.
        """
        for phase, count in phases.items():
            self._connections.labels(phase).set(count)
        self._delay.set(delay)
        self._memory.set(_resident_bytes())
        self._files_open.set(_open_files())

    def observe_platform(
        self, store: StoreStatistics, bus: BusState | None, leads: Mapping[str, bool]
    ) -> None:
        """Note what the worker depends on, once a second.

        Args:
            store: the numbers of its store.
            bus: the state of its bus; None if it has none that could be lost.
            leads: for each service that one worker of all runs whether this one does.
        """
        self._store.observe(store)
        self._leaders.observe(leads)
        if bus is not None:
            self._bus = self._bus or BusMetrics(self._own)
            self._bus.observe(bus)

    def text(self) -> bytes:
        """The metrics of all workers, in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._files.path))  # type: ignore[no-untyped-call]
        shown: bytes = generate_latest(registry)
        if self._folder is None:
            return shown
        return shown + _folder_text(self._folder)


def _remove_left_over() -> None:
    """Remove the files of masters of this user that were killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = path.name.removeprefix(_PREFIX).partition("-")[0]
        try:
            if path.stat().st_uid == os.geteuid():
                os.kill(int(pid), 0)
        except ProcessLookupError:
            shutil.rmtree(path, ignore_errors=True)
        except (OSError, ValueError, OverflowError):  # it is not ours
            continue


def _folder_text(folder: Path) -> bytes:
    """What the folder takes up, in the same format; it is the same for all workers."""
    lines = ["# HELP flowthings_store_bytes Size of the files.", "# TYPE flowthings_store_bytes gauge"]
    for part, pattern in _PARTS.items():
        lines.append(f'flowthings_store_bytes{{part="{part}"}} {sum(map(_size, folder.glob(pattern)))}')
    free = shutil.disk_usage(folder).free
    lines += ["# HELP flowthings_disk_free_bytes Free space of the folder's disk."]
    lines += ["# TYPE flowthings_disk_free_bytes gauge", f"flowthings_disk_free_bytes {free}", ""]
    return "\n".join(lines).encode()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it has gone
        return 0


def _resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def _open_files() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return sum(1 for _ in Path(folder).iterdir())
        except OSError:
            continue
    return 0
