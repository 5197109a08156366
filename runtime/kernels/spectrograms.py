"""Short-time Fourier transforms, and the sum of overlapping frames that undoes them."""

import warnings

import numpy as np

from runtime._core import ops
from runtime.kernels._arrays import new, read
from runtime.kernels._common import real_dtype, scalar_name, wrap_dim
from runtime.settings import warn_once

aten = ops.aten


def unfold_backward(grad_in, input_sizes, dim, size, step):
    if not input_sizes and tuple(grad_in.shape) == (1,):
        # A number is unfolded to its only window.
        return aten.reshape.default(grad_in, ())
    dim = wrap_dim(dim, len(input_sizes))
    fits = grad_in.dim() == len(input_sizes) + 1 >= 2 and step > 0 and grad_in.shape[-1] == size
    frames = grad_in.shape[dim] if fits else 0
    if not fits or (frames - 1) * step + size > input_sizes[dim]:
        raise RuntimeError(f"unfold_backward: {list(grad_in.shape)} are no windows of size {size} and step {step} of {list(input_sizes)}")
    if grad_in.device.type == "meta":
        return aten.new_empty.default(grad_in, input_sizes)
    windows = np.moveaxis(read(grad_in), dim, -2)
    sizes = list(input_sizes)
    length = sizes.pop(dim)
    out = np.zeros((*sizes, length), windows.dtype)
    # One addition for each window, or for each place in them: what is less.
    if frames <= size:
        for i in range(frames):
            out[..., i * step : i * step + size] += windows[..., i, :]
    else:
        for k in range(size):
            out[..., k : k + (frames - 1) * step + 1 : step] += windows[..., k]
    return new(np.moveaxis(out, -1, dim), grad_in.dtype)


# ---- transforms


def _given(window):
    return "None" if window is None else f"torch.{scalar_name(window.dtype)}Tensor{{{list(window.shape)}}}"


def _text(value):
    return int(value) if isinstance(value, bool) else value


def _check_window(name, self, window):
    if window is not None and window.device != self.device:
        raise RuntimeError(
            f"{name} input and window must be on the same device but got self on {self.device} and window on {window.device}"
        )


def stft(self, n_fft, hop_length=None, win_length=None, window=None, normalized=False, onesided=None, return_complex=None, align_to_window=None):
    options = {"window": window, "normalized": normalized, "onesided": onesided, "return_complex": return_complex}
    return aten.stft.center(self, n_fft, hop_length, win_length, center=False, align_to_window=align_to_window, **options)


