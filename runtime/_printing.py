"""How tensors print: PyTorch's format, digit for digit, and a table for notebooks.

`Tensor.__repr__` calls `tensor_str`, `Tensor._repr_html_` calls `tensor_html`. Both read the elements that they show as Python numbers and
dispatch no operators on the tensor, so that printing works inside modes and kernels. The options are module state, changed by
`set_printoptions`.
"""

import contextlib
import html
import math
import sys

import numpy as np

from runtime import _core


class PrintOptions:
    """How tensors print from now on.

    Attributes
    ----------
    precision : int
        Digits behind the point.
    threshold : float
        Tensors with more elements print a summary.
    edgeitems : int
        How many items a summary shows at each end of a dimension.
    linewidth : int
        Characters on a line.
    sci_mode : bool or None
        Whether to use scientific notation; None lets the elements decide.
    """

    __slots__ = ("precision", "threshold", "edgeitems", "linewidth", "sci_mode")

    def __init__(self):
        self.precision, self.threshold, self.edgeitems, self.linewidth, self.sci_mode = 4, 1000, 3, 80, None

    def __repr__(self):
        return f"PrintOptions({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


PRINT_OPTS = PrintOptions()

PROFILES = (
    ("default", {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80}),
    ("short", {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80}),
    ("full", {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80}),
)


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """Set how tensors print.

    Parameters
    ----------
    precision : int, optional
        Digits behind the point.
    threshold : float, optional
        Tensors with more elements print a summary.
    edgeitems : int, optional
        How many items a summary shows at each end of a dimension.
    linewidth : int, optional
        Characters on a line.
    profile : {"default", "short", "full"}, optional
        A named set of the four above, which single ones override.
    sci_mode : bool, optional
        Whether to use scientific notation; None, which is set when nothing is given, lets the elements decide.

    Raises
    ------
    ValueError
        If `edgeitems` is negative.
    """
    if isinstance(edgeitems, int) and edgeitems < 0:
        raise ValueError(f"set_printoptions(): edgeitems is a number of items, not {edgeitems}; 0 leaves only the dots")
    for name, values in PROFILES:
        if profile == name:
            for option, value in values.items():
                setattr(PRINT_OPTS, option, value)
    for option, value in (("precision", precision), ("threshold", threshold), ("edgeitems", edgeitems), ("linewidth", linewidth)):
        if value is not None:
            setattr(PRINT_OPTS, option, value)
    PRINT_OPTS.sci_mode = sci_mode


def get_printoptions():
    """The options as a dictionary, whose items `set_printoptions` takes as keyword arguments."""
    return {name: getattr(PRINT_OPTS, name) for name in PRINT_OPTS.__slots__}


@contextlib.contextmanager
def printoptions(**kwargs):
    """Change the options for a while; takes what `set_printoptions` takes."""
    before = get_printoptions()
    set_printoptions(**kwargs)
    try:
        yield
    finally:
        set_printoptions(**before)


# ---- the elements


def edges(array, count):
    """The first and last `count` items of every dimension that has more than twice as many.

    Parameters
    ----------
    array : numpy.ndarray
        The elements.
    count : int
        The option `edgeitems`.

    Returns
    -------
    numpy.ndarray
        The elements that a summary shows: few, whatever the size of `array`.
    """
    for dim, size in enumerate(array.shape):
        if size > 2 * count:
            before = (slice(None),) * dim
            array = np.concatenate([array[(*before, slice(0, count))], array[(*before, slice(size - count, size))]], axis=dim)
    return array


def shown_elements(tensor, summarize):
    """The elements that are shown, as an array of a dtype that NumPy itself knows, with lazy conjugation and negation applied."""
    keys = _core._dispatch_keys(tensor)
    if tensor.is_quantized:
        from runtime.kernels._quantizers import elements

        array = elements(tensor)
    elif keys.has(_core.DispatchKey.ZeroTensor):
        array = np.broadcast_to(np.zeros((), np.complex64 if tensor.is_complex() else np.float32), tuple(tensor.shape))
    else:
        array = _core._numpy_view(tensor.cfloat() if tensor.dtype == _core.dtype_names["complex32"] else tensor)
    if summarize:
        array = edges(array, PRINT_OPTS.edgeitems)
    if array.dtype.char not in "?bBhHiIlLqQefdFD":
        array = array.astype(np.float32)  # ml_dtypes' elements all fit
    if tensor.is_conj():
        array = array.conj()
    return -array if tensor.is_neg() else array


