"""The public functions and Tensor methods: which overloads each tries, in which order, and where `out=` leads.

Order matters twice: a call takes the first signature that accepts its arguments, and errors list the signatures as
they were tried. Where two signatures accept the same arguments, the rules of `_precedes` decide; all else stands in
the order of the signatures' texts in the spelling of PyTorch's argument parser, because users see the list.
"""

from __future__ import annotations

from typing import NamedTuple

from runtime.schema import Argument
from runtime.torchgen.operators import Operator

__all__ = ["PublicFunction", "public_functions"]

#: Steps of differentiation, which only formulas of gradients call.
UNBOUND_ENDINGS = ("_backward", "_forward", "_jvp")

#: Operators without a public function: seen only below the dispatcher, or offered by Tensor and the namespace in
#: another form (`Tensor.size` reads a field).
UNBOUND = frozenset(
    [
        "_foreach_copy",
        "_fw_primal",
        "_batch_norm_no_update",
        "_batch_norm_with_update",
        "_local_scalar_dense",
        "_reshape_alias",
        "_sparse_coo_tensor_unsafe",
        "_sparse_coo_tensor_with_dims",
        "_sparse_coo_tensor_with_dims_and_tensors",
        "_to_copy",
        "_unsafe_view",
        "alias",
        "backward",
        "copy",
        "copy_sparse_to_sparse_",
        "cuda",
        "device",
        "dim",
        "_list_to_tensor",
        "fake_quantize_per_channel_affine_cachemask",
        "fake_quantize_per_tensor_affine_cachemask",
        "grad",
        "is_non_overlapping_and_dense",
        "is_strides_like_format",
        "index",
        "is_contiguous",
        "layout",
        "lift",
        "lift_fresh",
        "lift_fresh_copy",
        "nonzero_numpy",
        "normal_functional",
        "numel",
        "size",
        "slice",
        "storage_offset",
        "stride",
        "sym_is_contiguous",
        "sym_numel",
        "sym_size",
        "sym_storage_offset",
        "sym_stride",
        "unique_dim",
        "unique_dim_consecutive",
    ]
)

#: Methods that class Tensor has by itself, because they read a field, leave the world of tensors, take a device, a dtype or a
#: tensor in the same place, take other arguments than the function, are properties, have `self` in another place than the first, or are
#: slots of the type (no functions either).
OWN_METHODS = frozenset(
    """
    __and__ __iand__ __ilshift__ __ior__ __irshift__ __ixor__ __lshift__ __or__ __rshift__ __xor__ is_complex is_conj is_floating_point is_neg
    imag is_inference is_signed item mH mT matrix_H nonzero norm numpy_T polygamma real stft to unique unique_consecutive where
    qscheme requires_grad_ retain_grad
    """.split()
)

#: Overloads that no call can reach: the Tensor overload before them takes numbers.
SHADOWED = frozenset(f"{base}{inplace}.Scalar" for base in ("add", "sub", "mul", "div") for inplace in ("", "_"))

_TENSOR_OPTIONS = frozenset(["dtype", "layout", "device", "pin_memory"])

_SPELLING = {
    "int": "int64_t",
    "float": "double",
    "str": "c10::string_view",
    "Tensor[]": "TensorList",
    "int[]": "IntArrayRef",
    "SymInt[]": "SymIntArrayRef",
}


class PublicFunction(NamedTuple):
    """A name in a public module, or a method.

    `signatures` are pairs of an overload and its out= sibling (or None).
    """

    module: str
    name: str
    function: bool
    method: bool
    signatures: list[tuple[Operator, Operator | None]]


def _is_factory(f: Operator) -> bool:
    return _TENSOR_OPTIONS <= {a.name for a in f.schema.arguments if a.kwarg_only}


def _inputs(f: Operator) -> list[Argument]:
    """The arguments without outputs and without tensor options, which an out= overload does not have."""
    options = _TENSOR_OPTIONS if _is_factory(f) else frozenset()
    if f.is_out or _is_factory(f):
        options |= {"memory_format"}
    return [a for a in f.schema.arguments if not a.is_out and a.name not in options]


def _call(f: Operator) -> tuple:
    return tuple((a.name, a.real_type, a.kwarg_only, a.default_text) for a in _inputs(f))


