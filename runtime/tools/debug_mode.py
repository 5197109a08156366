"""`DebugMode`: what a block of code calls, as a tree: public functions, and below each the operators that it runs.

A line is ``aten::mm(t: f32[8, 8], t: f32[8, 32])  ->  t: f32[8, 32]``. Options add numbers of tensors, times, the user's source lines,
and what hooks say about each call, such as hashes of the results.
"""

import contextlib
import time
import traceback

from runtime import _core
from runtime._core import OpOverload, Tensor, TorchDispatchMode, _get_current_dispatch_mode_stack
from runtime.pytree import keystr, tree_all, tree_map, tree_map_with_path
from runtime.tools.naming import TensorNumbers, frame_text, shape_text, user_frame

_record_hooks, _log_hooks, _pre_log_hooks = [], [], []


def _op_name(op):
    if isinstance(op, OpOverload):
        return op.__qualname__
    if hasattr(op, "__module__") and hasattr(op, "__name__"):
        return f"{op.__module__}.{getattr(op, '__qualname__', op.__name__)}"
    return str(op)


def _text(value, attributes, numbers=None):
    """A value with tensors written as ``t$0: f32[2]{attribute=...}``."""

    def leaf_text(leaf):
        if not isinstance(leaf, Tensor):
            return leaf
        shown = ", ".join(f"{name}={getattr(leaf, name)}" for name in attributes if hasattr(leaf, name))
        number = "" if numbers is None else f"${numbers[leaf]}"
        return f"t{number}: {shape_text(leaf)}" + (f"{{{shown}}}" if shown else "")

    return str(tree_map(leaf_text, value))


class DebugCall:
    """A call in the log.

    Attributes
    ----------
    op : callable
        The operator, or the public function.
    call_depth : int
        How deep it stands in the tree.
    args, kwargs : tuple, dict
        Only with `store_original_args`; otherwise their texts are in `args_str` and `kwargs_str`.
    log, record : dict or None
        What hooks said: the log stands in the line, the record does not.
    seconds : float or None
        How long it took, with everything below it.
    source : str or None
        The user's line.
    stack_trace : str or None
        The Python stack.
    """

    def __init__(self, op, args, kwargs, call_depth):
        self.op, self.args, self.kwargs, self.call_depth = op, args, kwargs, call_depth
        self.args_str = self.kwargs_str = self.output_str = None
        self.log = self.record = self.seconds = self.source = self.stack_trace = None

    def stringify_args(self, attributes, tensor_memo=None):
        """Keep the texts of the arguments instead of the arguments, so that tensors do not live longer."""
        self.args_str, self.kwargs_str = self._argument_texts(attributes, tensor_memo)
        del self.args, self.kwargs

    def _argument_texts(self, attributes, numbers=None):
        named = [f", {name}={_text(value, attributes, numbers)}" for name, value in self.kwargs.items()]
        return ", ".join(_text(value, attributes, numbers) for value in self.args), "".join(named)

    def stringify_output(self, output, attributes, tensor_memo=None):
        """Note the text of the result."""
        if not tree_all(lambda leaf: leaf is None, output):
            self.output_str = f"  ->  {_text(output, attributes, tensor_memo)}"

    def render(self, attributes):
        """The line, without indentation."""
        args, kwargs = (self.args_str, self.kwargs_str) if self.args_str is not None else self._argument_texts(attributes)
        text = f"{_op_name(self.op)}({args}{kwargs}){self.output_str or ''}"
        if self.seconds is not None:
            text += f"  [{self.seconds * 1e6:.1f} us]"
        return text + (f"  # {self.log}" if self.log else "")

    def __repr__(self):
        return self.render([])

    def __iter__(self):
        given = (self.args, self.kwargs) if self.args_str is None else (self.args_str, self.kwargs_str)
        return iter((self.op, *given, self.call_depth))


