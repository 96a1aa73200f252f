"""What a load reads: files, SQL queries, flows."""
