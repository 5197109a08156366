"""One entry of the operator list: the schema with all that is said beside it.

`NativeFunction.from_yaml` reads an entry and holds it against every rule that concerns it alone; rules about several
entries stand in `groups`, `gen` and `native_function_generation`. What an entry says about single backends, its
kernels, is not part of it: backends are indexed by themselves (`BackendIndex`), so that others can be added.
Part of `runtime.torchgen.model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from runtime.torchgen.api import cpp, ufunc
from runtime.torchgen.arguments import Argument
from runtime.torchgen.function_schema import FunctionSchema, SchemaKind
from runtime.torchgen.keys import (
    DEFAULT_KERNEL_NAMESPACE,
    STRUCTURED_DISPATCH_KEYS,
    UFUNC_DISPATCH_KEYS,
    DispatchKey,
    ScalarType,
    UfuncKey,
    dispatch_keys,
    is_structured_dispatch_key,
)
from runtime.torchgen.names import OperatorName
from runtime.torchgen.utils import NamespaceHelper, OrderedSet, add_context, frozen

__all__ = [
    "BackendMetadata",
    "DeviceCheckType",
    "Location",
    "NativeFunction",
    "Precompute",
    "UfuncInnerLoop",
    "Variant",
    "ViewSchemaKind",
]

_IMPLICIT = DispatchKey.CompositeImplicitAutograd
_IMPLICIT_NESTED = DispatchKey.CompositeImplicitAutogradNestedTensor
_EXPLICIT = DispatchKey.CompositeExplicitAutograd
_EXPLICIT_NON_FUNCTIONAL = DispatchKey.CompositeExplicitAutogradNonFunctional
_COMPOSITES = frozenset([_IMPLICIT, _IMPLICIT_NESTED, _EXPLICIT, _EXPLICIT_NON_FUNCTIONAL])
_SUPPORTED_KEYS = frozenset(dispatch_keys)
_UFUNC_KEYS_IN_ORDER = [key for key in dispatch_keys if key in UFUNC_DISPATCH_KEYS]


@frozen
class Location:
    """A line of a file; what errors name."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Variant(Enum):
    """A form in which an operator is offered to Python."""

    function = auto()
    method = auto()


class DeviceCheckType(Enum):
    """Whether generated code checks that all tensors of a call are on one device."""

    NoCheck = 0
    ExactSame = 1


class ViewSchemaKind(Enum):
    """How an operator's result shares memory with its inputs."""

    aliasing = auto()
    aliasing_inplace = auto()
    non_aliasing = auto()


@frozen
class BackendMetadata:
    """The kernel of one operator for one backend.

    Attributes
    ----------
    kernel : str
        The function's name.
    structured : bool
        Whether the kernel is structured at this backend: its shapes and dtypes come from a rule that it does not own.
    cpp_namespace : str
        The function's namespace.
    """

    kernel: str
    structured: bool
    cpp_namespace: str

    def supports_symint(self) -> bool:
        """Whether the kernel takes symbolic integers, which its name tells."""
        return "_symint" in self.kernel


@dataclass(frozen=True)
class UfuncInnerLoop:
    """A function on single elements, of which kernels are made, with the dtypes that it serves."""

    name: str
    supported_dtypes: OrderedSet[ScalarType]
    ufunc_key: UfuncKey

    @staticmethod
    def parse(value: str, ufunc_key: UfuncKey) -> UfuncInnerLoop:
        """Read ``add (AllAndComplex, BFloat16)``.

        Raises
        ------
        AssertionError
            If the brackets are missing or a dtype is unknown.
        """
        name, _, dtypes = value.partition(" ")
        if not dtypes.startswith("("):
            raise AssertionError(f"expected '(' at start of supported_dtypes, got: {dtypes}")
        if not dtypes.endswith(")"):
            raise AssertionError(f"expected ')' at end of supported_dtypes, got: {dtypes}")
        return UfuncInnerLoop(name, ScalarType.parse_set(dtypes[1:-1]), ufunc_key)


