"""The services as `lazy()` and `async_()` show them.

Written by `python -m tools.parallel_types`; not to be edited.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Literal, Protocol, overload

from typing_extensions import TypeVar

from ...changes import P
from ...filters.nodes import Filter
from ...green.calls.async_ import AsyncAPI
from ...green.calls.lazy import LazyAPI
from ...green.calls.thunk import GreenThunk
from ...transport.retry import Retry
from ...transport.websocket.live import WebSocketClient
from .arguments import Extra, Filters, Id, Ids, Model, Models, Names, Off, On, References, Retries, Timeout
from .device import Device
from .drop import Drop, DropService, ParentDrop, Place
from .flow import Flow
from .group import Group
from .identity import Identity
from .resource import Resource
from .share import Share
from .statistics import Level, Whole
from .task import APITask, MQTTTask, RSSTask, Task
from .token import TokenResource
from .track import Simulation, Track

R = TypeVar("R", default=Any)
D = TypeVar("D")
T_co = TypeVar("T_co", covariant=True)
One = TypeVar("One", default=GreenThunk[Any])

class RunningCall(Protocol[T_co]):
    """A call under `async_()`: gevent's Greenlet, eventlet's GreenThread or a ThreadCall."""

    def get(self, timeout: float | None = None) -> T_co: ...
    def wait(self) -> T_co: ...
    def __hash__(self) -> int: ...

class DeviceThunk(GreenThunk[Device]):
    @overload  # type: ignore[override]
    def __getitem__(
        self,
        key: Literal[
            "id", "creatorId", "lastEditorId", "path", "displayName", "description", "tokenId", "status"
        ],
    ) -> str: ...
    @overload
    def __getitem__(
        self,
        key: Literal["creationDate", "lastEditDate", "lastSeen", "timeSinceLastSeen", "reportPeriodicity"],
    ) -> int: ...
    @overload
    def __getitem__(self, key: Literal["deviceSummary"]) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: Literal["tracks"]) -> list[Any]: ...
    @overload  # type: ignore[override]
    def get(
        self,
        key: Literal[
            "id", "creatorId", "lastEditorId", "path", "displayName", "description", "tokenId", "status"
        ],
    ) -> str | None: ...
    @overload
    def get(
        self,
        key: Literal[
            "id", "creatorId", "lastEditorId", "path", "displayName", "description", "tokenId", "status"
        ],
        default: D,
    ) -> str | D: ...
    @overload
    def get(
        self,
        key: Literal["creationDate", "lastEditDate", "lastSeen", "timeSinceLastSeen", "reportPeriodicity"],
    ) -> int | None: ...
    @overload
    def get(
        self,
        key: Literal["creationDate", "lastEditDate", "lastSeen", "timeSinceLastSeen", "reportPeriodicity"],
        default: D,
    ) -> int | D: ...
    @overload
    def get(self, key: Literal["deviceSummary"]) -> dict[str, Any] | None: ...
    @overload
    def get(self, key: Literal["deviceSummary"], default: D) -> dict[str, Any] | D: ...
    @overload
    def get(self, key: Literal["tracks"]) -> list[Any] | None: ...
    @overload
    def get(self, key: Literal["tracks"], default: D) -> list[Any] | D: ...

class DropThunk(GreenThunk[Drop]):
    @overload  # type: ignore[override]
    def __getitem__(
        self, key: Literal["id", "creatorId", "lastEditorId", "flowId", "path", "fhash"]
    ) -> str: ...
    @overload
    def __getitem__(self, key: Literal["creationDate", "lastEditDate", "version"]) -> int: ...
    @overload
    def __getitem__(self, key: Literal["elems", "location"]) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: Literal["parentDropId"]) -> ParentDrop: ...
    @overload  # type: ignore[override]
    def get(
        self, key: Literal["id", "creatorId", "lastEditorId", "flowId", "path", "fhash"]
    ) -> str | None: ...
    @overload
    def get(
        self, key: Literal["id", "creatorId", "lastEditorId", "flowId", "path", "fhash"], default: D
    ) -> str | D: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate", "version"]) -> int | None: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate", "version"], default: D) -> int | D: ...
    @overload
    def get(self, key: Literal["elems", "location"]) -> dict[str, Any] | None: ...
    @overload
    def get(self, key: Literal["elems", "location"], default: D) -> dict[str, Any] | D: ...
    @overload
    def get(self, key: Literal["parentDropId"]) -> ParentDrop | None: ...
    @overload
    def get(self, key: Literal["parentDropId"], default: D) -> ParentDrop | D: ...

class FlowThunk(GreenThunk[Flow]):
    @overload  # type: ignore[override]
    def __getitem__(
        self,
        key: Literal[
            "id", "creatorId", "lastEditorId", "path", "filter", "description", "name", "displayName"
        ],
    ) -> str: ...
    @overload
    def __getitem__(self, key: Literal["creationDate", "lastEditDate", "capacity"]) -> int: ...
    @overload
    def __getitem__(self, key: Literal["public"]) -> bool: ...
    @overload
    def __getitem__(self, key: Literal["metadata"]) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: Literal["index"]) -> list[str]: ...
    @overload  # type: ignore[override]
    def get(
        self,
        key: Literal[
            "id", "creatorId", "lastEditorId", "path", "filter", "description", "name", "displayName"
        ],
    ) -> str | None: ...
    @overload
    def get(
        self,
        key: Literal[
            "id", "creatorId", "lastEditorId", "path", "filter", "description", "name", "displayName"
        ],
        default: D,
    ) -> str | D: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate", "capacity"]) -> int | None: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate", "capacity"], default: D) -> int | D: ...
    @overload
    def get(self, key: Literal["public"]) -> bool | None: ...
    @overload
    def get(self, key: Literal["public"], default: D) -> bool | D: ...
    @overload
    def get(self, key: Literal["metadata"]) -> dict[str, Any] | None: ...
    @overload
    def get(self, key: Literal["metadata"], default: D) -> dict[str, Any] | D: ...
    @overload
    def get(self, key: Literal["index"]) -> list[str] | None: ...
    @overload
    def get(self, key: Literal["index"], default: D) -> list[str] | D: ...

class GroupThunk(GreenThunk[Group]):
    @overload  # type: ignore[override]
    def __getitem__(
        self, key: Literal["id", "creatorId", "lastEditorId", "displayName", "description"]
    ) -> str: ...
    @overload
    def __getitem__(self, key: Literal["creationDate", "lastEditDate"]) -> int: ...
    @overload
    def __getitem__(self, key: Literal["memberIds"]) -> list[str]: ...
    @overload  # type: ignore[override]
    def get(
        self, key: Literal["id", "creatorId", "lastEditorId", "displayName", "description"]
    ) -> str | None: ...
    @overload
    def get(
        self, key: Literal["id", "creatorId", "lastEditorId", "displayName", "description"], default: D
    ) -> str | D: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate"]) -> int | None: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate"], default: D) -> int | D: ...
    @overload
    def get(self, key: Literal["memberIds"]) -> list[str] | None: ...
    @overload
    def get(self, key: Literal["memberIds"], default: D) -> list[str] | D: ...

class IdentityThunk(GreenThunk[Identity]):
    @overload  # type: ignore[override]
    def __getitem__(
        self,
        key: Literal[
            "id",
            "creatorId",
            "lastEditorId",
            "name",
            "email",
            "salutation",
            "firstName",
            "middleName",
            "lastName",
            "icon",
            "masterToken",
        ],
    ) -> str: ...
    @overload
    def __getitem__(self, key: Literal["creationDate", "lastEditDate"]) -> int: ...
    @overload
    def __getitem__(self, key: Literal["groupIds"]) -> list[str]: ...
    @overload
    def __getitem__(self, key: Literal["shares"]) -> dict[str, Any]: ...
    @overload  # type: ignore[override]
    def get(
        self,
        key: Literal[
            "id",
            "creatorId",
            "lastEditorId",
            "name",
            "email",
            "salutation",
            "firstName",
            "middleName",
            "lastName",
            "icon",
            "masterToken",
        ],
    ) -> str | None: ...
    @overload
    def get(
        self,
        key: Literal[
            "id",
            "creatorId",
            "lastEditorId",
            "name",
            "email",
            "salutation",
            "firstName",
            "middleName",
            "lastName",
            "icon",
            "masterToken",
        ],
        default: D,
    ) -> str | D: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate"]) -> int | None: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate"], default: D) -> int | D: ...
    @overload
    def get(self, key: Literal["groupIds"]) -> list[str] | None: ...
    @overload
    def get(self, key: Literal["groupIds"], default: D) -> list[str] | D: ...
    @overload
    def get(self, key: Literal["shares"]) -> dict[str, Any] | None: ...
    @overload
    def get(self, key: Literal["shares"], default: D) -> dict[str, Any] | D: ...

class ResourceThunk(GreenThunk[Resource]):
    @overload  # type: ignore[override]
    def __getitem__(self, key: Literal["id", "creatorId", "lastEditorId"]) -> str: ...
    @overload
    def __getitem__(self, key: Literal["creationDate", "lastEditDate"]) -> int: ...
    @overload  # type: ignore[override]
    def get(self, key: Literal["id", "creatorId", "lastEditorId"]) -> str | None: ...
    @overload
    def get(self, key: Literal["id", "creatorId", "lastEditorId"], default: D) -> str | D: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate"]) -> int | None: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate"], default: D) -> int | D: ...

class ShareThunk(GreenThunk[Share]):
    @overload  # type: ignore[override]
    def __getitem__(
        self, key: Literal["id", "creatorId", "lastEditorId", "issuedTo", "issuedBy", "description"]
    ) -> str: ...
    @overload
    def __getitem__(self, key: Literal["creationDate", "lastEditDate", "duration", "expiresInMs"]) -> int: ...
    @overload
    def __getitem__(self, key: Literal["paths"]) -> dict[str, dict[str, bool]]: ...
    @overload  # type: ignore[override]
    def get(
        self, key: Literal["id", "creatorId", "lastEditorId", "issuedTo", "issuedBy", "description"]
    ) -> str | None: ...
    @overload
    def get(
        self,
        key: Literal["id", "creatorId", "lastEditorId", "issuedTo", "issuedBy", "description"],
        default: D,
    ) -> str | D: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate", "duration", "expiresInMs"]) -> int | None: ...
    @overload
    def get(
        self, key: Literal["creationDate", "lastEditDate", "duration", "expiresInMs"], default: D
    ) -> int | D: ...
    @overload
    def get(self, key: Literal["paths"]) -> dict[str, dict[str, bool]] | None: ...
    @overload
    def get(self, key: Literal["paths"], default: D) -> dict[str, dict[str, bool]] | D: ...

class TaskThunk(GreenThunk[Task]):
    @overload  # type: ignore[override]
    def __getitem__(
        self, key: Literal["id", "creatorId", "lastEditorId", "destination", "displayName", "description"]
    ) -> str: ...
    @overload
    def __getitem__(self, key: Literal["creationDate", "lastEditDate"]) -> int: ...
    @overload
    def __getitem__(self, key: Literal["disabled"]) -> bool: ...
    @overload  # type: ignore[override]
    def get(
        self, key: Literal["id", "creatorId", "lastEditorId", "destination", "displayName", "description"]
    ) -> str | None: ...
    @overload
    def get(
        self,
        key: Literal["id", "creatorId", "lastEditorId", "destination", "displayName", "description"],
        default: D,
    ) -> str | D: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate"]) -> int | None: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate"], default: D) -> int | D: ...
    @overload
    def get(self, key: Literal["disabled"]) -> bool | None: ...
    @overload
    def get(self, key: Literal["disabled"], default: D) -> bool | D: ...

class APITaskThunk(GreenThunk[APITask]):
    @overload  # type: ignore[override]
    def __getitem__(
        self,
        key: Literal["id", "creatorId", "lastEditorId", "destination", "displayName", "description", "js"],
    ) -> str: ...
    @overload
    def __getitem__(self, key: Literal["creationDate", "lastEditDate", "periodicity"]) -> int: ...
    @overload
    def __getitem__(self, key: Literal["disabled"]) -> bool: ...
    @overload
    def __getitem__(self, key: Literal["source"]) -> dict[str, Any]: ...
    @overload  # type: ignore[override]
    def get(
        self,
        key: Literal["id", "creatorId", "lastEditorId", "destination", "displayName", "description", "js"],
    ) -> str | None: ...
    @overload
    def get(
        self,
        key: Literal["id", "creatorId", "lastEditorId", "destination", "displayName", "description", "js"],
        default: D,
    ) -> str | D: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate", "periodicity"]) -> int | None: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate", "periodicity"], default: D) -> int | D: ...
    @overload
    def get(self, key: Literal["disabled"]) -> bool | None: ...
    @overload
    def get(self, key: Literal["disabled"], default: D) -> bool | D: ...
    @overload
    def get(self, key: Literal["source"]) -> dict[str, Any] | None: ...
    @overload
    def get(self, key: Literal["source"], default: D) -> dict[str, Any] | D: ...

class MQTTTaskThunk(GreenThunk[MQTTTask]):
    @overload  # type: ignore[override]
    def __getitem__(
        self,
        key: Literal[
            "id",
            "creatorId",
            "lastEditorId",
            "destination",
            "displayName",
            "description",
            "uri",
            "topic",
            "source",
            "version",
        ],
    ) -> str: ...
    @overload
    def __getitem__(self, key: Literal["creationDate", "lastEditDate", "qos", "reportFrequency"]) -> int: ...
    @overload
    def __getitem__(self, key: Literal["disabled"]) -> bool: ...
    @overload  # type: ignore[override]
    def get(
        self,
        key: Literal[
            "id",
            "creatorId",
            "lastEditorId",
            "destination",
            "displayName",
            "description",
            "uri",
            "topic",
            "source",
            "version",
        ],
    ) -> str | None: ...
    @overload
    def get(
        self,
        key: Literal[
            "id",
            "creatorId",
            "lastEditorId",
            "destination",
            "displayName",
            "description",
            "uri",
            "topic",
            "source",
            "version",
        ],
        default: D,
    ) -> str | D: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate", "qos", "reportFrequency"]) -> int | None: ...
    @overload
    def get(
        self, key: Literal["creationDate", "lastEditDate", "qos", "reportFrequency"], default: D
    ) -> int | D: ...
    @overload
    def get(self, key: Literal["disabled"]) -> bool | None: ...
    @overload
    def get(self, key: Literal["disabled"], default: D) -> bool | D: ...

class RSSTaskThunk(GreenThunk[RSSTask]):
    @overload  # type: ignore[override]
    def __getitem__(
        self,
        key: Literal[
            "id",
            "creatorId",
            "lastEditorId",
            "destination",
            "displayName",
            "description",
            "url",
            "category",
            "icon",
            "favicon",
        ],
    ) -> str: ...
    @overload
    def __getitem__(self, key: Literal["creationDate", "lastEditDate", "periodicity"]) -> int: ...
    @overload
    def __getitem__(self, key: Literal["disabled", "isFeatured"]) -> bool: ...
    @overload  # type: ignore[override]
    def get(
        self,
        key: Literal[
            "id",
            "creatorId",
            "lastEditorId",
            "destination",
            "displayName",
            "description",
            "url",
            "category",
            "icon",
            "favicon",
        ],
    ) -> str | None: ...
    @overload
    def get(
        self,
        key: Literal[
            "id",
            "creatorId",
            "lastEditorId",
            "destination",
            "displayName",
            "description",
            "url",
            "category",
            "icon",
            "favicon",
        ],
        default: D,
    ) -> str | D: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate", "periodicity"]) -> int | None: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate", "periodicity"], default: D) -> int | D: ...
    @overload
    def get(self, key: Literal["disabled", "isFeatured"]) -> bool | None: ...
    @overload
    def get(self, key: Literal["disabled", "isFeatured"], default: D) -> bool | D: ...

class TokenResourceThunk(GreenThunk[TokenResource]):
    @overload  # type: ignore[override]
    def __getitem__(
        self, key: Literal["id", "creatorId", "lastEditorId", "tokenString", "issuedBy", "description"]
    ) -> str: ...
    @overload
    def __getitem__(self, key: Literal["creationDate", "lastEditDate", "duration", "expiresInMs"]) -> int: ...
    @overload
    def __getitem__(self, key: Literal["paths"]) -> dict[str, dict[str, bool]]: ...
    @overload  # type: ignore[override]
    def get(
        self, key: Literal["id", "creatorId", "lastEditorId", "tokenString", "issuedBy", "description"]
    ) -> str | None: ...
    @overload
    def get(
        self,
        key: Literal["id", "creatorId", "lastEditorId", "tokenString", "issuedBy", "description"],
        default: D,
    ) -> str | D: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate", "duration", "expiresInMs"]) -> int | None: ...
    @overload
    def get(
        self, key: Literal["creationDate", "lastEditDate", "duration", "expiresInMs"], default: D
    ) -> int | D: ...
    @overload
    def get(self, key: Literal["paths"]) -> dict[str, dict[str, bool]] | None: ...
    @overload
    def get(self, key: Literal["paths"], default: D) -> dict[str, dict[str, bool]] | D: ...

class TrackThunk(GreenThunk[Track]):
    @overload  # type: ignore[override]
    def __getitem__(
        self,
        key: Literal[
            "id",
            "creatorId",
            "lastEditorId",
            "source",
            "destination",
            "filter",
            "js",
            "description",
            "displayName",
        ],
    ) -> str: ...
    @overload
    def __getitem__(self, key: Literal["creationDate", "lastEditDate"]) -> int: ...
    @overload
    def __getitem__(self, key: Literal["disabled"]) -> bool: ...
    @overload
    def __getitem__(self, key: Literal["metadata"]) -> dict[str, Any]: ...
    @overload  # type: ignore[override]
    def get(
        self,
        key: Literal[
            "id",
            "creatorId",
            "lastEditorId",
            "source",
            "destination",
            "filter",
            "js",
            "description",
            "displayName",
        ],
    ) -> str | None: ...
    @overload
    def get(
        self,
        key: Literal[
            "id",
            "creatorId",
            "lastEditorId",
            "source",
            "destination",
            "filter",
            "js",
            "description",
            "displayName",
        ],
        default: D,
    ) -> str | D: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate"]) -> int | None: ...
    @overload
    def get(self, key: Literal["creationDate", "lastEditDate"], default: D) -> int | D: ...
    @overload
    def get(self, key: Literal["disabled"]) -> bool | None: ...
    @overload
    def get(self, key: Literal["disabled"], default: D) -> bool | D: ...
    @overload
    def get(self, key: Literal["metadata"]) -> dict[str, Any] | None: ...
    @overload
    def get(self, key: Literal["metadata"], default: D) -> dict[str, Any] | D: ...

class SimulationThunk(GreenThunk[Simulation]):
    @overload  # type: ignore[override]
    def __getitem__(self, key: Literal["drops"]) -> list[Drop]: ...
    @overload
    def __getitem__(self, key: Literal["log", "errors"]) -> list[Any]: ...
    @overload  # type: ignore[override]
    def get(self, key: Literal["drops"]) -> list[Drop] | None: ...
    @overload
    def get(self, key: Literal["drops"], default: D) -> list[Drop] | D: ...
    @overload
    def get(self, key: Literal["log", "errors"]) -> list[Any] | None: ...
    @overload
    def get(self, key: Literal["log", "errors"], default: D) -> list[Any] | D: ...

class LazyDeviceService(LazyFullService[Device, DeviceThunk]):
    pass

class LazyDropService(LazyFullService[Drop, DropThunk]):
    @property
    def path(self) -> str: ...
    def create(self, model: Model, **params: Any) -> DropThunk: ...
    def create_many(self, models: Models, **params: Any) -> GreenThunk[list[Drop]]: ...
    def delete_all(self, **params: Any) -> GreenThunk[Any]: ...
    def aggregate(
        self,
        outputs: Names | None = None,
        group_by: Names | None = None,
        filter: Filter | str | None = None,
        rules: Mapping[str, Filter | str] | None = None,
        sorts: Names | None = None,
        *,
        output: Names | None = None,
        **params: Any,
    ) -> GreenThunk[list[dict[str, Any]]]: ...

class LazyDropServiceFactory(LazyCreatable[Drop, DropThunk], LazyAbstractServiceFactory):
    service_class = DropService
    def __call__(self, context: Place) -> LazyDropService: ...
    def create(self, model: Model, **params: Any) -> DropThunk: ...
    def multi_find(self, queries: Iterable[Any], **params: Any) -> GreenThunk[dict[str, list[Drop]]]: ...

class LazyFlowService(LazyFullService[Flow, FlowThunk]):
    pass

class LazyGroupService(LazyFullService[Group, GroupThunk]):
    pass

class LazyIdentityService(LazyFullService[Identity, IdentityThunk]):
    pass

class LazyWebSocketService(LazyBaseService):
    def connect(
        self,
        *,
        on_open: Callable[..., Any] | None = None,
        on_message: Callable[..., Any] | None = None,
        on_close: Callable[..., Any] | None = None,
        on_error: Callable[..., Any] | None = None,
        reconnect: bool = True,
        heartbeat: float = 20.0,
        reply_timeout: float = 60.0,
        **options: Any,
    ) -> WebSocketClient: ...

class LazyBaseService:
    @property
    def creds(self) -> Any: ...
    @creds.setter
    def creds(self, creds: Any) -> None: ...
    def request(
        self,
        method: str,
        path: str = "",
        data: Any = None,
        params: Mapping[str, Any] | P | None = None,
        timeout: Any = None,
        retry: Retry | Literal[False] | None = None,
    ) -> GreenThunk[Any]: ...
    def raw_request(
        self, method: str, path: str = "", data: Any = None, params: Mapping[str, Any] | None = None
    ) -> GreenThunk[tuple[Any, Mapping[str, str], int]]: ...

class LazyFindable(LazyBaseService, Generic[R, One]):
    @overload
    def read(
        self,
        id: Id,
        *,
        only: Names | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> One: ...
    @overload
    def read(self, id: Id, *, refs: On, **params: Any) -> GreenThunk[tuple[R, References]]: ...
    @overload
    def read_or_else(self, id: Id, **params: Any) -> GreenThunk[R | None]: ...
    @overload
    def read_or_else(self, id: Id, default: D, **params: Any) -> GreenThunk[R | D]: ...
    @overload
    def read_many(
        self,
        ids: Ids,
        *,
        only: Names | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> GreenThunk[dict[str, R]]: ...
    @overload
    def read_many(
        self, ids: Ids, *, refs: On, **params: Any
    ) -> GreenThunk[tuple[dict[str, R], References]]: ...
    @overload
    def find_many(
        self,
        *filters: Filters | str,
        limit: int | None = None,
        start: int | None = None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] | None = None,
        only: Names | None = None,
        filter: Filter | str | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> GreenThunk[list[R]]: ...
    @overload
    def find_many(
        self, *filters: Filters | str, refs: On, **params: Any
    ) -> GreenThunk[tuple[list[R], References]]: ...
    @overload
    def find(
        self,
        id: Id,
        *,
        only: Names | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> One: ...
    @overload
    def find(self, id: Id, *, refs: On, **params: Any) -> GreenThunk[tuple[R, References]]: ...
    @overload
    def find(
        self,
        ids: Ids,
        *,
        only: Names | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> GreenThunk[dict[str, R]]: ...
    @overload
    def find(self, ids: Ids, *, refs: On, **params: Any) -> GreenThunk[tuple[dict[str, R], References]]: ...
    @overload
    def find(
        self,
        *filters: Filters,
        limit: int | None = None,
        start: int | None = None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] | None = None,
        only: Names | None = None,
        filter: Filter | str | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> GreenThunk[list[R]]: ...
    @overload
    def find(self, *filters: Filters, refs: On, **params: Any) -> GreenThunk[tuple[list[R], References]]: ...
    def iterate(
        self, filter: Filter | str | None = None, *, page: int = 100, order: str = "desc", **params: Any
    ) -> Iterator[R]: ...

class LazyShareService(LazyFindable[Share, ShareThunk], LazyCreatable[Share, ShareThunk], LazyDeletable):
    pass

class LazyStatisticsService(LazyBaseService):
    def flow_drop_added(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> GreenThunk[list[int]]: ...
    flowDropAdded = flow_drop_added
    def flow_tracked(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> GreenThunk[list[int]]: ...
    flowTracked = flow_tracked
    def track_hit(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> GreenThunk[list[int]]: ...
    trackHit = track_hit
    def track_pass(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> GreenThunk[list[int]]: ...
    trackPass = track_pass
    def api_call_by_identity(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> GreenThunk[list[int]]: ...
    apiCallByIdentity = api_call_by_identity
    def drop_created_by(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> GreenThunk[list[int]]: ...
    dropCreatedBy = drop_created_by

class LazyAPITaskService(LazyFullService[APITask, APITaskThunk]):
    def simulate(self, task: Model, **params: Any) -> SimulationThunk: ...

class LazyMQTTTaskService(LazyFullService[MQTTTask, MQTTTaskThunk]):
    pass

class LazyRSSTaskService(LazyFullService[RSSTask, RSSTaskThunk]):
    pass

class LazyTokenService(
    LazyFindable[TokenResource, TokenResourceThunk],
    LazyCreatable[TokenResource, TokenResourceThunk],
    LazyDeletable,
):
    pass

class LazyTrackService(LazyFullService[Track, TrackThunk]):
    def simulate(self, drop: Model, js: str, **params: Any) -> SimulationThunk: ...

class LazyCreatable(LazyBaseService, Generic[R, One]):
    def create(self, model: Model, **params: Any) -> One: ...

class LazySaveable(LazyCreatable[R, One]):
    def update(self, model: Model, **params: Any) -> One: ...
    def update_member(self, id: Id, name: str, value: Any, **params: Any) -> One: ...
    def update_many(self, models: Models, **params: Any) -> GreenThunk[dict[str, R]]: ...
    @overload
    def save(self, model: Model, **params: Any) -> One: ...
    @overload
    def save(self, model: list[Model] | tuple[Model, ...], **params: Any) -> GreenThunk[dict[str, R]]: ...

class LazyDeletable(LazyBaseService):
    def delete(self, id: Id, data: Any = None, **params: Any) -> GreenThunk[Any]: ...

class LazyFullService(LazyFindable[R, One], LazySaveable[R, One], LazyDeletable):
    pass

class LazyAbstractServiceFactory(LazyBaseService):
    def __call__(self, context: Any) -> Any: ...

class LazyServices(LazyAPI):
    creds: Any
    things: Any
    root: LazyBaseService
    api_task: LazyAPITaskService
    device: LazyDeviceService
    drop: LazyDropServiceFactory
    flow: LazyFlowService
    group: LazyGroupService
    identity: LazyIdentityService
    mqtt_task: LazyMQTTTaskService
    rss_task: LazyRSSTaskService
    share: LazyShareService
    statistics: LazyStatisticsService
    token: LazyTokenService
    track: LazyTrackService
    websocket: LazyWebSocketService
    def request(
        self,
        method: str,
        path: str = "",
        data: Any = None,
        params: Mapping[str, Any] | P | None = None,
        timeout: Any = None,
        retry: Retry | Literal[False] | None = None,
    ) -> GreenThunk[Any]: ...

class AsyncDeviceService(AsyncFullService[Device]):
    pass

class AsyncDropService(AsyncFullService[Drop]):
    @property
    def path(self) -> str: ...
    def create(self, model: Model, **params: Any) -> RunningCall[Drop]: ...
    def create_many(self, models: Models, **params: Any) -> RunningCall[list[Drop]]: ...
    def delete_all(self, **params: Any) -> RunningCall[Any]: ...
    def aggregate(
        self,
        outputs: Names | None = None,
        group_by: Names | None = None,
        filter: Filter | str | None = None,
        rules: Mapping[str, Filter | str] | None = None,
        sorts: Names | None = None,
        *,
        output: Names | None = None,
        **params: Any,
    ) -> RunningCall[list[dict[str, Any]]]: ...

class AsyncDropServiceFactory(AsyncCreatable[Drop], AsyncAbstractServiceFactory):
    service_class = DropService
    def __call__(self, context: Place) -> AsyncDropService: ...
    def create(self, model: Model, **params: Any) -> RunningCall[Drop]: ...
    def multi_find(self, queries: Iterable[Any], **params: Any) -> RunningCall[dict[str, list[Drop]]]: ...

class AsyncFlowService(AsyncFullService[Flow]):
    pass

class AsyncGroupService(AsyncFullService[Group]):
    pass

class AsyncIdentityService(AsyncFullService[Identity]):
    pass

class AsyncWebSocketService(AsyncBaseService):
    def connect(
        self,
        *,
        on_open: Callable[..., Any] | None = None,
        on_message: Callable[..., Any] | None = None,
        on_close: Callable[..., Any] | None = None,
        on_error: Callable[..., Any] | None = None,
        reconnect: bool = True,
        heartbeat: float = 20.0,
        reply_timeout: float = 60.0,
        **options: Any,
    ) -> WebSocketClient: ...

class AsyncBaseService:
    @property
    def creds(self) -> Any: ...
    @creds.setter
    def creds(self, creds: Any) -> None: ...
    def request(
        self,
        method: str,
        path: str = "",
        data: Any = None,
        params: Mapping[str, Any] | P | None = None,
        timeout: Any = None,
        retry: Retry | Literal[False] | None = None,
    ) -> RunningCall[Any]: ...
    def raw_request(
        self, method: str, path: str = "", data: Any = None, params: Mapping[str, Any] | None = None
    ) -> RunningCall[tuple[Any, Mapping[str, str], int]]: ...

class AsyncFindable(AsyncBaseService, Generic[R]):
    @overload
    def read(
        self,
        id: Id,
        *,
        only: Names | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> RunningCall[R]: ...
    @overload
    def read(self, id: Id, *, refs: On, **params: Any) -> RunningCall[tuple[R, References]]: ...
    @overload
    def read_or_else(self, id: Id, **params: Any) -> RunningCall[R | None]: ...
    @overload
    def read_or_else(self, id: Id, default: D, **params: Any) -> RunningCall[R | D]: ...
    @overload
    def read_many(
        self,
        ids: Ids,
        *,
        only: Names | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> RunningCall[dict[str, R]]: ...
    @overload
    def read_many(
        self, ids: Ids, *, refs: On, **params: Any
    ) -> RunningCall[tuple[dict[str, R], References]]: ...
    @overload
    def find_many(
        self,
        *filters: Filters | str,
        limit: int | None = None,
        start: int | None = None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] | None = None,
        only: Names | None = None,
        filter: Filter | str | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> RunningCall[list[R]]: ...
    @overload
    def find_many(
        self, *filters: Filters | str, refs: On, **params: Any
    ) -> RunningCall[tuple[list[R], References]]: ...
    @overload
    def find(
        self,
        id: Id,
        *,
        only: Names | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> RunningCall[R]: ...
    @overload
    def find(self, id: Id, *, refs: On, **params: Any) -> RunningCall[tuple[R, References]]: ...
    @overload
    def find(
        self,
        ids: Ids,
        *,
        only: Names | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> RunningCall[dict[str, R]]: ...
    @overload
    def find(self, ids: Ids, *, refs: On, **params: Any) -> RunningCall[tuple[dict[str, R], References]]: ...
    @overload
    def find(
        self,
        *filters: Filters,
        limit: int | None = None,
        start: int | None = None,
        sort: Names | None = None,
        order: Literal["asc", "desc"] | None = None,
        only: Names | None = None,
        filter: Filter | str | None = None,
        refs: Off = False,
        params: Extra | None = None,
        timeout: Timeout | None = None,
        retry: Retries | None = None,
        **more: Any,
    ) -> RunningCall[list[R]]: ...
    @overload
    def find(self, *filters: Filters, refs: On, **params: Any) -> RunningCall[tuple[list[R], References]]: ...
    def iterate(
        self, filter: Filter | str | None = None, *, page: int = 100, order: str = "desc", **params: Any
    ) -> Iterator[R]: ...

class AsyncShareService(AsyncFindable[Share], AsyncCreatable[Share], AsyncDeletable):
    pass

class AsyncStatisticsService(AsyncBaseService):
    def flow_drop_added(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> RunningCall[list[int]]: ...
    flowDropAdded = flow_drop_added
    def flow_tracked(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> RunningCall[list[int]]: ...
    flowTracked = flow_tracked
    def track_hit(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> RunningCall[list[int]]: ...
    trackHit = track_hit
    def track_pass(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> RunningCall[list[int]]: ...
    trackPass = track_pass
    def api_call_by_identity(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> RunningCall[list[int]]: ...
    apiCallByIdentity = api_call_by_identity
    def drop_created_by(
        self,
        id: Id,
        year: Whole | None = None,
        month: Whole | None = None,
        day: Whole | None = None,
        level: Level | None = None,
        **params: Any,
    ) -> RunningCall[list[int]]: ...
    dropCreatedBy = drop_created_by

class AsyncAPITaskService(AsyncFullService[APITask]):
    def simulate(self, task: Model, **params: Any) -> RunningCall[Simulation]: ...

class AsyncMQTTTaskService(AsyncFullService[MQTTTask]):
    pass

class AsyncRSSTaskService(AsyncFullService[RSSTask]):
    pass

class AsyncTokenService(AsyncFindable[TokenResource], AsyncCreatable[TokenResource], AsyncDeletable):
    pass

class AsyncTrackService(AsyncFullService[Track]):
    def simulate(self, drop: Model, js: str, **params: Any) -> RunningCall[Simulation]: ...

class AsyncCreatable(AsyncBaseService, Generic[R]):
    def create(self, model: Model, **params: Any) -> RunningCall[R]: ...

class AsyncSaveable(AsyncCreatable[R]):
    def update(self, model: Model, **params: Any) -> RunningCall[R]: ...
    def update_member(self, id: Id, name: str, value: Any, **params: Any) -> RunningCall[R]: ...
    def update_many(self, models: Models, **params: Any) -> RunningCall[dict[str, R]]: ...
    @overload
    def save(self, model: Model, **params: Any) -> RunningCall[R]: ...
    @overload
    def save(self, model: list[Model] | tuple[Model, ...], **params: Any) -> RunningCall[dict[str, R]]: ...

class AsyncDeletable(AsyncBaseService):
    def delete(self, id: Id, data: Any = None, **params: Any) -> RunningCall[Any]: ...

class AsyncFullService(AsyncFindable[R], AsyncSaveable[R], AsyncDeletable):
    pass

class AsyncAbstractServiceFactory(AsyncBaseService):
    def __call__(self, context: Any) -> Any: ...

class AsyncServices(AsyncAPI):
    creds: Any
    things: Any
    root: AsyncBaseService
    api_task: AsyncAPITaskService
    device: AsyncDeviceService
    drop: AsyncDropServiceFactory
    flow: AsyncFlowService
    group: AsyncGroupService
    identity: AsyncIdentityService
    mqtt_task: AsyncMQTTTaskService
    rss_task: AsyncRSSTaskService
    share: AsyncShareService
    statistics: AsyncStatisticsService
    token: AsyncTokenService
    track: AsyncTrackService
    websocket: AsyncWebSocketService
    def request(
        self,
        method: str,
        path: str = "",
        data: Any = None,
        params: Mapping[str, Any] | P | None = None,
        timeout: Any = None,
        retry: Retry | Literal[False] | None = None,
    ) -> RunningCall[Any]: ...
