"""gRPC's protocol, without I/O: messages, statuses, metadata, and both sides of an HTTP/2 connection."""
