"""Scaling of losses: gradients of float16 underflow less when the loss is multiplied by a large number, which they are divided by again."""

import inspect
import warnings
from collections import defaultdict
from collections.abc import Iterable
from enum import Enum

from runtime import _core
from runtime._core import Tensor, functions
from runtime.amp.autocast_mode import amp_definitely_not_available

__all__ = ["GradScaler", "OptState"]

_float16, _float32, _int32 = (_core.dtype_names[name] for name in ("float16", "float32", "int32"))


class OptState(Enum):
    """What has happened to an optimizer since the last `update`."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _new_state():
    return {"stage": OptState.READY, "found_inf_per_device": {}}


def _number(value, dtype, device):
    return functions["full"]((), value, dtype=dtype, device=device)


class _PerDevice:
    """Copies of a tensor, one for each device that asks."""

    def __init__(self, tensor):
        self.tensor = tensor
        self.copies = {}

    def get(self, device):
        if device not in self.copies:
            self.copies[device] = self.tensor.to(device=device, non_blocking=True, copy=True)
        return self.copies[device]


class GradScaler:
    """A scale for losses that is as large as gradients allow.

    ``scaler.scale(loss).backward()``, ``scaler.step(optimizer)`` and ``scaler.update()`` take the place of ``loss.backward()`` and
    ``optimizer.step()``. A step whose gradients are not all finite is left out and lowers the scale; steps without such raise it.

    Parameters
    ----------
    device : str
        The device type, ``"cuda"`` or ``"cpu"``.
    init_scale : float
        The first scale.
    growth_factor, backoff_factor : float
        What the scale is multiplied by after `growth_interval` good steps in a row, and after a bad one.
    growth_interval : int
        See above.
    enabled : bool
        False for a scaler that does nothing but step optimizers.
    """

    def __init__(self, device="cuda", init_scale=2.0**16, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True):
        self._device = device
        self._enabled = enabled
        if device == "cuda" and enabled and amp_definitely_not_available():
            warnings.warn("torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.", stacklevel=2)
            self._enabled = False
        if not self._enabled:
            return
        if growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._init_scale = init_scale
        self._scale = None
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._init_growth_tracker = 0
        self._growth_tracker = None
        self._per_optimizer_states = defaultdict(_new_state)

    def _check_scale_growth_tracker(self, function):
        for name in ("_scale", "_growth_tracker"):
            if getattr(self, name) is None:
                raise AssertionError(
                    f"Attempted {function} but {name} is None.  This may indicate your script did not use scaler.scale(loss or outputs) earlier "
                    f"in the iteration."
                )
        return self._scale, self._growth_tracker

    def _lazy_init_scale_growth_tracker(self, device):
        if self._growth_tracker is not None:
            raise AssertionError("_growth_tracker initialized before _scale")
        self._scale = _number(self._init_scale, _float32, device)
        self._growth_tracker = _number(self._init_growth_tracker, _int32, device)

    def scale(self, outputs):
        """Multiply a tensor, or the tensors of an iterable, by the scale.

        Parameters
        ----------
        outputs : Tensor or iterable of Tensor
            Iterables may be nested.

        Returns
        -------
        Tensor or iterable of Tensor
            As the argument; the argument itself, if the scaler is not enabled.
        """
        if not self._enabled:
            return outputs
        scales = None

        def scaled(value):
            nonlocal scales
            if isinstance(value, Tensor):
                if self._scale is None:
                    self._lazy_init_scale_growth_tracker(value.device)
                if scales is None:
                    scales = _PerDevice(self._scale)
                return value * scales.get(value.device)
            if isinstance(value, Iterable):
                made = map(scaled, value)
                return type(value)(made) if isinstance(value, (list, tuple)) else made
            raise ValueError("outputs must be a Tensor or an iterable of Tensors")

        return scaled(outputs)

    def _unscale_grads_(self, optimizer, inv_scale, found_inf, allow_fp16):
        """Multiply an optimizer's gradients by the inverse of the scale; by device, whether one of them is not finite."""
        inverses, found = _PerDevice(inv_scale), _PerDevice(found_inf)
        gradients = defaultdict(list)  # (device, dtype) -> gradients
        with _core.no_grad():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    if not isinstance(parameter, Tensor):
                        raise AssertionError(f"expected param to be torch.Tensor, got {type(parameter).__name__}")
                    gradient = parameter.grad
                    if gradient is None:
                        continue
                    if not allow_fp16 and gradient.dtype is _float16:
                        raise ValueError("Attempting to unscale FP16 gradients.")
                    gradients[gradient.device, gradient.dtype].append(gradient)
            for (device, _), tensors in gradients.items():
                functions["_amp_foreach_non_finite_check_and_unscale_"](tensors, found.get(device), inverses.get(device))
        return found.copies

    def unscale_(self, optimizer):
        """Divide an optimizer's gradients by the scale, once before its step: for code that looks at them or clips them.

        Parameters
        ----------
        optimizer : Optimizer
            `step` does this by itself where it was not done.
        """
        if not self._enabled:
            return
        self._check_scale_growth_tracker("unscale_")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        inverse = self._scale.double().reciprocal().float()
        found_inf = _number(0.0, _float32, self._scale.device)
        state["found_inf_per_device"] = self._unscale_grads_(optimizer, inverse, found_inf, False)
        state["stage"] = OptState.UNSCALED

    def _maybe_opt_step(self, optimizer, optimizer_state, *args, **kwargs):
        if sum(found.item() for found in optimizer_state["found_inf_per_device"].values()):
            return None
        return optimizer.step(*args, **kwargs)

    def step(self, optimizer, *args, **kwargs):
        """Unscale an optimizer's gradients, where that was not done, and let it step if all of them are finite.

        Parameters
        ----------
        optimizer : Optimizer
        *args, **kwargs
            For the optimizer's `step`; no closure.

        Returns
        -------
        object
            What the optimizer's `step` returns, or None if it was left out.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._check_scale_growth_tracker("step")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if getattr(optimizer, "_step_supports_amp_scaling", False):
            result = self._step_that_scales(optimizer, state, args, kwargs)
        else:
            if state["stage"] is OptState.READY:
                self.unscale_(optimizer)
            if not state["found_inf_per_device"]:
                raise AssertionError("No inf checks were recorded for this optimizer.")
            result = self._maybe_opt_step(optimizer, state, *args, **kwargs)
        state["stage"] = OptState.STEPPED
        return result

    def _step_that_scales(self, optimizer, state, args, kwargs):
        """A step of an optimizer that divides by the scale itself: it finds it and what is not finite in attributes."""
        if "grad_scaler" in inspect.signature(optimizer.step).parameters:
            warnings.warn(
                "GradScaler is going to stop passing itself as a keyword argument to the passed "
                "optimizer. In the near future GradScaler registers `grad_scale: Tensor` and "
                "`found_inf: Tensor` to the passed optimizer and let the optimizer use them directly.",
                FutureWarning,
                stacklevel=3,
            )
            return optimizer.step(*args, **{**kwargs, "grad_scaler": self})
        if state["stage"] is OptState.READY:
            self._check_inf_per_device(optimizer)
        own = getattr(optimizer, "grad_scale", None)
        if state["stage"] is OptState.UNSCALED:
            optimizer.grad_scale = own
        else:
            optimizer.grad_scale = self._scale * (1 if own is None else own)
        found = state["found_inf_per_device"].values()
        optimizer.found_inf = sum(one.to(self._scale.device, non_blocking=True) for one in found)
        result = optimizer.step(*args, **kwargs)
        del optimizer.grad_scale, optimizer.found_inf
        return result

    def update(self, new_scale=None):
        """Set the scale for the next iteration, after the steps of all optimizers.

        Parameters
        ----------
        new_scale : float or Tensor, optional
            The new scale; by default it follows from what the steps have found.
        """
        if not self._enabled:
            return
        scale, tracker = self._check_scale_growth_tracker("update")
        if isinstance(new_scale, float):
            scale.fill_(new_scale)
        elif new_scale is not None:
            if new_scale.device.type != self._device or new_scale.numel() != 1 or new_scale.requires_grad:
                raise AssertionError(
                    "new_scale should be a float or a 1-element torch.cuda.FloatTensor or torch.FloatTensor with requires_grad=False."
                )
            scale.copy_(new_scale)
        else:
            found = [
                one.to(device=scale.device, non_blocking=True)
                for state in self._per_optimizer_states.values()
                for one in state["found_inf_per_device"].values()
            ]
            if not found:
                raise AssertionError("No inf checks were recorded prior to update.")
            together = found[0]
            for one in found[1:]:
                together += one
            functions["_amp_update_scale_"](
                scale, tracker, together, self._growth_factor, self._backoff_factor, self._growth_interval
            )
        self._per_optimizer_states = defaultdict(_new_state)

    def _get_scale_async(self):
        return self._scale

    def get_scale(self):
        """The scale as a float; 1.0 if the scaler is not enabled."""
        if not self._enabled:
            return 1.0
        scale = self._get_scale_async()
        return self._init_scale if scale is None else scale.item()

    def get_growth_factor(self):
        """What the scale is multiplied by after good steps."""
        return self._growth_factor

    def set_growth_factor(self, new_factor):
        """Set what the scale is multiplied by after good steps."""
        self._growth_factor = new_factor

    def get_backoff_factor(self):
        """What the scale is multiplied by after a bad step."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor):
        """Set what the scale is multiplied by after a bad step."""
        self._backoff_factor = new_factor

    def get_growth_interval(self):
        """After how many good steps in a row the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval):
        """Set after how many good steps in a row the scale grows."""
        self._growth_interval = new_interval

    def _get_growth_tracker(self):
        if not self._enabled:
            return 0
        return self._init_growth_tracker if self._growth_tracker is None else self._growth_tracker.item()

    def is_enabled(self):
        """Whether the scaler scales at all."""
        return self._enabled

    def state_dict(self):
        """The state as a dict; empty if the scaler is not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict):
        """Take over the state that another scaler's `state_dict` gave; nothing happens if this one is not enabled."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler.")
        self._init_scale = state_dict["scale"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._scale is not None:
            self._scale.fill_(self._init_scale)
        if self._growth_tracker is not None:
            self._growth_tracker.fill_(self._init_growth_tracker)

    def __getstate__(self):
        state = self.__dict__.copy()
        if self._enabled:
            if self._per_optimizer_states:
                raise AssertionError(
                    "A GradScaler instance may only be pickled at the beginning of an iteration, or at the end after scaler.update()."
                )
            # Numbers instead of tensors; the tensors are made anew at first use.
            state["_init_scale"] = self.get_scale()
            state["_init_growth_tracker"] = self._get_growth_tracker()
            state["_scale"] = state["_growth_tracker"] = None
        return state

    def _check_inf_per_device(self, optimizer):
        scale, _ = self._check_scale_growth_tracker("_check_inf_per_device")
        one, none = _number(1.0, _float32, scale.device), _number(0.0, _float32, scale.device)
        found = self._unscale_grads_(optimizer, one, none, True)
        self._per_optimizer_states[id(optimizer)]["found_inf_per_device"] = found
        return found

    def _found_inf_per_device(self, optimizer):
        return self._per_optimizer_states[id(optimizer)]["found_inf_per_device"]
