"""The client in web servers: one view of an API for each request, for Flask, Django and plain WSGI."""
