"""Functions of the package's namespace that are no operators: they prepare arguments for operators."""

import array
import itertools
import math

import numpy as np

from runtime import _core
from runtime._core import functions, ops
from runtime._lowrank import pca_lowrank, svd_lowrank
from runtime._sparse_creation import (
    sparse_bsc_tensor,
    sparse_bsr_tensor,
    sparse_compressed_tensor,
    sparse_coo_tensor,
    sparse_csc_tensor,
    sparse_csr_tensor,
)

__all__ = [
    "asarray",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "binary_cross_entropy_with_logits",
    "block_diag",
    "broadcast_shapes",
    "broadcast_tensors",
    "cartesian_prod",
    "cdist",
    "chain_matmul",
    "cosine_embedding_loss",
    "ctc_loss",
    "einsum",
    "get_device",
    "hinge_embedding_loss",
    "is_storage",
    "kl_div",
    "lu",
    "margin_ranking_loss",
    "meshgrid",
    "nonzero",
    "norm",
    "numel",
    "pca_lowrank",
    "sparse_bsc_tensor",
    "sparse_bsr_tensor",
    "sparse_compressed_tensor",
    "sparse_coo_tensor",
    "sparse_csc_tensor",
    "sparse_csr_tensor",
    "stft",
    "svd_lowrank",
    "tensordot",
    "triplet_margin_loss",
    "typename",
    "unique",
    "unique_consecutive",
    "unravel_index",
]

aten = ops.aten


def einsum(*args):
    """Sum products of elements over the dimensions that an equation names (Einstein's convention).

    Parameters
    ----------
    *args
        ``einsum("ij,jk->ik", a, b)``, or operands each followed by a list of the numbers of its dimensions, and maybe the result's:
        ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.

    Returns
    -------
    Tensor
    """
    if len(args) < 2:
        raise ValueError("einsum(): must specify the equation string and at least one operand, or at least one operand and its subscripts list")
    equation, operands = args[0], args[1:]
    if not isinstance(equation, str):
        equation, operands = _equation_of_lists(args)
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        return einsum(equation, *operands[0])
    return aten.einsum.default(equation, list(operands))


def _equation_of_lists(args):
    def letters(labels):
        text = ""
        for n in labels:
            if n is Ellipsis:
                text += "..."
            elif 0 <= n < 26:
                text += chr(ord("A") + n)
            elif n < 52:
                text += chr(ord("a") + n - 26)
            else:
                raise ValueError("einsum(): subscript in subscript list is not within the valid range [0, 52)")
        return text

    equation = ",".join(letters(labels) for labels in args[1::2])
    if len(args) % 2:
        equation = ",".join(letters(labels) for labels in args[1:-1:2]) + "->" + letters(args[-1])
        return equation, args[:-1:2]
    return equation, args[::2]


def tensordot(a, b, dims=2, out=None):
    """Sum products over pairs of dimensions of two tensors.

    Parameters
    ----------
    a, b : Tensor
    dims : int, pair of lists of int, or Tensor
        How many of the last dimensions of `a` go with as many first ones of `b`; or which of each.
    out : Tensor, optional

    Returns
    -------
    Tensor
        Of the dimensions of `a` that are left, then those of `b`.
    """
    from runtime._core import Tensor

    if not isinstance(dims, (tuple, list, Tensor, int)):
        raise RuntimeError(
            f"tensordot expects dims to be int or tuple[list[int], list[int]] or list[list[int]] containing two lists, but got dims={dims}"
        )
    if isinstance(dims, Tensor):
        if dims.numel() > 1:
            first, second = (list(map(int, part)) for part in dims.tolist())
        else:
            dims = int(dims.item())
    if isinstance(dims, (tuple, list)):
        first, second = dims
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        first, second = list(range(-dims, 0)), list(range(dims))
    first, second = ([d] if isinstance(d, int) else list(d) for d in (first, second))
    if out is None:
        return aten.tensordot.default(a, b, first, second)
    return aten.tensordot.out(a, b, first, second, out=out)


