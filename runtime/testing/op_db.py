"""Databases of operators with sample inputs, for tests that run once per entry: `op_db` has the operators of this build.

An entry says what dtypes an operator takes (b: bool, i: integers, h: half precision, f: floats, c: complex numbers) and makes small inputs
of each; see `runtime.testing.op_info`. The other databases here are of systems that have no entries yet.
"""

from runtime.testing.op_info import Maker, OpInfo, SampleInput, dtypes_of

#: Sizes that samples use.
L, M, S, XS = 20, 10, 5, 3


def mask_not_all_zeros(shape):
    """A random mask of a shape, with at least one element that is true."""
    import runtime

    if len(shape) == 0:
        raise AssertionError("mask_not_all_zeros() needs at least one dimension")
    mask = runtime.randn(shape) > 0
    mask.view(-1)[0] |= ~mask.any()
    return mask


def _unary(m):
    return [m(4, 5), m(), m(0, 3), m(3, 4, noncontiguous=True)]


def _binary(m):
    return [(m(3, 4), m(3, 4)), (m(3, 1), m(1, 4)), (m(2, 3), m(3)), (m(), m()), (m(0, 3), m(3))]


def _nonzero_binary(m):
    return [(m(3, 4), m(3, 4, exclude_zero=True)), (m(2, 3), m(3, exclude_zero=True)), (m(), m(exclude_zero=True))]


def _shift(m):
    return [(m(3, 4), m(3, 4, low=0, high=4)), (m(2, 3), m(3, low=0, high=4))]


def _power(m):
    return [(m(3, 4, low=1, high=4), m(3, 4, low=0, high=3)), (m(3, low=1, high=4), m.number(2))]


def _reduction(m):
    return [m(3, 4), (m(3, 4), {"dim": 0}), (m(2, 3, 4), {"dim": -1, "keepdim": True}), m()]


def _transform(m):
    return [m(4, 6), (m(4, 6), {"n": 5}), (m(4, 6), {"dim": 0, "norm": "ortho"})]


def _transforms(m):
    return [m(4, 6), (m(4, 6), {"dim": (0,)}), (m(2, 4, 6), {"norm": "ortho"})]


def _square(m):
    return [m(3, 3), m(2, 4, 4)]


def _positive_definite(m):
    """Symmetric (Hermitian) and well away from singular."""
    import runtime

    found = []
    for shape in ((3, 3), (2, 4, 4)):
        a = m(*shape, low=-1, high=1)
        found.append(a @ a.mH + (200 if m.dtype.is_complex else 4) * runtime.eye(shape[-1], dtype=m.dtype, device=m.device))
    return found


#: By dtypes and whether there are derivatives: names, with limits of the values where there are some.
UNARY = {
    ("bi", False): "bitwise_not",
    ("bif", False): "special.airy_ai special.bessel_j0 special.bessel_j1 special.bessel_y0 special.bessel_y1 special.modified_bessel_i0"
    " special.modified_bessel_i1 special.modified_bessel_k0 special.modified_bessel_k1 special.spherical_bessel_j0",
    ("bif", True): "special.erfcx special.log_ndtr special.ndtri(0,1)",
    ("bihf", False): "isneginf isposinf signbit",
    ("bihf", True): "deg2rad digamma erf erfc erfinv(-1,1) i0 lgamma logit(0,1) nan_to_num rad2deg sign special.entr special.i0e special.i1"
    " special.i1e special.ndtr",
    ("bihfc", False): "isfinite isinf isnan isreal logical_not",
    ("bihfc", True): "acos(-1,1) acosh(1,) angle asin(-1,1) asinh atan atanh(-1,1) conj conj_physical cos cosh exp exp2 expm1 log(0,) log10(0,)"
    " log1p(-1,) log2(0,) real reciprocal rsqrt(0,) sgn sigmoid sin sinc sinh sqrt(0,) square tan tanh",
    ("c", True): "imag",
    ("hf", True): "frac nn.functional.celu nn.functional.elu nn.functional.hardshrink nn.functional.hardsigmoid nn.functional.hardtanh"
    " nn.functional.logsigmoid nn.functional.mish nn.functional.selu nn.functional.silu nn.functional.softplus nn.functional.softshrink"
    " nn.functional.gelu nn.functional.hardswish nn.functional.leaky_relu",
    ("ihf", True): "ceil floor nn.functional.relu nn.functional.relu6 round trunc",
    ("ihfc", True): "abs neg nn.functional.softsign nn.functional.tanhshrink positive",
}

