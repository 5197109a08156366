"""Variants that no entry declares: made from those that are, so that operators can be grouped.

An in-place or out= operator without a functional variant gets one, for functionalization; an operator without an out=
variant gets one if its entry announces it. What is made has kernels for all backends, written in terms of what it was
made from. `gen.parse_native_yaml_struct` calls this.
"""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Sequence

from runtime.torchgen.api import cpp
from runtime.torchgen.arguments import Annotation, Argument, BaseTy, BaseType, Return
from runtime.torchgen.function_schema import FunctionSchema, SchemaKind
from runtime.torchgen.groups import BackendIndex
from runtime.torchgen.keys import DEFAULT_KERNEL_NAMESPACE, DispatchKey
from runtime.torchgen.names import BaseOperatorName, OperatorName
from runtime.torchgen.native_function import BackendMetadata, DeviceCheckType, NativeFunction, Variant
from runtime.torchgen.utils import add_context

__all__ = [
    "FUNCTIONAL_OPS_THAT_CANNOT_GET_AN_OUT_VARIANT",
    "INPLACE_OPS_THAT_DONT_GET_GROUPED_PROPERLY",
    "MUTABLE_OPS_THAT_CANNOT_GET_AN_OUT_VARIANT",
    "OUT_OPS_THAT_DONT_GET_GROUPED_PROPERLY",
    "add_generated_native_functions",
    "functional_to_out_signature",
    "generate_function",
    "generate_out_args_from_schema",
    "get_expected_out_variant_overload_name",
    "mutable_to_out_signature",
    "pre_group_native_functions",
    "self_to_out_signature",
]

#: out= operators whose functional variants have other signatures (a mask more, or another name).
OUT_OPS_THAT_DONT_GET_GROUPED_PROPERLY = ["adaptive_avg_pool3d_backward.grad_input", "_slow_conv2d_backward.grad_input"]

#: Its other variants take an argument before self.
INPLACE_OPS_THAT_DONT_GET_GROUPED_PROPERLY = ["polygamma_"]

#: They write to positional arguments and return nothing, so no return could become an out argument.
MUTABLE_OPS_THAT_CANNOT_GET_AN_OUT_VARIANT = ["_cummax_helper", "_cummin_helper"]

#: They return nothing, or no tensor.
FUNCTIONAL_OPS_THAT_CANNOT_GET_AN_OUT_VARIANT = [
    "_assert_async",
    "_assert_async.msg",
    "_assert_tensor_metadata",
    "_cslt_sparse_mm_search",
    "_assert_scalar",
    "_dimI",
    "_dimV",
    "_has_same_storage_numel",
    "_linalg_check_errors",
    "_local_scalar_dense",
    "_nested_tensor_from_mask_left_aligned",
    "_nnz",
    "_use_cudnn_ctc_loss",
    "_use_cudnn_ctc_loss.Tensor",
    "_use_miopen_ctc_loss",
    "_use_miopen_ctc_loss.Tensor",
    "_validate_compressed_sparse_indices",
    "allclose",
    "dense_dim",
    "equal",
    "is_coalesced",
    "is_pinned",
    "is_same_size",
    "is_set_to",
    "q_per_channel_axis",
    "q_scale",
    "q_zero_point",
    "qscheme",
    "record_stream",
    "sparse_dim",
    "sym_constrain_range",
    "sym_constrain_range_for_size",
    "_nested_tensor_storage_offsets",
    "_chunk_grad_outputs_efficient_attention",
    "_fused_sdp_choice",
    "_print",
    "_sink_tokens",
    "_nested_get_ragged_idx",
]

_TENSOR = BaseType(BaseTy.Tensor)
_INHERITED_TAGS = frozenset(["nondeterministic_seeded", "view_copy", "pt2_compliant_tag"])


def pre_group_native_functions(native_functions: Sequence[NativeFunction]) -> dict[FunctionSchema, dict[SchemaKind, NativeFunction]]:
    """The operators by signature, then by kind.

    Raises
    ------
    AssertionError
        If two of one signature are of one kind, or one has no kind. The message tells the place of the entry.
    """
    groups: dict[FunctionSchema, dict[SchemaKind, NativeFunction]] = defaultdict(dict)
    for f in native_functions:
        try:
            group, kind = groups[f.func.signature()], f.func.kind()
            if kind in group:
                raise AssertionError(f"Duplicate schema kind {kind} for {f.func}")
        except AssertionError as error:
            add_context(error, f.place)
            raise
        group[kind] = f
    return groups


# ---- schemas of variants


