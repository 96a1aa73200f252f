"""Rooms and queries: a node that speaks ThingsDB's protocol and keeps its data in the platform's folder.

A request passes through these modules:

    connections/        a listener accepts the connection; a session reads requests from it
    requests            the handler of each kind of request
    resolved_scope      which scope the request names, and
    users               whether the user may do that there
    scopes/             the scope as code sees it, with the functions of that scope
    language/           runs the code
    database/           one request at a time on the account's state, then one commit for many requests
    rooms               which clients get which events
    connections/        the answer and the events leave in order, after the commit

`node` owns these parts. `service` starts a node in the process that holds the leader lock of the folder.
"""
