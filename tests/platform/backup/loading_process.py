"""A process that writes the same number to a flow, a stream, the records and the database, again and again.

    python loading_process.py FOLDER

It prints each number when all four have acknowledged it. It goes on after the last number that is there.
"""

from __future__ import annotations

import sys
import uuid

from flowthings_like import API, mem
from flowthings_like.records import BytesPayloadType, Key, Record

STREAM = uuid.UUID(int=7)
PAYLOAD = b"x" * 20_000


def main() -> None:
    with API.embedded(sys.argv[1]) as api:
        api.db.run_operation("create table if not exists numbers (number integer)")
        try:
            flow = api.flow.create({"path": "/acme/numbers", "capacity": 1_000_000})
            stream = api.stream.create(STREAM, "numbers", tags={"name": "n", "unit": "n"})
        except Exception:
            flow = api.flow.find(mem.path == "/acme/numbers")[0]
            stream = api.stream.stream_from_uuid(STREAM)
        records = api.record(BytesPayloadType())
        drops = api.drop(flow["id"])
        number = api.db.run_query("select count(*) from numbers")[0][0]
        while True:
            drops.create({"elems": {"number": number}})
            stream.insert([(number, float(number))])
            assert records.put([Record(Key(1, 2, 3, number + 1, 0), PAYLOAD)])
            api.db.run_operation("insert into numbers values (?)", (number,))
            print(number, flush=True)
            number += 1


if __name__ == "__main__":
    main()
