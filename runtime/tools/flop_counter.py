"""`FlopCounterMode`: how many floating-point operations a block of code does in products, convolutions and attention.

A multiplication and an addition count two. Operators without a formula count nothing, but those that are made of others are taken apart.
"""

from collections import defaultdict
from functools import wraps
from math import prod

from runtime import _core
from runtime._core import OperatorBase, OpOverload, OpOverloadPacket, Tensor, TorchDispatchMode
from runtime.pytree import tree_map, tree_map_

aten = _core.ops.aten

#: Formulas by operator (OpOverloadPacket).
flop_registry = {}


def shape_wrapper(f):
    """A formula that takes shapes, as one that takes tensors."""

    @wraps(f)
    def of_tensors(*args, out_val=None, **kwargs):
        args, kwargs, out = tree_map(lambda leaf: leaf.shape if isinstance(leaf, Tensor) else leaf, (args, kwargs, out_val))
        return f(*args, out_shape=out, **kwargs)

    return of_tensors


def register_flop_formula(targets, get_raw=False):
    """A decorator that registers a formula for operators.

    Parameters
    ----------
    targets : OpOverloadPacket or list of OpOverloadPacket
        The operators.
    get_raw : bool
        Whether the formula takes the call's tensors, and the result as ``out_val``; otherwise their shapes stand in their places, and
        the result's shape is ``out_shape``.

    Examples
    --------
    >>> import runtime
    >>> from runtime.tools import register_flop_formula
    >>> @register_flop_formula(runtime.ops.aten.atan2)
    ... def angles(a, b, out_shape=None):
    ...     return 20 * out_shape.numel()
    """

    def register(formula):
        wrapped = formula if get_raw else shape_wrapper(formula)

        def put(target):
            if not isinstance(target, OperatorBase) and not isinstance(target, OpOverloadPacket):
                raise ValueError(
                    "register_flop_formula(targets): expected each target to be OpOverloadPacket (i.e. torch.ops.mylib.foo) or "
                    f"HigherOrderOperator, got {target} which is of type {type(target)}"
                )
            if target in flop_registry:
                raise RuntimeError(f"duplicate registrations for {target}")
            flop_registry[target] = wrapped

        tree_map_(put, targets)
        return wrapped

    return register


def _packets(*names):
    """The operators of these names that this build has."""
    return [getattr(aten, name) for name in names if hasattr(aten, name)]


@register_flop_formula(_packets("mm"))
def mm_flop(a_shape, b_shape, *args, out_shape=None, **kwargs):
    """Of a product of matrices."""
    (m, k), (k2, n) = a_shape, b_shape
    if k != k2:
        raise AssertionError(f"matmul: inner dimensions must match (k == k2), got {k} and {k2}")
    return 2 * m * n * k


@register_flop_formula(_packets("addmm"))
def addmm_flop(self_shape, a_shape, b_shape, out_shape=None, **kwargs):
    """Of a product of matrices that is added."""
    return mm_flop(a_shape, b_shape)


@register_flop_formula(_packets("bmm"))
def bmm_flop(a_shape, b_shape, out_shape=None, **kwargs):
    """Of products of pairs of matrices."""
    (b, m, k), (b2, k2, n) = a_shape, b_shape
    if b != b2:
        raise AssertionError(f"bmm: batch dimensions must match (b == b2), got {b} and {b2}")
    if k != k2:
        raise AssertionError(f"bmm: inner dimensions must match (k == k2), got {k} and {k2}")
    return 2 * b * m * n * k


@register_flop_formula(_packets("baddbmm"))
def baddbmm_flop(self_shape, a_shape, b_shape, out_shape=None, **kwargs):
    """Of products of pairs of matrices that are added."""
    return bmm_flop(a_shape, b_shape)


def conv_flop_count(x_shape, w_shape, out_shape, transposed=False):
    """Of a convolution: the whole kernel at each place of the output, or for a transposed one of the input.

    Parameters
    ----------
    x_shape, w_shape, out_shape : sequence of int
        The shapes of input, weight and output.
    transposed : bool
    """
    places = (x_shape if transposed else out_shape)[2:]
    return 2 * x_shape[0] * prod(places) * prod(w_shape)


