"""`flowthings-like serve`: the embedded platform, for other processes to talk to.

The first start prints the account and its token, once, because only the token's hash is stored.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .bus_option import bus_option, without_login
from .command import Choice, Command, Parsed, parse_seconds
from .store_option import store_option, without_password

if TYPE_CHECKING:
    from ..platform.server import Started

INSTALL = "pip install 'flowthings_like[serve]'"


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else -1
    if not 0 <= port <= 65535:
        raise ValueError(f"a port is a number from 0 to 65535, not {text!r}")
    return port


def _capacity(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"a capacity is a whole number of at least 0, not {text!r}")
    return int(text)


def _workers(text: str) -> int:
    count = int(text) if text.isdecimal() else 0
    if not 1 <= count <= 256:
        raise ValueError(f"workers must be a number from 1 to 256, not {text!r}")
    return count


def _connections(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise ValueError(f"connections must be a number of at least 0, not {text!r}")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1e12:
        raise ValueError(f"a rate is a number above 0, not {text!r}")
    return rate


def _body(text: str) -> int:
    size = int(text) if text.isdecimal() and len(text) < 12 else 0
    if not 1 <= size <= 32 << 20:
        raise ValueError(f"a body may have from 1 to 33554432 bytes, not {text!r}")
    return size


def _searches(text: str) -> int:
    count = int(text) if text.isdecimal() else 0
    if not 1 <= count <= 4:
        raise ValueError(f"searches must be a number from 1 to 4, not {text!r}")
    return count


def _folder(text: str) -> str:
    if "://" in text:
        raise ValueError("a folder is needed; --store takes the URL of a database")
    return text


@click.command("serve", cls=Command)
@click.option(
    "--data",
    type=Parsed(_folder),
    metavar="DIR",
    help="the folder that holds the data; made if it is missing",
)
@store_option
@bus_option
@click.option(
    "--port", type=Parsed(_port), default=8080, metavar="N", help="port to listen at, 0 for a free one (8080)"
)
@click.option("--host", default="127.0.0.1", help="address to listen at (127.0.0.1)")
@click.option(
    "--account", default="acme", metavar="NAME", help="the account to make at the first start (acme)"
)
@click.option("--new-token", is_flag=True, help="replace the account's token and print the new one")
@click.option(
    "--workers", type=Parsed(_workers), default=1, metavar="N", help="processes that share the work (1)"
)
@click.option(
    "--things-port",
    type=Parsed(_port),
    metavar="N",
    help="serve rooms and queries there too, in the clear; 0: a free port",
)
@click.option(
    "--things-ws-port",
    type=Parsed(_port),
    metavar="N",
    help="a second port for them; WebSockets work on either",
)
@click.option(
    "--streams-port",
    type=Parsed(_port),
    metavar="N",
    help="serve streams there too, in the clear, to BTrDB clients; 0: a free port",
)
@click.option(
    "--records-port",
    type=Parsed(_port),
    metavar="N",
    help="serve records there too, to TStorage clients; 0: a free port. There is no login: whoever "
    "reaches the port reads and writes all records",
)
@click.option(
    "--records-host",
    default="127.0.0.1",
    metavar="HOST",
    help="address to listen at for records (127.0.0.1, whatever --host says)",
)
@click.option(
    "--no-tasks",
    is_flag=True,
    help="run no tasks; without it, one process runs those of the folder",
)
@click.option(
    "--task-network",
    multiple=True,
    metavar="NETWORK",
    help="a network that tasks may reach besides public addresses, such as 10.0.0.0/8; may be repeated",
)
@click.option(
    "--max-capacity",
    type=Parsed(_capacity),
    metavar="N",
    help="the most drops that a flow may be set to hold; any number unless this is given",
)
@click.option(
    "--connections",
    type=Parsed(_connections),
    default=512,
    metavar="N",
    help="most connections of one address in each worker, 0 for no bound (512)",
)
@click.option(
    "--search-seconds",
    type=Parsed(parse_seconds),
    default=10.0,
    metavar="S",
    help="how long a find or an aggregate may take, 0 for as long as it needs (10)",
)
@click.option(
    "--searches",
    type=Parsed(_searches),
    default=2,
    metavar="N",
    help="most slow finds and aggregates of one token at once in each worker, 1 to 4 (2)",
)
@click.option(
    "--requests-per-second",
    type=Parsed(_rate),
    metavar="R",
    help="requests that one token may send in each worker in the long run; any number unless this is given",
)
@click.option(
    "--request-burst",
    type=Parsed(_rate),
    metavar="N",
    help="those that it may send at once (twice --requests-per-second)",
)
@click.option(
    "--bytes-per-second",
    type=Parsed(_rate),
    metavar="B",
    help="bytes of bodies that one token may send in each worker in the long run; any number unless this "
    "is given",
)
@click.option(
    "--max-body",
    type=Parsed(_body),
    metavar="BYTES",
    help="most bytes of one body, 33554432 at most (33554432)",
)
@click.option("--certfile", metavar="PEM", help="certificate: serve HTTPS")
@click.option("--keyfile", metavar="PEM", help="the certificate's key, if it is in a file of its own")
@click.option(
    "--metrics-port",
    type=Parsed(_port),
    metavar="N",
    help="show metrics for Prometheus there, at /metrics; 0: a free port. Whoever reaches the port "
    "reads them",
)
@click.option(
    "--metrics-host",
    default="127.0.0.1",
    metavar="HOST",
    help="address to listen at for metrics (127.0.0.1, whatever --host says)",
)
@click.option(
    "--stop-seconds",
    type=Parsed(parse_seconds),
    default=30.0,
    metavar="S",
    help="how long requests under way may take when the server is told to stop (30)",
)
@click.option("--log", is_flag=True, help="log every request to stderr")
@click.option(
    "--log-format",
    type=Choice(["text", "json"]),
    default="text",
    help="text, or json: a line of JSON for each entry, with request ids (text)",
)
def cli_command(**options: Any) -> int:
    """Serve the embedded platform to other processes, until SIGTERM or Ctrl-C."""
    return _run(_Arguments(**options))


@dataclass(frozen=True, slots=True)
class _Arguments:
    data: str | None
    store: str | None
    bus: str | None
    port: int
    host: str
    account: str
    new_token: bool
    workers: int
    things_port: int | None
    things_ws_port: int | None
    streams_port: int | None
    records_port: int | None
    records_host: str
    no_tasks: bool
    task_network: tuple[str, ...]
    max_capacity: int | None
    connections: int
    search_seconds: float
    searches: int
    requests_per_second: float | None
    request_burst: float | None
    bytes_per_second: float | None
    max_body: int | None
    certfile: str | None
    keyfile: str | None
    metrics_port: int | None
    metrics_host: str
    stop_seconds: float
    log: bool
    log_format: str


def _run(arguments: _Arguments) -> int:
    """Serve until told to stop by SIGTERM or SIGINT. Returns the exit status."""
    try:
        from gevent import monkey

        monkey.patch_all()  # first of all: what is imported earlier keeps the unpatched parts it took
        from ..platform.monitoring.settings import MonitoringSettings
        from ..platform.rest.application import Limits
        from ..platform.rest.body import LIMIT
        from ..platform.rest.connections import ConnectionLimits
        from ..platform.rest.rates import Rate
        from ..platform.rest.search_limits import SEARCH_PERMITS, SearchLimits
        from ..platform.server import Preflight, Server
        from ..platform.server_settings import ServerSettings
        from ..platform.tasks.service import TaskSettings
    except ImportError as error:
        if error.name is None or error.name.startswith("flowthings_like"):
            raise
        print(f"flowthings-like: serving needs {error.name}: {INSTALL}", file=sys.stderr)
        return 1
    from ..errors import ConfigurationError
    from ..platform.problems import Problem

    if arguments.data is None and arguments.store is None:
        print("flowthings-like: give --data or --store", file=sys.stderr)
        return 2
    if arguments.keyfile and not arguments.certfile:
        print("flowthings-like: --keyfile needs --certfile", file=sys.stderr)
        return 2
    if arguments.request_burst and not arguments.requests_per_second:
        print("flowthings-like: --request-burst needs --requests-per-second", file=sys.stderr)
        return 2
    _log_to_stderr(arguments.log, arguments.log_format == "json")
    request_rate, byte_rate = arguments.requests_per_second, arguments.bytes_per_second
    settings = ServerSettings(
        place=arguments.data,
        bus=arguments.bus,
        store=arguments.store,
        account=arguments.account,
        new_token=arguments.new_token,
        host=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        certfile=arguments.certfile,
        keyfile=arguments.keyfile,
        tasks=None if arguments.no_tasks else TaskSettings(allowed=arguments.task_network),
        max_capacity=arguments.max_capacity,
        things_ports=tuple(
            port for port in (arguments.things_port, arguments.things_ws_port) if port is not None
        ),
        streams_port=arguments.streams_port,
        records_port=arguments.records_port,
        records_host=arguments.records_host,
        stop_seconds=arguments.stop_seconds,
        monitoring=MonitoringSettings(
            arguments.metrics_port, arguments.metrics_host, arguments.log_format == "json"
        ),
        connections=ConnectionLimits(per_address=arguments.connections),
        limits=Limits(
            SearchLimits(
                arguments.search_seconds or None, replace(SEARCH_PERMITS, per_caller=arguments.searches)
            ),
            max_body=arguments.max_body or LIMIT,
            request_rate=None if request_rate is None else Rate(request_rate, arguments.request_burst),
            byte_rate=None if byte_rate is None else Rate(byte_rate),
        ),
    )
    try:
        preflight = Preflight(settings)
    except (ConfigurationError, Problem) as error:
        print(f"flowthings-like: {error}", file=sys.stderr)
        return 1
    with preflight:
        if preflight.first is not None:
            host, port = preflight.first.host, preflight.first.port
            print(f"joins: the server at {host}:{port}, which serves this folder already", flush=True)
        if settings.bus is not None:
            print(f"bus: {without_login(settings.bus)}", flush=True)
        if preflight.metrics_address is not None:
            _tell("metrics: http", preflight.metrics_address)

        if settings.store is not None:
            _tell_store(settings.store, settings.place)

        def ready(started: Started) -> None:
            if started.token is not None:
                print(f"account: {settings.account}\ntoken: {started.token}")
            print(f"listening: {started.url}", flush=True)

        Server(
            preflight,
            ready,
            partial(_tell, "things: things"),
            partial(_tell, "streams: grpc"),
            partial(_tell, "records: tstorage"),
        ).run()
    return 0


def _tell_store(store: str, folder: str | None) -> None:
    """Say where the data is: a server has no rooms, streams and records."""
    elsewhere = "not here, but at a server with --data, or in clusters of their own"
    print(f"store: {without_password(store)}")
    print(f"rooms, streams and records: {elsewhere if folder is None else folder}", flush=True)


def _tell(beginning: str, address: tuple[str, int]) -> None:
    host, port = address
    print(f"{beginning}://[{host}]:{port}" if ":" in host else f"{beginning}://{host}:{port}", flush=True)


def _log_to_stderr(requests: bool, as_json: bool) -> None:
    """Write warnings and errors to stderr, and a line for each request if `requests`."""
    import logging

    from ..platform.monitoring.json_log import JSONFormatter

    if not requests and not as_json:
        return  # Python's own way for warnings and errors
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter() if as_json else logging.Formatter("%(asctime)s %(message)s"))
    logging.basicConfig(handlers=[handler])
    if requests:
        logging.getLogger("flowthings_like.platform").setLevel(logging.INFO)
