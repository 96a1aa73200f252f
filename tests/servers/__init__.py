"""Real servers for the tests: Debian's programs, started on a free port of 127.0.0.1 in a temporary folder.

A test asks for a fixture (`postgres`, `postgres_database`, `pgbouncer`, `mariadb`, `mariadb_database`,
`mosquitto`, `redis_server`, `rabbitmq`; see fixtures.py), or starts a server of its own:

    with Pgbouncer(postgres, pool_mode="session", pool_size=2) as pgbouncer:
        …

To add a server, write a subclass of `server.Server` in a module of its own: what it needs before its first
start, its command line, and how to tell that it is ready. Add a fixture to fixtures.py, and the package to
.ci/run.
"""
