"""Selective checkpointing: a policy says of each operator's result whether it is kept, or computed again in backward.

Two modes share what is kept: one is on while the checkpointed function runs, the other one while it runs again.
"""

import enum
from collections import defaultdict

from runtime import _core
from runtime._core import DispatchKey, OpOverload, OpOverloadPacket, Tensor, TorchDispatchMode, ops
from runtime.higher_order import HigherOrderOperator
from runtime.pytree import tree_map

__all__ = ["SAC_IGNORED_OPS", "CheckpointPolicy", "SelectiveCheckpointContext", "create_selective_checkpoint_contexts"]

#: Operators that policies are not asked about: they compute nothing.
SAC_IGNORED_OPS = {ops.aten.detach.default}

_MISMATCH = (
    "This can happen if the operations in the checkpointed region are nondeterministic or depend on global state that changed between forward "
    "and backward."
)


class SelectiveCheckpointContext:
    """What a policy gets beside the operator and its arguments.

    Parameters
    ----------
    is_recompute : bool
        False: policies are asked while the function runs first.
    op_output : object, optional
        What the operator returned.
    """

    def __init__(self, *, is_recompute, op_output=None):
        self.is_recompute, self.op_output = is_recompute, op_output


class CheckpointPolicy(enum.Enum):
    """What to do with an operator's result: keep it, or compute it again. MUST tells compilers that they have no choice."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


class _Kept:
    """A value that is kept, with the version that its tensor has."""

    def __init__(self, value):
        if isinstance(value, Tensor):
            # Behind autograd a detached tensor would have a version counter of its own.
            with _core._SetExcludeDispatchKeyGuard(DispatchKey.ADInplaceOrView, False):
                value = value.detach()
        self.value, self.version = value, value._version if isinstance(value, Tensor) else None

    def get(self, may_be_written):
        """The value; an error if it was written."""
        if self.version is not None and not may_be_written and self.value._version != self.version:
            raise RuntimeError("Tensor cached during selective activation checkpoint has been mutated")
        return self.value


_RECOMPUTE, _CONSUMED = object(), object()
_KEEPING = (CheckpointPolicy.MUST_SAVE, CheckpointPolicy.PREFER_SAVE)


class _CachingTorchDispatchMode(TorchDispatchMode):
    """Asks the policy about every call, and keeps what it says."""

    def __init__(self, policy_fn, storage):
        super().__init__()
        self.policy_fn, self.storage = policy_fn, storage

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in SAC_IGNORED_OPS:
            return func(*args, **kwargs)
        result = func(*args, **kwargs)
        policy = self.policy_fn(SelectiveCheckpointContext(is_recompute=False, op_output=result), func, *args, **kwargs)
        if isinstance(policy, bool):
            policy = CheckpointPolicy.MUST_SAVE if policy else CheckpointPolicy.PREFER_RECOMPUTE
        self.storage[func].append(tree_map(_Kept, result) if policy in _KEEPING else _RECOMPUTE)
        return result


class _CachedTorchDispatchMode(TorchDispatchMode):
    """Gives back what was kept of each call, and lets others run."""

    def __init__(self, storage, allow_cache_entry_mutation):
        super().__init__()
        self.storage, self.allow_cache_entry_mutation = storage, allow_cache_entry_mutation
        self.counts = defaultdict(int)

    def __enter__(self):
        self.counts.clear()  # each recomputation begins with the first call
        return super().__enter__()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in SAC_IGNORED_OPS:
            return func(*args, **(kwargs or {}))
        index = self.counts[func]
        self.counts[func] += 1
        calls = self.storage.get(func)
        if calls is None:
            raise RuntimeError(f"{func} encountered during backward but not found in storage. {_MISMATCH}")
        if index >= len(calls):
            raise RuntimeError(f"{func} invocation index {index} encountered during backward but not found in storage. {_MISMATCH}")
        kept = calls[index]
        if kept is _RECOMPUTE:
            return func(*args, **(kwargs or {}))
        if kept is _CONSUMED:
            raise RuntimeError(
                "Trying to backward an extra time. You are only allowed to backward once on any region computed under selective activation "
                "checkpoint."
            )
        calls[index] = _CONSUMED
        return tree_map(lambda one: one.get(self.allow_cache_entry_mutation), kept)


def create_selective_checkpoint_contexts(policy_fn_or_list, allow_cache_entry_mutation=False):
    """Make the two contexts that `checkpoint` takes as its `context_fn`, by a policy.

    Parameters
    ----------
    policy_fn_or_list : callable or list of OpOverload
        A function ``policy(context, op, *args, **kwargs)`` that returns a `CheckpointPolicy`, or the operators whose results are kept.
    allow_cache_entry_mutation : bool
        Whether kept tensors may be written.

    Returns
    -------
    tuple of TorchDispatchMode

    Examples
    --------
    >>> import functools
    >>> import runtime as rt
    >>> from runtime.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts
    >>> keep = functools.partial(create_selective_checkpoint_contexts, [rt.ops.aten.mm.default])
    >>> x = rt.ones(2, 2, requires_grad=True)
    >>> checkpoint(lambda t: (t @ t).sigmoid(), x, use_reentrant=False, context_fn=keep).sum().backward()
    >>> x.grad.shape
    torch.Size([2, 2])
    """
    if isinstance(policy_fn_or_list, list):
        for op in policy_fn_or_list:
            if not isinstance(op, (OpOverload, HigherOrderOperator)):
                hint = (
                    "Please update the OpOverloadPacket to a specific OpOverload.For example, if you have `torch.ops.aten.mm`, change it to "
                    "`torch.ops.aten.mm.default`."
                )
                raise ValueError(
                    f"Expected op in `op_list` to be an OpOverload but got: {op} of type {type(op)}. "
                    f"{hint if isinstance(op, OpOverloadPacket) else ''}"
                )

        def policy_fn(context, op, *args, **kwargs):
            return CheckpointPolicy.MUST_SAVE if op in policy_fn_or_list else CheckpointPolicy.PREFER_RECOMPUTE

    elif callable(policy_fn_or_list):
        policy_fn = policy_fn_or_list
    else:
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    storage = defaultdict(list)
    return _CachingTorchDispatchMode(policy_fn, storage), _CachedTorchDispatchMode(storage, allow_cache_entry_mutation)