class Annotation:
    """A line of the user's own in the log."""

    log = record = seconds = source = stack_trace = None

    def __init__(self, tag, call_depth):
        self.tag, self.call_depth = tag, call_depth

    def render(self, attributes):
        """The line, without indentation."""
        return f"[annotate] {self.tag}"

    def __repr__(self):
        return self.render([])

    def __iter__(self):
        return iter((repr(self), (), {}, self.call_depth))


class DebugMode(TorchDispatchMode):
    """Logs the calls of a ``with`` block.

    Parameters
    ----------
    record_torchfunction : bool
        Log public functions too; operators stand below them.
    record_realtensor : bool
        Log operators on plain tensors; those on subclasses are logged when they come down to plain ones.
    record_tensor_attributes : list of str, optional
        Attributes of tensors to write behind their shapes.
    store_original_args : bool
        Keep the arguments of each call, and so the tensors alive.
    record_stack_trace : bool
        Note the stack of each call; `debug_string` writes the user's line above the calls that it makes.
    record_output : bool
        Write results.
    record_ids : bool
        Number the tensors.
    record_times : bool
        Measure each call, including what is below it and the logging of that.

    Examples
    --------
    >>> import runtime
    >>> from runtime.tools import DebugMode
    >>> x = runtime.ones(2, 3)
    >>> with DebugMode(record_ids=True) as mode:
    ...     y = (x @ x.t()).relu()
    >>> print(mode.debug_string())
        aten::t(t$0: f32[2, 3])  ->  t$1: f32[3, 2]
        aten::mm(t$0: f32[2, 3], t$1: f32[3, 2])  ->  t$2: f32[2, 2]
        aten::relu(t$2: f32[2, 2])  ->  t$3: f32[2, 2]
    """

    supports_higher_order_operators = True

    def __init__(
        self,
        *,
        record_torchfunction=False,
        record_realtensor=True,
        record_tensor_attributes=None,
        store_original_args=False,
        record_stack_trace=False,
        record_output=True,
        record_ids=False,
        record_times=False,
    ):
        super().__init__()
        self.record_torchfunction = record_torchfunction
        self.record_realtensor = record_realtensor
        self.record_tensor_attributes = record_tensor_attributes or []
        self.store_original_args = store_original_args
        self.record_stack_trace = record_stack_trace
        self.record_output = record_output
        self.record_ids = record_ids
        self.record_times = record_times
        self.reset()

    def reset(self):
        """Forget the log and the numbers of tensors."""
        self.operators = []
        self.call_depth = 0
        self._numbers = TensorNumbers() if self.record_ids else None

    @classmethod
    def ignore_compile_internals(cls):
        """The mode does not look into compiled functions."""
        return True

    @property
    def logs(self):
        """The calls, in the order in which they began."""
        return list(self.operators)

    def _begin(self, func, args, kwargs, depth):
        call = DebugCall(func, args, kwargs, depth)
        if not self.store_original_args:
            call.stringify_args(self.record_tensor_attributes, self._numbers)
        if self.record_stack_trace:
            frame = user_frame()
            call.source = frame_text(frame) if frame is not None else None
            call.stack_trace = "".join(traceback.format_stack(frame)) if frame is not None else ""
        self.operators.append(call)
        return call

    def _run(self, call, func, args, kwargs):
        start = time.perf_counter() if self.record_times else 0.0
        result = func(*args, **kwargs)
        if self.record_times:
            call.seconds = time.perf_counter() - start
        if self.record_output:
            call.stringify_output(result, self.record_tensor_attributes, self._numbers)
        return result

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        call = self._begin(func, args, kwargs, self.call_depth)
        self.call_depth += 1
        try:
            return self._run(call, func, args, kwargs)
        finally:
            self.call_depth -= 1

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if types or not self.record_realtensor:
            return func(*args, **kwargs)
        call = self._begin(func, args, kwargs, self.call_depth + 1)
        for hook in _pre_log_hooks:
            call.log = _merged(call.log, hook(func, types, args, kwargs, call))
        result = self._run(call, func, args, kwargs)
        for hook in _record_hooks:
            call.record = _merged(call.record, hook(func, types, args, kwargs, result))
        for hook in _log_hooks:
            call.log = _merged(call.log, hook(func, types, args, kwargs, result))
        return result

    def __enter__(self):
        if self.record_torchfunction:
            _core._push_on_torch_function_stack(self)
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        if self.record_torchfunction:
            _core._pop_torch_function_stack()

    def debug_string(self, show_stack_trace=None):
        """The log as text.

        Parameters
        ----------
        show_stack_trace : bool, optional
            Whether the user's lines stand above their calls; by default if they were recorded.

        Returns
        -------
        str
        """
        show = self.record_stack_trace if show_stack_trace is None else show_stack_trace
        lines, above = [], None
        with _core.DisableTorchFunction():
            for call in self.operators:
                indent = "  " * (call.call_depth + 1)
                if show and call.source and call.source != above:
                    lines += [""] * bool(lines) + [f"{indent}# {call.source}"]
                    above = call.source
                lines.append(indent + call.render(self.record_tensor_attributes))
        return "\n".join(lines)

    @staticmethod
    def _annotate(tag):
        mode = get_active_debug_mode()
        if mode is not None:
            mode.operators.append(Annotation(tag, mode.call_depth))

    @staticmethod
    @contextlib.contextmanager
    def dispatch_hooks(record_hook=None, log_hook=None, pre_log_hook=None):
        """Ask hooks about each operator call inside a ``with`` block.

        Parameters
        ----------
        record_hook, log_hook : callable, optional
            ``hook(func, types, args, kwargs, result) -> dict or None``; what the first returns is in ``call.record``, what the second
            returns in ``call.log``, which stands in the line.
        pre_log_hook : callable, optional
            ``hook(func, types, args, kwargs, call) -> dict or None``, before the call; goes to ``call.log``.
        """
        pairs = [(_record_hooks, record_hook), (_log_hooks, log_hook), (_pre_log_hooks, pre_log_hook)]
        pairs = [(hooks, hook) for hooks, hook in pairs if hook is not None]
        for hooks, hook in pairs:
            hooks.append(hook)
        try:
            yield
        finally:
            for hooks, hook in pairs:
                hooks.remove(hook)

    @staticmethod
    def record_outputs():
        """Inside a ``with`` block: copies of the results are in ``call.record["output"]``."""
        return DebugMode.dispatch_hooks(record_hook=lambda func, types, args, kwargs, result: {"output": _map_tensors(Tensor.clone, result)})

    @staticmethod
    def log_tensor_hashes(hash_fn="norm", hash_inputs=False):
        """Inside a ``with`` block: each line says a hash of the results.

        Parameters
        ----------
        hash_fn : callable, "norm", "hash_tensor", or a list of these names
            ``hash_fn(tensor) -> number``; the L1 norm in double precision, or the elements' bits exclusive-or'ed.
        hash_inputs : bool
            Hash the arguments too, before the call.
        """
        if isinstance(hash_fn, list):
            parts = [_hash_function(name) for name in hash_fn]

            def function(tensor):
                return tuple(part(tensor) for part in parts)

        else:
            function = _hash_function(hash_fn)

        def hashed(value):
            return tree_map(lambda leaf: function(leaf) if isinstance(leaf, Tensor) else None, value)

        def before(func, types, args, kwargs, call):
            found = None if "empty" in str(func) else hashed((args, kwargs))
            return None if tree_all(lambda leaf: leaf is None, found) else {"input_hash": found}

        def after(func, types, args, kwargs, result):
            found = None if "empty" in str(func) else hashed(result)
            return None if tree_all(lambda leaf: leaf is None, found) else {"hash": found}

        return DebugMode.dispatch_hooks(log_hook=after, pre_log_hook=before if hash_inputs else None)

    @staticmethod
    def check_hash_mismatches(logs1, logs2, compare_inputs=False):
        """Where the hashes of two runs of one program differ.

        Parameters
        ----------
        logs1, logs2 : list
            `logs` of two modes, each under `log_tensor_hashes`.
        compare_inputs : bool
            Whether hashes of arguments count.

        Returns
        -------
        list of dict
            With ``call``, ``pytree_path``, ``hash1``, ``hash2``, ``rel_diff``, ``is_input_hash``; ``call_type`` is "torch op" and
            ``arg_name`` None.

        Raises
        ------
        ValueError
            If the runs did not call the same operators.
        """
        if len(logs1) != len(logs2):
            raise ValueError(f"Log lengths don't match: {len(logs1)} vs {len(logs2)}")
        found = []
        for i, (a, b) in enumerate(zip(logs1, logs2, strict=True)):
            names = [_op_name(call.op) if isinstance(call, DebugCall) else repr(call) for call in (a, b)]
            if type(a) is not type(b):
                raise ValueError(f"Call types don't match at index {i}: {type(a).__name__} vs {type(b).__name__}")
            if names[0] != names[1]:
                raise ValueError(f"Operators don't match at index {i}: {names[0]} vs {names[1]}")
            if a.call_depth != b.call_depth:
                raise ValueError(f"Call depths for {names[0]} don't match at index {i}: {a.call_depth} vs {b.call_depth}")
            for key in ("hash", "input_hash") if compare_inputs else ("hash",):
                found += _different_hashes(names[0], key, i, a.log or {}, b.log or {})
        return found


