"""The HTTP front of the platform: routing, bodies, envelopes, limits."""
