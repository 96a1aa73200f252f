"""The scopes that a query can run in: a collection, @thingsdb or @node; and the functions of each."""
