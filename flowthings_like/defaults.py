"""The default values of the options of an API."""

from __future__ import annotations

from typing import Any, Literal

from .transport.retry import Retry

__all__ = ["Defaults", "defaults"]

_RETRY = Retry()


class Defaults:
    """The options of every API that is made afterwards. An existing API keeps its options.

    Attributes:
        async_lib: the green library for `async_()` and `lazy()`: the module gevent or eventlet, its name,
            "threads", or None to use the library that has patched the process by the first parallel call.
        secure: https and wss if True, http and ws if False.
        params: query parameters for every request, a dict. `refs` among them is sent with reads only.
        host: the REST host, a name with an optional port; None for the host in FLOWTHINGS_HOST.
        ws_host: the WebSocket host; None for the host in FLOWTHINGS_WS_HOST, else the REST host.
        version: the platform version, which follows the `v` in `https://host/v…/account/…`.
        encoder: an object with `loads(text)` and `dumps(value)`; None for the built-in JSON encoder.
        request: a function `(method, url, params=, data=, creds=) -> (text, headers, status)` that sends
            requests in place of the pooled HTTP transport; None for that transport.
        verify_ssl: True, False, or the path of a bundle of certificate authorities.
        timeout: one number of seconds for a whole call with its retries, or the pair (to connect, between two
            reads) for each attempt. `float("inf")` for no limit.
        retry: a Retry for all calls; False or None to make each call once.
        max_response_bytes: the most bytes of an answer, both before and after it is decompressed.
        things: the URL of a ThingsDB node, for `api.things`; None for none.
        db: the URL of a database, for `api.db`; None for none.
        streams: the URL of a BTrDB server, for `api.stream`; None for none.
        streams_key: the API key there; None for the account's token.
        records: the URL of a TStorage server, for `api.record`; None for none.
        transport: "auto" for the native transport, except where a call needs a feature of requests;
            "requests" to send everything through requests.
    """

    __slots__ = (
        "async_lib",
        "db",
        "encoder",
        "host",
        "max_response_bytes",
        "params",
        "records",
        "request",
        "retry",
        "secure",
        "streams",
        "streams_key",
        "things",
        "timeout",
        "transport",
        "verify_ssl",
        "version",
        "ws_host",
    )

    def __init__(
        self,
        *,
        async_lib: Any = None,
        secure: bool = True,
        params: dict[str, Any] | None = None,
        host: str | None = None,
        ws_host: str | None = None,
        version: str = "4.0",
        encoder: Any = None,
        request: Any = None,
        verify_ssl: bool | str = True,
        timeout: float | tuple[float, float] = (10.0, 60.0),
        retry: Retry | Literal[False] | None = _RETRY,
        transport: str = "auto",
        things: str | None = None,
        db: str | None = None,
        streams: str | None = None,
        streams_key: str | None = None,
        records: str | None = None,
        max_response_bytes: int = 256 << 20,
    ) -> None:
        self.async_lib = async_lib
        self.secure = secure
        self.params = {} if params is None else params
        self.host = host
        self.ws_host = ws_host
        self.version = version
        self.encoder = encoder
        self.request = request
        self.verify_ssl = verify_ssl
        self.timeout = timeout
        self.retry = retry
        self.transport = transport
        self.things = things
        self.db = db
        self.streams = streams
        self.streams_key = streams_key
        self.records = records
        self.max_response_bytes = max_response_bytes

    @property
    def verify(self) -> bool | str:
        """Another name for verify_ssl."""
        return self.verify_ssl

    @verify.setter
    def verify(self, value: bool | str) -> None:
        self.verify_ssl = value


defaults = Defaults()
