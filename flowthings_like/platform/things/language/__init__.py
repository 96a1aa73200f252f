"""A documented subset of ThingsDB's language: read, run on a collection, its results made plain.

    collection = Collection("stuff")
    scope = Scope("@collection:stuff", collection)
    run(parse(".names = ['Iris', 'Cato']; .names.len();"), scope, {})      # 2
    journal = collection.take_journal()                                    # the rows to save

A query runs to its end without waiting for anything. What it changed before an error stays changed, as in
ThingsDB itself, so the journal is taken whether `run` returned or raised. What is not part of the subset is
refused by name: SyntaxError for what does not parse, LookupError for a function that is not here.
"""

# Each of these declares the functions or methods that its name says.
from . import functions as functions
from . import methods as methods
from .runtime.builtin import Builtin
from .runtime.run import Run, Scope, call_procedure, run
from .storage.collection import Collection, Emit, Journal, Row
from .syntax.parser import Program, parse
from .values.plain import serialise

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
