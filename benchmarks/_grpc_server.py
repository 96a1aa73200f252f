"""A gRPC server for clients to be measured against: ours, in a process of its own.

    python -m benchmarks._grpc_server

It prints its port, and runs until it is terminated.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE

from benchmarks._processes import on_last_core

METHOD = "/tests.Service/Nearest"
REQUEST = bytes(range(40))
"""About as many bytes as a question for the nearest point of a stream has."""

ANSWER = bytes(range(50))

__all__ = ["ANSWER", "METHOD", "REQUEST", "grpc_server"]


@contextmanager
def grpc_server() -> Iterator[str]:
    """A running server; yields its host and port. It gets the last core this process may use."""
    with on_last_core([sys.executable, "-m", "benchmarks._grpc_server"], stdout=PIPE) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"


def main() -> None:
    from gevent import monkey

    monkey.patch_all()
    from flowthings_like.green.backends.choice import detect
    from flowthings_like.platform.grpc.server import GrpcServer

    server = GrpcServer({METHOD: lambda request, context: ANSWER}, "127.0.0.1", 0)
    print(server.start()[1], flush=True)
    while True:
        detect().sleep(60)


if __name__ == "__main__":
    main()
