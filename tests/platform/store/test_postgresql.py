"""What a store on PostgreSQL does that one in a folder need not: share a server, and outlive it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from flowthings_like import API, mem
from flowthings_like.errors import ConfigurationError
from flowthings_like.platform.problems import BadRequest, Unavailable
from flowthings_like.platform.resources.drops import verbs
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.resources.query.query import Query
from flowthings_like.platform.store import postgresql, schema
from flowthings_like.platform.store.bulk import fetch
from flowthings_like.platform.store.migrate import migrate
from flowthings_like.platform.store.postgresql_connection import StoreConnection
from flowthings_like.platform.store.statistics import StoreStatistics

from ...servers.postgres import PostgresDatabase, PostgresServer
from ..harness import ME, add_flow, at_once, sizes_agree
from .test_store import add, names

pytestmark = pytest.mark.once

EVERYTHING = Query(limit=100_000)


@pytest.fixture
def store(postgres_database: PostgresDatabase) -> Iterator[Store]:
    with Store(postgres_database.url) as opened:
        yield opened


def test_stores_that_are_opened_at_once_make_the_tables_once(postgres_database: PostgresDatabase) -> None:
    stores: list[Store] = []
    assert at_once([lambda: stores.append(Store(postgres_database.url)) for _ in range(4)]) == [None] * 4
    outcomes = at_once(
        [
            lambda store=store, name=f"{which}-{index}": store.write(add(name))
            for index in range(20)
            for which, store in enumerate(stores)
        ]
    )
    assert outcomes == [1] * 80
    for store in stores:
        assert len(names(store)) == 80
        store.close()


def test_writers_of_several_stores_share_flows(postgres_database: PostgresDatabase) -> None:
    """The same flow and the same hashes, a capacity that is exceeded, numbers of arrivals without gaps."""
    stores = [Store(postgres_database.url) for _ in range(3)]
    flow = add_flow(stores[0], "/acme/shared", capacity=50)

    def write(store: Store, which: int) -> None:
        for number in range(40):
            fhash = f"h{number % 7}" if number % 2 else None
            verbs.create(store, ME, "/acme/shared", {"elems": {"n": number, "by": which}, "fhash": fhash})

    assert at_once([lambda store=store, w=w: write(store, w) for w, store in enumerate(stores)]) == [None] * 3
    for store in stores:
        sizes_agree(store)
    found = verbs.find(stores[0], ME, "/acme/shared", EVERYTHING)
    assert len(found) == 50
    hashes = [drop["fhash"] for drop in found if "fhash" in drop]
    assert len(hashes) == len(set(hashes))
    sizes = schema.sizes
    arrivals = select(sizes.c.arrivals).where(sizes.c.flow_id == flow)
    assert stores[0].read(lambda connection: connection.execute(arrivals).scalar_one()) == 120
    for store in stores:
        store.close()


def test_a_flow_that_another_store_changes_is_read_again(postgres_database: PostgresDatabase) -> None:
    with Store(postgres_database.url) as one, Store(postgres_database.url) as other:
        add_flow(one, "/acme/a", capacity=5, filter="")
        verbs.create(one, ME, "/acme/a", {"elems": {"n": 1}})
        changed = schema.resources.update().values(body='{"filter": "elems.n > 5", "capacity": 5}')
        other.write(lambda connection: connection.execute(changed) and None, clears_cache=True)
        with pytest.raises(Exception, match="does not match the filter"):
            verbs.create(one, ME, "/acme/a", {"elems": {"n": 1}})


def test_a_server_that_is_restarted_costs_time_and_no_call() -> None:
    with PostgresServer() as server, Store(server.url) as store:
        store.write(add("before"))
        assert names(store) == ["before"]
        stop = threading.Event()
        written: list[str] = []
        problems: list[BaseException] = []

        def write() -> None:
            while not stop.is_set():
                name = f"n{len(written)}"
                try:
                    store.write(add(name))
                    names(store)
                except BaseException as error:
                    problems.append(error)
                    return
                written.append(name)

        thread = threading.Thread(target=write)
        thread.start()
        while len(written) < 5:
            thread.join(0.01)
        server.restart()
        known = len(written)
        while len(written) < known + 5 and not problems:
            thread.join(0.01)
        stop.set()
        thread.join()
        assert problems == []
        assert names(store) == sorted([*written, "before"])


@pytest.mark.parametrize("is_lost", [True, False], ids=["after", "before"])
def test_a_commit_without_an_answer_is_done_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, is_lost: bool
) -> None:
    """The connection is lost after the server has committed, or before."""
    store.write(add("first"))
    run, lost = StoreConnection.run, []

    def losing(self: StoreConnection, statements: str) -> Any:
        if "COMMIT" in statements and "platform_writers" in statements and not lost:
            lost.append(statements)
            if is_lost:
                run(self, statements)
            self.close()
            raise psycopg.OperationalError("the connection is lost")
        return run(self, statements)

    monkeypatch.setattr(StoreConnection, "run", losing)
    runs: list[int] = []

    def work(connection: Any) -> str:
        runs.append(1)
        add("second")(connection)
        return f"run {len(runs)}"

    assert store.write(work) == ("run 1" if is_lost else "run 2")
    assert len(lost) == 1
    assert names(store) == ["first", "second"]


def test_writers_that_are_long_gone_are_forgotten(store: Store, postgres_database: PostgresDatabase) -> None:
    store.write(add("a"))
    postgres_database.query("UPDATE platform_writers SET written = written - interval '8 days'")
    with Store(postgres_database.url) as other:
        other.write(add("b"))
        assert len(postgres_database.query("SELECT name FROM platform_writers")) == 1
        store.write(add("c"))
        assert len(postgres_database.query("SELECT name FROM platform_writers")) == 2


def test_a_deadlock_is_tried_again(store: Store) -> None:
    runs: list[int] = []

    def work(connection: Any) -> int:
        runs.append(1)
        if len(runs) < 3:
            connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$")
        return int(add("a")(connection))

    assert store.write(work) == 1
    assert len(runs) == 3


def test_a_server_that_stays_away_fails_the_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says why, once. Callers are not told where the server is."""
    monkeypatch.setattr(postgresql.Postgresql, "RETRY_SECONDS", 0.2)
    with PostgresServer() as server:
        store = Store(server.url)
        store.write(add("a"))
        names(store)
        assert store.statistics() == StoreStatistics()
    with pytest.raises(Unavailable, match=r"its database cannot be reached$"):
        store.write(add("b"))
    found = store.statistics()
    assert (found.is_reachable, found.failures, found.read_retries) == (False, 1, 0)
    assert found.write_retries > 0
    with pytest.raises(Unavailable, match=r"its database cannot be reached$"):
        names(store)
    found = store.statistics()
    assert (found.is_reachable, found.failures, found.waiting) == (False, 2, 0)
    assert found.read_retries > 0
    store.close()
    (line,) = [message for message in caplog.messages if "the store is" in message]
    assert line.startswith("the store is away: ")
    assert not [record for record in caplog.records if record.exc_info]


