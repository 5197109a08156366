"""``python -m runtime.compat [FILE]``: the state of dotted names, those of the table or those that occur in a text."""

import argparse
import re
import sys

from runtime.compat import state
from runtime.compat.table import MODULES, NAMES, PENDING_CLASSES, PENDING_FUNCTIONS, PENDING_MODULES

# Where a name starts: at one of PyTorch's packages, or at "`…" where prose leaves out what the name before began with.
_START = re.compile(r"(?<![\w.])(?:torch|functorch|torchgen)(?=\.[\w{])|(?<=`)…(?=\w)")
_WORD = re.compile(r"\w+")


def names_in(text):
    """The dotted names in a text, sorted; groups such as ``torch.utils.{a, b(x), c.{d, e}}`` are expanded.

    Parameters
    ----------
    text : str
        Prose with names in it. "`…c.d" continues the module of the name before.

    Returns
    -------
    list of str
    """
    found = set()
    stem = ""
    for match in _START.finditer(text):
        if match.group() == "…":
            found.update(stem + name for name in _expand(text, match.end()))
        else:
            names = _expand(text, match.start())
            found.update(names)
            stem = "".join(f"{part}." for part in names[-1].split(".")[:-2])
    return sorted(found)


def _expand(text, position):
    """The names that a dotted word or group at a position stands for."""
    names = [""]
    while True:
        if text[position] == "{":
            end = _closing(text, position)
            endings = [name for item in _items(text[position + 1 : end]) for name in _expand(item, 0)]
            position = end + 1
        else:
            word = _WORD.match(text, position)
            endings, position = [word.group()], word.end()
        names = [f"{name}.{ending}" if name else ending for name in names for ending in endings]
        if not (text[position : position + 1] == "." and re.match(r"[\w{]", text[position + 1 : position + 2])):
            return names
        position += 1


def _closing(text, position):
    depth = 0
    for index in range(position, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise ValueError(f"a group is not closed: {text[position : position + 40]}")


def _items(group):
    """The names and groups of a group's text, without the arguments and methods that stand in parentheses behind them."""
    items, depth, item = [], 0, ""
    for character in group + ",":
        depth += {"{": 1, "(": 1, "}": -1, ")": -1}.get(character, 0)
        if depth == 0 and character in ",|":
            items.append(item.strip(" \\\n"))
            item = ""
        else:
            item += character
    return [item for item in items if re.match(r"\w", item)]


def main(argv=None):
    """Print ``state name`` lines and a count.

    Returns
    -------
    int
        0, or 1 if some name is unknown.
    """
    parser = argparse.ArgumentParser(prog="python -m runtime.compat", description="The state of PyTorch's dotted names in this runtime.")
    parser.add_argument("file", nargs="?", type=argparse.FileType(), help="a text whose names are looked up, instead of the table's")
    file = parser.parse_args(argv).file
    if file is not None:
        with file:
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
