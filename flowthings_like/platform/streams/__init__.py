"""Time series: a store that speaks BTrDB's protocol and keeps its data in the platform's folder.

A call passes through these modules:

    handlers/           decode the request, encode the answer
    store               what the store can do, for callers in any thread
    writer              gathers changes, and commits those that have come together
    transaction         the changes of one commit: inserts, deletions, metadata
    reading, windows    points and statistics of a range, at any version
    state               what is known of a stream without asking the database
    segments, recent    where its points are: in the database, and those that came last in memory too
    removals            which of them a version no longer has
    database            DuckDB

`service` starts a node in the process that holds the leader lock of the folder.
"""
