"""A gRPC server in clear text on blocking sockets, for any handlers.

    server      listens, and ends in an orderly way
    session     one connection: reads calls, and sends what handlers answer
    context     what a handler knows about its call
    limits      what clients can make the server hold

The protocol is `wire/grpc/`.
"""