@dataclass(frozen=True)
class Precompute:
    """What a structured operator's rule works out for its kernel.

    Attributes
    ----------
    replace : dict of str to list of Argument
        The kernel takes these in the place of an argument.
    add : list of Argument
        The kernel takes these beside its arguments.
    """

    replace: dict[str, list[Argument]]
    add: list[Argument]

    @staticmethod
    def parse(src: object) -> Precompute:
        """Read lines such as ``dim -> int dim, int stride``; the last may have no arrow and tells what is added.

        Raises
        ------
        AssertionError, RuntimeError
            If a line breaks a rule, or a word in a type is unknown.
        """
        if not isinstance(src, list):
            raise AssertionError(f"precomputed must be a list, got {type(src)}")
        for line in src:
            if not isinstance(line, str):
                raise AssertionError(f"precomputed item must be a str, got {type(line)}")
        add: list[Argument] = []
        if src and " -> " not in src[-1]:
            *src, last = src
            add = _declarations(last)
        replace: dict[str, list[Argument]] = {}
        for line in src:
            name, arrow, declarations = line.partition(" -> ")
            if not arrow:
                raise AssertionError(f"precomputed parameters without replacement are allowed only in the last line, got: {line}")
            if " " in name:
                raise AssertionError(f"illegal kernel param name '{name}' in precomputed parameters")
            replace[name] = _declarations(declarations)
        result = Precompute(replace, add)
        if result.to_list() != src:
            raise AssertionError(f"r.to_list() != src: {result.to_list()} != {src}")
        return result

    def __post_init__(self) -> None:
        # The kernel's template parameters are the names in upper case.
        for a in [*self.add, *(a for arguments in self.replace.values() for a in arguments)]:
            if a.name.upper() == a.name:
                raise AssertionError(f"precomputed argument name must not be all uppercase: {a.name}")

    def to_list(self) -> list[str]:
        """The lines with arrows."""
        return [f"{name} -> {', '.join(map(str, arguments))}" for name, arguments in self.replace.items()]


def _declarations(text: str) -> list[Argument]:
    return [Argument.parse(part.strip()) for part in text.split(",")]


def _take(entry: dict[str, object], key: str, default: object, kind: type, complaint: str):
    """Remove a value from an entry that is still being read, and check its type."""
    value = entry.pop(key, default)
    if value is not default and not isinstance(value, kind):
        raise AssertionError(f"{complaint}: {value}")
    return value


def _take_without_namespace(entry: dict[str, object], key: str, what: str) -> str | None:
    value = _take(entry, key, None, str, "not a str")
    if value is not None and "::" in value:
        raise AssertionError(f"namespace is not supported in {what}, using the same namespace as the native function")
    return value


