"""Serves the application with eventlet's own server: python eventlet_server.py 8000

SIGTERM answers the requests in flight and ends. SIGHUP answers them and starts the program anew, in the same
process and on the same socket: clients that connect meanwhile wait.
"""

import eventlet

eventlet.monkey_patch()

import logging
import os
import signal
import sys

from app import app
from eventlet import wsgi

INHERITED = "WEBAPP_LISTENER"  # the environment variable with the descriptor of the socket, after SIGHUP
GREEN_THREADS = 1000


def listen(port):
    """The listening socket: that of the program before it, or a new one."""
    descriptor = os.environ.pop(INHERITED, None)
    if descriptor is None:
        return eventlet.listen(("127.0.0.1", port), backlog=1024)
    return eventlet.green.socket.socket(fileno=int(descriptor))


def main():
    received = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: received.append(number))
    log = logging.getLogger("webapp")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    listener = listen(int(sys.argv[1]))
    kept = os.dup(listener.fileno())  # the server closes the other one
    log.info("listening at port %d", listener.getsockname()[1])
    pool = eventlet.GreenPool(GREEN_THREADS)
    server = eventlet.spawn(wsgi.server, listener, app, log=log, log_output=False, custom_pool=pool)
    while not received:
        eventlet.sleep(0.05)
    log.info("signal %d: answering %d requests", received[0], pool.running())
    eventlet.kill(server, SystemExit)  # which lets it accept no more
    pool.waitall()
    if received[0] == signal.SIGHUP:
        os.set_inheritable(kept, True)
        os.environ[INHERITED] = str(kept)
        os.execv(sys.executable, [sys.executable, *sys.argv])


if __name__ == "__main__":
    main()
