"""Padding: constants through copies, reflected and repeated borders by gathering, circular ones by joining."""

import numpy as np

from runtime._core import ops
from runtime.kernels._arrays import memory, new, place_of, read

aten = ops.aten


def constant_pad_nd(self, pad, value=0):
    ndim = self.dim()
    if len(pad) % 2:
        raise RuntimeError(f"Length of pad must be even but instead it equals {len(pad)}")
    if ndim < len(pad) // 2:
        raise RuntimeError(
            "Length of pad should be no more than twice the number of dimensions of the input. "
            f"Pad length is {len(pad)} while the input has {ndim} dimensions."
        )
    if not any(pad):
        return aten.clone.default(self)
    sizes, inner = list(self.shape), self
    windows = []
    for i in range(len(pad) // 2):
        dim, before, after = ndim - 1 - i, pad[2 * i], pad[2 * i + 1]
        if self.shape[dim] + min(before, 0) + min(after, 0) < 0:
            raise RuntimeError("narrow(): length must be non-negative.")
        size = self.shape[dim]
        sizes[dim] = size + before + after
        if not 0 <= sizes[dim] < 1 << 63:
            raise RuntimeError(
                f"The input size {size}, plus negative padding {before} and {after} resulted in a negative output size, "
                f"which is invalid. Check dimension {dim} of your input."
            )
        begin, end = max(-before, 0), size - max(-after, 0)
        if before < 0 or after < 0:
            inner = aten.slice.Tensor(inner, dim, min(begin, size), max(end, begin))
        windows.append((dim, max(before, 0), max(end - begin, 0)))
    out = aten.fill_.Scalar(place_of(aten.constant_pad_nd.default, sizes, self.dtype, self.device), value)
    place = out
    for dim, begin, length in windows:
        place = aten.slice.Tensor(place, dim, begin, begin + length)
    aten.copy_.default(place, inner)
    return out


_MODES = ("reflect", "replicate", "circular", "constant")


def pad(self, pad, mode="constant", value=None):
    if mode not in _MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    return aten._pad_enum.default(self, pad, _MODES.index(mode), value)


def _pad_enum(self, pad, mode, value=None):
    ndim = self.dim()
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {ndim}"
        )
    if not 0 <= mode < len(_MODES):
        raise RuntimeError("Unrecognised padding mode")
    name = _MODES[mode]
    if name == "constant":
        return aten.constant_pad_nd.default(self, pad, 0.0 if value is None else value)
    if value:
        raise RuntimeError(f'Padding mode "{name}" doesn\'t take in value argument')
    space = len(pad) // 2
    if space not in (1, 2, 3) or ndim not in (space + 1, space + 2):
        raise NotImplementedError("Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now")
    if name == "circular":
        return aten._pad_circular.default(self, pad)
    packet = getattr(aten, f"{'reflection' if name == 'reflect' else 'replication'}_pad{space}d")
    return packet.default(self, pad)


