"""A SQLAlchemy engine over the pool, with each driver: what the ORM needs, and what interruptions leave."""

from __future__ import annotations

import gc
import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import JSON, ForeignKey, event, func, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from flowthings_like.database import (
    ConfigurationError,
    ConnectionPool,
    DeadlineExceeded,
    InvalidInput,
    Transaction,
)
from flowthings_like.green.backends.choice import detect

from ...servers.postgres import PostgresServer
from .interrupts import Interrupt, timeout
from .support import plain_args, until

SERVERS = ("psycopg", "psycopg2", "pg8000", "pymysql")
COUNT_TO = (
    "with recursive c(n) as (select 1 union all select n + 1 from c where n < {}) select count(*) from c"
)
SLEEP = {"sqlite3": COUNT_TO.format(3_000_000_000), "pymysql": "select sleep(60)"}


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    note: Mapped[Any] = mapped_column(JSON, nullable=True)
    lines: Mapped[list[Line]] = relationship(back_populates="order")


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    order: Mapped[Order] = relationship(back_populates="lines")


@pytest.fixture
def pool_of(
    driver: str, request: pytest.FixtureRequest, tmp_path: Any
) -> Iterator[Callable[..., ConnectionPool]]:
    """Makes pools for the test's parameter `driver`; all are on the same empty database."""
    # It is asked for before the first pool is made, so that it outlives the pools.
    database = None if driver == "sqlite3" else request.getfixturevalue("server_database")
    with ExitStack() as pools:

        def make(**options: Any) -> ConnectionPool:
            if driver == "pymysql":
                options.setdefault("client_flag", 2)
            if database is None:
                pool = ConnectionPool("sqlite3", str(tmp_path / "orm.db"), **options)
            else:
                pool = ConnectionPool(driver, **plain_args(driver, database), **options)
            return pools.enter_context(pool)

        yield make


every_driver = pytest.mark.parametrize("driver", ["sqlite3", *SERVERS])


@every_driver
def test_the_orm_runs_over_the_pool(driver: str, pool_of: Callable[..., ConnectionPool]) -> None:
    pool = pool_of()
    engine = pool.engine()
    assert not inspect(engine).has_table("orders")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Order(number=n, note={"é": n}, lines=[Line(), Line()]) for n in range(300)])
        session.commit()
        (holder,) = [holder for holder in pool.stats().holders if holder.what == "engine"] or [None]
        assert holder is None  # nothing is held between transactions
        order = session.scalars(select(Order).where(Order.number == 7)).one()
        assert (order.note, len(order.lines)) == ({"é": 7}, 2)
        (holder,) = pool.stats().holders
        assert holder.where.startswith("test_engine.py:")
        order.number = -7
    with Session(engine) as session:  # nothing of what was not committed
        assert session.scalar(select(func.count()).where(Order.number == 7)) == 1
        with pytest.raises(IntegrityError):
            session.execute(text("insert into orders (id, number) values (1, 1), (1, 2)"))
        session.rollback()
        same = session.execute(update(Order).where(Order.number == 7).values(number=7))
        assert same.rowcount == 1  # found, if not changed
    with engine.connect() as connection:
        assert len(list(connection.execute(select(Order.id)))) == 300  # one row at a time
        streamed = connection.execution_options(yield_per=7).execute(
            select(Order.number).order_by(Order.number)
        )
        assert [row.number for row in streamed] == list(range(300))
    assert pool.run_query("select count(*) from orders where number = 7") == [(1,)]
    stats = pool.stats()
    assert (stats.opened, stats.discarded, stats.idle, stats.holders) == (1, 0, 1, ())


@every_driver
def test_a_connection_is_prepared_once(driver: str, pool_of: Callable[..., ConnectionPool]) -> None:
    pool = pool_of()
    engine = pool.engine()
    connects: list[object] = []
    checkouts: list[object] = []
    event.listen(engine, "connect", lambda connection, record: connects.append(record))
    event.listen(engine, "checkout", lambda connection, record, fairy: checkouts.append(record))
    for _ in range(5):
        with engine.connect() as connection:
            connection.execute(text("select 1"))
    pool.run_query("select 1")
    with engine.connect() as one, engine.connect() as other:
        one.execute(text("select 1"))
        other.execute(text("select 1"))
    assert (len(connects), len(checkouts), pool.stats().opened) == (2, 7, 2)
    engine.dispose()
    with engine.connect() as connection:
        assert connection.scalar(text("select 1")) == 1
    assert pool.stats().opened == 2