def get_expected_out_variant_overload_name(overload_name: str | None) -> str:
    """``out``, or ``Tensor_out`` for the overload ``Tensor``."""
    return f"{overload_name}_out" if overload_name else "out"


def _out_name(func: FunctionSchema) -> OperatorName:
    return func.name.with_overload(get_expected_out_variant_overload_name(func.name.overload_name))


def self_to_out_signature(func: FunctionSchema) -> FunctionSchema:
    """The out= variant of an in-place operator: ``out`` is written and returned in the place of self."""
    if func.kind() is not SchemaKind.inplace:
        raise AssertionError(f"Expected inplace schema, got {func.kind()}")
    own = func.arguments.self_arg.argument
    out = Argument("out", own.type, None, own.annotation)
    return FunctionSchema(_out_name(func), func.arguments.remove_self_annotation().with_out_args([out]), func.returns)


def functional_to_out_signature(func: FunctionSchema) -> FunctionSchema:
    """The out= variant of a functional operator; it takes no tensor options."""
    if func.kind() is not SchemaKind.functional:
        raise AssertionError(f"Expected functional schema, got {func.kind()}")
    returns, outs = generate_out_args_from_schema(func)
    return FunctionSchema(_out_name(func), func.arguments.signature().with_out_args(outs), tuple(returns))


def mutable_to_out_signature(func: FunctionSchema) -> FunctionSchema:
    """The out= variant of a mutable operator; it writes to the same positional arguments."""
    if func.kind() is not SchemaKind.mutable:
        raise AssertionError(f"Expected mutable schema, got {func.kind()}")
    returns, outs = generate_out_args_from_schema(func)
    return FunctionSchema(_out_name(func), func.arguments.with_out_args(outs), tuple(returns))


def generate_out_args_from_schema(func: FunctionSchema) -> tuple[list[Return], list[Argument]]:
    """The returns and the out arguments of an operator's out= variant.

    Returns
    -------
    returns : list of Return
        The out arguments if all returns are plain tensors; otherwise what is no tensor.
    outs : list of Argument
        One for each return that is a tensor or a list of them, with alias sets that are not in use.
    """
    if any(r.is_write for r in func.returns):
        raise AssertionError("Mutable schema kinds should not return mutable arguments")
    if not any(r.type.is_tensor_like() for r in func.returns):
        raise AssertionError("Expected at least one tensor-like return")
    used = {name for a in func.arguments.flat_all if a.annotation is not None for name in a.annotation.alias_set}
    free = [name for name in string.ascii_lowercase if name not in used]
    outs = {
        i: Argument("out" if len(func.returns) == 1 else f"out{i}", r.type, None, Annotation((free[i],), True, ()))
        for i, r in enumerate(func.returns)
        if r.type.is_tensor_like()
    }
    if all(r.type == _TENSOR for r in func.returns):
        returns = [Return(None, out.type, out.annotation) for out in outs.values()]
    else:
        returns = [r for r in func.returns if not r.type.is_tensor_like()]
    return returns, list(outs.values())


def _functional_signature(func: FunctionSchema) -> FunctionSchema:
    if func.kind() is SchemaKind.functional:
        raise AssertionError("Cannot generate functional from functional schema")
    name = BaseOperatorName(func.name.name.base, False, func.name.name.dunder_method, func.kind() is SchemaKind.mutable)
    return func.signature(keep_return_names=True).with_name(OperatorName(name, func.name.overload_name))


_TO_OUT = {
    SchemaKind.inplace: self_to_out_signature,
    SchemaKind.mutable: mutable_to_out_signature,
    SchemaKind.functional: functional_to_out_signature,
}