class NumberFormat:
    """One format for all numbers of a tensor, chosen from those that will be shown.

    Parameters
    ----------
    numbers : list
        The numbers.
    floating : bool
        Whether they are floats (the parts of complex numbers are).
    """

    def __init__(self, numbers, floating):
        self.floating = floating
        self.width = 1
        if not floating:
            self.spec = ""
            self.width = max((len(str(x)) for x in numbers), default=1)
            return
        finite = [x for x in numbers if x != 0 and math.isfinite(x)]
        self.integral = True
        self.spec = ".0f"
        if not finite:
            return
        self.integral = all(x == math.ceil(x) for x in finite)
        smallest, largest = min(map(abs, finite)), max(map(abs, finite))
        scientific = PRINT_OPTS.sci_mode
        if scientific is None:
            scientific = largest / smallest > 1000.0 or largest > 1.0e8 or smallest < 1.0e-4
        if scientific:
            self.integral = False
            self.spec = f".{PRINT_OPTS.precision}e"
        elif not self.integral:
            self.spec = f".{PRINT_OPTS.precision}f"
        self.width = max(1, *(len(format(x, self.spec)) + self.integral for x in finite))

    def __call__(self, x):
        if not self.floating:
            return str(x).rjust(self.width)
        text = format(x, self.spec)
        if self.integral and math.isfinite(x):
            text += "."
        return text.rjust(self.width)


class ComplexFormat:
    """A format for complex numbers: one for the real parts, one for the imaginary parts."""

    def __init__(self, numbers):
        self.real = NumberFormat([x.real for x in numbers], True)
        self.imag = NumberFormat([x.imag for x in numbers], True)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, x):
        imag = self.imag(x.imag).lstrip() + "j"
        return self.real(x.real) + (imag if imag[0] in "+-" else "+" + imag)


def number_format(array):
    """The format for all elements of an array."""
    numbers = array.ravel().tolist()
    return ComplexFormat(numbers) if array.dtype.kind == "c" else NumberFormat(numbers, array.dtype.kind == "f")


# ---- text


def body(data, shape, indent, number, summarize):
    """The bracketed text of nested data.

    Parameters
    ----------
    data : number or list
        The elements to show; where `summarize`, of long dimensions only the edges.
    shape : tuple of int
        The shape of what `data` stands for.
    indent : int
        The column of the opening bracket.
    number : NumberFormat or ComplexFormat
        Formats one element.
    summarize : bool
        Whether the middle of dimensions that are longer than twice `edgeitems` is left out.
    """
    if not shape:
        return number(data)
    count = PRINT_OPTS.edgeitems
    is_cut = summarize and shape[0] > 2 * count
    if len(shape) == 1:
        items = [number(x) for x in data]
        if summarize and not count:
            items = ["..."]
        elif is_cut:
            items.insert(count, " ...")
        per_line = max(1, math.floor((PRINT_OPTS.linewidth - indent) / (number.width + 2)))
        lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    rows = [body(row, shape[1:], indent + 1, number, summarize) for row in data]
    if is_cut:
        rows.insert(count, "...")
    return "[" + ("," + "\n" * (len(shape) - 1) + " " * (indent + 1)).join(rows) + "]"


def contents(tensor, indent):
    """The bracketed text of a tensor's elements.

    Parameters
    ----------
    tensor : Tensor
        A tensor whose elements can be read.
    indent : int
        The column of the opening bracket.
    """
    if tensor.numel() == 0:
        return "[]"
    summarize = tensor.numel() > PRINT_OPTS.threshold
    array = shown_elements(tensor, summarize)
    return body(array.tolist(), tuple(tensor.shape), indent, number_format(array), summarize)


def join_suffixes(text, suffixes, indent, force_newline=False):
    """Append ``name=value`` texts, on a new line where they would pass the line's width (the first also if forced), and a parenthesis."""
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if force_newline or column + len(suffix) + 2 > PRINT_OPTS.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
            force_newline = False
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def _has_elements(tensor):
    """Whether a tensor's elements can be read: what a wrapper subclass stands for is its own affair."""
    if tensor.is_meta or not tensor.is_cpu:
        return False
    return not _core._dispatch_keys(tensor).has("Python") or tensor.untyped_storage().nbytes() == 0 or tensor.data_ptr() != 0


def _history(tensor):
    """The suffix that says where a tensor's gradient goes, or None."""
    try:
        node = tensor.grad_fn
    except RuntimeError:  # a view whose history cannot be made, which is no reason to print nothing
        return "grad_fn=<Invalid>"
    if node is not None:
        return f"grad_fn=<{type(node).__name__}>"
    return "requires_grad=True" if tensor.requires_grad else None


def _shows_dtype(tensor):
    """Whether the elements do not tell the dtype."""
    default = _core.get_default_dtype()
    names = _core.dtype_names
    inferred = names["complex128" if default == names["float64"] else "complex64"]
    return tensor.dtype not in (default, inferred, names["int64"], names["bool"])


def tensor_str(tensor, *, tensor_contents=None):
    """The repr of a tensor.

    Parameters
    ----------
    tensor : Tensor
        The tensor; of a subclass the name stands where plain tensors say ``tensor``.
    tensor_contents : str, optional
        The text between the parentheses instead of the elements.

    Returns
    -------
    str
    """
    with _core._without_modes(), _core.DisableTorchFunctionSubclass():
        return _tensor_str(tensor, tensor_contents)


_str = tensor_str  # PyTorch's name


def _is_parameter(tensor):
    """Whether a tensor is a parameter; as long as nobody imported the module, none is."""
    module = sys.modules.get("runtime.nn.parameter")
    return module is not None and isinstance(tensor, module.Parameter)


