"""Groups of dtypes, as tests name them: what an operator's kernels take.

Each function gives a tuple; those whose names end in ``_and`` take further dtypes.
"""

import runtime
from runtime.testing.op_info import dtypes_of


class _Dtypes(tuple):
    """A tuple whose sums with tuples are of this class."""

    __slots__ = ()

    def __add__(self, other):
        return _Dtypes(tuple.__add__(self, other))


_KINDS = {
    "empty_types": "",
    "integral_types": "i",
    "floating_types": "f",
    "complex_types": "c",
    "floating_and_complex_types": "fc",
    "all_types": "if",
    "all_types_and_complex": "ifc",
}


def _of(kinds):
    # PyTorch names floating-point dtypes before integers.
    order = [kind for kind in "fic" if kind in kinds]
    return _Dtypes(dtypes_of("".join(order)))


def _checked(dtypes):
    for dtype in dtypes:
        if not isinstance(dtype, runtime.dtype):
            raise AssertionError(f"Expected dtype to be torch.dtype, got {type(dtype)}")
    return _Dtypes(dtypes)


def _make(name, kinds):
    def plain():
        return _of(kinds)

    def with_more(*dtypes):
        return _of(kinds) + _checked(dtypes)

    plain.__name__ = plain.__qualname__ = name
    plain.__doc__ = f"The dtypes of the kinds {kinds!r}; see `runtime.testing.op_info.KINDS`."
    with_more.__name__ = with_more.__qualname__ = f"{name}_and"
    with_more.__doc__ = f"The dtypes of the kinds {kinds!r}, and others."
    globals().update({name: plain, f"{name}_and": with_more})


for _name, _kinds in _KINDS.items():
    _make(_name, _kinds)


def floating_types_and_half():
    """The floating-point dtypes and float16."""
    return _of("f") + (runtime.float16,)


def all_types_and_half():
    """The real dtypes and float16."""
    return _of("if") + (runtime.float16,)


def double_types():
    """The dtypes of double precision."""
    return _Dtypes((runtime.float64, runtime.complex128))


def float8_types():
    """The floating-point dtypes of 8 bits."""
    return _Dtypes((runtime.float8_e4m3fn, runtime.float8_e5m2, runtime.float8_e4m3fnuz, runtime.float8_e5m2fnuz))


def custom_types(*dtypes):
    """Some dtypes."""
    return _checked(dtypes)


def get_all_dtypes(include_half=True, include_bfloat16=True, include_bool=True, include_complex=True, include_complex32=False, include_qint=False):
    """All dtypes, as a list, but for some."""
    found = get_all_int_dtypes() + get_all_fp_dtypes(include_half, include_bfloat16)
    found += [runtime.bool] if include_bool else []
    return found + (get_all_complex_dtypes(include_complex32) if include_complex else [])


def get_all_int_dtypes():
    """The integer dtypes, as a list."""
    return dtypes_of("i")


def get_all_fp_dtypes(include_half=True, include_bfloat16=True):
    """The floating-point dtypes, as a list."""
    found = dtypes_of("f")
    found += [runtime.float16] if include_half else []
    return found + ([runtime.bfloat16] if include_bfloat16 else [])


def get_all_complex_dtypes(include_complex32=False):
    """The complex dtypes, as a list."""
    return ([runtime.complex32] if include_complex32 else []) + dtypes_of("c")


def get_all_math_dtypes(device):
    """The dtypes that arithmetic takes on a device, as a list."""
    return get_all_int_dtypes() + get_all_fp_dtypes(include_half=device.startswith("cuda"), include_bfloat16=False) + get_all_complex_dtypes()


def highest_precision_float(device):
    """float64, which every device here has."""
    return runtime.float64


#: The complex dtype with parts of a floating-point dtype.
float_to_corresponding_complex_type_map = {
    runtime.float16: runtime.complex32,
    runtime.float32: runtime.complex64,
    runtime.float64: runtime.complex128,
}

__all__ = [
    *(name for base in _KINDS for name in (base, f"{base}_and")), "all_types_and_half", "custom_types", "double_types", "float8_types",
    "float_to_corresponding_complex_type_map", "floating_types_and_half", "get_all_complex_dtypes", "get_all_dtypes", "get_all_fp_dtypes",
    "get_all_int_dtypes", "get_all_math_dtypes", "highest_precision_float",
]  # fmt: skip
