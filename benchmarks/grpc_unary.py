"""One small unary gRPC call, 64 in flight on one connection, and one `find` beside it: what the client costs.

`h2 alone` is the work of the library h2 for such calls, without sockets, threads and gRPC.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import Target, _clients
from benchmarks._grpc_server import ANSWER, METHOD, REQUEST, grpc_server
from benchmarks._nginx import nginx

TITLE = "one unary gRPC call, 64 in flight"
UNIT = "CPU us"
PEER = "grpcio, threads"
CALLS = 20_000


@contextmanager
def SERVER(folder: Path) -> Iterator[str]:  # noqa: N802
    """A gRPC server, and nginx for `find`."""
    with grpc_server() as grpc_address, nginx(folder) as http_address:
        yield f"{grpc_address} {http_address}"


def address() -> tuple[str, int]:
    host, _, port = os.environ["BENCHMARK_SERVER"].split()[0].partition(":")
    return host, int(port)


def measured(client: Callable[[], Callable[[], object]], calls: int = CALLS) -> Callable[[Path], float]:
    return lambda folder: _clients.at_once(client(), calls)


def channel() -> Callable[[], object]:
    from flowthings_like.transport.grpc.channel import Channel

    made = Channel(*address(), metadata=[("authorization", "Bearer measured")])
    return lambda: made.unary(METHOD, REQUEST)


def grpcio() -> Callable[[], object]:
    import grpc

    host, port = address()
    call = grpc.insecure_channel(f"{host}:{port}").unary_unary(METHOD)
    metadata = (("authorization", "Bearer measured"),)
    return lambda: call(REQUEST, timeout=60, metadata=metadata)


def find() -> Callable[[], object]:
    os.environ["BENCHMARK_SERVER"] = os.environ["BENCHMARK_SERVER"].split()[1]
    return _clients.api_find()


def h2_alone(folder: Path) -> float:
    """CPU microseconds that h2 takes for a call: 64 are begun, and then their answers come."""
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from hpack import Encoder
    from hyperframe.frame import DataFrame, HeadersFrame, SettingsFrame

    headers = [
        (":method", "POST"), (":scheme", "http"), (":path", METHOD), (":authority", "127.0.0.1:4410"),
        ("te", "trailers"), ("content-type", "application/grpc"), ("grpc-timeout", "60S"),
        ("authorization", "Bearer measured"),
    ]  # fmt: skip
    connection = H2Connection(H2Configuration(client_side=True, header_encoding=None))
    connection.initiate_connection()
    connection.receive_data(SettingsFrame(0).serialize())
    encoder = Encoder()
    answers: list[bytes] = []
    streams = range(1, 2 * CALLS, 2)
    for stream in streams:
        first = encoder.encode([(":status", "200"), ("content-type", "application/grpc")])
        last = encoder.encode([("grpc-status", "0")])
        frames = (
            HeadersFrame(stream, first, flags=["END_HEADERS"]),
            DataFrame(stream, b"\0\0\0\0\x32" + ANSWER),
            HeadersFrame(stream, last, flags=["END_HEADERS", "END_STREAM"]),
        )
        answers.append(b"".join(frame.serialize() for frame in frames))
    started = time.process_time()
    for start in range(0, CALLS, _clients.IN_FLIGHT):
        for stream in streams[start : start + _clients.IN_FLIGHT]:
            connection.send_headers(stream, headers)
            connection.send_data(stream, b"\0\0\0\0\x28" + REQUEST, end_stream=True)
        connection.data_to_send()
        for answer in answers[start : start + _clients.IN_FLIGHT]:
            connection.receive_data(answer)
            connection.acknowledge_received_data(len(ANSWER) + 5, 1)
        connection.increment_flow_control_window(_clients.IN_FLIGHT * (len(ANSWER) + 5))
        connection.outbound_flow_control_window = 65_535
    return (time.process_time() - started) / CALLS * 1e6


CONTENDERS = {
    PEER: measured(grpcio),
    "h2 alone": h2_alone,
    "Channel, gevent": measured(channel),
    "Channel, eventlet": measured(channel),
    "Channel, threads": measured(channel),
    "api.flow.find, gevent": measured(find),
    "api.flow.find, eventlet": measured(find),
    "api.flow.find, threads": measured(find),
}
TARGETS = [
    Target("Channel, gevent", "api.flow.find, gevent", at_most=3),
    Target("Channel, eventlet", "api.flow.find, eventlet", at_most=3),
    Target("Channel, threads", "api.flow.find, threads", at_most=3),
]
