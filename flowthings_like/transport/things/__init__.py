"""Connections to ThingsDB nodes."""
