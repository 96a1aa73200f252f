"""A year of real weather as binary records: columns in, boxes of keys out, and a follower that goes on.

    python examples/records.py --folder weather-data

Run it again, or after it was killed half way: no record of the weather is missing or there twice, and the
follower takes only what is new.
"""

import argparse
import csv
import gzip
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path

import numpy as np

from flowthings_like import API
from flowthings_like.records import Key, Record, RecordBatch, StructPayloadType, from_unix_ns, now_ns

DATA = Path(__file__).parent / "data" / "weather.csv.gz"
WEATHER, ALERTS = 1, 2  # cid: whose records they are
STATIONS = {"EWR": 14734, "JFK": 94789, "LGA": 14732}  # mid: the numbers of the weather stations
QUANTITIES = {"temp": 0, "dewp": 1, "wind_speed": 2, "pressure": 3}  # moid: what was measured
MONTHS = [datetime(2013 + month // 12, month % 12 + 1, 1, tzinfo=timezone.utc) for month in range(13)]


def main(folder):
    with API.embedded(folder) as api:
        channel = api.record(StructPayloadType("<d"), strict=True)
        for station, batch in read().items():
            # A put is stored whole or not at all. So a station has all of its records, or none.
            if not len(channel.get(*box(WEATHER, STATIONS[station])).data):
                channel.put(batch)

        everything = channel.get(*box(WEATHER)).data
        print(f"{len(everything):,} records of {len(np.unique(everything.mid))} stations")

        # A range is a box: each field of the key has a range of its own. All months are asked for at once.
        lazy = channel.lazy()
        temp = QUANTITIES["temp"]
        months = [lazy.get(*box(WEATHER, moid=temp, cap=pair)) for pair in pairwise(map(to_ns, MONTHS))]
        print("\nmonth     " + "".join(f"{name:>22}" for name in STATIONS))
        for start, month in zip(MONTHS, months, strict=False):
            values = {name: month.data.payload[month.data.mid == mid] for name, mid in STATIONS.items()}
            cells = [f"{v.min():7.1f}{v.mean():7.1f}{v.max():7.1f}" for v in values.values()]
            print(f"{start:%B}".ljust(10) + "".join(f"{cell:>22}" for cell in cells))

        follow(channel, Path(folder) / "followed")


def follow(channel, saved):
    """Take the alerts that have come since the last time, each once."""
    start = int(saved.read_text()) if saved.exists() else Key.min().acq
    gales = channel.get(*box(WEATHER, moid=QUANTITIES["wind_speed"])).data
    gales = gales[gales.payload > 39]
    channel.put([Record(Key(ALERTS, key.mid, key.moid, now_ns()), speed) for key, speed in gales[:3]])

    low, high = box(ALERTS)
    end = channel.get_acq(low, high).acq  # records that were stored before then do not change any more
    fresh = channel.get(low._replace(acq=start), high._replace(acq=end)).data
    saved.write_text(str(end))
    print(f"\n{len(gales)} hours of gale, {len(fresh)} new alerts")


def read():
    """The records of each station, as columns."""
    rows = {name: [] for name in STATIONS}
    with gzip.open(DATA, "rt") as file:
        for row in csv.DictReader(file):
            hour = np.datetime64(row["time_hour"].rstrip("Z"), "ns").astype(int)
            for name, moid in QUANTITIES.items():
                if row[name] != "NA":
                    rows[row["origin"]].append((moid, from_unix_ns(hour), float(row[name])))
    return {name: columns(STATIONS[name], *zip(*found, strict=True)) for name, found in rows.items()}


def columns(station, moids, caps, values):
    return RecordBatch(WEATHER, station, moids, caps, payload=values, payload_type=StructPayloadType("<d"))


def box(cid, mid=None, moid=None, cap=None):
    """The lower and the upper key of a client's records: of one station or of all, and so on."""
    low, high = Key.min()._replace(cid=cid), Key.max()._replace(cid=cid + 1)
    if mid is not None:
        low, high = low._replace(mid=mid), high._replace(mid=mid + 1)
    if moid is not None:
        low, high = low._replace(moid=moid), high._replace(moid=moid + 1)
    if cap is not None:
        low, high = low._replace(cap=cap[0]), high._replace(cap=cap[1])
    return low, high


def to_ns(moment):
    return from_unix_ns(int(moment.timestamp()) * 10**9)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default="weather-data")
    main(parser.parse_args().folder)