BINARY = {
    ("bi", False): "bitwise_and bitwise_or bitwise_xor __rand__ __ror__ __rxor__",
    ("bihf", False): "ge gt heaviside le lt",
    ("bihf", True): "atan2 copysign fmax fmin maximum minimum clamp_max clamp_min special.xlog1py xlogy",
    ("bihfc", False): "eq logical_and logical_or logical_xor ne",
    ("bihfc", True): "add mul float_power __radd__ __rmul__ ldexp",
    ("f", True): "complex polar",
    ("hf", True): "hypot nextafter",
    ("hfc", True): "logaddexp",
    ("i", False): "gcd lcm",
    ("ihfc", True): "sub rsub __rsub__",
}

REDUCTIONS = {
    ("bihf", True): "amax amin nansum",
    ("bihfc", False): "all any",
    ("bihfc", True): "sum",
    ("hf", True): "nanmean",
    ("hfc", True): "mean std var",
    ("ihf", False): "argmax argmin",
}

TRANSFORMS = {
    ("bif", True): "fft.ihfft fft.rfft",
    ("bifc", True): "fft.fft fft.hfft fft.ifft fft.irfft",
}

TRANSFORMS_OF_SEVERAL = {
    ("bif", True): "fft.rfftn fft.ihfftn",
    ("bifc", True): "fft.fftn fft.ifftn fft.irfftn fft.hfftn",
}

SQUARE_MATRICES = {
    ("fc", True): "linalg.det linalg.slogdet logdet linalg.eigvals linalg.svdvals linalg.qr linalg.svd linalg.pinv",
}

POSITIVE_DEFINITE = {
    ("fc", True): "linalg.cholesky linalg.cholesky_ex linalg.inv linalg.inv_ex linalg.eigh linalg.eigvalsh cholesky pinverse",
}

