"""``python -m runtime.compat [FILE]``: the state of dotted names, those of the table or those that occur in a text."""

import re
import sys
from itertools import product

from runtime.compat import state
from runtime.compat.table import MODULES, NAMES, PENDING_CLASSES, PENDING_FUNCTIONS, PENDING_MODULES

_NAME = re.compile(r"\b(?:torch|functorch|torchgen)(?:\.(?:\w+|\{[^{}`]*\}))+")


def names_in(text):
    """The dotted names in a text, sorted; groups such as ``torch.utils.{a, b(x)}`` are expanded.

    Parameters
    ----------
    text : str
        Prose with names in it.

    Returns
    -------
    list of str
    """
    found = set()
    for match in _NAME.finditer(text):
        parts = []
        for part in re.findall(r"\{[^{}]*\}|\w+", match.group()):
            if part.startswith("{"):
                parts.append([w for w in re.findall(r"(?:^|[,{|])\s*(\w+)", part)])
            else:
                parts.append([part])
        found.update(".".join(combination) for combination in product(*parts))
    return sorted(found)


def main(argv=None):
    """Print ``state name`` lines and a count.

    Returns
    -------
    int
        0, or 1 if some name is unknown.
    """
    argv = sys.argv[1:] if argv is None else argv
    if argv:
        with open(argv[0]) as file:
            names = names_in(file.read())
    else:
        names = sorted({*NAMES, *MODULES, *PENDING_CLASSES, *PENDING_FUNCTIONS, *PENDING_MODULES})
    states = [(state(name), name) for name in names]
    for s, name in states:
        print(f"{s:8} {name}")
    counts = {s: sum(1 for t, _ in states if t == s) for s in ("works", "pending", "unknown")}
    print(", ".join(f"{n} {s}" for s, n in counts.items()))
    return 1 if counts["unknown"] else 0


if __name__ == "__main__":
    sys.exit(main())
