"""What BTrDB's calls mean, row by row, through the handlers."""

from __future__ import annotations

import math
from uuid import UUID, uuid4

import pytest

from flowthings_like.wire.btrdb import v5api
from flowthings_like.wire.btrdb.points import encode_raw
from flowthings_like.wire.grpc.status import GrpcError

from .harness import Direct, Refused, pairs

FIRST = -(16 << 56)
END = 48 << 56


@pytest.fixture
def uuid(direct: Direct) -> UUID:
    return direct.create()


def refused(code: int) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, check=lambda error: error.code == code)


# Times


def test_times_of_points(direct: Direct, uuid: UUID) -> None:
    edges = [(FIRST, 1.0), (-1, 2.0), (0, 3.0), (END - 2, 4.0)]
    direct.insert(uuid, edges)
    assert direct.values(uuid, FIRST, END - 1) == edges
    for time in (FIRST - 1, END - 1, END):
        with refused(413):
            direct.insert(uuid, [(0, 1.0), (time, 1.0)])
    assert direct.version(uuid) == 11


@pytest.mark.parametrize(("start", "end"), [(FIRST - 1, 0), (0, END), (5, 5), (6, 5)])
def test_ranges_that_are_refused(direct: Direct, uuid: UUID, start: int, end: int) -> None:
    with refused(413):
        direct.values(uuid, start, end)
    with refused(413):
        direct.aligned(uuid, start, end, 3)
    with refused(413):
        direct.windows(uuid, start, end, 1)
    with refused(413):
        direct.delete(uuid, start, end)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite(direct: Direct, uuid: UUID, value: float) -> None:
    with refused(425):
        direct.insert(uuid, [(0, 1.0), (1, value)])
    assert direct.values(uuid, 0, 10) == []


def test_zero_times_and_values(direct: Direct, uuid: UUID) -> None:
    """Other programs leave out members that are zero."""
    request = v5api.InsertParams(
        uuid=uuid.bytes, values=[v5api.RawPoint(time=0, value=0.0), v5api.RawPoint(time=5, value=0.0)]
    )
    direct.unary("Insert", request, v5api.InsertResponse)
    assert direct.values(uuid, -1, 10) == [(0, 0.0), (5, 0.0)]


# Values


def test_equal_times_come_in_the_order_of_insertion(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(5, 3.0), (1, 1.0), (5, 2.0)])
    direct.insert(uuid, [(5, 1.0), (2, 9.0)])
    assert direct.values(uuid, 0, 6) == [(1, 1.0), (2, 9.0), (5, 3.0), (5, 2.0), (5, 1.0)]


def test_a_range_has_its_start_and_not_its_end(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(1, 1.0), (2, 2.0), (3, 3.0)])
    assert direct.values(uuid, 1, 3) == [(1, 1.0), (2, 2.0)]


def test_an_empty_stream(direct: Direct, uuid: UUID) -> None:
    assert direct.values(uuid, 0, 10) == []
    assert direct.aligned(uuid, 0, 1000, 5) == []
    assert direct.changes(uuid, 0) == []
    assert direct.version(uuid) == 10


# Aligned windows


def test_aligned_windows_round_both_ends_down(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(time, float(time)) for time in range(16)])
    found = direct.aligned(uuid, 5, 11, 2)
    assert [(time, count) for time, _, _, _, count, _ in found] == [(4, 4)]  # with the point at 4
    assert found[0][1:4] == (4.0, 5.5, 7.0)
    assert found[0][5] == pytest.approx(math.sqrt(1.25))
    assert direct.aligned(uuid, 5, 7, 2) == []  # both ends are rounded to the same time


def test_aligned_windows_without_points_are_left_out(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(0, 1.0), (100, 1.0)])
    assert [found[0] for found in direct.aligned(uuid, 0, 128, 3)] == [0, 96]


def test_negative_times_are_rounded_down(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(-1, 1.0), (-8, 2.0), (-9, 3.0), (0, 4.0)])
    assert [found[:2] for found in direct.aligned(uuid, -16, 8, 3)] == [(-16, 3.0), (-8, 1.0), (0, 4.0)]
    assert [found[0] for found in direct.aligned(uuid, -3, 8, 3)] == [-8, 0]


