"""Einstein summation."""

from runtime._core import ops
from runtime.kernels._contraction import sum_of_products, without

aten = ops.aten

_ELLIPSIS = -1


def _label(c):
    return c if c.isalpha() and c.isascii() else None


def _parse_side(text, operand):
    """The labels of one operand: letters, and `_ELLIPSIS` at most once."""
    labels, i = [], 0
    while i < len(text):
        c = text[i]
        if c == " ":
            pass
        elif c == ".":
            if _ELLIPSIS in labels:
                raise RuntimeError(f"einsum(): found '.' for operand {operand} for which an ellipsis was already found")
            if text[i : i + 3] != "...":
                raise RuntimeError(f"einsum(): found '.' for operand {operand} that is not part of any ellipsis")
            labels.append(_ELLIPSIS)
            i += 2
        elif _label(c) is None:
            raise RuntimeError(f"einsum(): invalid subscript given at index {i} in the equation string, subscripts must be in [a-zA-Z]")
        else:
            labels.append(c)
        i += 1
    return labels


def _parse(equation, operands):
    left, arrow, right = equation.partition("->")
    if not arrow and ("-" in equation or ">" in equation):
        raise RuntimeError("einsum(): found '-' or '>' in the equation that is not part of '->'")
    parts = left.split(",")
    if len(parts) < len(operands):
        raise RuntimeError("einsum(): more operands were provided than specified in the equation")
    if len(parts) > len(operands):
        raise RuntimeError("einsum(): fewer operands were provided than specified in the equation")
    inputs = [_parse_side(part, i) for i, part in enumerate(parts)]
    return inputs, (_parse_output(right) if arrow else None)


def _parse_output(text):
    labels, i = [], 0
    while i < len(text):
        c = text[i]
        if c == ".":
            if _ELLIPSIS in labels:
                raise RuntimeError("einsum(): found '.' for output but an ellipsis (...) was already found")
            if text[i : i + 3] != "...":
                raise RuntimeError("einsum(): found '.' for output that is not part of any ellipsis (...)")
            labels.append(_ELLIPSIS)
            i += 2
        elif c != " ":
            if _label(c) is None:
                raise RuntimeError(f"einsum(): invalid subscript given for the output: {c!r}, subscripts must be in [a-zA-Z]")
            if c in labels:
                raise RuntimeError(f"einsum(): output subscript {c} appears more than once in the output")
            labels.append(c)
        i += 1
    return labels


def einsum(equation, tensors, *, path=None):
    if not tensors:
        raise RuntimeError("einsum(): must provide at least one operand")
    inputs, output = _parse(equation, tensors)
    counts, ellipsis = {}, 0
    for i, (labels, t) in enumerate(zip(inputs, tensors)):
        named = len(labels) - (_ELLIPSIS in labels)
        if _ELLIPSIS in labels:
            if named > t.dim():
                raise RuntimeError(
                    f"einsum(): the number of subscripts in the equation ({named}) is more than the number of dimensions ({t.dim()}) for operand {i}"
                )
            ellipsis = max(ellipsis, t.dim() - named)
        elif named != t.dim():
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({named}) does not match the number of dimensions ({t.dim()})"
                f" for operand {i} and no ellipsis was given"
            )
        for label in labels:
            if label != _ELLIPSIS:
                counts[label] = counts.get(label, 0) + 1
    if output is None:
        # Those that appear once, in the alphabet's order (capitals first), after the ellipsis.
        output = ([_ELLIPSIS] if ellipsis or any(_ELLIPSIS in labels for labels in inputs) else []) + sorted(c for c, n in counts.items() if n == 1)
    for label in output:
        if label != _ELLIPSIS and label not in counts:
            raise RuntimeError(f"einsum(): output subscript {label} does not appear in the equation for any input operand")
    # The order of all dimensions: the output's, then those that are summed.
    place, n = {}, 0
    for label in output:
        place[label] = n
        n += ellipsis if label == _ELLIPSIS else 1
    kept = n
    if _ELLIPSIS not in place and ellipsis:
        place[_ELLIPSIS] = n
        n += ellipsis
    for label in sorted(counts):
        if label not in place:
            place[label] = n
            n += 1
    operands = [_aligned(t, labels, place, n, ellipsis, i) for i, (t, labels) in enumerate(zip(tensors, inputs))]
    _check_sizes(operands, inputs, place)
    return _contracted(operands, kept, n, path)


def _aligned(t, labels, place, n, ellipsis, operand):
    """The operand with each of the n dimensions at its place, size 1 where it has none; repeated labels become diagonals."""
    where, d = {}, 0
    for label in labels:
        if label == _ELLIPSIS:
            count = t.dim() - (len(labels) - 1 - labels.index(label)) - d
            for k in range(count):
                where[place[label] + ellipsis - count + k] = d
                d += 1
        elif place[label] in where:
            first = where[place[label]]
            if t.shape[first] != t.shape[d]:
                raise RuntimeError(
                    f"einsum(): subscript {label} is repeated for operand {operand} but the sizes don't match, {t.shape[d]} != {t.shape[first]}"
                )
            t = aten.movedim.int(aten.diagonal.default(t, 0, first, d), -1, first)
        else:
            where[place[label]] = d
            d += 1
    for slot in range(n):
        if slot not in where:
            t = aten.unsqueeze.default(t, t.dim())
            where[slot] = t.dim() - 1
    order = [where[slot] for slot in range(n)]
    return aten.permute.default(t, order)


def _check_sizes(operands, inputs, place):
    slots = {slot: label for label, slot in place.items()}
    seen = {}
    for i, t in enumerate(operands):
        for d, size in enumerate(t.shape):
            if size != 1:
                if seen.setdefault(d, size) != size:
                    label = slots.get(d, "...")
                    raise RuntimeError(
                        f"einsum(): subscript {label} has size {size} for operand {i} which does not broadcast with previously seen size {seen[d]}"
                    )


def _contracted(operands, kept, n, path):
    operands = list(operands)
    if path is not None and len(operands) > 2:
        steps = [(path[i], path[i + 1]) for i in range(0, len(path), 2)]
    else:
        steps = [(0, 1)] * (len(operands) - 1)
    if len(operands) == 1:
        t = operands[0]
        return aten.sum.dim_IntList(t, list(range(kept, n))) if n > kept else t
    for step, (i, j) in enumerate(steps):
        if i != 0 or j != 1 or step == 0 and path is not None:
            i, j = min(i, j), max(i, j)
            b, a = operands.pop(j), operands.pop(i)
        else:
            a, b = operands.pop(0), operands.pop(0)
        last = step == len(steps) - 1
        # A summed dimension goes as soon as no later operand has it.
        dims = [d for d in range(kept, n) if all(t.shape[d] == 1 for t in operands)]
        alone, alone_b = ([d for d in dims if t.shape[d] != 1 == other.shape[d]] for t, other in ((a, b), (b, a)))
        a = aten.sum.dim_IntList(a, alone, True) if alone else a
        b = aten.sum.dim_IntList(b, alone_b, True) if alone_b else b
        result = sum_of_products(a, b, [d for d in dims if a.shape[d] != 1 != b.shape[d]], True)
        if last:
            return without(result, list(range(kept, n))) if n > kept else result
        # The path's convention puts results last; from left to right the result stays the first operand.
        operands.insert(len(operands) if path is not None and len(steps) > 1 else 0, result)
    return operands[0]