@dataclass(frozen=True)
class NativeFunction:
    """One operator overload, as declared.

    Attributes
    ----------
    namespace : str
        ``aten`` unless the entry says otherwise.
    func : FunctionSchema
    use_const_ref_for_mutable_tensors : bool
        Whether C++ takes tensors that are written by const reference, like the others.
    device_guard : bool
        Whether generated code switches to the tensors' device.
    device_check : DeviceCheckType
    python_module : str or None
        Where Python has the function: ``nn`` for ``torch.nn.functional``.
    category_override : str or None
        The heading under which documentation lists it.
    variants : set of Variant
    manual_kernel_registration : bool
        Whether its kernels are registered by hand.
    manual_cpp_binding : bool
        Whether its functions and methods are written by hand.
    loc : Location
        The entry's place.
    autogen : list of OperatorName
        The variants that are generated from it. Which those are follows from the schemas; the list makes readers of
        the file find them, and is held against what is generated.
    ufunc_inner_loop : dict of UfuncKey to UfuncInnerLoop
        What its kernels are made of, if not written as such.
    structured : bool
        An out= operator whose shapes and dtypes are worked out by a rule apart from its kernels.
    structured_delegate : OperatorName or None
        The structured operator that the kernels of this variant come from.
    structured_inherits : str or None
        The class that the rule's class derives from.
    precomputed : Precompute or None
    cpp_no_default_args : set of str
        Arguments that have no default in C++, where overloads would be ambiguous.
    is_abstract : bool
        Whether its kernels differ from backend to backend.
    has_composite_..._kernel : bool
        Whether there is a kernel for all backends, by kind.
    tags : set of str
    """

    namespace: str
    func: FunctionSchema
    use_const_ref_for_mutable_tensors: bool
    device_guard: bool
    device_check: DeviceCheckType
    python_module: str | None
    category_override: str | None
    variants: set[Variant]
    manual_kernel_registration: bool
    manual_cpp_binding: bool
    loc: Location
    autogen: list[OperatorName]
    ufunc_inner_loop: dict[UfuncKey, UfuncInnerLoop]
    structured: bool
    structured_delegate: OperatorName | None
    structured_inherits: str | None
    precomputed: Precompute | None
    cpp_no_default_args: set[str]
    is_abstract: bool
    has_composite_implicit_autograd_kernel: bool
    has_composite_implicit_autograd_nested_tensor_kernel: bool
    has_composite_explicit_autograd_kernel: bool
    has_composite_explicit_autograd_non_functional_kernel: bool
    tags: set[str]

    @staticmethod
    def from_yaml(
        ei: dict[str, object], loc: Location, valid_tags: set[str], ignore_keys: set[DispatchKey] | None = None
    ) -> tuple[NativeFunction, dict[DispatchKey, dict[OperatorName, BackendMetadata]]]:
        """Read an entry.

        Parameters
        ----------
        ei : dict
            The entry as YAML has it; left as it is. Keys ``__line__`` are not part of it.
        loc : Location
            Its place.
        valid_tags : set of str
            The tags that exist.
        ignore_keys : set of DispatchKey, optional
            Keys whose kernels are left out.

        Returns
        -------
        function : NativeFunction
        kernels : dict of DispatchKey to dict of OperatorName to BackendMetadata
            The entry's kernels, to be put into the backends' indices.

        Raises
        ------
        AssertionError, RuntimeError
            If the entry breaks a rule. The message tells the rule, the entry's place and its `func`.
        """
        try:
            return _read(dict(ei), loc, valid_tags, ignore_keys or frozenset())
        except Exception as error:
            add_context(error, f"in {loc}:\n  {ei.get('func')}")
            raise

    def validate_unstructured(self) -> None:
        """Check that a function outside of every structured group may be there.

        Raises
        ------
        AssertionError
            If it is structured, or says of no operator that it delegates to it.
        """
        if self.structured:
            raise AssertionError("This function is structured, but there was no valid functional variant of it.")
        if not self.structured_delegate:
            raise AssertionError(
                "This function delegates to another structured out function, "
                "but no valid function was found (the delegate may not exist, or it has the wrong type)"
            )

    def __post_init__(self) -> None:
        if self.func.arguments.out and self.variants != {Variant.function}:
            raise AssertionError(
                "Native functions with out arguments MUST "
                "be declared with only function variant; e.g., variants: function; "
                "otherwise you will tickle a Python argument binding bug "
                "(which usually manifests itself as the result variable being undefined.)"
            )
        if self.structured or self.structured_delegate:
            self._check_structured()
        if self.cpp_no_default_args:
            invalid = self.cpp_no_default_args - {a.name for a in self.func.schema_order_arguments() if a.default is not None}
            if invalid:
                raise AssertionError(f"Invalid cpp_no_default_args: {invalid}")
        if self.structured_inherits is not None and not self.structured:
            raise AssertionError("structured_inherits must also imply structured: True")
        if str(self.func.name).startswith("_foreach") and self.device_check is not DeviceCheckType.NoCheck:
            raise AssertionError(
                "foreach kernels fall back to slow path when tensor are on different devices, device_check not allowed to be enabled"
            )
        if "nondeterministic_seeded" not in self.tags and self._looks_random():
            raise AssertionError(f"nondeterministic_seeded tag missing for {self.func.name}")

    def _check_structured(self) -> None:
        is_out = self.func.kind() is SchemaKind.out
        if self.structured and not is_out:
            raise AssertionError("Put structured field on the out= variant of a function; did you mean structured_delegate?")
        if self.structured_delegate and is_out:
            if self.structured:
                raise AssertionError("Cannot have both structured and structured_delegate on function")
            raise AssertionError("structured_delegate field not allowed on out= functions; did you mean structured?")
        if not self.device_guard:
            raise AssertionError("device_guard: False is not respected by structured kernels")

    def _looks_random(self) -> bool:
        """Whether the names or a generator give it away; the backward of dropout draws no numbers."""
        name = str(self.func.name)
        if "rand" in name or self.func.arguments.has_generator_arg():
            return True
        if "backward" in name or str(self.func.name.name) == "_cudnn_init_dropout_state":
            return False
        return "dropout" in name or any("dropout" in a.name for a in self.func.arguments.flat_all)

    @property
    def place(self) -> str:
        """Where it was declared and how, for the end of a message."""
        return f"in {self.loc}:\n  {self.func if self.namespace == 'aten' else f'{self.namespace}::{self.func}'}"

    @property
    def has_composite_kernel(self) -> bool:
        """Whether a kernel serves all backends; one for nested tensors alone does not."""
        return (
            self.has_composite_implicit_autograd_kernel
            or self.has_composite_explicit_autograd_kernel
            or self.has_composite_explicit_autograd_non_functional_kernel
        )

    @property
    def is_view_op(self) -> bool:
        """Whether its result shares memory with an input that it does not write to, or its input becomes a view."""
        if any(r.annotation is not None and not r.annotation.is_write for r in self.func.returns):
            return True
        # Those two change their argument's storage; nothing is a view of anything afterwards.
        if "inplace_view" in self.tags and str(self.func.name) not in ("resize_", "resize_as_"):
            return True
        return any(a.annotation is not None and "*" in a.annotation.alias_set_after for a in self.func.schema_order_arguments())

    @property
    def view_schema_kind(self) -> ViewSchemaKind:
        """How its result shares memory with its inputs.

        Raises
        ------
        AssertionError
            If it is an in-place view without the tag that says so.
        """
        if not self.is_view_op:
            return ViewSchemaKind.non_aliasing
        if not self.func.name.name.inplace:
            return ViewSchemaKind.aliasing
        if "inplace_view" not in self.tags:
            raise AssertionError(f"inplace_view tag missing for {self.func.name}")
        return ViewSchemaKind.aliasing_inplace

    @property
    def root_name(self) -> str:
        """The base name, which all variants share."""
        return self.func.name.name.base

    @property
    def part_of_structured_group(self) -> bool:
        return self.structured or self.structured_delegate is not None


