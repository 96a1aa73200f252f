"""Which single calls have a bulk form: a method of the same service that makes many of them in one request.

    single call                    bulk form
    read(id)                       read_many(ids)
    update(model)                  update_many(models)
    drop(flow).create(model)       drop(flow).create_many(models)
    drop(flow).find_many(filter)   find_each: one multi-find over any number of flows

Under `lazy()` single calls that are made together are sent as one call of the bulk form. Each call gets its
own result or its own error. `green.batching.bulk_marker.bulk` documents the options.
"""

from __future__ import annotations

from ...green.batching.bulk_marker import bulk

__all__ = ["MOST", "create_drop", "find_drops", "read", "update"]

MOST = 500
"""The most single calls in one request."""

FORBIDDEN, NOT_FOUND = 403, 404

# With these statuses the platform refuses all calls of a request: a right or the flow is missing. Each find
# names a flow of its own, so for finds NOT_FOUND is about one of them.
_ABOUT_ALL = FORBIDDEN, NOT_FOUND

read = bulk("read_many", key="id", most=MOST, whole=_ABOUT_ALL)
update = bulk("update_many", key="model.id", most=MOST, writes=True)
create_drop = bulk("create_many", most=MOST, writes=True, whole=_ABOUT_ALL)
find_drops = bulk("_find_each", entry="_as_query", most=MOST, across=True, in_order=True, whole=(FORBIDDEN,))
