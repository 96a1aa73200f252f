"""A process that serves a folder's records, streams or things until it is killed.

    python serving_process.py BACKEND FOLDER FAMILY

It prints where, as JSON, and then waits.
"""

from __future__ import annotations

import sys

if sys.argv[1] == "gevent":
    from gevent import monkey

    monkey.patch_all()
elif sys.argv[1] == "eventlet":
    import eventlet

    eventlet.monkey_patch()

import json
import time

from flowthings_like.platform.embedded import open_platform

if __name__ == "__main__":
    opened = open_platform(sys.argv[2], "acme")
    print(json.dumps(getattr(opened, f"{sys.argv[3]}_address")()), flush=True)
    while True:
        time.sleep(1)