def chain_matmul(*matrices, out=None):
    """The product of matrices, in the order of the fewest multiplications; see `linalg.multi_dot`."""
    _check_tensors(matrices)
    return aten.chain_matmul.default(list(matrices)) if out is None else aten.chain_matmul.out(list(matrices), out=out)


def _check_tensors(tensors):
    for i, t in enumerate(tensors):
        if not isinstance(t, _core.Tensor) and not hasattr(t, "__array__"):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {type(t).__name__}")


def norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None):
    """The norm of vectors, or of matrices where `p` is a string.

    Parameters
    ----------
    input : Tensor
    p : number, "fro" or "nuc", optional
        "fro" is 2 for up to two dimensions.
    dim : int or sequence of int, optional
        All dimensions if it is absent.
    keepdim : bool
    out : Tensor, optional
    dtype : dtype, optional
        The input is converted to it first.

    Returns
    -------
    Tensor
    """
    if not hasattr(input, "layout") and not hasattr(input, "__array__"):
        raise AttributeError(f"'{type(input).__name__}' object has no attribute 'layout'")
    dims = [dim] if isinstance(dim, int) else dim
    if getattr(input, "is_sparse", False) and out is None and (p == "fro" or not isinstance(p, str)):
        chosen = {} if dtype is None else {"dtype": dtype}
        return aten.norm(input, 2 if p is None or p == "fro" else p, [] if dims is None else dims, keepdim, **chosen)
    options = {"dtype": dtype} if out is None else {"dtype": dtype, "out": out}
    if isinstance(p, str) and not (p == "fro" and (dims is None or len(dims) <= 2)):
        packet = aten.linalg_matrix_norm
        call = packet.str_ord if out is None else packet.str_ord_out
        return call(input, p, list(range(input.dim())) if dims is None else dims, keepdim, **options)
    packet = aten.linalg_vector_norm
    call = packet.default if out is None else packet.out
    return call(input, 2 if p is None or p == "fro" else p, dims, keepdim, **options)


def lu(A, pivot=True, get_infos=False, out=None):
    """The LU factors of matrices in one tensor, and their pivots.

    Parameters
    ----------
    A : Tensor
        (..., m, n).
    pivot : bool
    get_infos : bool
        Whether to return, for each matrix, the number of the first zero on the diagonal of U (0 if there is none) instead of raising.
    out : tuple of Tensor, optional

    Returns
    -------
    tuple of Tensor
    """
    results = functions["_lu_with_info"](A, pivot, not get_infos)
    if not get_infos:
        results = tuple(results[:2])
    if out is None:
        return results
    if len(out) != len(results):
        raise TypeError(f"expected tuple of {len(results)} elements but got {len(out)}")
    if not isinstance(out, (tuple, list)):
        raise TypeError(f"argument 'out' must be tuple of Tensors, not {type(out).__name__}")
    for target, result in zip(out, results, strict=True):
        target.resize_as_(result).copy_(result)
    return out


def stft(
    input,
    n_fft,
    hop_length=None,
    win_length=None,
    window=None,
    center=True,
    pad_mode="reflect",
    normalized=False,
    onesided=None,
    return_complex=None,
    align_to_window=None,
):
    """The short-time Fourier transform: the spectra of windows into a signal.

    Parameters
    ----------
    input : Tensor
        (length,) or (batch, length).
    n_fft : int
        The size of each transform.
    hop_length : int, optional
        The distance of windows; `n_fft // 4` if it is absent.
    win_length : int, optional
        The size of the window, which zeros at both ends fill up to `n_fft`.
    window : Tensor, optional
    center : bool
        Whether the signal is padded so that the window of frame t is centered at t * hop_length.
    pad_mode : str
        See `nn.functional.pad`.
    normalized : bool
        Whether to divide by the root of `n_fft`.
    onesided : bool, optional
        Whether to leave out frequencies that follow from others; so for real signals if it is absent.
    return_complex : bool
        Whether the result is complex, or has a last dimension for real and imaginary part.
    align_to_window : bool, optional
        Whether the signal is padded for the zeros beside the window; only where `center` is false.

    Returns
    -------
    Tensor
        (..., frequencies, frames).
    """
    arguments = (hop_length, win_length, window, center, pad_mode, normalized, onesided, return_complex, align_to_window)
    return aten.stft.center(input, n_fft, *arguments)


