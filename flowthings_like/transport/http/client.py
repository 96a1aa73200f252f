"""Makes the calls of one API: builds the URL, encodes the data, sends with retries, and reads the answer.

All services of an API hold the same Connection. So new credentials, or another function that sends, count at
once everywhere, also in a `drop(flow)` that the program has kept.
"""

from __future__ import annotations

import copy
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ... import errors
from ...changes import P
from ...credentials import credentials_of
from ...green.backends.fairness import LARGE, fair_yield, run_fairly
from ...telemetry.http import observed_request
from ...telemetry.observers import observers
from ...wire.rest import IDEMPOTENCY_KEY
from ..after_fork import forked_call
from ..call_scope import limit_timeout
from ..outgoing_values import plain
from ..retry import (
    Clock,
    Timeout,
    call_with_retries,
    check_retry,
    check_timeout,
    new_idempotency_key,
    parse_timeout,
)
from .encoder import Encoder, JSONEncoder
from .envelope import Reply, describe_unreadable, open_envelope
from .hosts import HISTORIC_HOST, HISTORIC_WS_HOST, NO_HOST, NO_WS_HOST
from .urls import segment, wire_params

if TYPE_CHECKING:
    from ...telemetry.event import CallEvent
    from ..websocket.local_connection import Channel
    from .capacity_warning import Evictions
    from .envelope import Envelope
    from .sender import HTTPSender

__all__ = ["Connection", "Sender"]

Sender = Callable[..., tuple[Any, Mapping[str, str], int]]
"""Sends one request: `(method, url, params=, data=, creds=) -> (text, headers, status)`. It is also given
`timeout=` if the call had one. The built-in sender also takes `headers=`."""

_log = logging.getLogger("flowthings_like")
_READS = ("GET", "MGET")
_WITHOUT_EFFECT = (*_READS, "HEAD", "OPTIONS")


