"""A server of grpcio's with the service of the tests.

    python -m tests.grpcio.server [gzip | calls=N | tls=CERTIFICATE:KEY]

It prints its port, and runs until its input ends.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from tests.grpc_service import METHODS, UNARY, Service

NUMBERS = ("Ended", "Sent", "Started")


class GrpcioService(Service):
    """The service, with grpcio's contexts."""

    def wait(self, context: Any, seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and context.is_active():
            time.sleep(0.01)

    def metadata(self, context: Any) -> Any:
        return {each.key: each.value for each in context.invocation_metadata()}

    def Ended(self, request: bytes, context: Any) -> bytes:
        """How many streams have ended."""
        return b"%d" % self.ended

    def Started(self, request: bytes, context: Any) -> bytes:
        """How many calls of Sleep have begun."""
        return b"%d" % self.started

    def Sent(self, request: bytes, context: Any) -> bytes:
        """How many blocks were sent."""
        return b"%d" % self.sent


def abort(context: Any, code: int, message: str) -> None:
    context.abort(next(status for status in grpc.StatusCode if status.value[0] == code), message)


def add_port(server: grpc.Server, arguments: list[str]) -> int:
    if arguments and arguments[0].startswith("tls="):
        certificate, key = (Path(each).read_bytes() for each in arguments[0][4:].split(":"))
        credentials = grpc.ssl_server_credentials([(key, certificate)])
        return int(server.add_secure_port("127.0.0.1:0", credentials))
    return int(server.add_insecure_port("127.0.0.1:0"))


def main(arguments: list[str]) -> None:
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
    ]
    if arguments and arguments[0].startswith("calls="):
        options.append(("grpc.max_concurrent_streams", int(arguments[0][6:])))
    server = grpc.server(
        ThreadPoolExecutor(100),
        options=options,
        compression=grpc.Compression.Gzip if "gzip" in arguments else None,
    )
    service = GrpcioService(abort)
    handlers = {}
    for name in (*METHODS, *NUMBERS):
        make = (
            grpc.unary_unary_rpc_method_handler
            if name in (*UNARY, *NUMBERS)
            else grpc.unary_stream_rpc_method_handler
        )
        handlers[name] = make(getattr(service, name))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tests.Service", handlers),))
    print(add_port(server, arguments), flush=True)
    server.start()
    for line in sys.stdin:
        if line.startswith("stop"):
            server.stop(grace=float(line.split()[1])).wait()
            print("stopped", flush=True)
    server.stop(None)


if __name__ == "__main__":
    main(sys.argv[1:])