def test_acknowledged_means_on_disk(store: Store) -> None:
    """The tests' server does not wait for its disk by default."""
    setting = store.write(lambda connection: connection.exec_driver_sql("SHOW synchronous_commit").scalar())
    assert setting == "on"


def test_a_database_of_another_program_is_refused_in_a_line(postgres_database: PostgresDatabase) -> None:
    postgres_database.query("CREATE TABLE accounts (id integer)")
    with pytest.raises(ConfigurationError, match=r'cannot be used: relation "accounts" already exists$'):
        Store(postgres_database.url)


def test_every_text_is_kept(store: Store) -> None:
    text = "a\0b\1c\1\1\2 ü \U0001f600"
    store.write(add(text))
    assert names(store) == [text]


REVISION = """
from alembic import op
revision, down_revision = "{}", "{}"
def upgrade():
    op.execute("ALTER TABLE accounts ADD COLUMN nickname TEXT")
"""


def test_tables_of_an_earlier_version(
    postgres_database: PostgresDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server leaves them alone; two who migrate at the same time do it once."""
    url = postgres_database.url
    Store(url).close()
    now = schema.VERSION
    versions = Path(schema.__file__).parent / "migrations" / "versions"
    for file in versions.glob("version_*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "version_next.py").write_text(REVISION.format(now + 1, now))
    monkeypatch.setattr(schema, "VERSION", now + 1)
    with pytest.raises(ConfigurationError, match=r"earlier version.* migrate"):
        Store(url)
    said = at_once([lambda: migrate(url, revisions=tmp_path) for _ in range(3)])
    assert sorted(said) == [f"from version {now} to {now + 1}", *[f"version {now + 1}, as before"] * 2]
    assert postgres_database.query("SELECT nickname FROM accounts") == []
    Store(url).close()
    monkeypatch.setattr(schema, "VERSION", now)
    with pytest.raises(ConfigurationError, match="later version"):
        Store(url)


def test_tables_in_parts(postgres_database: PostgresDatabase, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="only tables on PostgreSQL"):
        migrate(f"sqlite:///{tmp_path}/x.db", partitions=3)
    assert migrate(postgres_database.url, partitions=3) == f"made the tables of version {schema.VERSION}"
    with pytest.raises(ConfigurationError, match="has tables already"):
        migrate(postgres_database.url, partitions=3)
    parts = postgres_database.query("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")
    assert len(parts) == 3 * len(schema.DISTRIBUTED)
    with API.embedded(postgres_database.url) as api:
        flows = [api.flow.create({"path": f"/acme/f{number}"}) for number in range(6)]
        for flow in flows:
            for number in range(8):
                api.drop(flow["id"]).create({"elems": {"n": number}, "fhash": f"h{number % 4}"})
            assert len(api.drop(flow["id"]).find()) == 4


def test_a_find_that_no_statement_precedes(postgres_database: PostgresDatabase) -> None:
    """Its filter runs in Python, over rows that come through a cursor on the server."""
    with API.embedded(postgres_database.url) as api:
        for name in ("a1", "a2", "b"):
            api.flow.create({"path": f"/acme/{name}"})
        for _ in range(3):
            assert [flow["path"] for flow in api.flow.find(mem.path.re("^/acme/a"))] == [
                "/acme/a2",
                "/acme/a1",
            ]
        assert len(api.flow.find()) == 3


def test_rooms_streams_and_records_are_in_the_folder(
    postgres_database: PostgresDatabase, tmp_path: Path
) -> None:
    with API.embedded(tmp_path / "data", store=postgres_database.url) as api:
        api.flow.create({"path": "/acme/a"})
        assert api.things.query("1 + 1;") == 2
        api.things.query(".greeting = 'hello';", scope="//stuff")
    with API.embedded(tmp_path / "data", store=postgres_database.url) as api:
        assert api.things.query(".greeting;", scope="//stuff") == "hello"
    with API.embedded(postgres_database.url) as api:
        assert api.flow.find()[0]["path"] == "/acme/a"
        with pytest.raises(ConfigurationError, match="database server instead"):
            api.things.query("1;")


def test_a_password_is_in_no_message(postgres_database: PostgresDatabase, tmp_path: Path) -> None:
    secret = "hunter2hunter2"
    url = f"postgresql://nobody:{secret}@{postgres_database.host}:{postgres_database.port}/nowhere"
    with pytest.raises(ConfigurationError, match="authentication failed") as failed:
        API.embedded(url)
    assert secret not in str(failed.value) + repr(failed.value)
    assert str(failed.value).startswith(
        f"the database nowhere at {postgres_database.host}:{postgres_database.port} cannot be opened: "
    )
    with pytest.raises(
        ConfigurationError, match="an @ in a user's name or password is written as %40"
    ) as failed:
        API.embedded(url.replace("hunter2hunter2", "hunter2@hunter2"))
    assert "hunter2" not in str(failed.value) + repr(failed.value)
    with pytest.raises(ConfigurationError, match="the database nowhere at /nonexistent cannot be opened: "):
        migrate("postgresql:///nowhere?host=/nonexistent")
    with pytest.raises(ConfigurationError, match="its port is no number"):
        API.embedded("postgresql://nobody@localhost:x/nowhere")
    with pytest.raises(ConfigurationError, match="one in memory"):
        API.embedded("sqlite://")
    with pytest.raises(ConfigurationError, match=r"there is no folder '/nonexistent/a' .* 'x.db'"):
        API.embedded("sqlite:////nonexistent/a/x.db")
    commands = [sys.executable, "-m", "flowthings_like"]
    done = subprocess.run(
        [*commands, "migrate", "--store", url], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "FLOWTHINGS_STORE_URL" in done.stderr
    assert secret not in done.stdout + done.stderr
    done = subprocess.run(
        [*commands, "migrate"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"FLOWTHINGS_STORE_URL": postgres_database.url, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == 0
    assert "made the tables" in done.stdout
    assert postgres_database.password not in done.stdout


def test_a_statement_that_is_too_much_is_the_requests_fault(store: Store) -> None:
    columns = "SELECT " + ", ".join("1" * 2000)
    parameters = f"SELECT 1 WHERE 1 IN ({', '.join(['%s'] * 70_000)})"
    for use in (store.read, store.write):
        with pytest.raises(BadRequest, match="too much at once: target lists"):
            use(lambda connection: connection.exec_driver_sql(columns).close())
        with pytest.raises(BadRequest, match=r"too much at once: .*number of parameters"):
            use(lambda connection: fetch(connection, parameters, [1] * 70_000))