class Connection:
    """The credentials, the address, the encoder and the sender of one API, and the calls made with them.

    Attributes:
        creds: a Token or an object like it; setting it checks it.
        secure, host, ws_host, version: parts of URLs. A host is None if none is known.
        params: query parameters for every request.
        encoder: turns data into text and back.
        sender: the caller's own function that sends one request; None for the built-in sender.
        http: the built-in sender.
        verify_ssl: True, False, or the path of a bundle of certificate authorities.
        timeout: how long a call may take.
        retry: when a call is repeated; None for never.
        clock: the time and random numbers for retries.
        open_channel: opens a session for live messages by its id, without a socket; None if the platform is
            not in this process.
        async_lib: which backend makes calls parallel, as `open_pool` takes it.
    """

    def __init__(
        self,
        creds: Any,
        *,
        secure: bool,
        host: str | None,
        ws_host: str | None,
        version: str,
        params: Mapping[str, Any],
        encoder: Encoder | None,
        sender: Sender | None,
        make_sender: Callable[[], HTTPSender],
        verify_ssl: bool | str,
        timeout: Any,
        retry: Any,
        async_lib: Any = None,
    ) -> None:
        self.creds = creds
        self.async_lib = async_lib
        self.secure = bool(secure)
        self.host = host
        self.ws_host = ws_host or host
        self.version = segment(str(version))
        self.params = wire_params(P.of(params).to_dict())
        self.encoder: Encoder = JSONEncoder() if encoder is None else encoder
        self._make_sender = make_sender
        self._http: HTTPSender | None = None
        self.sender = sender
        self.verify_ssl = verify_ssl
        self.timeout = parse_timeout(timeout)
        self.retry = check_retry(retry)
        self.clock = Clock()
        self._evictions: Evictions | None = None  # made when there are some
        self._answers_each: bool | None = None
        self._owner: Connection | None = None
        self.open_channel: Callable[[str], Channel] | None = None
        self._closed = False

    @property
    def creds(self) -> Any:
        """The account and its token."""
        return self._creds

    @creds.setter
    def creds(self, creds: Any) -> None:
        self._creds = credentials_of(creds)

    @property
    def sender(self) -> Sender | None:
        """The caller's own function that sends; None for the built-in sender."""
        return self._sender

    @sender.setter
    def sender(self, sender: Sender | None) -> None:
        if sender is not None and not callable(sender):
            raise errors.ConfigurationError(
                "request must be a function (method, url, params=, data=, creds=) -> "
                f"(text, headers, status), not {type(sender).__name__}"
            )
        self._sender = sender

    @property
    def answers_each(self) -> bool | None:
        """Whether the platform answers each of several finds by itself; None while unknown."""
        return self._answers_each if self._owner is None else self._owner.answers_each

    @answers_each.setter
    def answers_each(self, known: bool | None) -> None:
        if self._owner is None:
            self._answers_each = known
        else:
            self._owner.answers_each = known

    def with_creds(self, creds: Any) -> Connection:
        """A connection with other credentials, and the settings that this one has now.

        It sends through the sockets of this one. Closing it leaves them open.

        Raises:
            ConfigurationError: the credentials cannot be used.
        """
        made = copy.copy(self)
        made._owner = self
        made.creds = creds
        return made

    @property
    def http(self) -> HTTPSender:
        """The built-in sender, made when it is first asked for."""
        if self._owner is not None:
            shared = self._owner.http
            shared.keep_no_cookies()  # one account's would be sent with the next one's requests
            return shared
        found = self._http
        if found is None:
            made = self._make_sender()
            # Of two threads that get here at once both must use the same one.
            found = self._http = self._http or made
        return found

    @property
    def closed(self) -> bool:
        """Whether `close` was called: every call is refused."""
        return self._closed or (self._owner is not None and self._owner.closed)

    def close(self) -> None:
        """Refuse every call from now on, and close the connections of the built-in sender."""
        self._closed = True
        if self._owner is not None:
            return
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def rest_url(self, path: str) -> str:
        """The URL of a resource path that is already percent-encoded.

        Raises:
            ConfigurationError: there is no host to send to.
        """
        host = self._host_or(self.host, HISTORIC_HOST, NO_HOST)
        return f"{self._scheme()}://{host}/v{self.version}/{segment(self.creds.account)}{path}"

    def session_url(self, path: str) -> str:
        """The URL of a path on the WebSocket host, which has neither version nor account.

        Raises:
            ConfigurationError: there is no host to send to.
        """
        return f"{self._scheme()}://{self._host_or(self.ws_host, HISTORIC_WS_HOST, NO_WS_HOST)}{path}"

    def socket_url(self, path: str) -> str:
        """The URL of a WebSocket. This library opens it itself, also if the caller's own function sends.

        Raises:
            ConfigurationError: there is no host to connect to.
        """
        if self.ws_host is None:
            raise errors.ConfigurationError(NO_WS_HOST)
        return f"{'wss' if self.secure else 'ws'}://{self.ws_host}{path}"

    def _host_or(self, host: str | None, historic: str, missing: str) -> str:
        """A host for a URL. A caller's own function may send anywhere, so it is given the original's name."""
        if host is not None:
            return host
        if self._sender is not None:
            return historic
        raise errors.ConfigurationError(missing)

    def _scheme(self) -> str:
        return "https" if self.secure else "http"

    def send(
        self,
        method: str,
        url: str,
        data: Any = None,
        params: Mapping[str, Any] | None = None,
        timeout: Any = None,
        retry: Any = None,
    ) -> tuple[Any, Mapping[str, str], int]:
        """Send one request and return `(text, headers, status)`, neither encoded nor decoded.

        Raises:
            ConfigurationError: the API was closed.
            InvalidInput: a timeout or a retry policy that is none.
        """
        return self._sent(method, url, data, params, timeout, retry)[0]

    def _sent(
        self,
        method: str,
        url: str,
        data: Any,
        params: Mapping[str, Any] | None,
        timeout: Any,
        retry: Any,
        more: Mapping[str, str] | None = None,
    ) -> tuple[tuple[Any, Mapping[str, str], int], int]:
        """What `send` returns, and the number of attempts. `more` are headers.

        A sender of the caller's own gets each request once: only it knows what may be sent twice.
        """
        self._check_open()
        own, creds = self._sender, self._creds
        policy = self.retry if retry is None else check_retry(retry)
        limits = limit_timeout(self.timeout if timeout is None else parse_timeout(timeout))
        if own is not None:
            given = {} if timeout is None else {"timeout": check_timeout(timeout)}
            return own(method, url, params=params, data=data, creds=creds, **given), 1
        writes = method not in _WITHOUT_EFFECT
        headers = {IDEMPOTENCY_KEY: new_idempotency_key()} if writes else None
        if more:
            headers = {**(headers or {}), **more}
        process, sender = os.getpid(), self.http

        def attempt(timeout: Timeout) -> tuple[Any, Mapping[str, str], int]:
            self._check_open()
            if process != os.getpid():  # a fork copied this call while it paused
                raise forked_call(f"{method} {url}", process)
            return sender(method, url, params, data, creds, timeout, headers)

        return call_with_retries(
            attempt,
            policy,
            limits,
            repeatable=not writes or policy is None or policy.writes,
            clock=self.clock,
            what=f"{method} {url}",
        )

    def _check_open(self) -> None:
        if not self.closed:
            return
        if self._owner is not None and not self._owner.closed:
            raise errors.ConfigurationError(
                "this API was closed at the end of its web request; use it before that"
            )
        raise errors.ConfigurationError("this API was closed; make a new one")

    def call(
        self,
        method: str,
        url: str,
        path: str,
        *,
        data: Any = None,
        params: Mapping[str, Any] | P | None = None,
        timeout: Any = None,
        retry: Any = None,
    ) -> Any:
        """Make one call and return the body of its answer; `(body, references)` if `refs` was asked for.

        Args:
            method: the HTTP verb.
            url: the URL without its query.
            path: the resource path, for logs and errors.
            data: what to send as the body; None for no body.
            params: query parameters, added to the API's own.
            timeout: seconds for this call, instead of the API's.
            retry: a policy for this call, instead of the API's; False for one attempt.

        Raises:
            FlowThingsException: the platform answered with an error.
            InvalidInput: data or params cannot be sent.
            InvalidResponse: the answer is not the platform's envelope.
            ConnectionFailed, DeadlineExceeded: from the transport.
        """
        if observers:
            with observed_request(method, path, url) as event:
                return self._call(method, url, path, data, params, timeout, retry, event)
        return self._call(method, url, path, data, params, timeout, retry, None)

    def _call(
        self,
        method: str,
        url: str,
        path: str,
        data: Any,
        params: Mapping[str, Any] | P | None,
        timeout: Any,
        retry: Any,
        event: CallEvent | None,
    ) -> Any:
        query = self._query(method, params)
        payload = None if data is None else self.encode(data)
        started = time.perf_counter()
        more = None if event is None else event.headers
        (text, headers, status), attempts = self._sent(method, url, payload, query, timeout, retry, more)
        if event is not None:
            event.status, event.attempts = status, attempts
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s %s %s %.1f ms", method, path, status, (time.perf_counter() - started) * 1e3)
        reply = Reply(method, path, text, headers, status, attempts, str(self._creds.account))
        envelope = self._open(reply)
        if envelope.evicted_created:
            self._warn_of_evictions(path, envelope)
        return (envelope.body, envelope.references) if query.get("refs") else envelope.body

    def _query(self, method: str, params: Mapping[str, Any] | P | None) -> dict[str, Any]:
        query = dict(self.params)
        if method not in _READS:
            # Only reads have references. With this default every delete would return a pair.
            query.pop("refs", None)
        if params:
            query.update(wire_params(P.of(params).to_dict()))
        return query

    def decode(self, text: bytes) -> Any:
        """The value of a live message. The caller's own encoder gets a str, as it does for answers.

        Raises:
            ValueError: it is no JSON.
        """
        encoder = self.encoder
        return encoder.loads(text if type(encoder) is JSONEncoder else text.decode())

    def encode(self, data: Any) -> Any:
        """`data` as the encoder writes it, with thunks waited for."""
        encoder = self.encoder
        return run_fairly(encoder.dumps, data if isinstance(encoder, JSONEncoder) else plain(data))

    def _decode(self, text: Any) -> Any:
        """What the encoder makes of a text. Decoding a large one holds the hub, so it waits for a turn."""
        if isinstance(text, bytes | str) and len(text) >= LARGE:
            fair_yield()
        return self.encoder.loads(text)

    def _open(self, reply: Reply) -> Envelope:
        """The envelope in a reply to a call that succeeded; else raises what the platform answered."""
        fault = None
        try:
            answer = self._decode(reply.text)
        except ValueError as error:
            if not isinstance(self.encoder, JSONEncoder):
                raise
            answer, fault = None, describe_unreadable(reply.text, error)
        envelope = open_envelope(answer, reply)
        if envelope is None:
            raise reply.unintelligible(fault, self.host or HISTORIC_HOST, self.clock.wall())
        if not (200 <= reply.status < 400 and envelope.ok):
            raise reply.error(envelope.status, envelope.errors, self.clock.wall())
        return envelope

    def _warn_of_evictions(self, path: str, envelope: Envelope) -> None:
        if self._evictions is None:
            from .capacity_warning import Evictions  # which few programs need

            self._evictions = Evictions()
        self._evictions.note(path, envelope.evicted_created, envelope.body)