# ---- reading an entry: `e` loses what has been read, so that what is left is unknown


def _read(e: dict[str, object], loc: Location, valid_tags: set[str], ignore_keys):
    text = e.pop("func", None)
    if not isinstance(text, str):
        raise AssertionError(f"not a str: {text}")
    qualified = NamespaceHelper.from_namespaced_entity(text, max_level=1)
    namespace = qualified.get_cpp_namespace(default="aten")
    func = FunctionSchema.parse(qualified.entity_name)

    cpp_no_default_args = _take(e, "cpp_no_default_args", (), list, "cpp_no_default_args is not a list")
    if not all(isinstance(name, str) for name in cpp_no_default_args):
        raise AssertionError(f"Invalid cpp_no_default_args: {cpp_no_default_args}")
    const_ref = _take(e, "use_const_ref_for_mutable_tensors", False, bool, "use_const_ref_for_mutable_tensors is not a bool")
    if const_ref and func.arguments.out:
        raise AssertionError("see https://github.com/pytorch/pytorch/issues/145522")
    variants = set()
    for name in _take(e, "variants", "function", str, "variants is not a str").split(", "):
        if name not in Variant.__members__:
            raise AssertionError(f"illegal variant {name}")
        variants.add(Variant[name])
    manual_kernel_registration = _take(e, "manual_kernel_registration", False, bool, "not a bool")
    manual_cpp_binding = _take(e, "manual_cpp_binding", False, bool, "not a bool")
    device_guard = _take(e, "device_guard", True, bool, "not a bool")
    device_check = _take(e, "device_check", "ExactSame", str, "not a str")
    if device_check not in DeviceCheckType.__members__:
        raise AssertionError(f"illegal device_check: {device_check}")
    structured = _take(e, "structured", False, bool, "not a bool")
    delegate = _take_without_namespace(e, "structured_delegate", "structured delegate")
    structured_inherits = _take_without_namespace(e, "structured_inherits", "structured inherits")
    python_module = _take(e, "python_module", None, str, "not a str")
    if python_module is not None and Variant.method in variants:
        raise AssertionError("functions in modules cannot be methods")
    category_override = _take(e, "category_override", None, str, "not a str")
    precomputed = e.pop("precomputed", None)
    if precomputed is not None and not structured:
        raise AssertionError(f"precomputed requires structured=True, got structured={structured}")
    tags = _read_tags(e, namespace, func, valid_tags)
    kernels = _read_dispatch(e, func, manual_kernel_registration, structured, delegate, ignore_keys)
    autogen = _take(e, "autogen", "", str, "autogen is not a str")
    loops = _read_ufunc_inner_loop(e)
    if loops:
        if not structured:
            raise AssertionError("ufunc must be structured")
        for key in _UFUNC_KEYS_IN_ORDER:
            if key in kernels:
                raise AssertionError(f"ufunc should not have explicit dispatch entry for {key}")
            kernels[key] = BackendMetadata(ufunc.schema_kernel_name(func, key), True, DEFAULT_KERNEL_NAMESPACE)
    e.pop("__line__", None)
    if e:
        raise AssertionError(f"leftover entries: {e}")
    if delegate is not None:
        for key in kernels:
            if key in STRUCTURED_DISPATCH_KEYS:
                raise AssertionError(f"if structured_delegate, then must not have {key} in dispatch dictionary (it is delegated!)")

    function = NativeFunction(
        namespace=namespace,
        func=func,
        use_const_ref_for_mutable_tensors=const_ref,
        device_guard=device_guard,
        device_check=DeviceCheckType[device_check],
        python_module=python_module,
        category_override=category_override,
        variants=variants,
        manual_kernel_registration=manual_kernel_registration,
        manual_cpp_binding=manual_cpp_binding,
        loc=loc,
        autogen=[OperatorName.parse(name) for name in autogen.split(", ")] if autogen else [],
        ufunc_inner_loop=loops,
        structured=structured,
        structured_delegate=OperatorName.parse(delegate) if delegate is not None else None,
        structured_inherits=structured_inherits,
        precomputed=Precompute.parse(precomputed) if precomputed else None,
        cpp_no_default_args=set(cpp_no_default_args),
        # A delegating one has no kernels here, and different ones all the same.
        is_abstract=bool(delegate) or not kernels or not kernels.keys() <= {_IMPLICIT, _IMPLICIT_NESTED},
        has_composite_implicit_autograd_kernel=_IMPLICIT in kernels,
        has_composite_implicit_autograd_nested_tensor_kernel=_IMPLICIT_NESTED in kernels,
        has_composite_explicit_autograd_kernel=_EXPLICIT in kernels,
        has_composite_explicit_autograd_non_functional_kernel=_EXPLICIT_NON_FUNCTIONAL in kernels,
        tags=tags,
    )
    return function, {key: {func.name: kernel} for key, kernel in kernels.items()}


