"""Files and pipes of rows: their formats, and reading and writing them."""
