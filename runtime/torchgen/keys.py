"""Dispatch keys, dtypes and ufunc keys as the operator list names them.

The keys that entries may have kernels at, and what distinguishes groups of them. The list of the keys themselves is
PyTorch's for code generation, which is not the run time's: it has six historical names that no key set can hold, and
lacks what no entry registers at. A test holds it against include/runtime/keys.h.
"""

from __future__ import annotations

from enum import Enum, auto

from runtime.torchgen.utils import OrderedSet

__all__ = [
    "AUTOGRAD_KEYS",
    "BACKEND_COMPONENTS",
    "DEFAULT_KERNEL_NAMESPACE",
    "DTYPE_CLASSES",
    "FRAGMENT_NAMESPACES",
    "FUNCTIONALITY_KEYS",
    "STRUCTURED_DISPATCH_KEYS",
    "UFUNC_DISPATCH_KEYS",
    "DispatchKey",
    "ScalarType",
    "UfuncKey",
    "_TorchDispatchModeKey",
    "codegen_per_backend_entries",
    "dispatch_device_map",
    "dispatch_keys",
    "is_cuda_dispatch_key",
    "is_generic_dispatch_key",
    "is_structured_dispatch_key",
    "is_ufunc_dispatch_key",
    "is_xpu_dispatch_key",
]

#: Where a kernel lives whose name has no namespace.
DEFAULT_KERNEL_NAMESPACE = "at::native"

BACKEND_COMPONENTS = [
    "CPU", "CUDA", "HIP", "XLA", "MTIA", "MPS", "IPU", "XPU", "HPU", "VE", "Lazy", "Meta", "PrivateUse1", "PrivateUse2", "PrivateUse3",
]  # fmt: skip

#: Prefixes of the keys that exist once for each backend; the empty one is that of dense tensors.
FUNCTIONALITY_KEYS = ["", "Quantized", "Sparse", "SparseCsr", "NestedTensor", "Autograd"]

#: The autograd keys that a gradient formula may be given for.
AUTOGRAD_KEYS = ["AutogradNestedTensor"] + ["Autograd" + component for component in BACKEND_COMPONENTS]

#: Namespaces that several libraries define operators in.
FRAGMENT_NAMESPACES = {"quantized", "quantized_decomposed"}


class DispatchKey(Enum):
    """A key at which an entry may have a kernel, or of which generated code knows the name."""

    _ignore_ = ["_prefix", "_backend"]

    Undefined = 0
    CatchAll = Undefined

    FPGA = auto()
    MAIA = auto()
    Vulkan = auto()
    Metal = auto()
    MKLDNN = auto()
    OpenGL = auto()
    OpenCL = auto()
    IDEEP = auto()
    CustomRNGKeyId = auto()
    MkldnnCPU = auto()
    Sparse = auto()
    SparseCsr = auto()
    NestedTensor = auto()
    Dense = auto()

    PythonTLSSnapshot = auto()
    PreDispatch = auto()
    PythonDispatcher = auto()
    Python = auto()
    FuncTorchDynamicLayerBackMode = auto()
    ZeroTensor = auto()
    Conjugate = auto()
    Negative = auto()
    BackendSelect = auto()
    Named = auto()
    AutogradOther = auto()
    AutogradFunctionality = auto()
    AutogradNestedTensor = auto()
    Tracer = auto()
    Autocast = auto()
    AutocastCPU = auto()
    AutocastCUDA = auto()
    AutocastXPU = auto()
    Batched = auto()
    VmapMode = auto()
    FuncTorchGradWrapper = auto()
    FuncTorchBatched = auto()
    BatchedNestedTensor = auto()
    FuncTorchVmapMode = auto()
    FuncTorchDynamicLayerFrontMode = auto()
    Functionalize = auto()
    TESTING_ONLY_GenericWrapper = auto()
    TESTING_ONLY_GenericMode = auto()

    ADInplaceOrView = auto()
    Autograd = auto()
    CompositeImplicitAutograd = auto()
    CompositeImplicitAutogradNestedTensor = auto()
    CompositeExplicitAutograd = auto()
    CompositeExplicitAutogradNonFunctional = auto()
    FuncTorchBatchedDecomposition = auto()

    # Made in the loop that defines them, so that none can be missing: CPU ... PrivateUse3, QuantizedCPU, and so on.
    for _prefix in FUNCTIONALITY_KEYS:
        for _backend in BACKEND_COMPONENTS:
            vars()[_prefix + _backend] = auto()

    # Members are singletons: their identity is a hash, and a faster one than that of the name.
    __hash__ = object.__hash__

    def __str__(self) -> str:
        return self.name

    def lower(self) -> str:
        """The name in lower case, as it stands in file names."""
        return self.name.lower()

    @staticmethod
    def parse(value: str) -> DispatchKey:
        """The key of this name.

        Raises
        ------
        AssertionError
            If there is none.
        """
        key = _KEYS.get(value)
        if key is None:
            raise AssertionError(f"unknown dispatch key {value}")
        return key


