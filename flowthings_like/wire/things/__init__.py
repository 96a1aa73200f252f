"""ThingsDB's protocol, without I/O: packages, values, scopes, code, errors."""
