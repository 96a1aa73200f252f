"""The commands for flows and drops have this in common: where the data is, and how it is shown."""