def test_point_widths(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(-5, 1.0), (5, 1.0)])
    assert [found[0] for found in direct.aligned(uuid, -10, 10, 0)] == [-5, 5]
    assert [found[0] for found in direct.aligned(uuid, FIRST, END - 1, 61)] == [-(1 << 61), 0]
    assert [found[0] for found in direct.aligned(uuid, FIRST, END - 1, 63)] == [-(1 << 63)]
    with refused(415):
        direct.aligned(uuid, 0, 10, 64)


# Windows


def test_windows_are_all_returned(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(0, 1.0), (25, 3.0), (29, 5.0)])
    found = direct.windows(uuid, -10, 49, 10)  # the end is cut to 40
    assert [(time, count) for time, _, _, _, count, _ in found] == [
        (-10, 0),
        (0, 1),
        (10, 0),
        (20, 2),
        (30, 0),
    ]
    assert found[0][1:] == (0.0, 0.0, 0.0, 0, 0.0)
    assert found[3][1:] == (3.0, 4.0, 5.0, 2, 1.0)


def test_windows_that_are_refused(direct: Direct, uuid: UUID) -> None:
    for width in (0, 11):
        with refused(413):
            direct.windows(uuid, 0, 10, width)
    with refused(413):
        direct.windows(uuid, 0, 1 << 60, 1)  # more than can be returned
    with refused(438):
        direct.windows(uuid, 0, 10, 1, depth=3)
    assert len(direct.windows(uuid, 0, 10, 10)) == 1


# Nearest


def test_nearest(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(10, 1.0), (20, 2.0), (20, 3.0)])
    assert direct.nearest(uuid, 10) == (10, 1.0)  # at or after
    assert direct.nearest(uuid, 11) == (20, 2.0)  # of equal times the first
    assert direct.nearest(uuid, 20, backward=True) == (10, 1.0)  # before, not at
    assert direct.nearest(uuid, 21, backward=True) == (20, 3.0)  # of equal times the last
    assert direct.nearest(uuid, END - 1, backward=True) == (20, 3.0)
    assert direct.nearest(uuid, FIRST) == (10, 1.0)
    for time, backward in ((21, False), (10, True), (FIRST, True)):
        with refused(401):
            direct.nearest(uuid, time, backward=backward)
    for time in (FIRST - 1, END):
        with refused(413):
            direct.nearest(uuid, time)


# Versions


def test_versions(direct: Direct, uuid: UUID) -> None:
    assert direct.version(uuid) == 10
    assert direct.insert(uuid, [(1, 1.0)]) == 11
    assert direct.insert(uuid, [(2, 2.0)]) == 12
    assert direct.delete(uuid, 1, 2) == 13
    assert direct.delete(uuid, 1, 2) == 14  # removes nothing
    assert direct.values(uuid, 0, 9) == direct.values(uuid, 0, 9, 14) == [(2, 2.0)]
    assert direct.values(uuid, 0, 9, 13) == [(2, 2.0)]
    assert direct.values(uuid, 0, 9, 12) == [(1, 1.0), (2, 2.0)]
    assert direct.values(uuid, 0, 9, 11) == [(1, 1.0)]
    for version in (1, 9, 10):
        assert direct.values(uuid, 0, 9, version) == []
        with refused(401):
            direct.nearest(uuid, 0, version)
    for version in (15, 1 << 63):
        with refused(450):
            direct.values(uuid, 0, 9, version)
        with refused(450):
            direct.nearest(uuid, 0, version)
        with refused(450):
            direct.aligned(uuid, 0, 9, 1, version)


def test_an_empty_insert_is_no_version(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(1, 1.0)])
    assert direct.insert(uuid, []) == 11
    assert direct.insert(uuid, [(1, 2.0)], 2) == 11


