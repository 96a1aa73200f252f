"""Protocols as bytes in and bytes out: nothing here opens a socket, waits, or knows who does."""
