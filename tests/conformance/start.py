"""What the programs of this folder begin with: the library that the command line names becomes `torch`, and `show` prints a result.

The programs run unchanged on both libraries; `compare.py` runs them and the tests compare what they print.
"""

import json
import re
import sys

if sys.argv[1] == "runtime":
    from runtime import compat

    compat.install()

log = []


def taken():
    """What was logged since the last time."""
    found = "; ".join(log)
    log.clear()
    return found


def text(value):
    """A value as text without what differs between two runs or two libraries: addresses and the package's name."""
    return re.sub(r"\b(runtime|torch)\.(?=(Tensor|device|dtype)\b)", "", re.sub(r"0x[0-9a-f]+", "0x", str(value)))


def show(label, call):
    """Print what a call returns or raises (the first line), and what was logged meanwhile."""
    log.clear()
    try:
        result = text(call())
    except Exception as e:
        result = f"{type(e).__name__}: {text(e).splitlines()[0] if str(e) else ''}"
    print(json.dumps([label, result, taken()]))
