"""What this library knows of each DB-API driver: which block, how they fail, how they are interrupted.

    driver                  gevent                         eventlet                       threads
    sqlite3, duckdb         native                         native                         in place
    psycopg 3               in place, if patched first     native                         in place
    psycopg2                native                         in place, by monkey_patch()    in place
    psycopg2, psycogreen    in place                       in place                       in place
    pg8000, PyMySQL         in place                       in place                       in place
    any other               native                         native                         in place

"Native" calls run in OS threads of the pool's own, because the driver's C code would block all green threads.
What runs in place waits by green sockets. psycopg 3 chooses how it waits when it is imported: it detects
gevent, and PSYCOPG_WAIT_FUNC=wait_selector or PSYCOPG_IMPL=python makes it wait in place under eventlet, too.
"""
