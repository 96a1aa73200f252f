"""API: the services of one account on one platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .credentials import Token, find_settings
from .defaults import defaults
from .diagnostics.checks.first_use import check_first_use
from .errors import ConfigurationError
from .families import Families, FamilyOptions
from .services.rest.registry import SERVICES
from .services.rest.resource import BaseService
from .transport.http.client import Connection, Sender
from .transport.http.hosts import find_host
from .transport.http.urls import check_size, check_transport

if TYPE_CHECKING:
    import requests

    from .services.parallel import AsyncServices, LazyServices
    from .transport.connection_pool import Pool
    from .transport.http.encoder import Encoder
    from .transport.http.sender import HTTPSender
    from .transport.retry import Retry

__all__ = ["API"]

_EMBEDDED_HOST = "embedded.invalid"


class API(Families):
    """The services of one account on one platform: `api.flow`, `api.drop(flow)` and so on.

    >>> api = API(Token("acme", "secret"), host="flows.example.com")
    >>> api.flow.find(limit=10)  # doctest: +SKIP

    Before the first request no connection, thread, lock or session is made. An option that is left out, or is
    None, is taken from `defaults` when the API is made.

    Args:
        creds: a Token, or any object with `account` and `token`.
        async_lib: the green library for `async_()` and `lazy()`: gevent, eventlet, their names, or "threads".
        secure: https if True, http if False.
        params: query parameters for every request. `refs` among them is sent with reads only.
        host, ws_host: the REST and the WebSocket host, with an optional port. Without `host` it is taken from
            `defaults.host`, then from FLOWTHINGS_HOST; without any of these calls raise ConfigurationError.
            Without `ws_host` it is FLOWTHINGS_WS_HOST, then the REST host.
        version: the platform's version in URLs.
        encoder: an object with `loads` and `dumps`. Its exceptions are raised unchanged.
        request: a function that sends requests in place of the pooled HTTP transport:
            `(method, url, params=None, data=None, creds=None) -> (text, headers, status)`. It also gets the
            `timeout=` of a call that has one. Its requests are not retried.
        verify_ssl: False to accept any certificate, or the path of a bundle of authorities to trust.
        session: a `requests.Session` to use. `close()` leaves it open.
        timeout: one number of seconds for a whole call with its retries, or the pair (to connect, between two
            reads) for each attempt. `float("inf")` for no limit.
        transport: "auto" for the native transport, except where a call needs a feature of requests;
            "requests" to send everything through requests.
        retry: a Retry for all calls; False to make each call once.
        max_response_bytes: the most bytes of an answer, both before and after it is decompressed. A larger
            answer raises ResponseTooLarge.
        things: the URL of a ThingsDB node for `things`: "things://user:password@host:9200", things+tls://…,
            ws://…, wss://… or unix:///path. Without a user the client logs in with this account and token.
        db: the URL of a database for `db`: "postgresql://user:password@host/name", "sqlite:///file.db", ….
        streams: the URL of a BTrDB server for `stream`: "grpcs://host:4411" or "grpc://host:4410".
        streams_key: the API key there. Without one it is this account's token.
        records: the URL of a TStorage server for `record`: "tstorage://host:2025", or "tstorages://host:2025"
            for one behind TLS.

    Raises:
        ConfigurationError: the credentials, a host or a function cannot be used.
        InvalidInput: a time-out, a retry policy or parameters cannot be used.
    """

    root: BaseService

    def __init__(
        self,
        creds: Any,
        async_lib: Any = None,
        secure: bool | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        host: str | None = None,
        ws_host: str | None = None,
        version: str | None = None,
        encoder: Encoder | None = None,
        request: Sender | None = None,
        verify_ssl: bool | str | None = None,
        session: requests.Session | None = None,
        timeout: float | tuple[float, float] | None = None,
        retry: Retry | Literal[False] | None = None,
        transport: str | None = None,
        things: str | None = None,
        db: str | None = None,
        streams: str | None = None,
        streams_key: str | None = None,
        records: str | None = None,
        max_response_bytes: int | None = None,
    ) -> None:
        self._session = session
        self._transport = check_transport(_either(transport, defaults.transport))
        self._max_response_bytes = check_size(
            "max_response_bytes", _either(max_response_bytes, defaults.max_response_bytes)
        )
        self._application: Any = None
        self._platform: Any = None
        self._connection = Connection(
            creds,
            secure=_either(secure, defaults.secure),
            host=find_host("host", host, defaults.host),
            ws_host=find_host("ws_host", ws_host, defaults.ws_host),
            version=_either(version, defaults.version),
            params=_either(params, defaults.params),
            encoder=_either(encoder, defaults.encoder),
            sender=_either(request, defaults.request),
            make_sender=self._make_sender,
            verify_ssl=_either(verify_ssl, defaults.verify_ssl),
            timeout=_either(timeout, defaults.timeout),
            retry=_either(retry, defaults.retry),
            async_lib=_either(async_lib, defaults.async_lib),
        )
        self._families = FamilyOptions(
            things=_either(things, defaults.things),
            db=_either(db, defaults.db),
            streams=_either(streams, defaults.streams),
            streams_key=_either(streams_key, defaults.streams_key),
            records=_either(records, defaults.records),
        )
        self._services: dict[str, Any] = {}
        self._factories: dict[str, Callable[[Connection], Any]] = {}
        self.add_service("root", BaseService)
        for name, service in SERVICES.items():
            self.add_service(name, service)

    @classmethod
    def embedded(
        cls,
        folder: str | Path,
        *,
        account: str = "acme",
        max_capacity: int | None = None,
        tasks: bool = False,
        task_networks: Sequence[str] = (),
        store: str | None = None,
        **options: Any,
    ) -> API:
        """An API of a platform that runs in this process and keeps its data in a folder.

        Args:
            folder: the folder with the data. It is created if it is missing. Or the URL of a database,
                `postgresql://user@host/name`: then there are no rooms, streams and records.
            account: the account to use. It is created if it is missing.
            max_capacity: the largest capacity that this API may give to a flow; None for no limit.
            tasks: whether this process runs the folder's tasks, unless another one does already.
            task_networks: networks that tasks may connect to, besides public addresses: "127.0.0.1" or
                "10.0.0.0/8".
            store: the URL of the database that resources and drops are in, while the folder has the rooms,
                streams and records; None if the folder has all.
            options: as for `API(…)`. Hooks and a `session` work as over a network.

        Raises:
            ConfigurationError: packages that the platform needs are not installed, or the folder or a network
                cannot be used.
        """
        try:
            from .platform.embedded import open_platform
            from .platform.tasks.service import TaskSettings
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("flowthings_like"):
                raise
            package = (error.name or "").partition(".")[0]
            raise ConfigurationError(
                f"the embedded platform needs the package {package}; "
                "run: pip install 'flowthings_like[embedded]'"
            ) from error
        settings = TaskSettings(allowed=tuple(task_networks)) if tasks else None
        platform = open_platform(folder, account, max_capacity=max_capacity, tasks=settings, store=store)
        try:
            given = {"host": _EMBEDDED_HOST, "ws_host": _EMBEDDED_HOST, **options}
            api = cls(Token(platform.account, platform.token), **given)
        except BaseException:
            platform.close()
            raise
        api._platform, api._application = platform, platform.front
        if "ws_host" not in options:
            api._connection.open_channel = platform.live.channel
        return api

    @classmethod
    def connect(cls, profile: str | None = None, **overrides: Any) -> API:
        """An API with the account, token and options that are configured on this machine.

        Each option is taken from the first of these that has it: the arguments; the profile, if it is an
        argument; the environment (FLOWTHINGS_ACCOUNT, FLOWTHINGS_TOKEN, FLOWTHINGS_HOST, FLOWTHINGS_WS_HOST,
        FLOWTHINGS_SECURE, FLOWTHINGS_VERSION, FLOWTHINGS_TIMEOUT, FLOWTHINGS_MAX_RESPONSE_BYTES,
        FLOWTHINGS_THINGS, FLOWTHINGS_DB, FLOWTHINGS_STREAMS, FLOWTHINGS_STREAMS_KEY, FLOWTHINGS_RECORDS);
        the profile in
        FLOWTHINGS_PROFILE, or [default]. Profiles are sections of the INI file `~/.flowthings/credentials`,
        or of the file in FLOWTHINGS_CREDENTIALS. Their options have the same names in lower case, without the
        prefix. Only its owner should be able to read the file.

        Args:
            profile: a section of that file.
            overrides: `account`, `token` or `creds`, and the options of `API(…)`.

        Raises:
            ConfigurationError: there are no credentials. The message lists the places that were searched.
        """
        creds = overrides.pop("creds", None)
        if creds is not None:
            overrides.update(account=creds.account, token=creds.token)
        settings = find_settings(profile, overrides)
        creds = Token(settings.pop("account"), settings.pop("token"))
        return cls(creds, **settings)

    def add_service(self, name: str, cls: Callable[[Connection], Any]) -> None:
        """Add a service to this API: `api.<name>` becomes `cls(connection)`.

        Args:
            name: an identifier that is not yet an attribute of the API.
            cls: usually a subclass of `services.FullService` with a `path`.

        Raises:
            ConfigurationError: the name is taken, or it cannot be an attribute.
        """
        if not name.isidentifier() or name.startswith("_") or hasattr(type(self), name):
            raise ConfigurationError(f"add_service: {name!r} is taken, or cannot be the name of an attribute")
        service = cls(self._connection)
        self._services[name], self._factories[name] = service, cls
        setattr(self, name, service)

    @property
    def creds(self) -> Any:
        """The caller's token. Setting it also applies to services and `drop(flow)` objects that are held."""
        return self._connection.creds

    @creds.setter
    def creds(self, creds: Any) -> None:
        self._connection.creds = creds

    @property
    def async_lib(self) -> Any:
        """The backend that runs the calls of `async_()` and `lazy()`."""
        return self._connection.async_lib

    @async_lib.setter
    def async_lib(self, async_lib: Any) -> None:
        self._connection.async_lib = async_lib

    @property
    def request(self) -> Callable[..., Any]:
        """`api.request(method, path, data=None, params=None)` sends any request to the platform.

        `api.request = function` replaces the function that sends, for all services, as the option `request`
        does. None restores the pooled HTTP transport.
        """
        return self.root.request

    @request.setter
    def request(self, sender: Sender | None) -> None:
        self._connection.sender = sender

    @property
    def session(self) -> requests.Session:
        """The `requests.Session` of this API, for hooks, proxies and adapters. Its settings are honoured."""
        return self._connection.http.session

    @property
    def pools(self) -> list[Pool[Any]]:
        """The native transport's connection pools, one for each host. Each has `statistics()`."""
        return self._connection.http.pools

    def async_(self, pool: Any = None) -> AsyncServices:
        """The same services, with calls that start at once and return green threads; `results()` waits.

        Args:
            pool: how many calls may run at once, or a pool of the green library in which they are spawned.

        `getattr(api, "async")` is the same method, by the name that it had before `async` became a keyword.
        """
        check_first_use("parallel")
        from .green.calls.async_ import AsyncAPI

        made: Any = AsyncAPI(self, self.async_lib, pool)  # only the stub knows its services' types
        return made  # type: ignore[no-any-return]

    def lazy(self, pool: Any = None) -> LazyServices:
        """The same services, with calls that start at once and return GreenThunks, which wait when used.

        Args:
            pool: how many calls may run at once, or a pool of the green library in which they are spawned.
        """
        check_first_use("parallel")
        from .green.calls.lazy import LazyAPI

        made: Any = LazyAPI(self, self.async_lib, pool)  # only the stub knows its services' types
        return made  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the connections and the embedded platform. Later calls raise. Closing again does nothing."""
        platform, self._platform = self._platform, None
        with ExitStack() as closing:  # from the last to the first, each one whatever another raises
            if platform is not None:
                closing.callback(platform.close)
            self._close_families(closing)
            closing.callback(self._connection.close)

    def __enter__(self) -> API:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        where = "embedded" if self._application is not None else self._connection.host or "no host"
        return f"<API of {self.creds.account} at {where}>"

    def _make_sender(self) -> HTTPSender:
        check_first_use("network" if self._application is None else "native")
        from .transport.http.sender import HTTPSender

        address = f"{'https' if self._connection.secure else 'http'}://{self._connection.host}"
        return HTTPSender(
            self._session,
            verify_ssl=self._connection.verify_ssl,
            mounted={} if self._application is None else {address: self._application},
            transport=self._transport,
            max_response_bytes=self._max_response_bytes,
        )


setattr(API, "async", API.async_)


def _either(given: Any, default: Any) -> Any:
    return default if given is None else given
