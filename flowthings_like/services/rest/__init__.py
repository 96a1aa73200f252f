"""The REST services of the flowthings platform: one module for each resource."""