def generate_function(f: NativeFunction, k: SchemaKind) -> tuple[NativeFunction, dict[DispatchKey, dict[OperatorName, BackendMetadata]]]:
    """Another variant of an operator, with its kernels.

    Parameters
    ----------
    f : NativeFunction
    k : SchemaKind
        functional or out.

    Returns
    -------
    function : NativeFunction
        A function (never a method) with the tag ``generated``, at the place of `f`.
    kernels : dict of DispatchKey to dict of OperatorName to BackendMetadata
        One kernel, for all backends.
    """
    if k is SchemaKind.functional:
        func = _functional_signature(f.func)
    elif k is not SchemaKind.out:
        raise AssertionError("We currently only generate either functional or out= NativeFunctions")
    elif f.func.kind() in _TO_OUT:
        func = _TO_OUT[f.func.kind()](f.func)
    else:
        raise AssertionError("We only bother generating out= functions from either inplace or mutable or functional variants")
    # Several overloads of one name may get an out= variant each: the overload is part of the kernel's name.
    kernel = func.name.unambiguous_name() if func.kind() is SchemaKind.out else cpp.name(func)
    metadata = BackendMetadata(kernel + ("_symint" if f.func.has_symint() else ""), False, DEFAULT_KERNEL_NAMESPACE)
    function = NativeFunction(
        namespace=f.namespace,
        func=func,
        use_const_ref_for_mutable_tensors=f.use_const_ref_for_mutable_tensors,
        device_guard=False,
        device_check=DeviceCheckType.NoCheck,
        python_module=None,
        category_override=None,
        variants={Variant.function},
        manual_kernel_registration=False,
        manual_cpp_binding=False,
        loc=f.loc,
        autogen=[],
        ufunc_inner_loop={},
        structured=False,
        structured_delegate=None,
        structured_inherits=None,
        precomputed=None,
        cpp_no_default_args=set(),
        is_abstract=f.is_abstract,
        has_composite_implicit_autograd_kernel=False,
        has_composite_implicit_autograd_nested_tensor_kernel=False,
        has_composite_explicit_autograd_kernel=True,
        has_composite_explicit_autograd_non_functional_kernel=False,
        tags={"generated", *(f.tags & _INHERITED_TAGS), *(["out"] if func.is_out_fn() else [])},
    )
    return function, {DispatchKey.CompositeExplicitAutograd: {func.name: metadata}}


# ---- which variants are made


def add_generated_native_functions(rs: list[NativeFunction], indices: dict[DispatchKey, dict[OperatorName, BackendMetadata]]) -> None:
    """Append the variants that are made of a file's operators to its operators, and their kernels to its kernels.

    Parameters
    ----------
    rs : list of NativeFunction
        Grows.
    indices : dict of DispatchKey to dict of OperatorName to BackendMetadata
        Grows; has a dict for every key.

    Raises
    ------
    AssertionError
        If an operator stands alone that should have variants, or can have none and is not known for that. The message
        tells the place of the operator's entry.
    """
    for group in pre_group_native_functions(rs).values():
        base = next((group[k] for k in (SchemaKind.mutable, SchemaKind.inplace, SchemaKind.out, SchemaKind.functional) if k in group), None)
        if base is None or not _gets_variants(group):
            continue
        try:
            for kind in _missing_variants(group, base):
                function, metadata = generate_function(base, kind)
                BackendIndex.grow_index(indices, metadata)
                rs.append(function)
        except Exception as error:
            add_context(error, base.place)
            raise


def _gets_variants(group: dict[SchemaKind, NativeFunction]) -> bool:
    """Whether these operators are of the kind that is completed.

    Not those bound by hand, views, and composites: transformations see what a composite decomposes into, unless it is
    one of the core.
    """
    members = group.values()
    if all(f.manual_cpp_binding for f in members):
        return False
    # set_ is an in-place view by its tag and completed like any in-place operator.
    if any(f.is_view_op and str(f.func.name.name) != "set_" for f in members):
        return False
    return any("core" in f.tags for f in members) or not all(f.has_composite_implicit_autograd_kernel for f in members)


def _missing_variants(group: dict[SchemaKind, NativeFunction], base: NativeFunction) -> list[SchemaKind]:
    name = str(base.func.name)
    has_out = SchemaKind.out in group
    if has_out and len(group) == 1:
        if name not in OUT_OPS_THAT_DONT_GET_GROUPED_PROPERLY:
            raise AssertionError(f"Found an out= operator that we could not find any other variants of: {base.func}")
        return []
    if SchemaKind.inplace in group and str(group[SchemaKind.inplace].func.name) in INPLACE_OPS_THAT_DONT_GET_GROUPED_PROPERLY:
        return []
    missing = []
    if not has_out:
        if base.func.kind() is SchemaKind.inplace or any(r.type.is_tensor_like() for r in base.func.returns):
            if any("out" in str(name) for name in base.autogen):
                missing.append(SchemaKind.out)
        elif name not in MUTABLE_OPS_THAT_CANNOT_GET_AN_OUT_VARIANT and name not in FUNCTIONAL_OPS_THAT_CANNOT_GET_AN_OUT_VARIANT:
            raise AssertionError(
                f"Found an operator that we could not generate an out= variant for: {base.func}.\n"
                "This type of operators don't have tensor-like return, making it difficult to generate a proper out= variant. If\n"
                "out= variant is not needed, please add the function name into FUNCTIONAL_OPS_THAT_CANNOT_GET_AN_OUT_VARIANT list."
            )
    # A functional variant serves only in a group, and a group has an out= variant.
    if SchemaKind.functional not in group and (has_out or missing):
        missing.append(SchemaKind.functional)
    return missing