def _pad_circular(self, pad):
    out, joined = self, False
    for i in range(len(pad) // 2):
        dim, before, after = self.dim() - 1 - i, pad[2 * i], pad[2 * i + 1]
        size = self.shape[dim]
        if before > size or after > size:
            raise RuntimeError("Padding value causes wrapping around more than once.")
        if size + before + after < 0:
            raise RuntimeError("Negative padding value is resulting in an empty dimension")
        kept = aten.slice.Tensor(out, dim, max(-before, 0), size - max(-after, 0))
        left = size - max(-before, 0) - max(-after, 0)
        parts = [kept]
        if before > 0:
            parts.insert(0, aten.slice.Tensor(kept, dim, left - before, left))
        if after > 0:
            parts.append(aten.slice.Tensor(kept, dim, 0, after))
        joined = joined or len(parts) > 1
        out = aten.cat.default(parts, dim) if len(parts) > 1 else parts[0]
    return out if joined else aten.clone.default(out)


def _check(name, self, padding, space, reflect):
    """Checks of a border's widths; sizes of the result."""
    ndim, sizes = self.dim(), list(self.shape)
    if len(padding) != 2 * space:
        raise RuntimeError(f"padding size is expected to be {2 * space}, but got: {len(padding)}")
    if ndim not in (space + 1, space + 2) or any(n == 0 for n in sizes[ndim - space - 1 :]):
        raise RuntimeError(
            f"{name}: Expected {space + 1}D or {space + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions "
            f"for input, but got: {sizes}"
        )
    for i in range(space):
        dim, before, after = ndim - 1 - i, padding[2 * i], padding[2 * i + 1]
        if reflect and (before >= sizes[dim] or after >= sizes[dim]):
            raise RuntimeError(
                "Argument #4: Padding size should be less than the corresponding input dimension, but got: "
                f"padding ({before}, {after}) at dimension {dim} of input {list(self.shape)}"
            )
    for i in range(space):
        dim = ndim - 1 - i
        sizes[dim] += padding[2 * i] + padding[2 * i + 1]
    if max(sizes[ndim - space :]) < 1 or min(sizes[ndim - space :]) < 0:
        raise RuntimeError(f"input of size {list(self.shape)} is too small. Calculated output size: {sizes}")
    return sizes


def _source(size, before, after, reflect):
    """For every place of the result along a dimension, the place that it shows."""
    at = np.arange(-before, size + after)
    if reflect:
        at = np.abs(at)
        return (size - 1) - np.abs(size - 1 - at)
    return np.clip(at, 0, size - 1)


def _border(name, self, padding, space, reflect):
    sizes = _check(name, self, padding, space, reflect)
    if self.device.type == "meta":
        return aten.empty.memory_format(sizes, dtype=self.dtype, device=self.device)
    if str(self.dtype).endswith("bool"):
        raise NotImplementedError(f"\"{name}\" not implemented for 'Bool'")
    out = place_of(getattr(aten, name).default, sizes, self.dtype, self.device)
    array, target, ndim = memory(self), memory(out), self.dim()
    if min(padding) < 0:
        for i in range(space):
            array = array.take(_source(self.shape[ndim - 1 - i], padding[2 * i], padding[2 * i + 1], reflect), axis=ndim - 1 - i)
        target[...] = array
        return out
    inner = _inner(self.shape, padding, space)
    target[tuple(inner)] = array
    for axis, borders in _borders(self.shape, padding, space, reflect):
        for border, seen in borders:
            target[_along(inner, axis, border)] = target[_along(inner, axis, seen)]
        inner[axis] = slice(None)
    return out


def _inner(sizes, padding, space):
    """Where in the result the input lies: a slice for each dimension."""
    inner = [slice(None)] * len(sizes)
    for i in range(space):
        inner[-1 - i] = slice(padding[2 * i], padding[2 * i] + sizes[-1 - i])
    return inner


def _along(places, axis, part):
    return (*places[:axis], part, *places[axis + 1 :])


def _borders(sizes, padding, space, reflect):
    """For each dimension of the space, the last one first, the borders that have a width: their places, and the places that they repeat."""
    for i in range(space):
        axis, first, after = len(sizes) - 1 - i, padding[2 * i], padding[2 * i + 1]
        last = first + sizes[axis] - 1
        if reflect:
            seen = slice(2 * first, first, -1), slice(last - 1, last - 1 - after if last > after else None, -1)
        else:
            seen = slice(first, first + 1), slice(last, last + 1)
        places = slice(0, first), slice(last + 1, last + 1 + after)
        yield axis, [both for both in zip(places, seen, strict=True) if both[0].start < both[0].stop]


def _border_backward(name, grad_output, self, padding, space, reflect):
    """Each element's gradient is the sum over the places that show it."""
    sizes = _check(name, self, padding, space, reflect)
    if list(grad_output.shape) != sizes:
        raise RuntimeError(f"grad_output has shape {list(grad_output.shape)}, but the padded input has {sizes}")
    if self.device.type == "meta":
        return aten.empty.memory_format(self.shape, dtype=self.dtype, device=self.device)
    array, ndim = np.array(read(grad_output), order="C", copy=True), self.dim()
    if min(padding) >= 0:
        # In the order opposite to the forward pass, so that corners are added to borders first.
        inner, places = _inner(self.shape, padding, space), [slice(None)] * ndim
        for axis, borders in reversed(list(_borders(self.shape, padding, space, reflect))):
            for border, seen in borders:
                part = array[_along(places, axis, border)]
                array[_along(places, axis, seen)] += part if reflect else part.sum(axis, keepdims=True)
            places[axis] = inner[axis]
        return new(array[tuple(inner)], self.dtype)
    for i in range(space):
        axis = ndim - 1 - i
        index = _source(self.shape[axis], padding[2 * i], padding[2 * i + 1], reflect)
        out = np.zeros((self.shape[axis], *np.moveaxis(array, axis, 0).shape[1:]), array.dtype)
        np.add.at(out, index, np.moveaxis(array, axis, 0))
        array = np.moveaxis(out, 0, axis)
    return new(array, self.dtype)


def reflection_pad1d(self, padding):
    return _border("reflection_pad1d", self, padding, 1, True)


def reflection_pad2d(self, padding):
    return _border("reflection_pad2d", self, padding, 2, True)


def reflection_pad3d(self, padding):
    return _border("reflection_pad3d", self, padding, 3, True)


def replication_pad1d(self, padding):
    return _border("replication_pad1d", self, padding, 1, False)


def replication_pad2d(self, padding):
    return _border("replication_pad2d", self, padding, 2, False)


def replication_pad3d(self, padding):
    return _border("replication_pad3d", self, padding, 3, False)


def reflection_pad1d_backward(grad_output, self, padding):
    return _border_backward("reflection_pad1d_backward", grad_output, self, padding, 1, True)


def reflection_pad2d_backward(grad_output, self, padding):
    return _border_backward("reflection_pad2d_backward", grad_output, self, padding, 2, True)


def reflection_pad3d_backward(grad_output, self, padding):
    return _border_backward("reflection_pad3d_backward", grad_output, self, padding, 3, True)


def replication_pad1d_backward(grad_output, self, padding):
    return _border_backward("replication_pad1d_backward", grad_output, self, padding, 1, False)


def replication_pad2d_backward(grad_output, self, padding):
    return _border_backward("replication_pad2d_backward", grad_output, self, padding, 2, False)


def replication_pad3d_backward(grad_output, self, padding):
    return _border_backward("replication_pad3d_backward", grad_output, self, padding, 3, False)


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    longest = max(s.shape[0] for s in sequences)
    trailing = tuple(sequences[0].shape[1:])
    shape = (len(sequences), longest, *trailing) if batch_first else (longest, len(sequences), *trailing)
    first = sequences[0]
    out = aten.full.default(shape, padding_value, dtype=first.dtype, layout=first.layout, device=first.device)
    for i, sequence in enumerate(sequences):
        length = sequence.shape[0]
        if tuple(sequence.shape[1:]) != trailing:
            raise RuntimeError("The size of the sequences must agree in all dimensions but the first")
        row = aten.select.int(out, 0 if batch_first else 1, i)
        begin = longest - length if padding_side == "left" else 0
        aten.copy_.default(aten.slice.Tensor(row, 0, begin, begin + length), sequence)
    return out