def _merged(known, new):
    if new is None:
        return known
    if not isinstance(new, dict):
        raise AssertionError(f"hook must return None or dict, got {type(new).__name__}")
    return {**(known or {}), **new}


def _map_tensors(function, tree):
    return tree_map(lambda leaf: function(leaf) if isinstance(leaf, Tensor) else leaf, tree)


def _norm_hash(tensor):
    """The sum of the absolute values, in double precision."""
    if not tensor.is_complex():
        tensor = tensor.to(_core.dtype_names["float64"])
    return tensor.abs().to(_core.dtype_names["float64"]).sum().item()


def _bits_hash(tensor):
    """The elements in double precision (integers in 64 bits), as integers of 64 bits that are exclusive-or'ed."""
    import numpy as np

    names = _core.dtype_names
    if tensor.is_floating_point():
        tensor = tensor.to(names["float64"])
    elif tensor.is_complex():
        tensor = tensor.to(names["complex128"])
    else:
        tensor = tensor.to(names["int64"])
    return int(np.bitwise_xor.reduce(np.ascontiguousarray(tensor.numpy()).view(np.uint64).reshape(-1)))


def _hash_function(wanted):
    if callable(wanted):
        return wanted
    if wanted not in ("norm", "hash_tensor"):
        raise AssertionError(f"hash_type must be 'norm' or 'hash_tensor', got {wanted!r}")
    return _norm_hash if wanted == "norm" else _bits_hash


def _different_hashes(name, key, index, log1, log2):
    if (key in log1) != (key in log2):
        raise ValueError(f"{key} presence inconsistent for {name} at index {index}")
    found = []

    def compare(path, a, b):
        if a != b:
            relative = abs(a - b) / max(abs(a), abs(b), 1e-10)
            found.append(
                {
                    "call_type": "torch op", "call": name, "arg_name": None, "pytree_path": keystr(path), "hash1": a, "hash2": b,
                    "rel_diff": relative, "is_input_hash": key == "input_hash",
                }
            )  # fmt: skip

    if key in log1:
        tree_map_with_path(compare, log1[key], log2[key])
    return found


def get_active_debug_mode():
    """The outermost DebugMode that is entered, or None."""
    return next((mode for mode in _get_current_dispatch_mode_stack() if isinstance(mode, DebugMode)), None)
