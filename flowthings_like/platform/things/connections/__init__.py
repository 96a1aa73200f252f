"""Where clients connect: the listener, a session for each connection, framing, what waits to be sent."""
