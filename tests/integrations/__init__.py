"""Tests of the client in web servers."""
