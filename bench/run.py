"""Measures the rows, prints them as tables and writes them as JSON: what ``python -m runtime bench`` runs in a checkout."""

import contextlib
import json
import os
import platform
import time

import numpy
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import autograd, core, extension, interop, operators
from bench.row import Skip
from bench.threads import set_threads
from runtime import __version__, _core
from runtime.benchmark import measure, pretty, worlds

ROWS = [*core.ROWS, *extension.ROWS, *autograd.ROWS, *interop.ROWS, *operators.ROWS]


def run(console, only="", quick=False, json_file=None, rows=None):
    """Measure rows and report.

    Parameters
    ----------
    console : rich.console.Console
        Where tables and the progress bar go.
    only : str
        Part of ``"group: name"`` of the rows to measure; all by default.
    quick : bool
        Whether to leave large sizes out and to repeat less.
    json_file : str, optional
        The file to write the results to as well.
    rows : list of Row, optional
        The rows to choose from; all by default.

    Returns
    -------
    int
        0; 2 if no row is chosen.
    """
    chosen = [r for r in (ROWS if rows is None else rows) if only in f"{r.group}: {r.name}" and (r.quick or not quick)]
    if not chosen:
        console.print(f"there is no row with {only!r} in its name", highlight=False)
        return 2
    present = worlds()
    results = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(chosen))
        for row in chosen:
            progress.update(task, description=escape(f"{row.group}: {row.name}"[:48].ljust(48)))
            results.append(result(row, present, quick))
            progress.advance(task)
    report(console, results)
    if json_file:
        with open(json_file, "w") as out:
            json.dump(
                {"machine": machine(present), "date": time.strftime("%Y-%m-%d %H:%M"), "quick": quick, "rows": results},
                out,
                indent=1,
            )
    return 0


def result(row, present, quick):
    """Measure one row: a dict with what the JSON file holds of it."""
    found = {
        "group": row.group,
        "name": row.name,
        "unit": row.unit,
        "goals": [str(g) for g in row.goals],
        "values": {},
        "note": "",
    }
    absent = [name for name in row.requires if not _has_operator(name)]
    if absent:
        return found | {"verdict": "pending", "score": None, "note": f"there is no {', '.join(absent)} yet"}
    set_threads(present, row.threads)
    try:
        if row.measured:
            values, found["note"] = row.measured(present, quick)
        else:
            with contextlib.ExitStack() as stack:
                values = measure(row.prepare(present, stack), 3 if quick else 9, 0.002 if quick else 0.01)
    except Skip as e:
        return found | {"verdict": "skipped", "score": None, "note": str(e)}
    except Exception as e:
        # One operator that does not work must not hide the rest of the table.
        return found | {"verdict": "failed", "score": None, "note": f"{type(e).__name__}: {e}"}
    if row.each:
        values["ours"] = (values["ours"] - values["bare"]) / row.each
    verdict, score = row.judge(values)
    return found | {"values": values, "verdict": verdict, "score": score}


def _has_operator(name):
    return any(n.partition(".")[0] == f"aten::{name}" for n in _core._dispatch_get_all_op_names())


def machine(present):
    """What the figures were measured on."""
    facts = {
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    facts |= {"runtime": __version__, "numpy": numpy.__version__}
    if hasattr(os, "getloadavg"):
        # A busy machine shows in the rows that use threads.
        facts["load"] = round(os.getloadavg()[0], 2)
    if "torch" in present:
        facts["torch"] = present["torch"].lib.__version__
    return facts


def _processor():
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def report(console, results):
    """Print the results: a table for each group, the totals, and the rows that missed their goals, the farthest first."""
    for group in dict.fromkeys(r["group"] for r in results):
        rows = [r for r in results if r["group"] == group]
        table = Table("row", "ours", "torch", "numpy", "beside", "target", "verdict", title=group, title_justify="left")
        for column in table.columns:
            column.no_wrap = column.header != "target"
            column.justify = "right" if column.header in ("ours", "torch", "numpy") else "left"
        for r in rows:
            beside = ", ".join(f"{name} {_cell(r, name)}" for name in r["values"] if name not in ("ours", "torch", "numpy"))
            cells = [_cell(r, name) for name in ("ours", "torch", "numpy")]
            table.add_row(escape(r["name"]), *cells, beside, ", ".join(r["goals"]), _verdict(r))
        console.print(table)
    notes = Table.grid("", padding=(0, 2))
    for r in results:
        if r["note"] and r["verdict"] != "pending":
            notes.add_row(escape(r["name"]), escape(r["note"]))
    console.print(notes)
    counts = {v: sum(r["verdict"] == v for r in results) for v in dict.fromkeys(r["verdict"] for r in results)}
    console.print(", ".join(f"{n} {verdict}" for verdict, n in counts.items()), highlight=False)
    missed = sorted((r for r in results if r["verdict"] == "missed"), key=lambda r: r["score"])
    for r in missed:
        console.print(
            f"missed by {1 / r['score']:.2f}x: {r['group']}: {r['name']} ({', '.join(r['goals'])})",
            highlight=False,
            markup=False,
        )


def _cell(r, name):
    if name not in r["values"]:
        return ""
    value, ours = r["values"][name], r["values"]["ours"]
    if r["unit"] != "ns":
        return f"{value:.2f} {r['unit']}"
    # What a layer costs is not to be divided by.
    return pretty(value) if name in ("ours", "bare") else f"{pretty(value)} ({value / ours:.3g}x)"


def _verdict(r):
    color = {"met": "green", "missed": "red", "failed": "red"}.get(r["verdict"], "dim")
    return f"[{color}]{r['verdict']}[/]"