#: Operators with inputs of their own: dtypes, whether there are derivatives, samples.
OTHERS = {
    # products
    "matmul": ("ihfc", True, lambda m: [(m(3, 4), m(4, 5)), (m(4), m(4)), (m(2, 3, 4), m(4, 5)), (m(2, 1, 3, 4), m(2, 4, 2))]),
    "mm": ("ihfc", True, lambda m: [(m(3, 4), m(4, 5)), (m(0, 4), m(4, 5)), (m(3, 0), m(0, 5))]),
    "bmm": ("ihfc", True, lambda m: [(m(2, 3, 4), m(2, 4, 5))]),
    "mv": ("ihfc", True, lambda m: [(m(3, 4), m(4))]),
    "dot": ("ihfc", True, lambda m: [(m(4), m(4))]),
    "vdot": ("ihfc", True, lambda m: [(m(4), m(4))]),
    "inner": ("ihfc", True, lambda m: [(m(3, 4), m(2, 4)), (m(4), m(4))]),
    "outer": ("bihfc", True, lambda m: [(m(3), m(4))]),
    "kron": ("bihfc", True, lambda m: [(m(2, 3), m(3, 2))]),
    "addmm": ("ihfc", True, lambda m: [(m(3, 5), m(3, 4), m(4, 5)), (m(5), m(3, 4), m(4, 5), {"beta": 2, "alpha": 3})]),
    "addmv": ("ihfc", True, lambda m: [(m(3), m(3, 4), m(4))]),
    "addbmm": ("ihfc", True, lambda m: [(m(3, 5), m(2, 3, 4), m(2, 4, 5))]),
    "baddbmm": ("ihfc", True, lambda m: [(m(2, 3, 5), m(2, 3, 4), m(2, 4, 5))]),
    "addr": ("bihfc", True, lambda m: [(m(3, 4), m(3), m(4))]),
    "tensordot": ("ihfc", True, lambda m: [(m(3, 4), m(4, 5), {"dims": 1})]),
    "cross": ("ihfc", True, lambda m: [(m(2, 3), m(2, 3), {"dim": 1})]),
    "linalg.multi_dot": ("ihfc", True, lambda m: [([m(2, 3), m(3, 4), m(4, 2)],)]),
    "linalg.vecdot": ("hfc", True, lambda m: [(m(3, 4), m(3, 4))]),
    "linalg.vector_norm": ("hfc", True, lambda m: [m(3, 4), (m(3, 4), 1, {"dim": 0})]),
    "linalg.norm": ("hfc", True, lambda m: [m(3, 4)]),
    "linalg.matrix_norm": ("hfc", True, lambda m: [m(3, 4)]),
    "linalg.matrix_power": ("fc", True, lambda m: [(m(3, 3), 2)]),
    "addcmul": ("ihfc", True, lambda m: [(m(3, 4), m(3, 4), m(4)), (m(3), m(3), m(3), {"value": 2})]),
    "addcdiv": ("hfc", True, lambda m: [(m(3, 4), m(3, 4), m(4, exclude_zero=True))]),
    "lerp": ("hfc", True, lambda m: [(m(3, 4), m(3, 4), 0.4), (m(3), m(3), m(3))]),
    "dist": ("hfc", True, lambda m: [(m(3, 4), m(3, 4))]),
    "cdist": ("f", True, lambda m: [(m(3, 4), m(5, 4))]),
    "div": ("bihfc", True, _nonzero_binary),
    "true_divide": ("bihfc", True, _nonzero_binary),
    "fmod": ("ihf", True, _nonzero_binary),
    "remainder": ("ihf", True, _nonzero_binary),
    "floor_divide": ("ihf", False, _nonzero_binary),
    "pow": ("ihfc", True, _power),
    "bitwise_left_shift": ("i", False, _shift),
    "bitwise_right_shift": ("i", False, _shift),
    "isclose": ("bihfc", False, lambda m: [(m(3, 4), m(3, 4))]),
    "allclose": ("hfc", False, lambda m: [(m(3, 4), m(3, 4))]),
    "equal": ("bihfc", False, lambda m: [(m(3, 4), m(3, 4))]),
    "clamp": ("ihf", True, lambda m: [(m(3, 4), 1, 3), (m(3, 4), {"min": 2}), (m(3, 4), m(4), None)]),
    "where": ("bihfc", True, lambda m: [(m.mask(3, 4), m(3, 4), m(4))]),
    # geometry
    "cat": ("bihfc", True, lambda m: [([m(2, 3), m(4, 3)],), ([m(2, 3), m(2, 1)], {"dim": 1}), ([m(0), m(2, 3)],)]),
    "stack": ("bihfc", True, lambda m: [([m(2, 3), m(2, 3)],), ([m(2), m(2)], {"dim": -1})]),
    "hstack": ("bihfc", True, lambda m: [([m(2, 3), m(2, 1)],)]),
    "vstack": ("bihfc", True, lambda m: [([m(2, 3), m(1, 3)],)]),
    "chunk": ("bihfc", True, lambda m: [(m(5, 3), 2), (m(2, 5), 3, {"dim": 1})]),
    "split": ("bihfc", True, lambda m: [(m(5, 3), 2), (m(5, 3), [1, 4])]),
    "unbind": ("bihfc", True, lambda m: [m(3, 2), (m(3, 2), {"dim": 1})]),
    "t": ("bihfc", True, lambda m: [m(3, 4), m(3)]),
    "transpose": ("bihfc", True, lambda m: [(m(3, 4, 2), 0, -1)]),
    "permute": ("bihfc", True, lambda m: [(m(3, 4, 2), (2, 0, 1))]),
    "movedim": ("bihfc", True, lambda m: [(m(3, 4, 2), 0, 2)]),
    "reshape": ("bihfc", True, lambda m: [(m(3, 4), (2, -1)), (m(3, 4, noncontiguous=True), (12,))]),
    "flatten": ("bihfc", True, lambda m: [m(3, 4), (m(2, 3, 4), {"start_dim": 1})]),
    "unflatten": ("bihfc", True, lambda m: [(m(6, 2), 0, (2, 3))]),
    "ravel": ("bihfc", True, lambda m: [m(3, 4), m(3, 4, noncontiguous=True)]),
    "squeeze": ("bihfc", True, lambda m: [m(3, 1, 2), (m(3, 1, 2), 1)]),
    "unsqueeze": ("bihfc", True, lambda m: [(m(3, 2), 1), (m(), 0)]),
    "broadcast_to": ("bihfc", True, lambda m: [(m(3, 1), (2, 3, 4))]),
    "select": ("bihfc", True, lambda m: [(m(3, 4), 0, 1), (m(3, 4), 1, -1)]),
    "narrow": ("bihfc", True, lambda m: [(m(5, 4), 0, 1, 3)]),
    "as_strided": ("bihfc", True, lambda m: [(m(12), (2, 3), (1, 4), 1)]),
    "diagonal": ("bihfc", True, lambda m: [m(3, 4), (m(2, 3, 4), 1, 1, 2)]),
    "diag": ("bihfc", True, lambda m: [m(3), (m(3, 4), 1)]),
    "diag_embed": ("bihfc", True, lambda m: [m(2, 3)]),
    "tril": ("bihfc", True, lambda m: [m(3, 4), (m(2, 3, 3), -1)]),
    "triu": ("bihfc", True, lambda m: [m(3, 4), (m(2, 3, 3), 1)]),
    "trace": ("ihfc", True, lambda m: [m(3, 4)]),
    "flip": ("bihfc", True, lambda m: [(m(3, 4), (0, 1))]),
    "roll": ("bihfc", True, lambda m: [(m(3, 4), 2), (m(3, 4), (1, -1), (0, 1))]),
    "rot90": ("bihfc", True, lambda m: [m(3, 4)]),
    "repeat_interleave": ("bihfc", True, lambda m: [(m(3, 2), 2), (m(3, 2), 2, {"dim": 0})]),
    "tile": ("bihfc", True, lambda m: [(m(2, 3), (2, 1))]),
    "meshgrid": ("bihfc", True, lambda m: [(m(2), m(3), {"indexing": "ij"})]),
    "clone": ("bihfc", True, lambda m: [m(3, 4), (m(2, 3, 4, 5), {"memory_format": _channels_last()})]),
    "atleast_2d": ("bihfc", True, lambda m: [m(), m(3), m(2, 3)]),
    # indices
    "gather": ("bihfc", True, lambda m: [(m(3, 4), 1, m.indices(4, 3, 2))]),
    "scatter": ("bihfc", True, lambda m: [(m(3, 4), 1, m.indices(4, 3, 1), m(3, 1))]),
    "scatter_add": ("bihfc", True, lambda m: [(m(3, 4), 1, m.indices(4, 3, 2), m(3, 2))]),
    "index_select": ("bihfc", True, lambda m: [(m(3, 4), 0, m.indices(3, 2))]),
    "index_add": ("bihfc", True, lambda m: [(m(3, 4), 0, m.indices(3, 2), m(2, 4))]),
    "index_fill": ("bihfc", True, lambda m: [(m(3, 4), 0, m.indices(3, 2), m.number(2))]),
    "masked_fill": ("bihfc", True, lambda m: [(m(3, 4), m.mask(3, 4), m.number(2))]),
    "masked_select": ("bihfc", True, lambda m: [(m(3, 4), m.mask(3, 4))]),
    "take": ("bihfc", True, lambda m: [(m(3, 4), m.indices(12, 2, 2))]),
    "__getitem__": ("bihfc", True, lambda m: [(m(3, 4), 1), (m(3, 4), (slice(None), m.indices(4, 2))), (m(3, 4), m.mask(3, 4))]),
    "nonzero": ("bihfc", False, lambda m: [m(3, 4)]),
    "count_nonzero": ("bihfc", False, lambda m: [m(3, 4), (m(3, 4), {"dim": 0})]),
    # order and sums
    "sort": ("bihf", True, lambda m: [m(4, 5), (m(4, 5), 0, {"descending": True})]),
    "argsort": ("bihf", False, lambda m: [m(4, 5), (m(4, 5), 0)]),
    "msort": ("bihf", True, lambda m: [m(4, 5)]),
    "topk": ("ihf", True, lambda m: [(m(4, 5), 3), (m(4, 5), 2, 0)]),
    "kthvalue": ("ihf", True, lambda m: [(m(4, 5), 3)]),
    "unique": ("bihf", False, lambda m: [m(4, 5)]),
    "cummax": ("bihf", True, lambda m: [(m(4, 5), 0)]),
    "cummin": ("bihf", True, lambda m: [(m(4, 5), 1)]),
    "cumsum": ("ihfc", True, lambda m: [(m(4, 5), 0), (m(4, 5), -1)]),
    "cumprod": ("ihfc", True, lambda m: [(m(4, 5), 0)]),
    "logcumsumexp": ("hfc", True, lambda m: [(m(4, 5), 0)]),
    "logsumexp": ("bihfc", True, lambda m: [(m(4, 5), 0), (m(4, 5), 1, True)]),
    "prod": ("bihfc", True, lambda m: [m(3, 4), (m(3, 4), {"dim": 0}), m()]),
    "median": ("ihf", True, lambda m: [m(3, 5), (m(3, 5), 1)]),
    "nanmedian": ("ihf", True, lambda m: [m(3, 5), (m(3, 5), 1)]),
    "aminmax": ("bihf", True, lambda m: [m(3, 4), (m(3, 4), {"dim": 0})]),
    "diff": ("bihfc", True, lambda m: [m(3, 4), (m(5), {"n": 2})]),
    "var_mean": ("hfc", True, lambda m: [m(3, 4), (m(3, 4), 0)]),
    "std_mean": ("hfc", True, lambda m: [m(3, 4), (m(3, 4), 0)]),
    "searchsorted": ("ihf", False, lambda m: [(m(6).sort()[0], m(2, 3))]),
    "bucketize": ("ihf", False, lambda m: [(m(2, 3), m(6).sort()[0])]),
    # tensors like others
    "zeros_like": ("bihfc", False, lambda m: [m(3, 4), m()]),
    "ones_like": ("bihfc", False, lambda m: [m(3, 4), m()]),
    "full_like": ("bihfc", False, lambda m: [(m(3, 4), m.number(2))]),
    # networks
    "softmax": ("hf", True, lambda m: [(m(3, 4), 0), (m(3, 4), -1)]),
    "log_softmax": ("hf", True, lambda m: [(m(3, 4), 0), (m(3, 4), -1)]),
    "nn.functional.softmin": ("hf", True, lambda m: [(m(3, 4), {"dim": 1})]),
    "nn.functional.glu": ("hf", True, lambda m: [m(3, 4), (m(4, 3), 0)]),
    "nn.functional.linear": ("ihfc", True, lambda m: [(m(3, 4), m(5, 4)), (m(2, 3, 4), m(5, 4), m(5))]),
    "nn.functional.conv1d": ("hfc", True, lambda m: [(m(2, 3, 7), m(4, 3, 3)), (m(1, 2, 7), m(4, 1, 3), m(4), {"groups": 2, "stride": 2})]),
    "nn.functional.conv2d": ("hfc", True, lambda m: [(m(2, 3, 6, 6), m(4, 3, 3, 3), m(4), {"padding": 1}), (m(3, 6, 6), m(4, 3, 2, 2))]),
    "nn.functional.conv_transpose2d": ("hfc", True, lambda m: [(m(2, 3, 4, 4), m(3, 2, 3, 3), m(2), {"stride": 2})]),
    "nn.functional.max_pool2d": ("ihf", True, lambda m: [(m(2, 3, 6, 6), 2), (m(1, 6, 6), 3, {"stride": 2, "padding": 1})]),
    "nn.functional.avg_pool2d": ("hf", True, lambda m: [(m(2, 3, 6, 6), 2)]),
    "nn.functional.adaptive_avg_pool2d": ("hf", True, lambda m: [(m(2, 3, 6, 6), (2, 3))]),
    "nn.functional.layer_norm": ("hf", True, lambda m: [(m(2, 3, 4), (4,)), (m(2, 3, 4), (3, 4), m(3, 4), m(3, 4))]),
    "nn.functional.group_norm": ("hf", True, lambda m: [(m(2, 4, 3), 2, m(4), m(4))]),
    "nn.functional.embedding": ("hf", True, lambda m: [(m.indices(5, 2, 3), m(5, 4))]),
    "nn.functional.mse_loss": ("hf", True, lambda m: [(m(3, 4), m(3, 4)), (m(3), m(3), {"reduction": "sum"})]),
    "nn.functional.l1_loss": ("hfc", True, lambda m: [(m(3, 4), m(3, 4))]),
    "nn.functional.smooth_l1_loss": ("hf", True, lambda m: [(m(3, 4), m(3, 4))]),
    "nn.functional.cross_entropy": ("hf", True, lambda m: [(m(3, 5), m.indices(5, 3)), (m(2, 5, 3), m.indices(5, 2, 3))]),
    "nn.functional.nll_loss": ("hf", True, lambda m: [(m(3, 5), m.indices(5, 3))]),
    "nn.functional.interpolate": ("hf", True, lambda m: [(m(1, 2, 4, 4), {"scale_factor": 2, "mode": "bilinear"})]),
    "nn.functional.scaled_dot_product_attention": ("hf", True, lambda m: [(m(2, 3, 4, 8), m(2, 3, 5, 8), m(2, 3, 5, 8))]),
    "nn.functional.pixel_shuffle": ("bihfc", True, lambda m: [(m(1, 8, 2, 3), 2)]),
    "nn.functional.normalize": ("hfc", True, lambda m: [m(3, 4), (m(3, 4), {"dim": 0})]),
    "nn.functional.cosine_similarity": ("hf", True, lambda m: [(m(3, 4), m(3, 4))]),
}

