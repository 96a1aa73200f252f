"""The platform's resources, without HTTP.

A module here declares one REST resource, or a few that belong together, and is found by base.registry. What
all resources share is in base/, access/ and query/; drops, aggregates and statistics have a folder each.
"""
