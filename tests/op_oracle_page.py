"""docs/operator-oracle.md: what the comparison with PyTorch's operator database found, written and read back."""

import re

HEAD = """# Operators compared with PyTorch

Each row is an entry of PyTorch 2.13's operator database (`op_db`): its sample inputs in float32, int64, bool, bfloat16 and complex64 were
computed by both, and compared in type, dtype, shape, values and, for views, memory and strides. *Errors* are the entry's bad inputs that
raise the same class of exception; *variants* are calls of methods, in-place methods and out= forms. Random numbers are compared by type, dtype and
shape, factorizations by what they stand for; `tests/op_equivalence.py` lists these and every wider tolerance with its reason. Deviations that are
meant are in [deviations.md](deviations.md).
`python -m tests.op_oracle --write` writes this page, `python -m tests.op_oracle NAME` shows what differs.

"""


def page(rows):
    """The text of the page."""
    tested = [r for r in rows if r.samples]
    full = [r for r in tested if r.matched == r.samples]
    errors, variants = [r for r in rows if r.errors], [r for r in rows if r.variants]
    lines = [
        HEAD,
        f"- entries with samples in these dtypes: {len(tested)}; every sample matches in **{len(full)}** of them",
        f"- samples: {sum(r.matched for r in tested):,} of {sum(r.samples for r in tested):,} match",
        f"- bad inputs: {sum(r.errors_matched for r in errors):,} of {sum(r.errors for r in errors):,} raise the same exception type",
        f"- variants: {sum(r.variants_matched for r in variants):,} of {sum(r.variants for r in variants):,} match",
        "",
        "| operator | samples | matched | errors | variants | first difference |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        errors = f"{r.errors_matched}/{r.errors}" if r.errors else ""
        variants = f"{r.variants_matched}/{r.variants}" if r.variants else ""
        why = re.sub(r"[|`*<>\n]", " ", (r.why or "").replace("_", r"\_"))[:110]
        lines.append(f"| {r.name.replace('_', chr(92) + '_')} | {r.samples} | {r.matched} | {errors} | {variants} | {why} |")
    return "\n".join(lines) + "\n"


def matching(text):
    """The names of the entries that match in every sample, by the page."""
    rows = re.findall(r"^\| ([^|]+) \| (\d+) \| (\d+) \|", text, re.M)
    return [name.replace("\\_", "_") for name, samples, matched in rows if samples == matched != "0"]
