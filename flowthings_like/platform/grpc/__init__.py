"""A gRPC server on blocking sockets, for any handlers."""
