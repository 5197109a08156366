"""Runs a program of this folder on both libraries; the tests of modes, subclasses and overrides compare what it prints."""

import functools
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


@functools.cache
def printed(program, library):
    """What a program prints on ``"runtime"`` or ``"torch"``."""
    path = [str(HERE.parent.parent), str(HERE)]
    code = f"import sys; sys.path[:0] = {path!r}; sys.argv = ['', {library!r}]; import runpy; runpy.run_path({str(HERE / program)!r})"
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


def results(program, library):
    """Label -> (result, log) of each line that a program shows."""
    return {label: (result, log) for label, result, log in map(json.loads, printed(program, library).splitlines())}


def check(program, different=()):
    """Both libraries show the same, but for the labels in `different`, which must differ."""
    ours, theirs = results(program, "runtime"), results(program, "torch")
    assert list(ours) == list(theirs)
    wrong = {label: (ours[label], theirs[label]) for label in ours if (ours[label] != theirs[label]) != (label in different)}
    assert not wrong, "\n".join(f"{label}:\n  {a}\n  {b}" for label, (a, b) in wrong.items())
