"""``python -m runtime.torchgen``: what the code generator reads and writes, and whether what lies in the tree is what it would write.

Works in a source checkout; an installed package holds the operator list but not the sources that it is made of.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from runtime.torchgen.build import render
from runtime.torchgen.gen import get_grouped_by_view_native_functions, get_grouped_native_functions
from runtime.torchgen.model import NativeFunctionsGroup, NativeFunctionsViewGroup
from runtime.torchgen.operators import Sources, read_operators

ROOT = Path(__file__).resolve().parent.parent.parent

_EXPLANATION = """\
kernels/native_functions.yaml is the operator list, in PyTorch's format and held
to PyTorch's rules (runtime.torchgen.model). An entry that breaks one stops the
build with the rule, file:line and the entry.

Read
  kernels/native_functions.yaml, kernels/tags.yaml, kernels/keys.yaml
  include/runtime/keys.h                which keys there are
  kernels/**/*.c, runtime/kernels/*.py  which kernels there are
  runtime/torchgen/*.pyi.in             what is typed by hand
Written (never committed; setup.py does it)
  runtime/_generated/operators.c        static tables: operators, argument
  runtime/_generated/rt_builtins.h      specifications, kernels, functions, methods
  runtime/_generated/operators.md       the operator reference
  runtime/_core.pyi, __init__.pyi       type stubs

A structured operator is declared once, at its out= entry: functional and
in-place entries delegate to it, and CPU, Meta and backends that have only an
out= kernel are served by one rule. Variants that `autogen` names, copying
variants of views, registrations at BackendSelect and ADInplaceOrView follow
from the entries. RUNTIME_OPS=FILE builds the operators that a file lists.
"""


class Checkout:
    """The generated files of a source tree: what they should be and where they lie."""

    def __init__(self, root: Path, selection: Path | None = None):
        self.root, self.selection = root, selection

    def exists(self) -> bool:
        return (self.root / "kernels" / "native_functions.yaml").is_file() and (self.root / "setup.py").is_file()

    def files(self) -> dict[Path, str]:
        """Texts by path."""
        package = self.root / "runtime"
        found = {}
        for name, text in render(self.root, self.selection).items():
            found[package / "_generated" / name] = text
            if name.endswith(".pyi"):
                found[package / name] = text
        return found

    def stale(self) -> list[tuple[str, str]]:
        """Pairs of a file and what is wrong with it."""
        result = []
        for path, text in self.files().items():
            if not path.exists():
                result.append((str(path.relative_to(self.root)), "missing"))
            elif path.read_text() != text:
                result.append((str(path.relative_to(self.root)), "differs"))
        return result

    def write(self) -> list[str]:
        """Write what is stale; returns the files."""
        written = []
        for path, text in self.files().items():
            if not path.exists() or path.read_text() != text:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
                written.append(str(path.relative_to(self.root)))
        return written


def summary(root: Path) -> dict[str, int]:
    """Figures of the operator list: entries by kind, groups, registrations by kind of kernel."""
    operators = read_operators(Sources.of(root))
    native = [o.native for o in operators]
    entries = [o for o in operators if not o.is_generated]
    kinds = Counter(f"of kind {o.native.func.kind().name}" for o in entries)
    how = {
        "c": "in C",
        "py": "in Python",
        "structured": "by structured definitions",
        "made": "made of other operators",
        "same": "calls of another operator",
        "each": "calls of another operator for each place of lists",
        "generic": "of the core",
        "fallthrough": "skipped keys",
        "autocast": "policies of autocast",
        "values": "on values of sparse tensors",
    }
    kernels = Counter(how[k.how] for o in operators for k in o.kernels)
    groups = get_grouped_native_functions(native)
    views = get_grouped_by_view_native_functions(native)
    return {
        "entries": len(entries),
        **{f"  {kind}": n for kind, n in sorted(kinds.items())},
        "variants made by the build": len(operators) - len(entries),
        "groups of variants": sum(isinstance(g, NativeFunctionsGroup) for g in groups),
        "  structured groups": sum(isinstance(g, NativeFunctionsGroup) and g.structured for g in groups),
        "views with their variants": sum(isinstance(g, NativeFunctionsViewGroup) for g in views),
        "registrations": sum(kernels.values()),
        **{f"  {kind}": n for kind, n in sorted(kernels.items())},
    }


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command; returns its exit status: 0, 1 if something is stale, 2 outside of a checkout."""
    parser = argparse.ArgumentParser(prog="python -m runtime.torchgen", description=__doc__.partition("\n\n")[0].partition(": ")[2])
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="list what is stale or missing; status 1 if anything is")
    action.add_argument("--write", action="store_true", help="write what is stale")
    args = parser.parse_args(argv)
    selection = os.environ.get("RUNTIME_OPS")
    checkout = Checkout(root, Path(selection) if selection else None)
    if not checkout.exists():
        print(f"{root} is no source checkout: there is nothing here to generate from", file=sys.stderr)
        return 2
    try:
        if args.check:
            stale = checkout.stale()
            for name, state in stale:
                print(f"{name}: {state}")
            print("everything is up to date" if not stale else "run `python setup.py build_ext --inplace`")
            return 1 if stale else 0
        if args.write:
            for name in checkout.write():
                print(f"wrote {name}")
            return 0
        _report(summary(root))
    except (AssertionError, RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _report(figures: dict[str, int]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(_EXPLANATION, markup=False, highlight=False)
    table = Table(show_header=False)
    for name, number in figures.items():
        table.add_row(name, str(number))
    console.print(table)
    console.print("--check: what is stale; --write: write it", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