#: Entries of one operator that PyTorch's database tells apart.
VARIANTS = {"div": "no_rounding_mode", "meshgrid": "variadic_tensors", "nn.functional.interpolate": "bilinear"}


def _channels_last():
    import runtime

    return runtime.channels_last


def _names(text):
    """Names and limits of ``"sin log(0,) acos(-1,1)"``."""
    for word in text.split():
        name, _, limits = word.partition("(")
        low, high = (float(part) if part else None for part in limits.rstrip(")").split(",")) if limits else (None, None)
        yield name, (low, high)


def _entry(name, kinds, samples, variant="", differentiable=True, domain=(None, None)):
    """An entry whose samples are tuples of arguments; a dict at a tuple's end holds keyword arguments."""

    def sample_inputs(info, device, dtype, requires_grad, **kwargs):
        for given in samples(Maker(device, dtype, requires_grad, *domain)):
            first, *args = given if isinstance(given, tuple) else (given,)
            named = args.pop() if args and isinstance(args[-1], dict) else {}
            yield SampleInput(first, args=tuple(args), kwargs=named)

    return OpInfo(name, None, sample_inputs, dtypes_of(kinds), variant_test_name=variant, supports_autograd=differentiable)


def _entries():
    families = [
        (UNARY, _unary), (BINARY, _binary), (REDUCTIONS, _reduction), (TRANSFORMS, _transform), (TRANSFORMS_OF_SEVERAL, _transforms),
        (SQUARE_MATRICES, _square), (POSITIVE_DEFINITE, _positive_definite),
    ]  # fmt: skip
    for family, samples in families:
        for (kinds, differentiable), text in family.items():
            for name, domain in _names(text):
                yield _entry(name, kinds, samples, differentiable=differentiable, domain=domain)
    for name, (kinds, differentiable, samples) in OTHERS.items():
        yield _entry(name, kinds, samples, VARIANTS.get(name, ""), differentiable)


def _is_there(entry):
    try:
        return entry.op is not None
    except AttributeError:
        return False


op_db = sorted(filter(_is_there, _entries()), key=lambda entry: entry.full_name)
hop_db = []
