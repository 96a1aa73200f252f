"""Where a query runs: in a collection, in the @thingsdb scope or on the node, and the functions there."""
