"""The services of the flowthings platform: one resource, one module."""
