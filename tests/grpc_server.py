"""Our gRPC server with the service of the tests, for a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flowthings_like.platform.grpc.server import GrpcServer, ServerLimits
from flowthings_like.wire.grpc.status import GrpcError
from tests.grpc_service import METHODS, Service

__all__ = ["Running", "running"]


def raise_status(context: object, code: int, message: str) -> None:
    raise GrpcError(code, message)


class Running:
    """A server that runs, and its service."""

    def __init__(self, server: GrpcServer, service: Service) -> None:
        self.server = server
        self.service = service
        self.host, self.port = server.address


@contextmanager
def running(limits: ServerLimits | None = None, **options: Any) -> Iterator[Running]:
    """Run a server with all methods of the service."""
    service = Service(raise_status)
    handlers = {f"/tests.Service/{name}": getattr(service, name) for name in METHODS}
    server = GrpcServer(handlers, "127.0.0.1", 0, limits=limits, **options)
    server.start()
    try:
        yield Running(server, service)
    finally:
        server.close(grace=0.0)