def _plain(a: Argument) -> str:
    """The type without sizes, ``int[1]?`` as ``int[]?``."""
    text = a.real_type.source()
    head, bracket, tail = text.partition("[")
    return f"{head}[]{tail.partition(']')[2]}" if bracket else text


def _spell(f: Operator, has_out: bool) -> str:
    parts = []
    starred = False
    for a in f.schema.arguments:
        if a.kwarg_only and not starred:
            starred = True
            parts.append("*")
        plain = _plain(a)
        optional = plain.endswith("?")
        word = plain.removesuffix("?")
        name = "input" if a.name == "self" and word == "Tensor" else a.name
        size = f"[{a.type.info.list_size}]" if a.type.info.list_size else ""
        default = f"={a.default_text}" if a.has_default else ""
        if _is_factory(f) and a.name in _TENSOR_OPTIONS:
            continue
        parts.append(f"{_SPELLING.get(word, word)}{size}{'?' if optional else ''} {name}{default}")
    if has_out:
        if not starred:
            parts.append("*")
        parts.append("Tensor out=None")
    if _is_factory(f):
        if not starred and not has_out:
            parts.append("*")
        parts.append("ScalarType dtype=None")
    return ", ".join(parts)


def _wider(a: str, b: str) -> bool:
    """Whether type `a` must be tried before type `b`, because values meant for `a` pass as `b` too.

    A tensor with one element passes as a number, so that Tensor goes before Scalar and int; a number passes as a list
    of sizes, so that int goes before int[]; symbolic lists take what plain ones take.
    """
    return (
        (a, b)
        in {
            ("Tensor", "Scalar"),
            ("Tensor?", "Scalar?"),
            ("Tensor", "int"),
            ("Tensor", "SymInt"),
            ("int", "int[]"),
            ("int?", "int[]"),
        }
        or (a, b) == ("int[]", "SymInt[]")
        or (b == "Tensor[]" and "[]" in a and a != b)
    )


def _precedes(f: Operator, g: Operator) -> bool:
    """Whether `f` must be tried before `g`: as many arguments, and each of the same type or wider."""
    first, second = ([_plain(a) for a in h.schema.arguments] for h in (f, g))
    pairs = list(zip(first, second, strict=False))
    return len(first) == len(second) and first != second and all(a == b or _wider(a, b) for a, b in pairs)


def _ordered(
    signatures: list[tuple[Operator, Operator | None]],
) -> list[tuple[Operator, Operator | None]]:
    """Those that nothing must precede, in the order of their texts; then the rest, each as soon as it may."""
    left = sorted(signatures, key=lambda s: _spell(s[0], s[1] is not None))
    before = {f.name: {g.name for g, _ in left if _precedes(g, f)} for f, _ in left}
    result = [s for s in left if not before[s[0].name]]
    left = [s for s in left if before[s[0].name]]
    for done, _ in result:
        for s in list(left):
            before[s[0].name].discard(done.name)
            if not before[s[0].name]:
                left.remove(s)
                result.append(s)
    return result


def public_functions(functions: list[Operator]) -> list[PublicFunction]:
    """The public functions, in the order in which their names first occur.

    A name whose function and method have different overloads gives two entries.
    """
    # Of the out= variants that nobody declares, PyTorch offers those of copying variants of views.
    outs = {(f.base, f.python_module, _call(f)): f for f in functions if f.is_out and ("view_copy" in f.native.tags or not f.is_generated)}
    groups: dict[tuple[str, str], list[Operator]] = {}
    for f in functions:
        if f.base in UNBOUND or f.name in SHADOWED or f.base.endswith(UNBOUND_ENDINGS):
            continue
        if not f.is_out and not f.is_generated:
            groups.setdefault((f.python_module, f.base), []).append(f)
    result = []
    for (module, name), overloads in groups.items():
        by_variant = {}
        for variant in ("function", "method"):
            own = name in OWN_METHODS and (variant == "method" or name.startswith("__"))
            found = [] if own else [f for f in overloads if variant in f.variants]
            paired = [(f, outs.get((f.base, module, _call(f))) if variant == "function" else None) for f in found]
            by_variant[variant] = _ordered(paired)
        function, method = by_variant["function"], by_variant["method"]
        if function and [f for f, _ in function] == [f for f, _ in method]:
            result.append(PublicFunction(module, name, True, True, function))
            continue
        if function:
            result.append(PublicFunction(module, name, True, False, function))
        if method:
            result.append(PublicFunction(module, name, False, True, method))
    return result