_MODES = {
    "use_mm_for_euclid_dist_if_necessary": None,
    "use_mm_for_euclid_dist": 1,
    "donot_use_mm_for_euclid_dist": 2,
}


def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norm distances of each pair of rows of two tensors.

    Parameters
    ----------
    x1, x2 : Tensor
        (..., P, M) and (..., R, M).
    p : float
        Not negative; may be infinite.
    compute_mode : str
        Whether Euclidean distances may come from a matrix product, which is fast and less exact: "use_mm_for_euclid_dist_if_necessary"
        (for more than 25 rows), "use_mm_for_euclid_dist" or "donot_use_mm_for_euclid_dist".

    Returns
    -------
    Tensor
        (..., P, R).
    """
    if compute_mode not in _MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    return _core.functions["cdist"](x1, x2, p, _MODES[compute_mode])


def _given(tensors):
    """Tensors that were given one by one, or as one list."""
    return tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors


def _atleast(function, tensors):
    if len(tensors) == 1 and not isinstance(tensors[0], (list, tuple)):
        return function(tensors[0])
    return tuple(function(_given(tensors)))


def atleast_1d(*tensors):
    """Views of tensors with one dimension at least; a tuple of several."""
    return _atleast(functions["atleast_1d"], tensors)


def atleast_2d(*tensors):
    """Views of tensors with two dimensions at least; a tuple of several."""
    return _atleast(functions["atleast_2d"], tensors)


def atleast_3d(*tensors):
    """Views of tensors with three dimensions at least; a tuple of several."""
    return _atleast(functions["atleast_3d"], tensors)


def block_diag(*tensors):
    """A matrix with the given matrices on its diagonal and zeros elsewhere."""
    return functions["block_diag"](tensors)


def broadcast_tensors(*tensors):
    """Views of tensors in the shape that all of them broadcast to."""
    _check_tensors(tensors)
    return tuple(functions["broadcast_tensors"](tensors))


def numel(input):
    """The number of a tensor's elements."""
    if not hasattr(input, "numel"):
        raise TypeError(f"numel(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    return input.numel()


def cartesian_prod(*tensors):
    """All tuples of elements of the given vectors, as rows."""
    _check_tensors(tensors)
    return functions["cartesian_prod"](tensors)


def broadcast_shapes(*shapes):
    """The shape that the given shapes broadcast to.

    Parameters
    ----------
    *shapes : int or sequence of int

    Returns
    -------
    Size
    """
    from runtime import Size

    for s in shapes:
        if isinstance(s, _core.Tensor):
            raise RuntimeError(f"Input shapes should be of type ints, a tuple of ints, or a list of ints, got {s}")
    rows = [(s,) if isinstance(s, int) else tuple(s) for s in shapes if s is not None]
    result = []
    for sizes in itertools.zip_longest(*(reversed(row) for row in rows), fillvalue=1):
        for size in sizes:
            if size < 0:
                raise RuntimeError(f"Trying to create tensor with negative dimension ({size}): ({size})")
        different = {size for size in sizes if size != 1}
        if len(different) > 1:
            raise RuntimeError("Shape mismatch: objects cannot be broadcast to a single shape: " + ", ".join(str(list(row)) for row in rows))
        result.append(different.pop() if different else 1)
    return Size(reversed(result))


def meshgrid(*tensors, indexing=None):
    """Grids of coordinates, one for each of the given vectors; all are views.

    Parameters
    ----------
    *tensors : Tensor
        Vectors or 0-d tensors, or one list of them.
    indexing : {"ij", "xy"}, optional
        "xy" lets the first two dimensions change places.

    Returns
    -------
    tuple of Tensor
    """
    tensors = list(_given(tensors))
    if indexing is None:
        from runtime.settings import warn_once

        warn_once("torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.")
        return tuple(functions["meshgrid"](tensors))
    return tuple(functions["meshgrid"](tensors, indexing=indexing))


# PyTorch's losses at the top level reduce nothing unless told, other than those in `nn.functional` and the operators of these names.


def kl_div(input, target, reduction=0, *, log_target=False):
    """The elements of the Kullback-Leibler divergence; see `nn.functional.kl_div`."""
    return functions["kl_div"](input, target, reduction, log_target=log_target)


def hinge_embedding_loss(input, target, margin=1.0, reduction=0):
    """The hinge loss of each element; see `nn.functional.hinge_embedding_loss`."""
    return functions["hinge_embedding_loss"](input, target, margin, reduction)


def binary_cross_entropy_with_logits(input, target, weight=None, pos_weight=None, reduction=0):
    """The cross entropy of each element; see `nn.functional.binary_cross_entropy_with_logits`."""
    return functions["binary_cross_entropy_with_logits"](input, target, weight, pos_weight, reduction)


def margin_ranking_loss(input1, input2, target, margin=0.0, reduction=0):
    """The loss of each pair; see `nn.functional.margin_ranking_loss`."""
    return functions["margin_ranking_loss"](input1, input2, target, margin, reduction)


def cosine_embedding_loss(input1, input2, target, margin=0.0, reduction=0):
    """The loss of each pair; see `nn.functional.cosine_embedding_loss`."""
    return functions["cosine_embedding_loss"](input1, input2, target, margin, reduction)


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False, reduction=0):
    """The loss of each triplet; see `nn.functional.triplet_margin_loss`."""
    return functions["triplet_margin_loss"](anchor, positive, negative, margin, p, eps, swap, reduction)


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction=0, zero_infinity=False):
    """The loss of each sequence; see `nn.functional.ctc_loss`."""
    return functions["ctc_loss"](log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)


