"""Libraries for tests, each in a namespace of its own, and operators in them."""

import itertools

import runtime

_numbers = itertools.count()


def new_library():
    """A DEF library in a namespace that nobody has used."""
    return runtime.Library(f"of_tests{next(_numbers)}", "DEF")


def op_of(library, schema, kernel, key="CPU", **options):
    """Define an operator, implement it and return its packet."""
    name = library.define(schema)
    library.impl(name, kernel, key, **options)
    return getattr(getattr(runtime.ops, library.ns), name)
