"""A documented subset of ThingsDB's language: read, run on a collection, its results made plain.

    collection = Collection("stuff")
    scope = Scope("@collection:stuff", collection)
    run(parse(".names = ['Iris', 'Cato']; .names.len();"), scope, {})      # 2
    journal = collection.take_journal()                                    # the rows to save

A query runs to its end without waiting for anything. What it changed before an error stays changed, as in
ThingsDB itself, so the journal is taken whether `run` returned or raised. What is not part of the subset is
refused by name: SyntaxError for what does not parse, LookupError for a function that is not here.
"""

from . import functions  # noqa: F401 (declares them)
from .collection import Collection, Emit, Journal, Row
from .parser import Program, parse
from .run import Run, Scope, call_procedure, run
from .serialise import serialise
from .signature import Builtin

__all__ = [
    "Builtin",
    "Collection",
    "Emit",
    "Journal",
    "Program",
    "Row",
    "Run",
    "Scope",
    "call_procedure",
    "parse",
    "run",
    "serialise",
]