def test_a_removed_point_may_come_again(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(1, 1.0), (2, 2.0)])
    direct.delete(uuid, 0, 10)
    direct.insert(uuid, [(1, 5.0)])
    assert direct.values(uuid, 0, 10) == [(1, 5.0)]
    assert direct.values(uuid, 0, 10, 12) == []
    assert direct.values(uuid, 0, 10, 11) == [(1, 1.0), (2, 2.0)]
    assert direct.aligned(uuid, 0, 10, 1)[0][:3] == (0, 5.0, 5.0)
    assert [found[4] for found in direct.windows(uuid, 0, 10, 5, 11)] == [2, 0]


def test_flush_returns_the_version(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(1, 1.0)])
    answer = direct.unary("Flush", v5api.FlushParams(uuid=uuid.bytes), v5api.FlushResponse)
    assert (answer.versionMajor, answer.versionMinor) == (11, 0)


# Merge policies


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (0, [(1, 1.0), (1, 1.0), (1, 2.0), (2, 5.0), (2, 5.0), (2, 6.0)]),
        (1, [(1, 1.0), (1, 2.0), (2, 5.0), (2, 6.0)]),
        (2, [(1, 1.0), (2, 5.0)]),
        (3, [(1, 2.0), (2, 6.0)]),
    ],
)
def test_policies_within_a_batch_and_against_stored_points(
    direct: Direct, uuid: UUID, policy: int, expected: list[tuple[int, float]]
) -> None:
    direct.insert(uuid, [(1, 1.0)])
    direct.insert(uuid, [(2, 5.0), (1, 1.0), (1, 2.0), (2, 5.0), (2, 6.0)], policy)
    assert direct.values(uuid, 0, 9) == expected
    assert direct.values(uuid, 0, 9, 11) == [(1, 1.0)]
    counts = {0: 6, 1: 4, 2: 2, 3: 2}
    assert direct.aligned(uuid, 0, 8, 3)[0][4] == counts[policy]


def test_replacing_what_was_replaced(direct: Direct, uuid: UUID) -> None:
    for value in (1.0, 2.0, 3.0):
        direct.insert(uuid, [(1, value), (5, value)], 3)
    assert direct.values(uuid, 0, 9) == [(1, 3.0), (5, 3.0)]
    assert direct.values(uuid, 0, 9, 12) == [(1, 2.0), (5, 2.0)]
    assert direct.values(uuid, 0, 9, 11) == [(1, 1.0), (5, 1.0)]


def test_replacing_leaves_the_points_between(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(1, 1.0), (2, 2.0), (3, 3.0)])
    direct.insert(uuid, [(1, 10.0), (3, 30.0)], 3)
    assert direct.values(uuid, 0, 9) == [(1, 10.0), (2, 2.0), (3, 30.0)]


def test_there_is_no_fifth_policy(direct: Direct, uuid: UUID) -> None:
    request = v5api.InsertParams(uuid=uuid.bytes).SerializeToString() + b"\x20\x04"
    answer = v5api.InsertResponse.FromString(direct.bytes("/v5api.BTrDB/Insert", request))
    assert answer.stat.code == 421


def test_rounding(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(1, 1.0 + 2**-52), (2, 1.5)], rounding=v5api.RoundBits(bits=4))
    assert direct.values(uuid, 0, 9) == [(1, 1.0), (2, 1.5)]


# Changes


def test_changes(direct: Direct, uuid: UUID) -> None:
    direct.insert(uuid, [(0, 1.0), (1, 1.0), (10, 1.0)])
    direct.insert(uuid, [(20, 1.0)])
    direct.delete(uuid, 4, 12)
    assert direct.changes(uuid, 0) == [(0, 2), (4, 12), (20, 21)]
    assert direct.changes(uuid, 11) == [(4, 12), (20, 21)]
    assert direct.changes(uuid, 11, 12) == [(20, 21)]
    assert direct.changes(uuid, 12, 12) == []
    assert direct.changes(uuid, 11, 12, 3) == [(16, 24)]
    assert direct.changes(uuid, 10, 0, 3) == [(0, 24)]  # neighbours are joined
    with refused(427):
        direct.changes(uuid, 13, 12)
    with refused(415):
        direct.changes(uuid, 0, 0, 64)
    with refused(450):
        direct.changes(uuid, 0, 99)


