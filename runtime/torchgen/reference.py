"""Writes the operator reference: what each operator's entry and kernels say, as a page of Markdown."""

from __future__ import annotations

from collections import defaultdict

from runtime.torchgen.operators import Kernel, Operator

__all__ = ["reference"]

_SOURCES = {
    "c": "C: `rt_k_{0}`",
    "py": "Python: `{1}` of runtime/kernels/{0}.py",
    "structured": "structured definition `rt_k_{0}`",
    "made": "made of `{0}`",
    "same": "calls `{0}`",
    "each": "calls `{0}` for each place of its lists",
    "generic": "the core's `{0}`",
    "fallthrough": "skipped",
    "autocast": "autocast's policy `{0}`",
    "values": "itself, on the values",
}


def _title(base: str) -> str:
    return base.replace("_", r"\_")


def _kernel_rows(kernels: list[Kernel]) -> list[str]:
    by_source = defaultdict(list)
    for kernel in kernels:
        by_source[_SOURCES[kernel.how].format(*kernel.name.split(":"))].append(kernel.key)
    return [f"    - {', '.join(keys)}: {source}" for source, keys in by_source.items()]


def _entry(o: Operator) -> list[str]:
    facts = []
    if o.variants:
        facts.append(" and ".join(sorted(o.variants)))
    if o.is_generated:
        facts.append("made by the build")
    facts += sorted(o.tags - {"generated", "pt2_compliant_tag", "inplace", "out"})
    lines = [f"- `{o.native.func}`" + (f" ({', '.join(facts)})" if facts else "")]
    return lines + _kernel_rows(o.kernels)


def reference(operators: list[Operator]) -> str:
    """The page: a section for each operator, an item for each overload, with its kernels by key.

    Parameters
    ----------
    operators : list of Operator

    Returns
    -------
    str
    """
    sections: dict[str, list[Operator]] = defaultdict(list)
    for o in operators:
        sections[o.native.func.name.name.base].append(o)
    lines = [
        "# Operators",
        "",
        f"{len(sections)} operators with {len(operators)} overloads, as kernels/native_functions.yaml declares them and the build completes",
        "them. For each overload: its schema, how it is offered to Python, its tags, and its kernels by dispatch key.",
    ]
    for base, members in sorted(sections.items()):
        lines += ["", f"## {_title(base)}", ""]
        for o in members:
            lines += _entry(o)
    return "\n".join(lines) + "\n"
