"""Binary records: a store that speaks TStorage's protocol, and keeps records in the platform's folder.

    bytes -> session.py -> staging.py -> writer.py -> DuckDB and the payload file
    bytes <- session.py <- reader.py  <- store.py  <-

A put is staged until it was received whole, then stamped and committed. A get reads a snapshot: what was
committed before it, up to the acquisition horizon.
"""
