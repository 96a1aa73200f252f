"""Connections to databases through DB-API drivers."""
