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
from . import data as data
from . import functions as functions
from . import methods_each as methods_each
from . import methods_list as methods_list
from . import methods_room as methods_room
from . import methods_set as methods_set
from . import methods_text as methods_text
from . import methods_thing as methods_thing
from . import moments as moments
from . import numbers as numbers
from . import patterns as patterns
from . import procedures as procedures
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
