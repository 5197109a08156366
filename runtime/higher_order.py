"""Higher-order operators: operators that take functions, known to the Python side only.

They have rules for keys, modes, subclasses and transformations (`py_impl`), and no kernels: every key that can be on top of a call needs
a rule or must fall through.
"""

from abc import ABC, abstractmethod

from runtime import _core
from runtime._core import DispatchKey, OperatorBase, Tensor, resolve_key

_higher_order_ops = {}

_FALLTHROUGH = (
    DispatchKey.PythonDispatcher, DispatchKey.PythonTLSSnapshot, DispatchKey.ADInplaceOrView, DispatchKey.BackendSelect,
    DispatchKey.AutocastCPU, DispatchKey.AutocastCUDA, DispatchKey.AutocastXPU,
)  # fmt: skip


def _leaves(args, kwargs):
    from runtime.pytree import tree_leaves

    return tree_leaves((args, kwargs))


def key_extractor(tensors, key_mask):
    """The key set of a call: the tensors' keys and thread-local state, under a mask."""
    keys = _core._dispatch_tls_local_include_set()
    for tensor in tensors:
        keys = keys | _core._dispatch_keys(tensor)
    return (keys - _core._dispatch_tls_local_exclude_set()) & key_mask


def _compute_keyset(args, kwargs, non_fallthrough_keys):
    return key_extractor([t for t in _leaves(args, kwargs) if isinstance(t, Tensor)], non_fallthrough_keys)


