"""A mode that holds every operator call below autograd against the operator's schema: what is written, what shares memory."""

from itertools import combinations
from typing import NamedTuple

from runtime._core import Tensor, TorchDispatchMode, contiguous_format
from runtime.operator_facts import zip_schema

# Their schemas leave out on purpose that the result shares memory with the argument.
_UNSAFE = ("aten::_unsafe_view", "aten::unsafe_split")
_LIFTS = ("aten::lift", "aten::lift_fresh")


class Mutation(NamedTuple):
    """A write that the schema declares."""

    op_name: str
    arg_name: str


class Aliasing(NamedTuple):
    """Memory that a result and an argument share as the schema declares."""

    op_name: str
    arg_name: str
    output_number: str


class SchemaCheckMode(TorchDispatchMode):
    """Raises where an operator writes, or lets results share memory, otherwise than its schema says.

    Attributes
    ----------
    ops : list of str
        The names of the operators that were called.
    mutated : list of Mutation
        Declared writes that happened.
    aliasing : list of Aliasing
        Declared aliases that came out.
    """

    def __init__(self):
        super().__init__()
        self.ops, self.mutated, self.aliasing = [], [], []

    def reset_cache(self):
        """Forget what was recorded."""
        for record in (self.ops, self.mutated, self.aliasing):
            record.clear()

    def display_ops(self):
        """Print the names of the operators that were called."""
        print(*self.ops, sep=",")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        call = _Call(func, args, kwargs or {})
        self.ops.append(func._schema.name)
        result = func(*args, **(kwargs or {}))
        for argument, after in zip(call.arguments, call.states()):
            self._check_aliases(call, argument, result)
            self._check_write(call, argument, after)
        outputs = _outputs(func, result)
        for (i, (one, _)), (j, (other, _)) in combinations(enumerate(outputs), 2):
            if _share(one, other) and not call.outputs_may_alias(i, j):
                raise RuntimeError(f"Outputs {i} and {j} alias unexpectedly")
        return result

    def _check_aliases(self, call, argument, result):
        for j, (output, declared) in enumerate(_outputs(call.op, result)):
            if _share(output, argument.value) and call.name not in _UNSAFE:
                if not call.may_alias(declared, argument):
                    raise RuntimeError(f"Argument {argument.name} is not defined to alias output but was aliasing")
                self.aliasing.append(Aliasing(call.name, argument.name, f"output_{j}"))
            if output is argument.value and isinstance(output, Tensor) and not call.may_write(argument) and call.name not in _LIFTS:
                raise RuntimeError(
                    f"Dispatcher operators below autograd are not allowed to directly return inputs.\n"
                    f"However, we found that `outputs[{j}] is {argument.name}"
                )

    def _check_write(self, call, argument, after):
        if argument.state == after:
            return
        if not call.may_write(argument):
            raise RuntimeError(f"Argument {argument.name} is not defined as mutable but was mutated")
        self.mutated.append(Mutation(call.name, argument.name))


class _Argument:
    """One argument of a call, with what it was before."""

    def __init__(self, declared, value):
        self.declared, self.value = declared, value
        self.name = "input" if declared.name == "self" else declared.name
        self.memory = {_memory(t) for t in _tensors(value)}
        self.state = _state(value)


class _Call:
    """An operator's arguments before a call, and what its schema lets happen to them. Arguments that share memory share their fate."""

    def __init__(self, op, args, kwargs):
        self.op, self.name = op, op._schema.name
        self.arguments = [_Argument(declared, value) for declared, value in zip_schema(op._schema, args, kwargs)]

    def states(self):
        return [_state(a.value) for a in self.arguments]

    def _like(self, argument):
        """The arguments on some memory of one's, itself among them."""
        return [a for a in self.arguments if a is argument or not a.memory.isdisjoint(argument.memory)]

    def may_write(self, argument):
        return any(a.declared.is_write for a in self._like(argument))

    def may_alias(self, returned, argument):
        return any(_annotations_meet(returned, a.declared) for a in self._like(argument))

    def outputs_may_alias(self, i, j):
        one, other = self.op._schema.returns[i], self.op._schema.returns[j]
        return _annotations_meet(one, other) or any(self.may_alias(one, a) and self.may_alias(other, a) for a in self.arguments)


def _outputs(op, result):
    """Pairs of a result and what the schema says of it."""
    return list(zip(result if isinstance(result, tuple) else (result,), op._schema.returns))


def _annotations_meet(one, other):
    """Whether the annotations of an argument and a return, or of two returns, let them share memory."""
    sets = [_alias_sets(x.alias_info) for x in (one, other)]
    return all(sets) and ("*" in sets[0] | sets[1] or bool(sets[0] & sets[1]))


def _alias_sets(annotation):
    """All alias sets in an annotation and in those of the type's parts."""
    if annotation is None:
        return set()
    return annotation.before_set | annotation.after_set | {name for part in annotation.contained for name in _alias_sets(part)}


def _tensors(value):
    """The tensors in a value, in lists and tuples too; those inside wrappers that have them as `elem`."""
    if isinstance(value, Tensor):
        yield value if type(value) is Tensor else getattr(value, "elem", value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _memory(tensor):
    return tensor.untyped_storage()._cdata


def _share(one, other):
    return not {_memory(t) for t in _tensors(one)}.isdisjoint(_memory(t) for t in _tensors(other))


def _state(value):
    """All that writing tensors may change: geometry, storage, and the elements bit by bit."""
    return [(tuple(t.shape), t.stride(), _memory(t), _elements(t)) for t in _tensors(value)]


def _elements(tensor):
    if tensor.is_meta or tensor.untyped_storage().data_ptr() == 0:
        return b""
    return bytes(tensor.detach().clone(memory_format=contiguous_format).untyped_storage())
