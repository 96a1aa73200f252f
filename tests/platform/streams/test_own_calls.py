"""Retention, devices, units, and versions by time."""

from __future__ import annotations

import json
import time
from uuid import UUID

import pytest

from flowthings_like.platform.streams import retention, transaction
from flowthings_like.wire.btrdb import store as own

from .harness import Direct, Refused

HOUR = 3_600_000_000_000


def refused(code: int) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, check=lambda error: error.code == code)


def set_retention(direct: Direct, kept: int | None, **target: object) -> None:
    policy = None if kept is None else own.Retention(removeOlderThan=kept)
    params = own.SetRetentionParams(retention=policy, **target)  # type: ignore[arg-type]
    direct.own("SetRetention", params, own.SetRetentionResponse)


def get_retention(direct: Direct, **target: object) -> tuple[int | None, bool]:
    params = own.GetRetentionParams(**target)  # type: ignore[arg-type]
    answer = direct.own("GetRetention", params, own.GetRetentionResponse)
    kept = answer.retention.removeOlderThan if answer.HasField("retention") else None
    return kept, answer.isInherited


def test_policies(direct: Direct) -> None:
    one, two = direct.create("a").bytes, direct.create("a").bytes
    assert get_retention(direct, collection="a") == (None, False)
    assert get_retention(direct, uuid=one) == (None, True)
    set_retention(direct, 5, collection="a")
    set_retention(direct, 7, uuid=two)
    assert get_retention(direct, collection="a") == (5, False)
    assert get_retention(direct, uuid=one) == (5, True)
    assert get_retention(direct, uuid=two) == (7, False)
    set_retention(direct, 6, collection="a")
    assert get_retention(direct, uuid=two) == (7, False)
    set_retention(direct, 6, collection="a", overridePerStream=True)
    assert get_retention(direct, uuid=two) == (6, True)
    set_retention(direct, 0, uuid=two)  # for ever
    assert get_retention(direct, uuid=two) == (0, False)
    set_retention(direct, None, collection="a")
    assert get_retention(direct, uuid=one) == (None, True)


def test_policies_that_are_refused(direct: Direct) -> None:
    uuid = direct.create("a").bytes
    for call in (set_retention, lambda direct, _, **target: get_retention(direct, **target)):
        with refused(421):
            call(direct, 1)
        with refused(421):
            call(direct, 1, collection="a", uuid=uuid)
        with refused(407):
            call(direct, 1, collection="b")
        with refused(404):
            call(direct, 1, uuid=b"x" * 16)
        with refused(407):
            call(Direct(direct.store, "bravo"), 1, collection="a")
    with refused(438):
        set_retention(direct, -1, collection="a")


def fill(direct: Direct, uuid: UUID, now: int) -> list[tuple[int, float]]:
    points = [(now - hours * HOUR, float(hours)) for hours in range(20, 0, -1)]
    direct.insert(uuid, points)
    return points


@pytest.mark.parametrize("bulk", [5, 1000])
def test_old_points_are_removed(direct: Direct, monkeypatch: pytest.MonkeyPatch, bulk: int) -> None:
    monkeypatch.setattr(transaction, "BULK", bulk)
    now = time.time_ns()
    trimmed, kept = direct.create("a"), direct.create("b")
    points = fill(direct, trimmed, now)
    fill(direct, kept, now)
    version = direct.delete(trimmed, now - 12 * HOUR, now - 11 * HOUR)
    set_retention(direct, 10 * HOUR + 1, collection="a")
    assert retention.trim(direct.store, now) == 1
    assert direct.values(trimmed, 0, now) == points[10:]
    assert direct.values(trimmed, 0, now, version - 1) == points[10:]  # from every version
    assert direct.version(trimmed) == version
    assert direct.nearest(trimmed, 0) == points[10]
    assert sum(row[4] for row in direct.aligned(trimmed, 0, now, 40)) <= 10
    assert direct.windows(trimmed, now - 100 * HOUR, now, 100 * HOUR)[0][4] == 10
    assert len(direct.values(kept, 0, now)) == 20
    assert retention.trim(direct.store, now) == 0
    # Later everything is gone, but the versions go on.
    retention.trim(direct.store, now + 50 * HOUR)
    while direct.store.sweep():
        pass
    assert direct.values(trimmed, 0, now) == []
    direct.store.close()
    reopened = type(direct.store)(direct.store.folder)
    try:
        again = Direct(reopened)
        assert again.version(trimmed) == version
        assert again.insert(trimmed, [(now + 50 * HOUR, 1.0)]) == version + 1
        ((left,),) = reopened.database.rows(
            "select count(*) from points p join segments s on p.segment = s.id where s.stream = 1"
        )
        assert left == 0
    finally:
        reopened.close()


def test_what_is_obliterated_is_swept(direct: Direct) -> None:
    import numpy as np

    uuid = direct.create()
    direct.insert_arrays(uuid, np.arange(50_000), np.zeros(50_000))
    direct.store.obliterate("acme", uuid)
    while direct.store.sweep():
        pass
    for table in ("points", "rollups", "segments", "recent", "removals", "garbage", "commits"):
        assert direct.store.database.rows(f"select count(*) from {table}") == [(0,)], table


def test_versions_by_time(direct: Direct, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "_STAMPED_AFTER", 0)
    before = time.time_ns() - 1_000_000
    uuid = direct.create()
    created = time.time_ns()
    direct.insert(uuid, [(1, 1.0)])
    first = time.time_ns()
    direct.delete(uuid, 0, 9)

    def version_at(moment: int) -> int:
        params = own.GetVersionAtTimeParams(uuid=uuid.bytes, time=moment)
        return int(direct.own("GetVersionAtTime", params, own.GetVersionAtTimeResponse).versionMajor)

    assert [version_at(moment) for moment in (before, created, first, time.time_ns())] == [0, 10, 11, 12]


def test_rows(direct: Direct) -> None:
    fields = {"name": "pmu", "location": "Ümläut", "properties": {"a": [1, None]}}
    id = direct.write_row("CreateDevice", fields=json.dumps(fields).encode())
    other = direct.write_row("CreateDevice", fields=b"")
    assert id != other
    direct.write_row("UpdateDevice", id, b'{"name": "new", "location": null}')
    row = direct.sql(f"select name, location, properties from devices where id = {id}")[0]
    assert row == {"name": "new", "location": None, "properties": {"a": [1, None]}}
    direct.write_row("DeleteDevice", id)
    assert [row["id"] for row in direct.sql("select id from devices")] == [other]
    for method in ("UpdateDevice", "DeleteDevice", "UpdateUnit", "DeleteUnit"):
        with refused(404):
            direct.write_row(method, id)
        with refused(404):
            Direct(direct.store, "bravo").write_row(method, other)


@pytest.mark.parametrize(
    "fields", [b"[]", b"1", b"{", b'{"colour": "red"}', b'{"name": 5}', b'{"name": "%s"}' % (b"x" * 70_000)]
)
def test_rows_that_are_refused(direct: Direct, fields: bytes) -> None:
    with refused(438):
        direct.write_row("CreateUnit", fields=fields)
