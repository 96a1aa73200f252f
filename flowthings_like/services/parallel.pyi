"""An API as `lazy()` and `async_()` show it: the services of all families."""

from .database.parallel import AsyncConnectionPool, LazyConnectionPool
from .records.parallel import AsyncRecords, LazyRecords
from .rest import parallel as rest
from .streams.parallel import AsyncClient as AsyncStreams
from .streams.parallel import LazyClient as LazyStreams
from .things.parallel import AsyncClient, AsyncRoomService, LazyClient, LazyRoomService

class LazyServices(rest.LazyServices):
    stream: LazyStreams
    record: LazyRecords
    things: LazyClient
    room: LazyRoomService
    db: LazyConnectionPool

class AsyncServices(rest.AsyncServices):
    stream: AsyncStreams
    record: AsyncRecords
    things: AsyncClient
    room: AsyncRoomService
    db: AsyncConnectionPool
