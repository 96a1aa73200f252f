"""Rooms and queries: a node that speaks ThingsDB's protocol, its state in the platform's own folder."""
