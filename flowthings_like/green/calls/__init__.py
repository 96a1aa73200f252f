"""Calls that run in parallel: `async_()` and `lazy()`, futures and thunks."""
