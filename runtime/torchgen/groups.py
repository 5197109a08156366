"""Operators that belong together, and the kernels of one backend.

Variants of one operator form a `NativeFunctionsGroup`; a view with its in-place and its copying variant forms a
`NativeFunctionsViewGroup`. A group that was constructed keeps the rules. Part of `runtime.torchgen.model`; `gen` makes
the groups of a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runtime.torchgen.function_schema import FunctionSchema, SchemaKind
from runtime.torchgen.keys import DispatchKey
from runtime.torchgen.names import BaseOperatorName, OperatorName
from runtime.torchgen.native_function import BackendMetadata, NativeFunction

__all__ = [
    "BackendIndex",
    "NativeFunctionsGroup",
    "NativeFunctionsViewGroup",
    "get_view_copy_name",
    "gets_generated_out_inplace_wrapper",
    "gets_generated_view_copy",
]


@dataclass(frozen=True)
class NativeFunctionsGroup:
    """The functional and out= variants of an operator, and the in-place and mutable ones if there are."""

    functional: NativeFunction
    inplace: NativeFunction | None
    mutable: NativeFunction | None
    out: NativeFunction

    @property
    def structured(self) -> bool:
        """Whether the group has a rule for shapes and dtypes that all its kernels share."""
        return self.out.structured

    @property
    def root_name(self) -> str:
        return self.functional.root_name

    def signature(self) -> FunctionSchema:
        """What the members have in common."""
        return self.out.func.signature()

    def functions(self) -> Iterator[NativeFunction]:
        """The members: functional, out=, in-place, mutable."""
        yield self.functional
        yield self.out
        if self.inplace is not None:
            yield self.inplace
        if self.mutable is not None:
            yield self.mutable

    @staticmethod
    def from_dict(d: dict[SchemaKind, NativeFunction]) -> NativeFunctionsGroup | None:
        """The group of these variants; None where there is only one, or no out= variant.

        Raises
        ------
        AssertionError, RuntimeError
            If they break a rule.
        """
        if not d:
            raise AssertionError("from_dict called with empty dict")
        if len(d) == 1:
            return None
        kinds = {SchemaKind.functional, SchemaKind.inplace, SchemaKind.mutable, SchemaKind.out}
        if not d.keys() <= kinds:
            raise AssertionError(f"unexpected keys in dict: { {str(kind): str(f.func) for kind, f in d.items() if kind not in kinds} }")
        if SchemaKind.functional not in d:
            raise AssertionError("functional variant is required")
        if SchemaKind.out not in d:
            return None
        return NativeFunctionsGroup(d[SchemaKind.functional], d.get(SchemaKind.inplace), d.get(SchemaKind.mutable), d[SchemaKind.out])

    def __post_init__(self) -> None:
        signature = self.functional.func.signature()
        for f in self.functions():
            if signature != f.func.signature():
                raise AssertionError(
                    "NativeFunctionsGroup constructed from two NativeFunctions "
                    f"that don't have matching signatures: {signature} != {f.func.signature()}"
                )
            if self.structured != f.part_of_structured_group:
                raise AssertionError(
                    f"NativeFunctionsGroup constructed from structured and unstructured functions: {self.out.func.name} and {f.func.name}"
                )
        for name in ("functional", "out", "inplace", "mutable"):
            self._check_member(name, getattr(self, name))
        # The functional twin of a mutable operator takes the same arguments, so it must have another name.
        if self.mutable is not None and not self.functional.func.name.name.functional_overload:
            raise AssertionError("functional.func.name.name.functional_overload must be True when mutable is not None")
        if self.structured:
            self._check_structured()
        self._check_generated()

    def _check_member(self, name: str, f: NativeFunction | None) -> None:
        if f is None:
            return
        if f.func.kind() is not SchemaKind[name]:
            raise AssertionError(f"{name}.func.kind() is {f.func.kind()}, expected SchemaKind.{name}")
        if f.namespace != self.functional.namespace:
            if name == "out":
                raise AssertionError(f"functional.namespace ({self.functional.namespace}) != out.namespace ({f.namespace})")
            raise AssertionError(f"{name}.namespace ({f.namespace}) != functional.namespace ({self.functional.namespace})")

    def _check_structured(self) -> None:
        if self.out.has_composite_implicit_autograd_kernel or self.out.has_composite_implicit_autograd_nested_tensor_kernel:
            raise AssertionError("structured composite kernels are not supported")
        for f in (self.functional, self.inplace):
            if f is not None and f.structured_delegate != self.out.func.name:
                raise AssertionError(f"{f.func.name} delegates to {f.structured_delegate} but its actual delegate is {self.out.func.name}")

    def _check_generated(self) -> None:
        """What was generated must be what the members' entries say, so that a reader of the file finds every operator."""
        generated = [f for f in self.functions() if "generated" in f.tags]
        announced = {str(name) for f in self.functions() for name in f.autogen}
        if not generated and not announced:
            return
        made, said = ", ".join(sorted(str(f.func.name) for f in generated)), ", ".join(sorted(announced))
        if not announced:
            *_, last = self.functions()
            raise RuntimeError(
                f"The codegen expects to be able to generate '{made}'."
                " In order to generate them however, we expect them to be called out explicitly in the yaml."
                f" Please add an 'autogen: {made}' line to the entry for {last.func.name}"
            )
        if made != said:
            raise RuntimeError(
                f"The codegen expects to be able to generate '{made}'."
                f" To do so, it expects a line: 'autogen: {made}'."
                f" Instead, it found 'autogen: {said}'"
            )