_KEYS = dict(DispatchKey.__members__)


class _TorchDispatchModeKey(Enum):
    """The modes that stand below all others, each at most once."""

    FAKE = auto()
    PROXY = auto()
    FUNCTIONAL = auto()


def codegen_per_backend_entries() -> str:
    """The per-backend keys as lines of an enum's body."""
    return "\n".join(f"    {prefix}{backend} = auto()" for prefix in FUNCTIONALITY_KEYS for backend in BACKEND_COMPONENTS)


#: Keys at which a structured operator's kernels are structured; elsewhere they are ordinary ones.
STRUCTURED_DISPATCH_KEYS = {DispatchKey.MPS, DispatchKey.CUDA, DispatchKey.CPU, DispatchKey.XPU, DispatchKey.MTIA}

#: Keys for which an operator's kernel follows from its ufunc inner loop.
UFUNC_DISPATCH_KEYS = {DispatchKey.CUDA, DispatchKey.CPU}

#: Keys that may stand in an entry's `dispatch`. Meta seldom does: structured operators have it by themselves.
dispatch_keys = [
    DispatchKey.CPU,
    DispatchKey.SparseCPU,
    DispatchKey.SparseCsrCPU,
    DispatchKey.MkldnnCPU,
    DispatchKey.CUDA,
    DispatchKey.MPS,
    DispatchKey.XPU,
    DispatchKey.SparseXPU,
    DispatchKey.SparseCsrXPU,
    DispatchKey.SparseCUDA,
    DispatchKey.SparseCsrCUDA,
    DispatchKey.SparseMPS,
    DispatchKey.SparseCsrMPS,
    DispatchKey.QuantizedCPU,
    DispatchKey.QuantizedCUDA,
    DispatchKey.CompositeImplicitAutograd,
    DispatchKey.CompositeImplicitAutogradNestedTensor,
    DispatchKey.CompositeExplicitAutograd,
    DispatchKey.CompositeExplicitAutogradNonFunctional,
    DispatchKey.NestedTensorCPU,
    DispatchKey.NestedTensorCUDA,
    DispatchKey.NestedTensorXPU,
    DispatchKey.NestedTensorHPU,
    DispatchKey.Meta,
    DispatchKey.SparseMeta,
    DispatchKey.SparseCsrMeta,
    DispatchKey.QuantizedMeta,
    DispatchKey.NestedTensorMeta,
    DispatchKey.ZeroTensor,
    DispatchKey.MTIA,
]

_GENERIC = frozenset(
    [
        DispatchKey.CompositeExplicitAutograd,
        DispatchKey.CompositeExplicitAutogradNonFunctional,
        DispatchKey.CompositeImplicitAutograd,
        DispatchKey.CompositeImplicitAutogradNestedTensor,
    ]
)
_CUDA, _XPU = (frozenset(_KEYS[prefix + device] for prefix in FUNCTIONALITY_KEYS) for device in ("CUDA", "XPU"))


