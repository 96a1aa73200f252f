"""A process that builds the indexes of a folder until it is killed.

python indexing_process.py BACKEND FOLDER
"""

from __future__ import annotations

import sys

if sys.argv[1] == "gevent":
    from gevent import monkey

    monkey.patch_all()
elif sys.argv[1] == "eventlet":
    import eventlet

    eventlet.monkey_patch()

import time

from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store

if __name__ == "__main__":
    opened = Store(sys.argv[2])
    opened.indexing.wake()
    print("building", flush=True)
    time.sleep(60)
