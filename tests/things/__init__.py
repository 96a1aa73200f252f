"""Rooms and queries: the wire, the transport, the services, the embedded node."""