def _is_plain_parameter(tensor):
    """Whether a tensor is of the class Parameter itself."""
    module = sys.modules.get("runtime.nn.parameter")
    return module is not None and type(tensor) is module.Parameter


def _quantization(tensor):
    """The suffixes that say what a quantized tensor's integers stand for."""
    scheme, *values = _core._quantizer(tensor)
    names = ("scale", "zero_point") if scheme is _core.per_tensor_affine else ("scale", "zero_point", "axis")
    return [f"quantization_scheme={scheme}", *(f"{name}={value}" for name, value in zip(names, values, strict=True))]


def _has_parts(tensor):
    """Whether a tensor of sparse layout holds indices and values, as wrappers do not."""
    try:
        return _core._sparse_parts(tensor) is not None
    except RuntimeError:
        return False


def _parts_text(tensor, indent):
    """The indices and values of a sparse tensor, one below the other."""
    parts = _core._sparse_parts(tensor)
    lines = []
    for name, part in ("indices=tensor(", parts.indices), ("values=tensor(", parts.values):
        empty = "" if part.numel() else f", size={tuple(part.shape)}"
        lines.append(f"{name}{contents(part, indent + len(name))}{empty})")
    return (",\n" + " " * indent).join(lines)


def _tensor_str(tensor, tensor_contents):
    kind = type(tensor)
    is_plain = kind is _core.Tensor or _is_plain_parameter(tensor)
    prefix = "tensor(" if is_plain else f"{kind.__name__}("
    indent = len(prefix)
    size, dtype = f"size={tuple(tensor.shape)}", f"dtype={tensor.dtype}"
    is_default = tensor.dtype == _core.get_default_dtype()
    suffixes = [] if tensor.is_cpu else [f"device='{tensor.device}'"]
    is_sparse = tensor.is_sparse and _has_parts(tensor)
    if tensor.is_quantized:
        suffixes += [size, dtype, *_quantization(tensor)]
        text = contents(tensor, indent)
    elif is_sparse:
        text = _parts_text(tensor, indent)
        suffixes += [size, f"nnz={_core._sparse_parts(tensor).nnz}"]
        if _shows_dtype(tensor):
            suffixes.append(dtype)
        suffixes.append(f"layout={tensor.layout}")
    elif tensor_contents is None and not _has_elements(tensor) or tensor.is_meta:
        text = "..."
        suffixes.append(size)
        if not is_default:
            suffixes.append(dtype)
    elif tensor.numel() == 0:
        text = "[]"
        if tensor.dim() != 1:
            suffixes.append(size)
        if not is_default:
            suffixes.append(dtype)
    else:
        if not PRINT_OPTS.edgeitems:
            suffixes.append(size)
        if _shows_dtype(tensor):
            suffixes.append(dtype)
        text = contents(tensor, indent) if tensor_contents is None else tensor_contents
    if tensor_contents is not None:
        text = tensor_contents
    history = _history(tensor)
    if history:
        suffixes.append(history)
    tangent = _core._get_tangent(tensor)
    if tangent is not None:
        suffixes.append(f"tangent={tangent}")
    text = join_suffixes(prefix + text, suffixes, indent, force_newline=is_sparse)
    return f"Parameter({text})" if not is_plain and _is_parameter(tensor) else text


# ---- tables


def _prints_plainly(kind):
    """Whether a subclass has neither a text of its own nor a handler that may give one."""
    if kind.__repr__ is not _core.Tensor.__repr__:
        return False
    handler = kind.__torch_function__
    return handler is _core._disabled_torch_function_impl or getattr(handler, "__func__", None) is _core.Tensor.__torch_function__.__func__


def tensor_html(tensor):
    """A table of a tensor's elements for notebooks, which IPython asks for by the method `_repr_html_`.

    Parameters
    ----------
    tensor : Tensor
        The tensor.

    Returns
    -------
    str or None
        None, which stands for the plain text, unless the tensor has 1 to `threshold` elements in at most two dimensions, its class prints
        as tensors do, and its elements can be read.
    """
    kind = type(tensor)
    if kind is not _core.Tensor and not _prints_plainly(kind) and not _is_plain_parameter(tensor):
        return None
    with _core._without_modes(), _core.DisableTorchFunctionSubclass():
        if tensor.is_sparse or tensor.dim() > 2 or not 0 < tensor.numel() <= PRINT_OPTS.threshold or not _has_elements(tensor):
            return None
        array = shown_elements(tensor, False)
        number = number_format(array)
        facts = [str(tensor.dtype), " × ".join(map(str, tensor.shape)) or "0-d", _history(tensor)]
        rows = array.reshape(1 if array.ndim < 2 else array.shape[0], -1).tolist()
    caption = html.escape(f"{'tensor' if kind is _core.Tensor else kind.__name__}: {', '.join(filter(None, facts))}")
    lines = ["<tr>" + "".join(f"<td>{html.escape(number(x).strip())}</td>" for x in row) + "</tr>" for row in rows]
    return "\n".join(["<table>", f"<caption>{caption}</caption>", *lines, "</table>"])
