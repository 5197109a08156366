"""The command line: ``python -m runtime demo | info | explain OP | ops | bench``.

Everything is imported when a command needs it, so that the package's import stays small.
"""

import argparse
import json
import sys


def _console():
    from rich.console import Console

    return Console()


def _parser():
    parser = argparse.ArgumentParser(prog="runtime", description="PyTorch's extension machinery on NumPy and CuPy arrays.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="define operators, register kernels of every kind, dispatch, and measure")
    demo.add_argument("--quick", action="store_true", help="measure fewer repeats")
    info = commands.add_parser("info", help="versions, keys, operators and build of this installation")
    info.add_argument("--json", action="store_true", help="print JSON")
    explain = commands.add_parser("explain", help="how an operator dispatches: its table, the rules, where kernels were registered")
    explain.add_argument("operator", help="ns::name.overload, such as aten::add.Tensor")
    explain.add_argument("--keys", help="comma-separated dispatch keys of a call to explain, such as CPU,AutogradCPU")
    explain.add_argument("--json", action="store_true", help="print JSON")
    ops = commands.add_parser("ops", help="list operators")
    ops.add_argument("pattern", nargs="?", default="", help="part of a name")
    ops.add_argument("--json", action="store_true", help="print JSON")
    bench = commands.add_parser("bench", help="measure every row of the speed targets beside PyTorch and NumPy (from a checkout)")
    bench.add_argument("--json", metavar="FILE", help="also write the results to a file")
    bench.add_argument("--only", default="", help="only rows whose name contains this")
    bench.add_argument("--quick", action="store_true", help="fewer repeats")
    return parser


def main(argv=None):
    """Run a command.

    Parameters
    ----------
    argv : list of str, optional
        The arguments; the process's own by default.

    Returns
    -------
    int
        The exit status.
    """
    args = _parser().parse_args(argv)
    return globals()[f"_{args.command}"](args)


def _demo(args):
    from runtime.demo import run

    return run(_console(), quick=args.quick)


def _info(args):
    import platform

    import numpy

    import runtime
    from runtime import _core

    facts = {
        "runtime": runtime.__version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "extension": _core.__file__,
        "headers": runtime.get_include(),
        "table slots": len({k.value for k in _core.DispatchKeySet(_core._dispatch_keyset_full())}) + 1,
        "operators": len(_core._dispatch_get_all_op_names()),
        "functions": len(_core.functions),
        "libraries' kernels": len(_core._impls),
    }
    if args.json:
        print(json.dumps(facts, indent=2))
        return 0
    from rich.table import Table

    table = Table(show_header=False)
    for name, value in facts.items():
        table.add_row(name, str(value))
    _console().print(table)
    return 0


def _find(name):
    from runtime import _core

    base, _, overload = name.partition(".")
    if "::" not in base:
        base = f"aten::{base}"
    overloads = [n.partition(".")[2] for n in _core._dispatch_get_all_op_names() if n.partition(".")[0] == base]
    if not overloads:
        from difflib import get_close_matches

        names = sorted({n.partition(".")[0] for n in _core._dispatch_get_all_op_names()})
        close = get_close_matches(base, names)
        raise SystemExit(f"there is no operator {base}" + (f"; did you mean {', '.join(close)}?" if close else ""))
    if overload == "" and "" not in overloads:
        overload = overloads[0]
    if overload != "default" and overload not in overloads:
        raise SystemExit(f"{base} has no overload '{overload}': it has {', '.join(n or 'default' for n in overloads)}")
    return _core.overload_by_name(base, overload)


def _explain(args):
    from runtime.explain import explain

    keys = args.keys.split(",") if args.keys else None
    try:
        explanation = explain(_find(args.operator), keys=keys)
    except RuntimeError as e:
        raise SystemExit(str(e)) from None
    if args.json:
        print(json.dumps(explanation.as_dict(), indent=2))
        return 0
    from rich.table import Table

    console = _console()
    console.print(explanation.schema, highlight=False, markup=False)
    for name, key_set in explanation.steps:
        console.print(f"{name}: {key_set}", highlight=False, markup=False)
    if explanation.key is not None:
        chosen = explanation.chosen
        console.print(f"runs: {explanation.key.name} " + (f"{chosen['kernel']}" if chosen else "(no kernel)"), highlight=False, markup=False)
    table = Table("key", "rule", "kernel")
    for row in explanation.table:
        table.add_row(row["key"], row["rule"], row["kernel"])
    console.print(table)
    return 0


def _ops(args):
    from runtime import _core

    names = sorted(n for n in _core._dispatch_get_all_op_names() if args.pattern in n)
    if args.json:
        print(json.dumps(names, indent=2))
    else:
        for name in names:
            base, _, overload = name.partition(".")
            print(_core.overload_by_name(base, overload)._schema)
    return 0


def _bench(args):
    from pathlib import Path

    folder = Path(__file__).resolve().parent.parent / "bench"
    if not (folder / "run.py").exists():
        raise SystemExit("the benchmarks are part of the source checkout, not of the installed package")
    sys.path.insert(0, str(folder.parent))
    from bench.run import run

    return run(_console(), only=args.only, quick=args.quick, json_file=args.json)