def _read_tags(e: dict[str, object], namespace: str, func: FunctionSchema, valid_tags: set[str]) -> set[str]:
    written = e.pop("tags", [])
    if isinstance(written, str):
        written = [written]
    if not isinstance(written, list):
        raise AssertionError(f"tags is not a list: {written}")
    if written and not valid_tags:
        raise AssertionError("valid_tags is empty")
    for tag in written:
        if not isinstance(tag, str) or tag not in valid_tags:
            raise AssertionError(f"illegal tag {tag}")
    implied = {"pt2_compliant_tag": namespace == "aten", "out": func.is_out_fn(), "inplace": func.name.name.inplace}
    return {*written, *(tag for tag, holds in implied.items() if holds and tag in valid_tags)}


def _read_dispatch(
    e: dict[str, object], func: FunctionSchema, manual: bool, structured: bool, delegate: str | None, ignore_keys
) -> dict[DispatchKey, BackendMetadata]:
    """The kernels that an entry names, or the one that it implies if it names none."""
    raw = e.pop("dispatch", None)
    if not (raw is None or isinstance(raw, dict)):
        raise AssertionError(f"dispatch is not a dict: {raw}")
    kernels: dict[DispatchKey, BackendMetadata] = {}
    if raw is None:
        if not structured and delegate is None:
            _check_may_decompose(func)
            kernels[_IMPLICIT] = BackendMetadata(cpp.name(func), False, DEFAULT_KERNEL_NAMESPACE)
        return kernels
    if manual:
        raise AssertionError("cannot specify both manual_kernel_registration and dispatch; with manual registration, dispatch has no effect!")
    seen = set()
    for names, value in raw.items():
        if names == "__line__":
            continue
        if not isinstance(names, str):
            raise AssertionError(f"illegal dispatch key '{names}' in {raw}")
        if not isinstance(value, str):
            raise AssertionError(f"illegal dispatch value '{value}' in {raw}")
        for name in names.split(","):
            key = DispatchKey.parse(name.strip())
            if key in seen:
                raise AssertionError(f"dispatch key {key} stands twice in {raw}")
            seen.add(key)
            if key in ignore_keys:
                continue
            if key not in _SUPPORTED_KEYS:
                raise AssertionError(f"Dispatch key {key} of kernel {value} is not a supported dispatch key.")
            qualified = NamespaceHelper.from_namespaced_entity(value, max_level=3)
            kernels[key] = BackendMetadata(
                qualified.entity_name,
                structured and is_structured_dispatch_key(key),
                f"{qualified.get_cpp_namespace(default='at')}::native",
            )
    # Ignored keys count here: an entry is not redundant because its other kernels are left out.
    if len(seen) == 1 and kernels.keys() == {_IMPLICIT}:
        if raw[next(key for key in raw if key != "__line__")] == cpp.name(func):
            raise AssertionError("unnecessary dispatch table for this function; just delete the dispatch key entirely")
        own = kernels[_IMPLICIT].cpp_namespace == DEFAULT_KERNEL_NAMESPACE  # `made::` and `same::` name operators
        if not delegate and own and not kernels[_IMPLICIT].supports_symint():
            raise AssertionError(
                f"unexpected name for singleton CompositeImplicitAutograd dispatch entry: expected {cpp.name(func)} "
                f"but got {kernels[_IMPLICIT]}.  Rename your implementation to the expected "
                "name, then delete the dispatch table"
            )
    composites = kernels.keys() & _COMPOSITES
    if len(composites) > 2 or (len(composites) == 2 and (_EXPLICIT_NON_FUNCTIONAL in composites or _IMPLICIT_NESTED not in composites)):
        raise AssertionError(
            "cannot specify more than one of CompositeExplicitAutograd, CompositeExplicitAutogradNonFunctional, "
            "or CompositeImplicitAutograd on a single kernel; each "
            "strictly subsumes the other.  If you wanted to provide an explicit autograd "
            "implementation, specify CompositeExplicitAutograd; otherwise specify CompositeImplicitAutograd only"
        )
    return kernels