@dataclass(frozen=True)
class NativeFunctionsViewGroup:
    """A view, the operator that makes the same into a new tensor, and the one that turns its argument into the view."""

    view: NativeFunction
    view_copy: NativeFunction | None
    view_inplace: NativeFunction | None

    def __post_init__(self) -> None:
        view, copy, inplace = self.view, self.view_copy, self.view_inplace
        if not view.is_view_op:
            raise AssertionError(f"view is not a view op: {view.func.name}")
        if copy is not None:
            self._check_copy(copy)
        elif gets_generated_view_copy(view):
            raise AssertionError(
                f"{view.func.name} appears to be a new operator that aliases its inputs."
                " The codegen expects you to add a corresponding operator to native_functions.yaml:"
                f" {get_view_copy_name(view)}."
                " See Note [view_copy NativeFunctions] for details."
            )
        if inplace is None:
            return
        if view.func.signature() != inplace.func.signature():
            raise AssertionError(f"view and view_inplace signatures don't match: {view.func.signature()} != {inplace.func.signature()}")
        for key, theirs, its in (
            ("", view.has_composite_implicit_autograd_kernel, inplace.has_composite_implicit_autograd_kernel),
            (
                "NestedTensor",
                view.has_composite_implicit_autograd_nested_tensor_kernel,
                inplace.has_composite_implicit_autograd_nested_tensor_kernel,
            ),
        ):
            if theirs and not its:
                raise AssertionError(
                    f"{view.func.name} and {inplace.func.name} must either"
                    f" both have CompositeImplicitAutograd{key} kernels, or both not have composite kernels."
                )

    def _check_copy(self, copy: NativeFunction) -> None:
        if not copy.func.name.name.base.endswith(("_copy", "_scatter")):
            raise AssertionError(f"view_copy name must end with '_copy' or '_scatter': {copy.func.name}")
        if self.view.func.signature() != copy.func.view_signature():
            raise AssertionError(f"view and view_copy signatures don't match: {self.view.func.signature()} != {copy.func.view_signature()}")
        if "view_copy" not in copy.tags:
            raise AssertionError(
                f"{str(copy.func.name), str(self.view.tags)} appears to be a view_copy operator. The codegen expects"
                " view_copy operators to be annotated with the 'view_copy' tag in native_functions.yaml."
                " See Note [view_copy NativeFunction] for details."
            )

    def functions(self, *, include_copy: bool = True) -> Iterator[NativeFunction]:
        """The members: view, in-place view, copy."""
        yield self.view
        if self.view_inplace is not None:
            yield self.view_inplace
        if self.view_copy is not None and include_copy:
            yield self.view_copy

    @property
    def root_name(self) -> str:
        return self.view.root_name

    @property
    def composite(self) -> bool:
        """Whether the view, and hence its in-place variant, decomposes into other views."""
        return self.view.has_composite_implicit_autograd_kernel