def is_generic_dispatch_key(dk: DispatchKey) -> bool:
    """Whether a kernel at this key serves all backends."""
    return dk in _GENERIC


def is_cuda_dispatch_key(dk: DispatchKey) -> bool:
    """Whether tensors with this key live on a CUDA device."""
    return dk in _CUDA


def is_xpu_dispatch_key(dk: DispatchKey) -> bool:
    """Whether tensors with this key live on an XPU device."""
    return dk in _XPU


def is_structured_dispatch_key(dk: DispatchKey) -> bool:
    """Whether structured operators have structured kernels at this key."""
    return dk in STRUCTURED_DISPATCH_KEYS


def is_ufunc_dispatch_key(dk: DispatchKey) -> bool:
    """Whether kernels at this key follow from ufunc inner loops."""
    return dk in UFUNC_DISPATCH_KEYS


#: What tells a device's keys -> the device's name in file names.
dispatch_device_map = {is_cuda_dispatch_key: "cuda", is_xpu_dispatch_key: "xpu"}


class ScalarType(Enum):
    """An element type, by its name in C++."""

    Byte = auto()
    Char = auto()
    Short = auto()
    Int = auto()
    Long = auto()
    Half = auto()
    Float = auto()
    Double = auto()
    ComplexHalf = auto()
    ComplexFloat = auto()
    ComplexDouble = auto()
    Bool = auto()
    BFloat16 = auto()
    Float8_e5m2 = auto()
    Float8_e5m2fnuz = auto()
    Float8_e4m3fn = auto()
    Float8_e4m3fnuz = auto()
    Float8_e8m0fnu = auto()

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def maybe_parse(value: str) -> ScalarType | None:
        """The dtype of this name, or None."""
        return ScalarType.__members__.get(value)

    @staticmethod
    def parse(value: str) -> ScalarType:
        """The dtype of this name.

        Raises
        ------
        AssertionError
            If there is none.
        """
        dtype = ScalarType.maybe_parse(value)
        if dtype is None:
            raise AssertionError(f"unknown dtype {value}")
        return dtype

    @staticmethod
    def parse_set(values: str) -> OrderedSet[ScalarType]:
        """The dtypes of a list such as ``"Bool, AllAndComplex"``, whose items are dtypes and names of `DTYPE_CLASSES`."""
        dtypes: OrderedSet[ScalarType] = OrderedSet()
        for value in values.split(", "):
            if value in DTYPE_CLASSES:
                dtypes.update(DTYPE_CLASSES[value])
            else:
                dtypes.add(ScalarType.parse(value))
        return dtypes


_INTEGRAL = OrderedSet([ScalarType.Byte, ScalarType.Char, ScalarType.Int, ScalarType.Long, ScalarType.Short])
_FLOATING = OrderedSet([ScalarType.Float, ScalarType.Double])
_COMPLEX = OrderedSet([ScalarType.ComplexFloat, ScalarType.ComplexDouble])

#: Names for sets of dtypes. Bool is not integral, and the floating ones are those of full precision.
DTYPE_CLASSES: dict[str, OrderedSet[ScalarType]] = {
    "Integral": _INTEGRAL,
    "Floating": _FLOATING,
    "Complex": _COMPLEX,
    "All": _INTEGRAL | _FLOATING,
    "AllAndComplex": _INTEGRAL | _FLOATING | _COMPLEX,
    "FloatingAndComplex": _FLOATING | _COMPLEX,
}


class UfuncKey(Enum):
    """What a ufunc inner loop is for. The last two stand for several of the others and are what entries mostly say."""

    CUDAFunctor = auto()
    CUDAFunctorOnOther = auto()
    CUDAFunctorOnSelf = auto()
    CPUScalar = auto()
    CPUVector = auto()
    ScalarOnly = auto()
    Generic = auto()

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def parse(value: str) -> UfuncKey:
        """The key of this name.

        Raises
        ------
        AssertionError
            If there is none.
        """
        key = UfuncKey.__members__.get(value)
        if key is None:
            raise AssertionError(f"unknown ufunc key {value}")
        return key
