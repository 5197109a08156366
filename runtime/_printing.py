"""How tensors print: PyTorch's format, digit for digit.

`Tensor.__repr__` calls `tensor_str`. Printing reads the elements as Python numbers and dispatches no operators, so it
works inside modes and kernels. The options are module state, changed by `set_printoptions`.
"""

import contextlib
import math

from runtime import _core

options = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}

PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """Set how tensors print.

    Parameters
    ----------
    precision : int, optional
        Digits behind the point.
    threshold : int, optional
        Tensors with more elements print a summary.
    edgeitems : int, optional
        How many items a summary shows at each end of a dimension.
    linewidth : int, optional
        Characters on a line.
    profile : {"default", "short", "full"}, optional
        A named set of the four above, which single ones override.
    sci_mode : bool, optional
        Whether to use scientific notation; None lets the elements decide.
    """
    options.update(PROFILES.get(profile, {}))
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    options.update({name: value for name, value in given.items() if value is not None})
    options["sci_mode"] = sci_mode


def get_printoptions():
    """The options as a dictionary that `set_printoptions` takes."""
    return dict(options)


@contextlib.contextmanager
def printoptions(**changes):
    """Change the options for a while; takes what `set_printoptions` takes."""
    before = get_printoptions()
    set_printoptions(**changes)
    try:
        yield
    finally:
        options.update(before)


class Summary:
    """The edges of a long dimension: `head` and `tail` stand around what is left out."""

    def __init__(self, head, tail):
        self.head = head
        self.tail = tail


def edges(array, summarize):
    """The elements as nested lists; where summarizing, long dimensions are `Summary` objects.

    Parameters
    ----------
    array : numpy.ndarray
        The elements.
    summarize : bool
        Whether to leave out the middle of dimensions longer than twice `edgeitems`.
    """
    if not summarize:
        return array.tolist()
    if array.ndim == 0:
        return array.item()
    n = options["edgeitems"]
    if array.shape[0] <= 2 * n:
        return [edges(row, True) for row in array]
    return Summary([edges(row, True) for row in array[:n]], [edges(row, True) for row in array[array.shape[0] - n :]])


def leaves(data):
    """The numbers in nested lists and summaries, in order."""
    if isinstance(data, Summary):
        yield from leaves(data.head)
        yield from leaves(data.tail)
    elif isinstance(data, list):
        for item in data:
            yield from leaves(item)
    else:
        yield data


class NumberFormat:
    """One format for all numbers of a tensor, chosen from those that will be shown.

    Parameters
    ----------
    numbers : iterable
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
        scientific = options["sci_mode"]
        if scientific is None:
            scientific = largest / smallest > 1000.0 or largest > 1.0e8 or smallest < 1.0e-4
        if scientific:
            self.integral = False
            self.spec = f".{options['precision']}e"
        elif not self.integral:
            self.spec = f".{options['precision']}f"
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
        numbers = list(numbers)
        self.real = NumberFormat([x.real for x in numbers], True)
        self.imag = NumberFormat([x.imag for x in numbers], True)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, x):
        imag = self.imag(x.imag).lstrip() + "j"
        return self.real(x.real) + (imag if imag[0] in "+-" else "+" + imag)


def body(data, ndim, indent, number):
    """The bracketed text of nested data.

    Parameters
    ----------
    data : number, list or Summary
        The elements to show.
    ndim : int
        How many dimensions `data` has.
    indent : int
        The column of the opening bracket.
    number : NumberFormat or ComplexFormat
        Formats one element.
    """
    if ndim == 0:
        return number(data)
    if ndim == 1:
        if isinstance(data, Summary):
            items = [number(x) for x in data.head] + [" ..."] + [number(x) for x in data.tail]
            if not data.head:
                items = ["..."]
        else:
            items = [number(x) for x in data]
        per_line = max(1, (options["linewidth"] - indent) // (number.width + 2))
        lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    if isinstance(data, Summary):
        rows = [body(row, ndim - 1, indent + 1, number) for row in data.head] + ["..."]
        rows += [body(row, ndim - 1, indent + 1, number) for row in data.tail]
    else:
        rows = [body(row, ndim - 1, indent + 1, number) for row in data]
    return "[" + ("," + "\n" * (ndim - 1) + " " * (indent + 1)).join(rows) + "]"


def elements(tensor):
    """The elements as a NumPy array of a dtype that NumPy itself knows, lazy conjugation and negation applied."""
    if _core._dispatch_keys(tensor).has(_core.DispatchKey.ZeroTensor):
        tensor = tensor.clone()
    array = _core._numpy_view(tensor.cfloat() if tensor.dtype == _core.dtype_names["complex32"] else tensor)
    if array.dtype.kind == "V" or array.dtype.char not in "?bBhHiIlLqQefdFD":
        array = array.astype("float32")  # ml_dtypes' elements all fit
    if tensor.is_conj():
        array = array.conj()
    if tensor.is_neg():
        array = -array
    return array


def contents(tensor, indent):
    """The bracketed text of a tensor's elements."""
    summarize = tensor.numel() > options["threshold"]
    data = edges(elements(tensor), summarize)
    shown = leaves(data)
    number = ComplexFormat(shown) if tensor.is_complex() else NumberFormat(list(shown), tensor.is_floating_point())
    return body(data, tensor.dim(), indent, number)


def join_suffixes(text, suffixes, indent):
    """Append ``name=value`` texts, on a new line where they would pass the line's width."""
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > options["linewidth"]:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def _has_elements(tensor):
    """Whether a tensor's elements can be read: what a wrapper subclass stands for is its own affair."""
    return not _core._dispatch_keys(tensor).has("Python") or tensor.untyped_storage().nbytes() == 0 or tensor.data_ptr() != 0


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
    with _core._without_modes():
        return _tensor_str(tensor, tensor_contents)


def _node_name(tensor):
    """What the class of a tensor's node is called, or None; "Invalid" for a view whose history cannot be told."""
    try:
        node = tensor.grad_fn
    except RuntimeError:
        return "Invalid"
    return None if node is None else type(node).__name__


def _tensor_str(tensor, tensor_contents):
    plain = type(tensor) is _core.Tensor or type(tensor).__name__ == "Parameter"
    prefix = "tensor(" if plain else f"{type(tensor).__name__}("
    indent = len(prefix)
    default = _core.get_default_dtype()
    size, dtype = f"size={tuple(tensor.shape)}", f"dtype={tensor.dtype}"
    suffixes = [] if tensor.is_cpu else [f"device='{tensor.device}'"]
    if tensor.is_meta or tensor_contents is None and not _has_elements(tensor):
        text = "..."
        suffixes.append(size)
        if tensor.dtype != default:
            suffixes.append(dtype)
    elif tensor.numel() == 0:
        text = "[]"
        if tensor.dim() != 1:
            suffixes.append(size)
        if tensor.dtype != default:
            suffixes.append(dtype)
    else:
        if not options["edgeitems"]:
            suffixes.append(size)
        inferred = (default, default.to_complex() if default.itemsize > 2 else None)
        if tensor.dtype not in (*inferred, _core.dtype_names["int64"], _core.dtype_names["bool"]):
            suffixes.append(dtype)
        text = contents(tensor, indent) if tensor_contents is None else tensor_contents
    if tensor_contents is not None:
        text = tensor_contents
    node = _node_name(tensor)
    if node is not None:
        suffixes.append(f"grad_fn=<{node}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    tangent = _core._get_tangent(tensor)
    if tangent is not None:
        suffixes.append(f"tangent={tangent}")
    return join_suffixes(prefix + text, suffixes, indent)
