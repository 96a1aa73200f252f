"""A documented subset of ThingsDB's language.

    collection = Collection("stuff")
    scope = Scope("@collection:stuff", collection)
    run(parse(".names = ['Iris', 'Cato']; .names.len();"), scope, {})      # 2
    journal = collection.take_journal()                                    # the rows to save

From text to result:

    syntax/       the parser reads the text by its grammar and makes a syntax tree
    compiler/     compiles the tree to Python functions, a Program
    query         runs a Program in a scope and returns its result as plain data
    runtime/      the state of one query, and what the compiled functions call
    functions/    the functions of the language, by subject
    methods/      the methods of values, by type
    values/       the types of values
    storage/      a collection in memory, its journal of changes, its rows
    loading       builds a collection from its rows

A query runs to its end without waiting for anything. What it changed before an error stays changed, as in
ThingsDB, so the journal is taken whether `run` returned or raised. What is not part of the subset is refused
by name: SyntaxError for text that does not parse, LookupError for a function that does not exist here.
"""

# Importing these declares the functions and methods.
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
