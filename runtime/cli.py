"""The command line: ``python -m runtime demo | info | explain OP | ops | bench``, also installed as ``redispatch``.

Everything is imported when a command needs it, so that the package's import stays small.
"""

import argparse
import contextlib
import json
import os
import sys

# The width of tables that are written to a file or a pipe.
PIPE_WIDTH = 150


def _console(file=None):
    from rich.console import Console

    console = Console(file=file, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


class CommandError(Exception):
    """A command cannot do what it was asked for; the message is for the user."""


def _parser():
    parser = argparse.ArgumentParser(prog="runtime", description="PyTorch's extension machinery on NumPy and CuPy arrays.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, text):
        return commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")

    demo = command("demo", "define operators, register kernels of every kind, dispatch, and measure")
    demo.add_argument("--quick", action="store_true", help="measure fewer repeats")
    demo.add_argument("--json", action="store_true", help="print JSON")
    info = command("info", "versions, keys, operators and build of this installation")
    info.add_argument("--json", action="store_true", help="print JSON")
    explain = command("explain", "how an operator dispatches: its table, the rules, where kernels were registered")
    explain.add_argument("operator", help="ns::name.overload, such as aten::add.Tensor; aten:: may be left out")
    explain.add_argument("--keys", help="comma-separated dispatch keys of a call to explain, such as CPU,AutogradCPU")
    explain.add_argument("--json", action="store_true", help="print JSON")
    ops = command("ops", "list operators and, after all of them, what the build covers of Core ATen")
    ops.add_argument("pattern", nargs="?", default="", help="part of a name")
    ops.add_argument("--json", action="store_true", help="print JSON")
    bench = command("bench", "measure every row of the speed targets beside PyTorch and NumPy (from a checkout)")
    bench.add_argument("--json", metavar="FILE", help="also write the results to a file")
    bench.add_argument("--only", default="", metavar="TEXT", help="only rows with this in their group or name")
    bench.add_argument("--quick", action="store_true", help="leave large sizes out and repeat less")
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
        The exit status: 0, 1 if the command could not do what it was asked for, 2 for wrong arguments.
    """
    args = _parser().parse_args(argv)
    run = {"demo": _demo, "info": _info, "explain": _explain, "ops": _ops, "bench": _bench}[args.command]
    try:
        status = run(args)
        sys.stdout.flush()
        return status
    except CommandError as e:
        print(f"runtime {args.command}: {e}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; the interpreter's own flush at exit must not fail again.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _demo(args):
    from runtime.demo import run

    if not args.json:
        return run(_console(), quick=args.quick)
    import io

    from rich.console import Console

    results = {}
    status = run(Console(file=io.StringIO()), quick=args.quick, results=results)
    print(json.dumps(results, indent=2))
    return status


def _info(args):
    import importlib.metadata
    import platform

    import runtime
    from runtime import _core

    def version(package):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    names = list(_core._dispatch_get_all_op_names())
    facts = {
        "runtime": runtime.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{package: version(package) for package in ("numpy", "scipy", "ml_dtypes", "cupy", "torch")},
        "extension": _core.__file__,
        "headers": runtime.get_include(),
        "backends": _core._dispatch_num_backends(),
        "keys": len(list(_core.DispatchKeySet(_core._dispatch_keyset_full()))),
        "namespaces": sorted({name.partition("::")[0] for name in names}),
        "operators": len(names),
        "selective build": _core._selective_build(),
        "operators with a CPU kernel": sum(_core._dispatch_has_kernel_for_dispatch_key(name, "CPU") for name in names),
    }
    if args.json:
        print(json.dumps(facts, indent=2))
        return 0
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False)
    for name, value in facts.items():
        shown = "not installed" if value is None else ", ".join(value) if isinstance(value, list) else str(value)
        table.add_row(name, escape(shown))
    _console().print(table)
    return 0


def _find(name):
    """The operator of a name as typed, and the names of the other overloads of its packet."""
    from runtime import _core

    namespace, dot, rest = name.partition(".")
    if "::" not in name and any(n.startswith(f"{namespace}::") for n in _core._dispatch_get_all_op_names()) and dot:
        name = f"{namespace}::{rest}"  # as in Python: aten.add.Tensor
    base, dot, overload = name.partition(".")
    if "::" not in base:
        base = f"aten::{base}"
    names = _core._dispatch_get_all_op_names()
    overloads = sorted(n.partition(".")[2] for n in names if n.partition(".")[0] == base)
    if not overloads:
        from difflib import get_close_matches

        close = get_close_matches(base, sorted({n.partition(".")[0] for n in names}))
        raise CommandError(f"there is no operator {base}" + (f"; did you mean {' or '.join(close)}?" if close else ""))
    if overload == "default":
        overload = ""
    elif not dot and "" not in overloads:
        overload = overloads[0]
    if overload not in overloads:
        shown = ", ".join(n or "default" for n in overloads)
        raise CommandError(f"{base} has no overload '{overload}'; it has {shown}")
    others = [f"{base}.{n}" if n else base for n in overloads if n != overload]
    return _core.overload_by_name(base, overload), others


def _explain(args):
    from runtime.explanation import explain

    op, others = _find(args.operator)
    try:
        explanation = explain(op, keys=args.keys.split(",") if args.keys else None)
    except (RuntimeError, TypeError, ValueError) as e:
        raise CommandError(str(e)) from None
    if args.json:
        print(json.dumps(explanation.as_dict(), indent=2))
        return 0
    from rich.markup import escape
    from rich.table import Table

    console = _console()
    console.print(escape(explanation.schema))
    if others and "." not in args.operator:
        console.print(f"other overloads: {', '.join(others)}")
    for name, key_set in explanation.steps:
        console.print(f"{name}: {', '.join(key.name for key in key_set)}")
    if explanation.key is not None:
        chosen = explanation.chosen
        where = f"{chosen['kernel']} ({chosen['rule']})" if chosen else "no kernel: the call raises NotImplementedError"
        console.print(f"runs: {explanation.key.name}: {escape(where)}")
    table = Table("key", "rule", "kernel")
    for row in explanation.table:
        style = "bold green" if row is explanation.chosen else "dim" if row["fallthrough"] else None
        table.add_row(row["key"], row["rule"], escape(row["kernel"]), style=style)
    console.print(table)
    return 0


def _ops(args):
    from runtime import _core

    names = sorted(n for n in _core._dispatch_get_all_op_names() if args.pattern in n)
    if not names:
        raise CommandError(f"there is no operator with '{args.pattern}' in its name")
    if args.json:
        print(json.dumps(names, indent=2))
    else:
        for name in names:
            base, _, overload = name.partition(".")
            print(_core.overload_by_name(base, overload)._schema)
        if not args.pattern:
            _print_coverage()
    return 0


def _print_coverage():
    from runtime.coverage import core_aten

    covered, missing = core_aten()
    print(f"\nCore ATen: {len(covered)} of {len(covered) + len(missing)} overloads")
    if missing:
        print(f"missing: {', '.join(missing)}")


def _bench(args):
    from pathlib import Path

    checkout = Path(__file__).resolve().parent.parent
    if not (checkout / "bench" / "run.py").exists():
        raise CommandError("the benchmarks are part of the source checkout, not of the installed package")
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    from bench.run import run

    if args.json:
        try:  # before minutes of measuring
            open(args.json, "a").close()
        except OSError as e:
            raise CommandError(f"cannot write {args.json}: {e.strerror}") from None
    return run(_console(), only=args.only, quick=args.quick, json_file=args.json)
