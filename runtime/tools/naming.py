"""How logs name things: numbers of tensors, ``f32[2, 3]``, and the line of the user's code that called an operator."""

import linecache
import sys
import weakref
from pathlib import Path

import runtime

_PACKAGE = str(Path(runtime.__file__).parent) + "/"

#: Short names of dtypes.
dtype_abbrs = {
    getattr(runtime, name): short
    for name, short in {
        "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
        "float16": "f16", "float32": "f32", "float64": "f64", "bfloat16": "bf16", "complex32": "c32", "complex64": "c64", "complex128": "c128",
        "bool": "b8", "float8_e5m2": "f8e5m2", "float8_e4m3fn": "f8e4m3fn", "float8_e5m2fnuz": "f8e5m2fnuz",
        "float8_e4m3fnuz": "f8e4m3fnuz", "float8_e8m0fnu": "f8e8m0fnu", "float4_e2m1fn_x2": "f4e2m1fnx2", "bits1x8": "b1x8",
        "bits2x4": "b2x4", "bits4x2": "b4x2", "bits8": "b8x1", "bits16": "b16x1",
    }.items()
    if hasattr(runtime, name)
}  # fmt: skip


def shape_text(tensor):
    """A tensor's dtype and shape: ``f32[2, 3]``."""
    return f"{dtype_abbrs[tensor.dtype]}[{', '.join(map(str, tensor.shape))}]"


class TensorNumbers:
    """Numbers of tensors, from 0 in the order in which they are asked for; a tensor keeps its number for as long as it lives."""

    def __init__(self):
        self._known = {}  # id -> (weak reference, number)
        self._next = 0

    def __getitem__(self, tensor):
        key = id(tensor)
        known = self._known.get(key)
        if known is not None and known[0]() is tensor:
            return known[1]
        number = self._next
        self._next += 1
        self._known[key] = weakref.ref(tensor, lambda gone: self._forget(key, gone)), number
        return number

    def _forget(self, key, reference):
        if key in self._known and self._known[key][0] is reference:
            del self._known[key]


def user_frame():
    """The innermost frame outside this package; None if there is none."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return frame


def frame_text(frame):
    """A frame as ``File: x.py:3 in function, code: y = x + 1``."""
    name, line = frame.f_code.co_filename, frame.f_lineno
    return f"File: {name}:{line} in {frame.f_code.co_name}, code: {linecache.getline(name, line).strip()}"


def source_line():
    """The line of the user's code that runs, as text; the empty string where there is none."""
    frame = user_frame()
    return "" if frame is None else frame_text(frame)
