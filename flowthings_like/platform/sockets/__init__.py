"""Sockets of servers that speak a protocol of their own: a listener, and a queue to send from."""
