"""What compiled code uses while it runs: the query's state, operators, properties and items."""
