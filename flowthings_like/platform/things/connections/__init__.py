"""Where clients connect: the listener, a session for each connection, its framing and its send queue."""
