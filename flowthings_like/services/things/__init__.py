"""The ThingsDB client and its rooms."""