class HigherOrderOperator(OperatorBase, ABC):
    """An operator over functions; it appears as ``ops.higher_order.<name>``.

    Subclasses define ``__call__`` (most just call ``super().__call__``) and register rules with `py_impl`.

    Parameters
    ----------
    name : str
    cacheable : bool
        Whether compiled code with the operator may be kept in a cache.
    supports_training_input_mutation : bool
        Whether arguments may be written when gradients are needed.
    """

    def __init__(self, name, *, cacheable=False, supports_training_input_mutation=False):
        super().__init__()
        if type(self) is HigherOrderOperator:
            raise RuntimeError("Direct instantiation of HigherOrderOperator is not allowed. Please subclass it.")
        self._name = self.__name__ = name
        self._ns = "higher_order"
        self.__module__ = "torch.ops.higher_order"
        self._cacheable = cacheable
        self._supports_training_input_mutation = supports_training_input_mutation
        self.non_fallthrough_keys = _core._dispatch_keyset_full()
        for key in _FALLTHROUGH:
            self.fallthrough(key)
        _higher_order_ops[name] = self
        setattr(_core.ops.higher_order, name, self)

    def py_impl(self, k):
        """As `OperatorBase.py_impl`; a key that fell through does so no more."""
        if isinstance(k, DispatchKey) and not self.non_fallthrough_keys.has(k):
            self.non_fallthrough_keys = self.non_fallthrough_keys.add(k)
        return super().py_impl(k)

    def py_autograd_impl(self, fn):
        """Register the Autograd rule; calls in which nothing needs gradients go below it."""

        def rule(*args, **kwargs):
            if not any(isinstance(t, Tensor) and t.requires_grad for t in _leaves(args, kwargs)):
                guard = _core._AutoDispatchBelowAutograd()
                try:
                    return self(*args, **kwargs)
                finally:
                    del guard
            return fn(*args, **kwargs)

        self.py_impl(DispatchKey.Autograd)(rule)
        return fn

    @property
    def namespace(self):
        """``"higher_order"``."""
        return self._ns

    def cacheable(self):
        """Whether compiled code with the operator may be kept in a cache."""
        return self._cacheable

    def fallthrough(self, dispatch_key):
        """Let calls skip a key."""
        self.non_fallthrough_keys = self.non_fallthrough_keys.remove(dispatch_key)

    def dispatch(self, dispatch_key, /, *args, **kwargs):
        """Run the rule for a key.

        Raises
        ------
        NotImplementedError
            If there is none.
        TypeError
            If modes and subclasses all answer NotImplemented.
        """
        found = self._dispatch_cache.get(dispatch_key)
        if found is not None:
            return found(*args, **kwargs)
        if dispatch_key is DispatchKey.FuncTorchDynamicLayerFrontMode:
            return self._dispatch_transform(args, kwargs)
        if dispatch_key is DispatchKey.Python:
            return self._dispatch_python(args, kwargs)
        if dispatch_key is DispatchKey.PreDispatch:
            python_on = not _core._dispatch_tls_is_dispatch_key_excluded(DispatchKey.Python)
            if _core._len_torch_dispatch_stack_pre_dispatch() > 0 and python_on:
                return self._dispatch_pre_dispatch(args, kwargs)
        final = resolve_key(self, dispatch_key)
        rule = self.py_kernels.get(final)
        if rule is None:
            raise NotImplementedError(
                f"could not find kernel for HigherOrderOperator {self._name} at dispatch key {final} (resolved from {dispatch_key})"
            )
        # What PreDispatch does depends on the modes that are active.
        if dispatch_key is not DispatchKey.PreDispatch:
            self._dispatch_cache[dispatch_key] = rule
        return rule(*args, **kwargs)

    def _dispatch_transform(self, args, kwargs):
        from runtime.compat import resolve

        return resolve("torch._functorch.pyfunctorch.dispatch_functorch")(self, args, kwargs)

    def _dispatch_pre_dispatch(self, args, kwargs):
        from runtime.modes import _pop_mode_temporarily

        mode = _core._get_current_dispatch_mode_pre_dispatch()
        rule = self.python_key_table.get(type(mode))
        if rule is None:
            raise AssertionError(f"Current active mode {mode} not registered")
        with _pop_mode_temporarily(DispatchKey.PreDispatch) as mode:
            return rule(mode, *args, **kwargs)

    def _get_overloaded_args(self, args, kwargs):
        """The tensors with the Python key among the arguments and in their lists."""
        found = []
        for arg in (*args, *kwargs.values()):
            for a in (arg, *(arg if isinstance(arg, (list, tuple)) else ())):
                if isinstance(a, Tensor) and _core._dispatch_keys(a).has("Python"):
                    found.append(a)
        return tuple(found)

    def _dispatch_python(self, args, kwargs):
        from runtime.modes import _pop_mode_temporarily

        overloaded = self._get_overloaded_args(args, kwargs)
        current = _core._get_current_dispatch_mode()
        if current is not None:
            rule = self.python_key_table.get(type(current))
            if rule is not None:
                with _pop_mode_temporarily() as mode:
                    result = rule(mode, *args, **kwargs)
            elif current.supports_higher_order_operators:
                with _pop_mode_temporarily() as mode:
                    return mode.__torch_dispatch__(self, [], args, kwargs)
            else:
                raise NotImplementedError(
                    f"There was no rule registered for HigherOrderOperator {self._name} and mode {current}."
                    f"Hint: set {current}'s supports_higher_order_operators to True. This causes all higher order operators to pass "
                    f"through {current}'s __torch_dispatch__, so handle them accordingly by adding support for HigerOrderOperators (in "
                    f"this case, {self._name}) in {current}.__torch_dispatch__ or returning NotImplemented when not supported."
                )
            if result is not NotImplemented:
                return result
        for arg in overloaded:
            kind = type(arg)
            if kind.__torch_dispatch__ is _core._disabled_torch_dispatch_impl:
                continue
            rule = self.python_key_table.get(kind)
            if rule is None:
                raise NotImplementedError(
                    f"There was no rule registered for HOP {self._name} and subclass {kind}. Register one with py_impl({kind.__name__})."
                )
            result = rule(*args, **kwargs)
            if result is not NotImplemented:
                return result
        raise TypeError(
            f"HigherOrderOperator '{self._name}' is not supported for the given input types. This typically happens when using custom "
            "tensor types or dispatch modes that don't have implementations for this operation.\n\n"
            f"Current mode: {current}\nInput types: {[type(a).__name__ for a in overloaded]}\n\n"
            f"To fix this, can add support for '{self._name}' in {current}'s __torch_dispatch__\n"
        )

    @abstractmethod
    def __call__(self, /, *args, **kwargs):
        leaves = tuple(_leaves(args, kwargs))
        if _core._has_torch_function(leaves):
            return _core._handle_torch_function(self, leaves, args, kwargs)
        keys = _compute_keyset(args, kwargs, self.non_fallthrough_keys)
        return self.dispatch(keys.highestPriorityTypeId(), *args, **kwargs)

    def gen_schema(self, *args, **kwargs):
        """The FunctionSchema of one call; operators that write their arguments must have one."""
        raise NotImplementedError(
            f"HigherOrderOperator {self._name} does not implement a gen_schema. This is OK as long as the hop is functional. e.g. it should "
            "not mutate its inputs and there are no input, output aliasing via views or direct referencing."
        )

    def name(self):
        """The operator's name."""
        return self._name

    def __str__(self):
        return self._name

    def __repr__(self):
        return f"<HigherOrderOperator {self._name}>"

    def __deepcopy__(self, memo=None):
        return self
