"""Many single calls as one bulk call: queue, batcher, dispatcher."""