# Streams


def test_identity(direct: Direct) -> None:
    uuid = direct.create("c", {"name": "a"})
    with refused(417):
        direct.create("d", {"name": "b"}, uuid=uuid)
    with refused(418):
        direct.create("c", {"name": "a"})
    direct.create("c", {"name": "a", "unit": "V"})
    direct.unary("Obliterate", v5api.ObliterateParams(uuid=uuid.bytes), v5api.ObliterateResponse)
    with refused(429):
        direct.create("c", {"name": "a"}, uuid=uuid)
    direct.create("c", {"name": "a"})
    with refused(404):
        direct.values(uuid, 0, 9)
    with refused(404):
        direct.unary("Obliterate", v5api.ObliterateParams(uuid=uuid.bytes), v5api.ObliterateResponse)


def test_a_stream_that_there_is_not(direct: Direct) -> None:
    uuid = uuid4()
    for call in (
        lambda: direct.insert(uuid, [(1, 1.0)]),
        lambda: direct.delete(uuid, 0, 1),
        lambda: direct.values(uuid, 0, 1),
        lambda: direct.aligned(uuid, 0, 1, 0),
        lambda: direct.windows(uuid, 0, 1, 1),
        lambda: direct.nearest(uuid, 0),
        lambda: direct.changes(uuid, 0),
        lambda: direct.info(uuid),
    ):
        with refused(404) as caught:
            call()
        assert str(uuid) not in str(caught.value)


def test_accounts_see_their_own_streams(direct: Direct) -> None:
    other = Direct(direct.store, "bravo")
    uuid = direct.create("c")
    direct.insert(uuid, [(1, 1.0)])
    with refused(404):
        other.values(uuid, 0, 9)
    assert other.lookup() == []
    other.create("c", uuid=uuid)
    assert other.values(uuid, 0, 9) == []
    assert direct.values(uuid, 0, 9) == [(1, 1.0)]


def test_a_wrong_key_is_refused_without_a_name(direct: Direct) -> None:
    other = Direct(direct.store, "secret-key")
    uuid = direct.create("c")
    for call in (lambda: other.values(uuid, 0, 9), lambda: other.info(uuid)):
        with pytest.raises(GrpcError) as caught:
            call()
        assert caught.value.code == 16
        assert "secret" not in str(caught.value)
        assert str(uuid) not in str(caught.value)


@pytest.mark.parametrize("collection", ["", "x" * 256, "a\0b"])
def test_collections_that_are_refused(direct: Direct, collection: str) -> None:
    with refused(407):
        direct.create(collection)


def test_tags(direct: Direct) -> None:
    with refused(408):
        direct.create("c", {"colour": "red"})
    with refused(409):
        direct.create("c", {"name": "x" * 256})
    uuid = direct.create("c", {"name": "n"})
    tags = {pair.key: pair.val.value for pair in direct.info(uuid).descriptor.tags}
    assert tags == {"name": "n", "unit": "", "ingress": "", "distiller": ""}


def test_property_versions(direct: Direct) -> None:
    uuid = direct.create("c", {"name": "n"}, {"a": "1", "b": "2"})
    assert direct.info(uuid).descriptor.propertyVersion == 1
    change = v5api.SetStreamTagsParams(
        uuid=uuid.bytes, expectedPropertyVersion=1, tags=pairs({"unit": "V"}), collection="d"
    )
    direct.unary("SetStreamTags", change, v5api.SetStreamTagsResponse)
    with refused(423):
        direct.unary("SetStreamTags", change, v5api.SetStreamTagsResponse)
    direct.unary(
        "SetStreamAnnotations",
        v5api.SetStreamAnnotationsParams(
            uuid=uuid.bytes, expectedPropertyVersion=2, changes=pairs({"c": "3"}), removals=["a"]
        ),
        v5api.SetStreamAnnotationsResponse,
    )
    found = direct.info(uuid).descriptor
    assert found.propertyVersion == 3
    assert found.collection == "d"
    assert {pair.key: pair.val.value for pair in found.tags} == {
        "name": "n",
        "unit": "V",
        "ingress": "",
        "distiller": "",
    }
    assert {pair.key: pair.val.value for pair in found.annotations} == {"b": "2", "c": "3"}
    assert direct.version(uuid) == 10  # that of the points


