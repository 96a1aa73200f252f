"""TStorage's protocol, without I/O: keys and records, requests, replies, both for a client and for a server.

All integers are little-endian, with a sign, and packed. A request is

    GET, GETACQ   header, lowest key, highest key
    PUT, PUTA     header, batches, -1; a batch is: cid, its bytes, records

and a record, wherever it stands, is

    bytes 0-3   its size: of the key and the payload
    key         GET: cid, mid, moid, cap, acq; PUT: mid, moid, cap; PUTA: mid, moid, cap, acq
    payload     the rest
"""
