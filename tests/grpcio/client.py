"""A client of grpcio's that calls every method of the service, and checks the answers.

python -m tests.grpcio.client PORT
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc


class Client:
    """Calls of a server, with or without compression."""

    def __init__(self, port: int, compression: Any) -> None:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options, compression=compression)

    def unary(self, name: str, request: bytes, timeout: float = 20, **options: Any) -> bytes:
        answer: bytes = self.channel.unary_unary(f"/tests.Service/{name}")(
            request, timeout=timeout, **options
        )
        return answer

    def stream(self, name: str, request: bytes, timeout: float = 20) -> Any:
        return self.channel.unary_stream(f"/tests.Service/{name}")(request, timeout=timeout)


def status_of(call: Callable[[], object]) -> tuple[int, str]:
    try:
        call()
    except grpc.RpcError as error:
        return error.code().value[0], error.details()
    raise AssertionError("the call has succeeded")


def check_unary(client: Client) -> None:
    for size in 0, 1, 1000, 100_000, 6_000_000:
        request = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        assert client.unary("Echo", request) == request, size
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(lambda number: client.unary("Echo", b"%d" % number), range(300)))
    assert found == [b"%d" % number for number in range(300)]


def check_streams(client: Client) -> None:
    assert list(client.stream("Count", b"2000")) == [b"%d" % number for number in range(2000)]
    assert [len(block) for block in client.stream("Blocks", b"60 200000")] == [200_000] * 60
    assert list(client.stream("Count", b"0")) == []


def check_statuses(client: Client) -> None:
    assert status_of(lambda: client.unary("Fail", "5 nothing: é %".encode())) == (5, "nothing: é %")
    assert status_of(lambda: client.unary("Fail", b"0x")) == (13, "the server failed")
    assert status_of(lambda: client.unary("Nothing", b""))[0] == 12

    def read() -> Iterator[bytes]:
        yield from client.stream("FailLate", b"")

    assert status_of(lambda: list(read())) == (5, "no more")
    assert client.unary("Headers", b"name", metadata=[("name", "value")]) == b"value"


def check_ends(client: Client) -> None:
    assert status_of(lambda: client.unary("Sleep", b"20", timeout=0.2))[0] == 4
    stream = client.stream("Forever", b"first")
    assert next(stream) == b"first"
    stream.cancel()
    assert status_of(lambda: next(stream))[0] == 1
    stream = client.stream("Blocks", b"100000 100000", timeout=60)
    for _ in range(3):
        next(stream)
        time.sleep(0.05)
    stream.cancel()
    assert client.unary("Echo", b"still there") == b"still there"


def main(port: int) -> None:
    for compression in None, grpc.Compression.Gzip:
        client = Client(port, compression)
        for check in check_unary, check_streams, check_statuses, check_ends:
            check(client)
            print(check.__name__, flush=True)
        client.channel.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