def test_lookup(direct: Direct) -> None:
    a = direct.create("a/b", {"name": "x", "unit": "V"}, {"k": "1"})
    b = direct.create("a/c", {"name": "y"}, {"k": "2"})
    c = direct.create("A/b", {"name": "x"})
    assert direct.lookup() == [c, a, b]
    assert direct.lookup("a") == [a, b]
    assert direct.lookup("a", is_prefix=False) == []
    assert direct.lookup("a/b", is_prefix=False) == [a]
    assert direct.lookup("%") == []
    assert direct.lookup(tags=pairs({"name": "x"})) == [c, a]
    assert direct.lookup(tags=pairs({"unit": None})) == [a]
    assert direct.lookup(annotations=pairs({"k": "2"})) == [b]
    assert direct.lookup(annotations=pairs({"k": None})) == [a, b]
    with refused(408):
        direct.lookup(tags=pairs({"colour": "red"}))


def test_collections(direct: Direct) -> None:
    for collection in ("foo", "bar", "foo/baz", "bar/baz"):
        direct.create(collection)

    def listed(prefix: str) -> list[str]:
        answers = direct.stream(
            "ListCollections", v5api.ListCollectionsParams(prefix=prefix), v5api.ListCollectionsResponse
        )
        return [name for answer in answers for name in answer.collections]

    assert listed("") == ["bar", "bar/baz", "foo", "foo/baz"]
    assert listed("foo") == ["foo", "foo/baz"]
    assert listed("Foo") == listed("moo") == []


def test_metadata_usage(direct: Direct) -> None:
    direct.create("a/b", {"name": "x", "unit": "V"}, {"k": "1"})
    direct.create("a/c", {"name": "y"}, {"k": "2", "l": ""})
    answer = direct.unary(
        "GetMetadataUsage", v5api.MetadataUsageParams(prefix="a"), v5api.MetadataUsageResponse
    )
    assert {each.key: each.count for each in answer.tags} == {"name": 2, "unit": 1}
    assert {each.key: each.count for each in answer.annotations} == {"k": 2, "l": 1}


# Requests that are none


@pytest.mark.parametrize("method", ["Insert", "Delete", "Nearest", "Create", "SQLQuery", "RawValues"])
def test_a_request_that_cannot_be_read(direct: Direct, method: str) -> None:
    with pytest.raises(GrpcError) as caught:
        list(direct.bytes(f"/v5api.BTrDB/{method}", b"\xff\xff\xff"))
    assert caught.value.code == 3


def test_a_uuid_that_is_none(direct: Direct) -> None:
    with refused(421):
        direct.unary("StreamInfo", v5api.StreamInfoParams(uuid=b"12"), v5api.StreamInfoResponse)
    answer = direct.bytes("/v5api.BTrDB/Insert", encode_raw(*_one_point()))
    assert v5api.InsertResponse.FromString(answer).stat.code == 421


def _one_point() -> tuple[object, object]:
    import numpy as np

    return np.array([1]), np.array([1.0])


def test_info(direct: Direct) -> None:
    found = direct.unary("Info", v5api.InfoParams(), v5api.InfoResponse)
    assert (found.majorVersion, found.minorVersion >= 30) == (5, True)
    assert found.HasField("proxy")
    for name, params, answer in (("FaultInject", v5api.FaultInjectParams(), v5api.FaultInjectResponse),):
        with refused(424):
            direct.unary(name, params, answer)
    with refused(501):
        list(direct.stream("GenerateCSV", v5api.GenerateCSVParams(), v5api.GenerateCSVResponse))