def nonzero(input, *, out=None, as_tuple=False):
    """Coordinates of the elements that are not zero.

    Parameters
    ----------
    input : Tensor
    out : Tensor, optional
    as_tuple : bool
        Whether to give a tensor for each dimension, with which `input` can be indexed.

    Returns
    -------
    Tensor or tuple of Tensor
        A row for each element, or as_tuple.
    """
    if not as_tuple:
        return functions["nonzero"](input) if out is None else functions["nonzero"](input, out=out)
    if out is not None:
        raise TypeError("nonzero does not support the out kwarg when as_tuple is True")
    return tuple(aten.nonzero_numpy.default(input))


def unravel_index(indices, shape):
    """Coordinates of elements that are given by their numbers in row-major order.

    Parameters
    ----------
    indices : Tensor
        Of an integer dtype.
    shape : int, Size or sequence of int

    Returns
    -------
    tuple of Tensor
        One for each dimension of `shape`, each of the shape of `indices`.
    """
    from runtime import Size, Tensor

    if not isinstance(indices, Tensor):
        raise TypeError(f"expected 'indices' to be a tensor, but got {type(indices)}")
    if indices.dtype.is_floating_point or indices.dtype.is_complex or str(indices.dtype) == "torch.bool":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    if not isinstance(shape, (int, Size)) and not (isinstance(shape, (list, tuple)) and all(isinstance(n, int) for n in shape)):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(n < 0 for n in shape):
        raise ValueError(f"'shape' cannot have negative values, but got {shape}")
    from runtime import int64, tensor

    steps, sizes = (tensor(n, dtype=int64, device=indices.device) for n in ([math.prod(shape[d + 1 :]) for d in range(len(shape))], shape))
    places = aten.remainder.Tensor(aten.floor_divide.default(aten.unsqueeze.default(indices, -1), steps), sizes)
    return tuple(aten.unbind.int(places, -1))


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The different elements of a tensor, in increasing order, or the different slices along a dimension.

    Parameters
    ----------
    input : Tensor
    sorted : bool
        The result is sorted either way.
    return_inverse, return_counts : bool
        Whether to return as well where each element of the input is in the result, and how often each of the result's elements occurs.
    dim : int, optional
        The dimension of the slices that are compared; without it elements are.

    Returns
    -------
    Tensor or tuple of Tensor
    """
    if dim is None:
        found = functions["_unique2"](input, sorted, return_inverse, return_counts)
    else:
        found = aten.unique_dim.default(input, dim, sorted, return_inverse, return_counts)
    return _chosen(found, return_inverse, return_counts)


def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The first of each run of equal elements, or of equal slices along a dimension.

    Parameters and results are those of `unique`.
    """
    return _chosen(functions["unique_consecutive"](input, return_inverse, return_counts, dim), return_inverse, return_counts)


