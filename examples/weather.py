"""A year of real weather: from a CSV file to flows, drops, tracks, look-ups in parallel, and a picture.

    python examples/weather.py --folder weather-data --picture weather.png

Run it again, or after it was killed half way: it ends in exactly the same drops.
"""

from gevent import monkey

monkey.patch_all()  # first of all, so that everything below waits without blocking

import argparse
import csv
import gzip
import time
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path

import matplotlib
from tqdm import tqdm

from flowthings_like import API, EXISTS, NOT, FlowThingsNotFound, mem

DATA = Path(__file__).parent / "data" / "weather.csv.gz"
ELEMENTS = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
ALERTS = {
    "gales": mem.elems.wind_speed >= 32,
    "freezing-rain": (mem.elems.temp <= 32) & (mem.elems.precip > 0),
    "wind-missing": NOT(EXISTS(mem.elems.wind_speed)),
}
STRONGEST = 250  # mph: no wind was ever measured to be stronger
FIGURES = ["$avg:temp", "$max:wind_speed", "$count"]


def main(folder, picture):
    print(f"reading {DATA.name}, writing to the platform in the folder {folder}")
    observations = defaultdict(list)  # by airport
    with gzip.open(DATA, "rt") as file:
        for row in csv.DictReader(file):
            observations[row["origin"]].append(as_drop(row))

    with API.embedded(folder) as api:
        flows = {airport: ensure_flow(api, f"/acme/weather/{airport.lower()}") for airport in observations}
        alerts = {name: ensure_flow(api, f"/acme/alerts/{name}") for name in ALERTS}
        for flow in flows.values():
            for name, rule in ALERTS.items():
                ends = {"source": flow["path"], "destination": alerts[name]["path"]}
                if not api.track.find(*(mem[end] == path for end, path in ends.items())):
                    api.track.create({**ends, "filter": rule})

        print(f"{len(flows)} airports, {len(alerts)} alerts: a flow each, with tracks from all to all")
        load(api, flows, observations)

        # All in flight at once; each line below waits for no more than what it prints.
        lazy = api.lazy()
        newest = {a: lazy.drop(flow).find(limit=1) for a, flow in flows.items()}
        hottest = {a: lazy.drop(flow).find(sort="elems.temp", limit=1) for a, flow in flows.items()}
        monthly = {a: lazy.drop(flow).aggregate(FIGURES, group_by=["$month"]) for a, flow in flows.items()}
        gales = lazy.drop(alerts["gales"]).find(limit=1000)
        for name, flow in alerts.items():
            print(
                f"{name:>14}: {lazy.drop(flow).aggregate(['$count'])[0]['$count']:4} hours   {ALERTS[name]}"
            )
        for airport in flows:
            print(
                f"\n{airport}   newest {reading(newest[airport][0])}   hottest {reading(hottest[airport][0])}"
            )
            print("       month  mean °F  wind mph  hours")
            for row in monthly[airport]:
                month, (temp, wind, count) = row["id"]["$month"], (row[figure] for figure in FIGURES)
                mark = " *" if wind > STRONGEST else ""
                print(f"       {month:5}  {temp:7.1f}  {wind:8.0f}  {count:5}{mark}")
        for airport, flow in flows.items():
            for drop in lazy.drop(flow).find(mem.elems.wind_speed > STRONGEST):
                when, wind = as_time(drop), drop["elems"]["wind_speed"]
                print(f"\n* {wind:,.0f} mph, {airport}, {when:%b %d, %H:%M}: a broken sensor's, as published")

        # The same as a batch, with one call that is bound to fail.
        calls = api.async_()
        for flow in flows.values():
            calls.drop(flow).aggregate(FIGURES, group_by=["$month"])
        calls.flow.read("f" + "0" * 24)
        *answers, (error, _) = calls.results(with_exceptions=True)
        assert [rows for _, rows in answers] == list(monthly.values())
        assert isinstance(error, FlowThingsNotFound)
        print(f"\na batch: {len(answers)} answers, and the expected {type(error).__name__}: {error}")

        for airport, rows in monthly.items():
            assert_same_figures(rows, observations[airport])
        print("every figure agrees with the same one computed from the file")
        draw(monthly, gales, picture)


def as_drop(row):
    """One row as a drop. What was not measured (NA) is left out; the hash makes a repeated load harmless."""
    elems = {name: float(row[name]) for name in ELEMENTS if row[name] != "NA"}
    return {
        "elems": {"airport": row["origin"], **elems},
        "creationDate": datetime.fromisoformat(row["time_hour"].replace("Z", "+00:00")),
        "fhash": f"{row['origin']} {row['time_hour']}",
    }


def ensure_flow(api, path):
    found = api.flow.find(mem.path == path)
    return found[0] if found else api.flow.create({"path": path, "capacity": 100_000})


def load(api, flows, observations):
    total, started = sum(map(len, observations.values())), time.perf_counter()
    with tqdm(total=total, desc="loading", unit=" drops") as bar:
        for airport, drops in observations.items():
            for first in range(0, len(drops), 1000):
                bar.update(len(api.drop(flows[airport]).create_many(drops[first : first + 1000])))
    seconds = time.perf_counter() - started
    print(f"{total:,} observations in {seconds:.2f} s: {total / seconds:,.0f} drops/s\n")


def reading(drop):
    return f"{drop['elems']['temp']:5.1f} °F on {as_time(drop):%b %d, %H:%M}"


def as_time(drop):
    return datetime.fromtimestamp(drop["creationDate"] / 1000, timezone.utc)


def assert_same_figures(rows, drops):
    """The platform's figures, against the same ones computed here in plain Python."""
    months = defaultdict(list)
    for drop in drops:
        months[drop["creationDate"].month].append(drop["elems"])
    assert [row["id"]["$month"] for row in rows] == sorted(months)
    for row in rows:
        elems = months[row["id"]["$month"]]
        temps = [e["temp"] for e in elems if "temp" in e]
        assert abs(row["$avg:temp"] - sum(temps) / len(temps)) < 1e-9
        assert row["$max:wind_speed"] == max(e["wind_speed"] for e in elems if "wind_speed" in e)
        assert row["$count"] == len(elems)


def draw(monthly, gales, picture):
    matplotlib.use("Agg")
    from matplotlib import dates, pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5))
    for airport, rows in monthly.items():
        middles = [datetime(2013, row["id"]["$month"], 15) for row in rows]
        axes.plot(middles, [row["$avg:temp"] for row in rows], marker="o", label=airport)
    times, temps = [as_time(drop) for drop in gales], [drop["elems"]["temp"] for drop in gales]
    axes.plot(times, temps, "kx", label=f"gale ({len(gales)} hours)")
    axes.set(title="New York's airports, 2013: monthly mean temperature", ylabel="°F")
    axes.xaxis.set_major_formatter(dates.DateFormatter("%b"))
    axes.xaxis.set_major_locator(dates.MonthLocator(bymonthday=15))
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(picture, dpi=110, bbox_inches="tight")
    print(f"picture: {picture}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default="weather-data")
    parser.add_argument("--picture", default="weather.png")
    arguments = parser.parse_args()
    main(arguments.folder, arguments.picture)