def _check_may_decompose(func: FunctionSchema) -> None:
    """Factories are seen by modes as themselves: they may not decompose before."""
    name = str(func.name.name)
    if name.startswith("new_") or name.endswith("_like") or (func.arguments.tensor_options and not func.arguments.has_tensor_arg()):
        raise AssertionError(
            f"expected {name} to have a CompositeExplicitAutograd "
            "dispatch entry, but there was no dispatch table.  Factory functions "
            "should not have implicit dispatch as they should not be decomposed "
            "for __torch_dispatch__"
        )


def _read_ufunc_inner_loop(e: dict[str, object]) -> dict[UfuncKey, UfuncInnerLoop]:
    raw = e.pop("ufunc_inner_loop", {})
    if isinstance(raw, str):
        return {UfuncKey.Generic: UfuncInnerLoop.parse(raw, UfuncKey.Generic)}
    if not isinstance(raw, dict):
        raise AssertionError(f"ufunc_inner_loop not str or dict: {raw}")
    loops = {}
    for name, value in raw.items():
        if name == "__line__":
            continue
        if not isinstance(name, str):
            raise AssertionError(f"ufunc_inner_loop key is not a str: {name}")
        if not isinstance(value, str):
            raise AssertionError(f"ufunc_inner_loop value is not a str: {value}")
        key = UfuncKey.parse(name)
        loops[key] = UfuncInnerLoop.parse(value, key)
    return loops
