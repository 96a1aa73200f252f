"""The contract of a green library, and gevent, eventlet and OS threads behind it."""