@register_flop_formula(_packets("convolution", "_convolution", "cudnn_convolution", "_slow_conv2d_forward", "convolution_overrideable"))
def conv_flop(x_shape, w_shape, _bias, _stride, _padding, _dilation, transposed, *args, out_shape=None, **kwargs):
    """Of a convolution, by an operator's arguments."""
    return conv_flop_count(x_shape, w_shape, out_shape, transposed=transposed)


@register_flop_formula(_packets("convolution_backward"))
def conv_backward_flop(
    grad_out_shape, x_shape, w_shape, _bias, _stride, _padding, _dilation, transposed, _output_padding, _groups, output_mask, out_shape, **kwargs
):
    """Of a convolution's derivative: the input's is a transposed convolution with the weight, the weight's one of input and gradient."""

    def swapped(shape):
        return [shape[1], shape[0], *shape[2:]]

    count = 0
    if output_mask[0]:
        count += conv_flop_count(grad_out_shape, w_shape, out_shape[0], not transposed)
    if output_mask[1]:
        pair = (grad_out_shape, x_shape) if transposed else (x_shape, grad_out_shape)
        count += conv_flop_count(swapped(pair[0]), swapped(pair[1]), swapped(out_shape[1]))
    return count


def _attention_shapes(query_shape, key_shape, value_shape):
    (b, heads, q, depth), (b2, key_heads, k, depth2), (b3, value_heads, k2, width) = query_shape, key_shape, value_shape
    fits = b == b2 == b3 and key_heads == value_heads and depth == depth2 and k == k2
    if not fits or heads < key_heads or heads % key_heads:
        raise AssertionError(
            f"sdpa_flop_count: query/key/value shapes are incompatible: q={query_shape}, k={key_shape}, v={value_shape}"
        )
    return b * heads, q, k, depth, width


def sdpa_flop_count(query_shape, key_shape, value_shape):
    """Of attention without regard to masks: scores, and their product with the values; each query head counts."""
    n, q, k, depth, width = _attention_shapes(query_shape, key_shape, value_shape)
    return 2 * n * q * k * (depth + width)



@register_flop_formula(
    _packets(
        "_scaled_dot_product_efficient_attention", "_scaled_dot_product_flash_attention", "_scaled_dot_product_cudnn_attention",
    )
)  # fmt: skip
def sdpa_flop(query_shape, key_shape, value_shape, *args, out_shape=None, **kwargs):
    """Of attention, by an operator's arguments."""
    return sdpa_flop_count(query_shape, key_shape, value_shape)


def sdpa_backward_flop_count(grad_out_shape, query_shape, key_shape, value_shape):
    """Of attention's derivative: the scores again, and two products for each of the forward ones."""
    n, q, k, depth, width = _attention_shapes(query_shape, key_shape, value_shape)
    if tuple(grad_out_shape) != (*query_shape[:3], width):
        raise AssertionError("sdpa_backward_flop_count: grad_out/value/key/query shapes are incompatible")
    return 2 * n * q * k * (3 * depth + 2 * width)


@register_flop_formula(
    _packets(
        "_scaled_dot_product_efficient_attention_backward", "_scaled_dot_product_flash_attention_backward",
        "_scaled_dot_product_cudnn_attention_backward",
    )
)  # fmt: skip
def sdpa_backward_flop(grad_out_shape, query_shape, key_shape, value_shape, *args, out_shape=None, **kwargs):
    """Of attention's derivative, by an operator's arguments."""
    return sdpa_backward_flop_count(grad_out_shape, query_shape, key_shape, value_shape)


_SUFFIXES = ("", "K", "M", "B", "T")


