"""Queries: filter, order, page and members, the same for drops and every other resource."""