def gets_generated_view_copy(f: NativeFunction) -> bool:
    """Whether an operator is a view that needs a copying variant.

    Composites get theirs by decomposing, in-place views share that of the view, and the inverses of views have one by
    hand under the name of a scatter.
    """
    return (
        f.is_view_op
        and not f.has_composite_implicit_autograd_kernel
        and "inplace_view" not in f.tags
        and not f.func.name.name.base.endswith("_inverse")
    )


def get_view_copy_name(f: NativeFunction) -> OperatorName:
    """The name of a view's copying variant.

    Raises
    ------
    AssertionError
        If there is none. (``narrow`` is a composite that has one all the same.)
    """
    if str(f.func.name) != "narrow" and not gets_generated_view_copy(f):
        raise AssertionError(f"{f.func.name} does not have a generated view_copy variant")
    name = f.func.name.name
    return OperatorName(BaseOperatorName(f"{name.base}_copy", False, name.dunder_method), f.func.name.overload_name)


@dataclass(frozen=True)
class BackendIndex:
    """The kernels of one backend.

    Attributes
    ----------
    dispatch_key : DispatchKey
    use_out_as_primary : bool
        Whether the kernel of a group's out= variant serves the others; else that of the functional one does.
    device_guard : bool
        Whether calls must switch to the tensors' device.
    external : bool
        Whether the backend is built elsewhere.
    index : dict of OperatorName to BackendMetadata
    """

    dispatch_key: DispatchKey
    use_out_as_primary: bool
    device_guard: bool
    external: bool
    index: dict[OperatorName, BackendMetadata]

    @staticmethod
    def grow_index(
        parent_index: dict[DispatchKey, dict[OperatorName, BackendMetadata]],
        child_index: dict[DispatchKey, dict[OperatorName, BackendMetadata]],
    ) -> None:
        """Add the kernels of an entry to those of a file, which has a dict for every key.

        Raises
        ------
        AssertionError
            If an operator has a kernel at a key already.
        """
        for key, kernels in child_index.items():
            own = parent_index[key]
            for name, metadata in kernels.items():
                if name in own:
                    raise AssertionError(f"duplicate operator {name} for dispatch key {key}")
                own[name] = metadata

    def primary(self, g: NativeFunctionsGroup) -> NativeFunction:
        """The member of a group whose kernel serves the others."""
        return g.out if self.use_out_as_primary else g.functional

    def has_kernel(self, g: NativeFunction | NativeFunctionsGroup) -> bool:
        return self.get_kernel(g) is not None

    def get_kernel(self, g: NativeFunction | NativeFunctionsGroup) -> BackendMetadata | None:
        """The kernel of an operator, or of a group's primary one; None if there is none."""
        f = self.primary(g) if isinstance(g, NativeFunctionsGroup) else g
        return self.index.get(f.func.name)

    def native_function_class_name(self) -> str | None:
        """The class that an external backend's kernels are members of."""
        return f"{self.dispatch_key}NativeFunctions" if self.external else None


def gets_generated_out_inplace_wrapper(f: NativeFunction, g: NativeFunctionsGroup, b: BackendIndex) -> bool:
    """Whether a backend's in-place or out= kernel is made from its functional one."""
    return f.func.kind() is not SchemaKind.functional and not b.has_kernel(f) and b.has_kernel(g.functional)
