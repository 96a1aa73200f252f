"""An API as `lazy()` and `async_()` show it: the services of all families."""

from .rest import parallel as rest
from .things.parallel import AsyncClient, LazyClient

class LazyServices(rest.LazyServices):
    things: LazyClient

class AsyncServices(rest.AsyncServices):
    things: AsyncClient