def get_suffix_str(number):
    """The power of a thousand that a number is written in: with two to four digits before the point."""
    return _SUFFIXES[max(0, min(len(_SUFFIXES) - 1, (len(str(number)) - 2) // 3))]


def convert_num_with_suffix(number, suffix):
    """A number in a power of a thousand: ``"1.024K"``."""
    return f"{number / 1000 ** _SUFFIXES.index(suffix):.3f}{suffix}"


def convert_to_percent_str(num, denom):
    """A share in percent."""
    return "0%" if denom == 0 else f"{num / denom:.2%}"


class FlopCounterMode:
    """Counts the floating-point operations of a ``with`` block.

    Parameters
    ----------
    mods : object, optional
        Not needed; accepted with a warning.
    depth : int
        How many levels of modules the table shows.
    display : bool
        Whether the table is printed at the end of the block.
    custom_mapping : dict, optional
        Further formulas by operator, in place of registered ones; they take shapes, see `register_flop_formula`.

    Examples
    --------
    >>> import runtime
    >>> from runtime.tools import FlopCounterMode
    >>> with FlopCounterMode(display=False) as counter:
    ...     y = runtime.ones(8, 16) @ runtime.ones(16, 4)
    >>> counter.get_total_flops()
    1024
    """

    def __init__(self, mods=None, depth=2, display=True, custom_mapping=None):
        if mods is not None:
            import warnings

            warnings.warn("mods argument is not needed anymore, you can stop passing it", stacklevel=2)
        self.flop_counts = defaultdict(lambda: defaultdict(int))
        self.depth = depth
        self.display = display
        self.mode = None
        custom = {op: f if getattr(f, "_get_raw", False) else shape_wrapper(f) for op, f in (custom_mapping or {}).items()}
        self.flop_registry = {**flop_registry, **custom}

    def get_total_flops(self):
        """How many there were."""
        return sum(self.flop_counts["Global"].values())

    def get_flop_counts(self):
        """How many there were, by module ("Global" has all) and operator."""
        return {name: dict(counts) for name, counts in self.flop_counts.items()}

    def get_table(self, depth=None):
        """The counts as a table."""
        depth = next(limit for limit in (depth, self.depth, 999999) if limit is not None)
        total = self.get_total_flops()
        suffix = get_suffix_str(total)
        rows = []
        for module in sorted(self.flop_counts, key=lambda name: (name != "Global", name)):
            level = 0 if module == "Global" else module.count(".") + 1
            if level > depth:
                continue
            counts = self.flop_counts[module]
            for name, count in [(module, sum(counts.values())), *((f" - {op}", n) for op, n in counts.items())]:
                rows.append([" " * level + name, convert_num_with_suffix(count, suffix), convert_to_percent_str(count, total)])
        return _table(["Module", "FLOP", "% Total"], rows)

    def __enter__(self):
        if self.mode is not None:
            raise RuntimeError("the counter is entered already")
        self.flop_counts.clear()
        self.mode = _CountingMode(self)
        self.mode.__enter__()
        return self

    def __exit__(self, *error):
        mode, self.mode = self.mode, None
        mode.__exit__(*error)
        if self.display:
            print(self.get_table(self.depth))

    def _count_flops(self, packet, out, args, kwargs):
        formula = self.flop_registry.get(packet)
        if formula is not None:
            self.flop_counts["Global"][packet] += formula(*args, **kwargs, out_val=out)
        return out


def _table(header, rows):
    """Columns under dashes, the first to the left and the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(row):
        return "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]).rstrip()

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *map(line, rows)])


class _CountingMode(TorchDispatchMode):
    supports_higher_order_operators = True

    def __init__(self, counter):
        super().__init__()
        self.counter = counter

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if not isinstance(func, OpOverload):
            return NotImplemented
        packet = func._overloadpacket
        if packet in _questions():
            return NotImplemented
        if packet not in self.counter.flop_registry:
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        return self.counter._count_flops(packet, func(*args, **kwargs), args, kwargs)


def _questions():
    """Operators that ask a subclass about its geometry: they are answered below the counter."""
    if not _question_packets:
        names = (
            "sym_is_contiguous", "is_contiguous", "is_strides_like_format", "is_non_overlapping_and_dense", "size", "sym_size", "stride",
            "sym_stride", "storage_offset", "sym_storage_offset", "numel", "sym_numel", "dim",
        )  # fmt: skip
        _question_packets.update(_packets(*names))
        _question_packets.update(getattr(_core.ops.prim, name) for name in ("layout", "device") if hasattr(_core.ops.prim, name))
    return _question_packets


_question_packets = set()
