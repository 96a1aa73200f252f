"""The handlers of the calls: each decodes a request, asks the store, and encodes the answer."""
