"""What compiled code calls while it runs: the state of the query, operators, properties and items."""