def _chosen(found, return_inverse, return_counts):
    chosen = (found[0], *(t for t, wanted in zip(found[1:], (return_inverse, return_counts), strict=True) if wanted))
    return chosen if len(chosen) > 1 else chosen[0]


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """A tensor of an object's elements, in its memory where that is possible.

    Parameters
    ----------
    obj : Tensor, array, buffer, number or nested sequence of numbers
    dtype, device : optional
        The object's own, or the default ones.
    copy : bool, optional
        Whether the result has memory of its own; False raises where it must have.
    requires_grad : bool

    Returns
    -------
    Tensor
    """
    if type(obj).__name__ == "PyCapsule":
        obj = _core.from_dlpack(obj)
    elif isinstance(obj, (bytes, bytearray, memoryview, array.array)):
        # Memory without a dtype that counts: elements of the one asked for, as PyTorch reads it.
        obj = _core.frombuffer(obj, dtype=dtype or _core.get_default_dtype())
    elif hasattr(type(obj), "__dlpack__") and not isinstance(obj, (_core.Tensor, np.ndarray)):
        obj = _core.as_tensor(obj)
    result = _core.as_tensor(obj, dtype=dtype, device=device)
    if copy is False and _owner(obj) != _owner(result):
        raise ValueError(_no_alias(obj, result))
    if copy and _owner(obj) == _owner(result):
        result = result.clone()
    return result.requires_grad_() if requires_grad else result


def _no_alias(obj, result):
    """Why a tensor of an object had to be a copy."""
    if _owner(obj) is None:
        return "can't alias arbitrary sequence into a tensor."
    given = _core.as_tensor(obj)
    if given.device != result.device:
        return f"can't alias tensor from device '{given.device}' to '{result.device}'."
    found, wanted = (t.type().rpartition(".")[2].removesuffix("Tensor") for t in (given, result))
    return f"can't alias tensor with dtype '{found}' into dtype '{wanted}'."


def _owner(obj):
    """The address of an object's elements; None for what has none."""
    if isinstance(obj, _core.Tensor):
        return obj.data_ptr()
    described = getattr(obj, "__array_interface__", None)
    return described["data"][0] if described else None


def get_device(input):
    """The number of a tensor's device; -1 on the CPU."""
    return input.get_device()


def is_storage(obj):
    """Whether an object is a storage."""
    return isinstance(obj, _core.UntypedStorage)


def typename(obj):
    """The type of a tensor as `Tensor.type` gives it, or the full name of another object's type."""
    if isinstance(obj, _core.Tensor):
        return obj.type()
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    module = "" if named.__module__ in (None, "builtins") else named.__module__ + "."
    return module + named.__qualname__


for _name in __all__:
    globals()[_name] = _core.overridable(globals()[_name])
    globals()[_name].__module__ = __name__  # pickles name functions by it
