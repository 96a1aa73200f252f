"""grpcio as the other end, in a process of its own: it blocks or hangs under gevent and eventlet."""
