"""Where a load writes: flows, streams, records, tables."""