@every_driver
def test_the_isolation_level_holds_for_the_engine_alone(
    driver: str, pool_of: Callable[..., ConnectionPool]
) -> None:
    pool = pool_of()
    pool.run_operation("create table orders (id integer primary key, number integer)")
    engine = pool.engine(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("insert into orders values (1, 1)"))
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
        connection.execute(text("insert into orders values (2, 2)"))

    def fail(cursor: Transaction) -> None:
        cursor.execute("insert into orders values (3, 3)")
        raise LookupError

    with pytest.raises(LookupError):
        pool.run_interaction(fail)
    assert pool.run_query("select id from orders") == [(1,)]
    assert pool.stats().opened == 1


@pytest.mark.parametrize("driver", ["sqlite3", "psycopg", "psycopg2", "pg8000"])
def test_the_engines_own_functions_for_json(driver: str, pool_of: Callable[..., ConnectionPool]) -> None:
    engine = pool_of().engine(
        json_serializer=lambda value: json.dumps([value]), json_deserializer=lambda text: json.loads(text)[0]
    )
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Order(number=1, note={"a": 1}))
        session.commit()
        assert session.scalars(select(Order.note)).one() == {"a": 1}
        assert "[{" in str(session.scalar(text("select cast(note as varchar(99)) from orders")))


@pytest.mark.parametrize("driver", ["pymysql"])
def test_pymysql_needs_the_rows_that_were_found(pool_of: Callable[..., ConnectionPool]) -> None:
    engine = pool_of(client_flag=0).engine()
    with pytest.raises(InvalidInput, match="client_flag=2"):
        engine.connect()


@pytest.mark.parametrize("driver", ["sqlite3"])
def test_options_of_the_engine(pool_of: Callable[..., ConnectionPool]) -> None:
    pool = pool_of(cp_max=1, cp_min=1, cp_timeout=0.05)
    with pytest.raises(InvalidInput, match="pool_size, poolclass"):
        pool.engine(poolclass=sqlalchemy.NullPool, pool_size=3)
    engine = pool.engine("sqlite", echo=False)
    assert engine.pool.status() == "EnginePool over connections of sqlite3"
    with engine.connect(), pytest.raises(DeadlineExceeded, match=r"In use by: engine at test_engine\.py"):
        engine.connect()


def test_an_engine_of_a_driver_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3
    from types import ModuleType

    module = ModuleType("other")
    module.__dict__.update({name: value for name, value in vars(sqlite3).items() if name[:2] != "__"})
    with pytest.raises(ConfigurationError, match="name it"):
        ConnectionPool(module, ":memory:").engine()


@pytest.mark.needs("green", "C code of a driver does not see a signal before its end")
@every_driver
def test_an_interrupted_query_closes_its_connection(
    driver: str, pool_of: Callable[..., ConnectionPool]
) -> None:
    pool = pool_of(cp_max=2, cp_min=2)
    engine = pool.engine()
    Base.metadata.create_all(engine)
    slow = text(SLEEP.get(driver, "select pg_sleep(60)"))
    for number in range(3):

        def query(number: int = number) -> None:
            with timeout(0.1), Session(engine) as session:
                session.add(Order(number=number))
                session.flush()
                session.execute(slow)

        with pytest.raises(Interrupt):
            query()
        with Session(engine) as session:
            assert session.scalar(select(func.count()).select_from(Order)) == 0
    until(lambda: pool.stats().open == 1)
    assert (pool.stats().discarded, pool.stats().holders) == (3, ())


@every_driver
def test_an_interruption_between_statements_leaves_nothing(
    driver: str, pool_of: Callable[..., ConnectionPool]
) -> None:
    pool = pool_of(cp_max=1, cp_min=1)
    engine = pool.engine()
    Base.metadata.create_all(engine)

    def pause() -> None:
        with timeout(0.1), Session(engine) as session:
            session.add(Order(number=1))
            session.flush()
            detect().sleep(20)

    with pytest.raises(Interrupt):
        pause()
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 0
    assert pool.stats().holders == ()


@every_driver
def test_an_abandoned_session_is_rolled_back_and_makes_room(
    driver: str, pool_of: Callable[..., ConnectionPool]
) -> None:
    pool = pool_of(cp_max=1, cp_min=1)
    engine = pool.engine()
    Base.metadata.create_all(engine)

    def abandon() -> None:
        session = Session(engine)
        session.add(Order(number=1))
        session.flush()

    abandon()
    until(lambda: pool.stats().open == 0 or pool.stats().idle == 1)
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 0


