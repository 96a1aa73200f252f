"""A process that writes drops until it is killed, and says which of them have been acknowledged.

    python writing_process.py BACKEND FOLDER FIRST LAST

Four threads share the hours FIRST to LAST. Each writes some one at a time and some in bulk, and prints their
fhashes once the call has returned.
"""

from __future__ import annotations

import sys

if sys.argv[1] == "gevent":
    from gevent import monkey

    monkey.patch_all()
elif sys.argv[1] == "eventlet":
    import eventlet

    eventlet.monkey_patch()

import threading

from flowthings_like.platform.resources.access.rights import Caller
from flowthings_like.platform.resources.drops import verbs
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store

T0 = 1_356_998_400_000
BULK = 7
ME = Caller("acme", "i" + "0" * 24)


def model(hour: int) -> dict[str, object]:
    return {"elems": {"n": hour}, "fhash": f"jfk-{hour}", "creationDate": T0 + hour * 3_600_000}


def write(store: Store, hours: list[int]) -> None:
    for start in range(0, len(hours), BULK + 1):
        one, *several = hours[start : start + BULK + 1]
        verbs.create(store, ME, "/acme/jfk", model(one))
        acknowledge([one])
        verbs.create_many(store, ME, "/acme/jfk", [model(hour) for hour in several])
        acknowledge(several)


def acknowledge(hours: list[int], turn: threading.Lock = threading.Lock()) -> None:  # noqa: B008 (one for all)
    with turn:
        print(*(f"jfk-{hour}" for hour in hours), sep="\n", flush=True)


if __name__ == "__main__":
    folder, first, last = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    opened = Store(folder)
    threads = [
        threading.Thread(target=write, args=(opened, list(range(first + part, last, 4)))) for part in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    opened.close()