def stft_center(
    self,
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
    _check_window("stft", self, window)
    if center and align_to_window is not None:
        raise RuntimeError("stft align_to_window should only be set when center = false.")
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    complex_ = self.dtype.is_complex or (window is not None and window.dtype.is_complex)
    if return_complex is None and not complex_:
        raise RuntimeError(
            "stft requires the return_complex parameter be given for real inputs, and will further require that return_complex=True in a"
            " future PyTorch release."
        )
    as_complex = return_complex is not False
    x = self

    def check(right, text):
        if not right:
            raise RuntimeError(
                f"stft(torch.{scalar_name(x.dtype)}Tensor{list(x.shape)}, n_fft={n_fft}, hop_length={hop}, win_length={width},"
                f" window={_given(window)}, normalized={int(normalized)}, onesided={_text(onesided)}, return_complex={_text(return_complex)},"
                f" align_to_window={_text(align_to_window)}) : {text}"
            )

    check(x.dtype.is_floating_point or x.dtype.is_complex, "expected a tensor of floating point or complex values")
    check(x.dim() in (1, 2), "expected a 1D or 2D tensor")
    _warn_without(window, "stft")
    single = x.dim() == 1
    if single:
        x = aten.unsqueeze.default(x, 0)
    if center:
        x = aten.squeeze.dim(aten.pad.default(aten.unsqueeze.default(x, 0), [n_fft // 2, n_fft // 2], pad_mode), 0)
    length = x.shape[1]
    check(0 < n_fft <= length, f"expected 0 < n_fft < {length}, but got n_fft={n_fft}")
    check(hop > 0, f"expected hop_length > 0, but got hop_length={hop}")
    check(0 < width <= n_fft, f"expected 0 < win_length <= n_fft, but got win_length={width}")
    if window is not None:
        text = f"expected a 1D window tensor of size equal to win_length={width}, but got window with size {list(window.shape)}"
        check(tuple(window.shape) == (width,), text)
    if width < n_fft:
        if window is None:
            window = aten.ones.default([width], dtype=x.dtype, device=x.device)
        window = _centered(window, width, n_fft)
    if not center and align_to_window:
        margin = (n_fft - width) // 2
        x = aten.squeeze.dim(aten.pad.default(aten.unsqueeze.default(x, 0), [margin, margin], pad_mode), 0)
    frames = aten.unfold.default(x, 1, n_fft, hop)
    if window is not None:
        frames = aten.mul.Tensor(frames, window)
    complex_ = frames.dtype.is_complex
    if onesided is None:
        onesided = not complex_
    norm = "ortho" if normalized else None
    if complex_:
        if onesided:
            raise RuntimeError("Cannot have onesided output if window or input is complex")
        result = aten.fft_fft.default(frames, None, -1, norm)
    else:
        result = (aten.fft_rfft if onesided else aten.fft_fft).default(frames, None, -1, norm)
    result = aten.transpose.int(result, 1, 2)
    if single:
        result = aten.squeeze.dim(result, 0)
    return result if as_complex else aten.view_as_real.default(result)


def _warn_without(window, name):
    if window is None:
        warn_once(
            f"{name}: no window was given, and a rectangular one is applied, which leaks between frequencies; give"
            " `window=torch.ones(n_fft)` to want it.",
            stacklevel=4,
        )


def _centered(window, width, n_fft):
    left = (n_fft - width) // 2
    return aten.constant_pad_nd.default(window, [left, n_fft - width - left])


def istft(
    self,
    n_fft,
    hop_length=None,
    win_length=None,
    window=None,
    center=True,
    normalized=False,
    onesided=None,
    length=None,
    return_complex=False,
):
    _check_window("istft", self, window)
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    if not self.dtype.is_complex:
        raise RuntimeError("istft requires a complex-valued input tensor matching the output from stft with return_complex=True.")

    def check(right, text):
        if not right:
            raise RuntimeError(
                f"istft(CPU{scalar_name(self.dtype)}Type{list(self.shape)}, n_fft={n_fft}, hop_length={hop}, win_length={width},"
                f" window={_given(window)}, center={int(center)}, normalized={int(normalized)}, onesided={_text(onesided)}, length={length},"
                f" return_complex={int(return_complex)}) : {text}"
            )

    check(self.numel() > 0, "input tensor cannot be empty.")
    check(self.dim() in (2, 3), f"expected a tensor with 3 or 4 dimensions, but got {self.dim() + 1}")
    frequencies, count = self.shape[-2:]
    half = frequencies != n_fft if onesided is None else onesided
    place = "expected the frequency dimension (3rd to the last) of the input tensor to match"
    if half:
        check(n_fft // 2 + 1 == frequencies, f"{place} n_fft / 2 + 1 when onesided=True, but got {frequencies}")
    else:
        check(n_fft == frequencies, f"{place} n_fft when onesided=False, but got {frequencies}")
    check(0 < hop <= width, "expected 0 < hop_length <= win_length")
    check(0 < width <= n_fft, "expected 0 < win_length <= n_fft")
    check(window is None or tuple(window.shape) == (width,), "Invalid window shape. window has to be 1D and length of `win_length`")
    _warn_without(window, "istft")
    weights = window
    if weights is None:
        weights = aten.ones.default([width], dtype=real_dtype(self.dtype), device=self.device)
    if width != n_fft:
        weights = _centered(weights, width, n_fft)
    x = aten.transpose.int(aten.unsqueeze.default(self, 0) if self.dim() == 2 else self, 1, 2)
    norm = "ortho" if normalized else None
    if return_complex:
        if half:
            raise RuntimeError("Cannot have onesided output if window or input is complex")
        x = aten.fft_ifft.default(x, None, -1, norm)
    else:
        if window is not None and window.dtype.is_complex:
            raise RuntimeError("Complex windows are incompatible with return_complex=False")
        if not half:
            x = aten.slice.Tensor(x, 2, 0, n_fft // 2 + 1)
        x = aten.fft_irfft.default(x, n_fft, -1, norm)
    total = n_fft + hop * (count - 1)
    y = aten.unfold_backward.default(aten.mul.Tensor(x, weights), [x.shape[0], total], 1, n_fft, hop)
    squares = aten.expand.default(aten.mul.Tensor(weights, weights), [1, count, n_fft])
    envelope = aten.unfold_backward.default(squares, [1, total], 1, n_fft, hop)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - n_fft // 2 if center else total
    y, envelope = (aten.slice.Tensor(t, 1, start, end) for t in (y, envelope))
    smallest = aten.min.default(aten.abs.default(envelope))
    check(bool(aten.item.default(aten.gt.Scalar(smallest, 1e-11))), "window overlap add min: 1")
    y = aten.div.Tensor(y, envelope)
    if self.dim() == 2:
        y = aten.squeeze.dim(y, 0)
    if end > total:
        warnings.warn("istft: the signal is shorter than `length`, and is filled up with zeros.", stacklevel=3)
        y = aten.constant_pad_nd.default(y, [0, end - total])
    return y
