"""An API as `lazy()` and `async_()` show it: the services of all families."""

from .database.parallel import AsyncConnectionPool, LazyConnectionPool
from .rest import parallel as rest
from .things.parallel import AsyncClient, LazyClient

class LazyServices(rest.LazyServices):
    things: LazyClient
    db: LazyConnectionPool

class AsyncServices(rest.AsyncServices):
    things: AsyncClient
    db: AsyncConnectionPool
