"""Connections to gRPC servers."""
