"""HTTP requests: the native transport, the requests transport, and what chooses between them."""