@pytest.mark.needs("green", "SQLAlchemy itself is not made for exceptions of signals between any two steps")
@every_driver
def test_a_crowd_that_is_interrupted_anywhere(driver: str, pool_of: Callable[..., ConnectionPool]) -> None:
    pool = pool_of(cp_max=3, cp_min=3)
    engine = pool.engine()
    Base.metadata.create_all(engine)
    dice = random.Random(driver)
    committed: set[int] = set()
    foreign: list[tuple[int, Any]] = []
    numbers = iter(range(1, 1_000_000))

    def order() -> None:
        number = next(numbers)
        with Session(engine) as session:
            session.add(Order(number=number, lines=[Line(), Line()]))
            session.flush()
            found = session.scalar(text(f"select {number}"))
            if found != number:
                foreign.append((number, found))
            session.commit()
        committed.add(number)

    def go_on() -> None:
        with suppress(Interrupt), timeout(dice.uniform(0.0001, longest)):
            end = time.monotonic() + 1  # a signal may come in the garbage collector, where it is lost
            while time.monotonic() < end:
                order()

    began = time.monotonic()
    for _ in range(5):
        order()
    longest = (time.monotonic() - began) / 5 * 3
    opened = []
    for _ in range(12):
        tasks = [detect().spawn(go_on) for _ in range(4)]
        go_on()
        opened.append(pool.stats().open)
        for task in tasks:
            detect().get(task, 30)
    assert foreign == []
    assert max(opened) <= 3
    until(lambda: pool.stats().open == pool.stats().idle)
    assert pool.stats().holders == ()
    with Session(engine) as session:
        orders = dict(
            session.execute(
                select(Order.number, func.count(Line.id)).outerjoin(Line).group_by(Order.id)
            ).all()
        )
    assert set(orders.values()) <= {2}  # nothing half done
    assert committed <= set(orders)


@pytest.mark.needs("green", "a hub can only be blocked where there is one")
@every_driver
def test_the_hub_goes_on(driver: str, pool_of: Callable[..., ConnectionPool]) -> None:
    engine = pool_of().engine()
    beats: list[float] = []

    def beat() -> None:
        while True:
            beats.append(time.monotonic())
            detect().sleep(0.005)

    task = detect().spawn(beat)
    slow = {"sqlite3": COUNT_TO.format(3_000_000), "pymysql": "select sleep(0.5)"}
    with engine.connect() as connection:
        before = len(beats)
        connection.execute(text(slow.get(driver, "select pg_sleep(0.5)")))
        during = len(beats) - before
    detect().kill(task)
    assert during > 10


@pytest.mark.parametrize("driver", SERVERS)
def test_a_lost_connection_is_a_disconnect(
    driver: str, pool_of: Callable[..., ConnectionPool], request: pytest.FixtureRequest
) -> None:
    pool = pool_of()
    engine = pool.engine()
    database = request.getfixturevalue("mariadb_database" if driver == "pymysql" else "postgres_database")
    with engine.connect() as connection:
        connection.execute(text("select 1"))
        database.terminate_sessions()
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text("select 2"))
        assert caught.value.connection_invalidated
        connection.rollback()
        assert connection.scalar(text("select 3")) == 3  # SQLAlchemy's own reconnect
    database.terminate_sessions()
    with engine.connect() as connection:  # the pool notices before it hands the connection out
        assert connection.scalar(text("select 4")) == 4
    assert pool.stats().holders == ()


@pytest.mark.parametrize("driver", ["psycopg"])
def test_after_a_restart_of_the_server(
    postgres: PostgresServer, pool_of: Callable[..., ConnectionPool]
) -> None:
    pool = pool_of()
    engine = pool.engine()
    with Session(engine) as session:
        session.execute(text("select 1"))
        postgres.restart()
        with pytest.raises(DBAPIError):
            session.execute(text("select 2"))
        session.rollback()
        assert session.scalar(text("select 3")) == 3


@pytest.mark.needs("green", "only green sockets can be interrupted while a driver connects")
@pytest.mark.parametrize("driver", ["psycopg", "pymysql"])
def test_an_interrupted_connect_is_ended_even_if_the_exception_is_kept(driver: str) -> None:
    if driver == "psycopg" and detect().name == "eventlet":
        pytest.skip("psycopg connects in an OS thread, which goes on")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        address = {"host": "127.0.0.1", "port": server.getsockname()[1], "user": "a"}
        with pytest.raises(Interrupt) as kept, timeout(0.2):
            ConnectionPool(driver, **address).run_query("select 1")
        gc.collect()
        peer, _ = server.accept()
        with peer:
            peer.settimeout(10)
            while peer.recv(1000):
                pass
        assert kept.value is not None
