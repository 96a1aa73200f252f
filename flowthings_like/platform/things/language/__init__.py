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
from .compiler.program import Program, parse
from .loading import load_collection
from .query import call_procedure, run
from .runtime.builtin import Builtin
from .runtime.run import Run
from .runtime.scope import Scope
from .storage.collection import Collection
from .storage.journal import Emit, Journal
from .storage.rows import Row
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
    "load_collection",
    "parse",
    "run",
    "serialise",
]
