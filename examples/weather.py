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

from tqdm import tqdm

from flowthings_like import API, EXISTS, NOT, FlowThingsNotFound, mem

DATA = Path(__file__).parent / "data" / "weather.csv.gz"
AIRPORTS = ("EWR", "JFK", "LGA")
ELEMENTS = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
OUTPUTS = ["$avg:temp", "$max:wind_speed", "$count"]
ALERTS = {
    "gales": mem.elems.wind_speed >= 32,
    "freezing-rain": (mem.elems.temp <= 32) & (mem.elems.precip > 0),
    "wind-missing": NOT(EXISTS(mem.elems.wind_speed)),
}


def main(folder, picture):
    with gzip.open(DATA, "rt") as file:
        observations = [as_drop(row) for row in csv.DictReader(file)]

    with API.embedded(folder) as api:
        flows, alerts = set_up(api)
        load(api, flows, observations)
        print_alerts(api, alerts)
        monthly = look_up_lazily(api, flows)
        collect_as_a_batch(api, flows, monthly)
        check_against_the_file(monthly, observations)
        gales = api.drop(alerts["gales"]).find(limit=1000)
    draw(monthly, gales, picture)


def as_drop(row):
    """One row as a drop. What was not measured (NA) is left out; the hash makes a repeated load harmless."""
    elems = {name: float(row[name]) for name in ELEMENTS if row[name] != "NA"}
    return {
        "elems": {"airport": row["origin"], **elems},
        "creationDate": datetime.fromisoformat(row["time_hour"].replace("Z", "+00:00")),
        "fhash": f"{row['origin']} {row['time_hour']}",
    }


def set_up(api):
    """A flow per airport and one per alert, and the tracks that copy from the first to the second."""
    flows = {airport: ensure_flow(api, f"/acme/weather/{airport.lower()}") for airport in AIRPORTS}
    alerts = {name: ensure_flow(api, f"/acme/alerts/{name}") for name in ALERTS}
    for airport in AIRPORTS:
        for name, rule in ALERTS.items():
            source, destination = flows[airport]["path"], alerts[name]["path"]
            if not api.track.find((mem.source == source) & (mem.destination == destination)):
                api.track.create({"source": source, "destination": destination, "filter": str(rule)})
    return flows, alerts


def ensure_flow(api, path):
    found = api.flow.find(mem.path == path)
    return found[0] if found else api.flow.create({"path": path, "capacity": 100_000})


def load(api, flows, observations, size=1000):
    started = time.perf_counter()
    by_airport = defaultdict(list)
    for drop in observations:
        by_airport[drop["elems"]["airport"]].append(drop)
    with tqdm(total=len(observations), desc="loading", unit=" drops") as bar:
        for airport, drops in by_airport.items():
            for first in range(0, len(drops), size):
                created = api.drop(flows[airport]).create_many(drops[first : first + size])
                bar.update(len(created))
    seconds = time.perf_counter() - started
    print(
        f"{len(observations):,} observations in {seconds:.2f} s: {len(observations) / seconds:,.0f} drops/s\n"
    )


def print_alerts(api, alerts):
    for name, flow in alerts.items():
        (row,) = api.drop(flow).aggregate(["$count"])
        print(f"{name:>14}: {row['$count']:4} hours   {ALERTS[name]}")


def look_up_lazily(api, flows):
    """Nine look-ups in flight at once; each line waits for no more than what it prints."""
    lazy = api.lazy()
    newest = {name: lazy.drop(flow).find(limit=1) for name, flow in flows.items()}
    hottest = {name: lazy.drop(flow).find(sort="elems.temp", limit=1) for name, flow in flows.items()}
    monthly = {name: lazy.drop(flow).aggregate(OUTPUTS, group_by=["$month"]) for name, flow in flows.items()}

    print("\n      newest                  hottest")
    for name in flows:
        (new,), (hot,) = newest[name], hottest[name]
        print(f"{name}   {reading(new)}   {reading(hot)}")

    print("\nmonth " + "".join(f"{name:>8} °F{'mph':>7}{'hours':>6}" for name in flows))
    for rows in zip(*monthly.values(), strict=True):
        cells = (f"{row['$avg:temp']:11.1f}{row['$max:wind_speed']:7.0f}{row['$count']:6}" for row in rows)
        print(f"{rows[0]['id']['$month']:5} " + "".join(cells))
    return {name: rows.unwrap() for name, rows in monthly.items()}


def reading(drop):
    return f"{drop['elems']['temp']:5.1f} °F {as_time(drop):%b %d %H:%M}"


def as_time(drop):
    return datetime.fromtimestamp(drop["creationDate"] / 1000, timezone.utc)


def collect_as_a_batch(api, flows, monthly):
    """The same averages as a batch, with one call that is bound to fail."""
    calls = api.async_()
    for flow in flows.values():
        calls.drop(flow).aggregate(OUTPUTS, group_by=["$month"])
    calls.flow.read("f" + "0" * 24)
    *answers, (error, _) = calls.results(with_exceptions=True)
    assert [rows for _, rows in answers] == list(monthly.values())
    assert isinstance(error, FlowThingsNotFound)
    print(f"\na batch: {len(answers)} answers, and the expected {type(error).__name__}: {error}")


def check_against_the_file(monthly, observations):
    """The platform's figures, against the same ones computed here in plain Python."""
    groups = defaultdict(list)
    for drop in observations:
        groups[drop["elems"]["airport"], drop["creationDate"].month].append(drop["elems"])
    for airport, rows in monthly.items():
        for row in rows:
            elems = groups.pop((airport, row["id"]["$month"]))
            temps = [e["temp"] for e in elems if "temp" in e]
            assert abs(row["$avg:temp"] - sum(temps) / len(temps)) < 1e-9
            assert row["$max:wind_speed"] == max(e["wind_speed"] for e in elems if "wind_speed" in e)
            assert row["$count"] == len(elems)
    assert not groups
    print("every figure agrees with the same one computed from the file")


def draw(monthly, gales, picture):
    import matplotlib

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
