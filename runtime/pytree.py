"""Pytrees: nested containers as their leaves and their structure, with the interface of `torch.utils._pytree`.

The walks are compiled (`runtime/core/pytree.pxi`); here are the node classes besides tuple, list and dict, registration, key paths and
saved structures. None is a leaf, dicts keep the order of their keys, and struct sequences of the standard library are leaves.
"""

import dataclasses
import enum
import importlib
import json
import threading
import types
import warnings
from collections import OrderedDict, defaultdict, deque, namedtuple
from functools import lru_cache, partial
from typing import Any, NamedTuple

from runtime._core import (
    SUPPORTED_NODES,
    LeafSpec,
    Size,
    TreeSpec,
    _get_node_type,
    _tree_map_only,
    arg_tree_leaves,
    is_namedtuple_class,
    tree_flatten,
    tree_is_leaf,
    tree_leaves,
    tree_map,
    tree_structure,
    treespec_leaf,
)

PyTreeSpec = TreeSpec
PyTree = Context = Any

STANDARD_DICT_TYPES = frozenset({dict, OrderedDict, defaultdict})
BUILTIN_TYPES = frozenset({tuple, list, dict, namedtuple, OrderedDict, defaultdict, deque})

DEFAULT_TREESPEC_SERIALIZATION_PROTOCOL = 1
NO_SERIALIZED_TYPE_NAME_FOUND = "NO_SERIALIZED_TYPE_NAME_FOUND"
SUPPORTED_SERIALIZED_TYPES = {}  # class -> _SerializeNodeDef
SERIALIZED_TYPE_TO_PYTHON_TYPE = {}
CONSTANT_NODES = set()
_NODE_REGISTRY_LOCK = threading.RLock()
_LEAF_SPEC = treespec_leaf()


# ---------------------------------------------------------------------------------------------------------------- key paths


@dataclasses.dataclass(frozen=True, slots=True)
class SequenceKey:
    """The step to an item of a sequence."""

    idx: int

    def __str__(self):
        return f"[{self.idx!r}]"

    def get(self, sequence):
        """The item."""
        return sequence[self.idx]


@dataclasses.dataclass(frozen=True, slots=True)
class MappingKey:
    """The step to a value of a mapping."""

    key: Any

    def __str__(self):
        return f"[{self.key!r}]"

    def get(self, mapping):
        """The value."""
        return mapping[self.key]


@dataclasses.dataclass(frozen=True, slots=True)
class GetAttrKey:
    """The step to an attribute."""

    name: str

    def __str__(self):
        return f".{self.name}"

    def get(self, obj):
        """The attribute."""
        return getattr(obj, self.name)


def keystr(kp):
    """A path of keys as Python code that follows it: ``[0]['a'].x``."""
    return "".join(map(str, kp))


def key_get(obj, kp):
    """What stands at the end of a path of keys."""
    for key in kp:
        obj = key.get(obj)
    return obj


# --------------------------------------------------------------------------------------------------------------- registration


class NodeDef(NamedTuple):
    """How instances of a class are taken apart and put together."""

    type: type
    flatten_fn: Any
    unflatten_fn: Any
    flatten_with_keys_fn: Any


class _SerializeNodeDef(NamedTuple):
    typ: type
    serialized_type_name: str
    to_dumpable_context: Any
    from_dumpable_context: Any


def _private_register_pytree_node(
    cls, flatten_fn, unflatten_fn, *, serialized_type_name=None, to_dumpable_context=None, from_dumpable_context=None, flatten_with_keys_fn=None
):
    """`register_pytree_node`, but a class may be registered again."""
    with _NODE_REGISTRY_LOCK:
        if cls in SUPPORTED_NODES:
            if cls in BUILTIN_TYPES:
                raise ValueError(f"{cls} is already registered as pytree node.")
            warnings.warn(f"{cls} is already registered as pytree node. Overwriting the previous registration.", stacklevel=2)
        if (to_dumpable_context is None) != (from_dumpable_context is None):
            raise ValueError(f"Both to_dumpable_context and from_dumpable_context for {cls} must be None or registered.")
        name = NO_SERIALIZED_TYPE_NAME_FOUND if serialized_type_name is None else serialized_type_name
        SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn, flatten_with_keys_fn)
        SUPPORTED_SERIALIZED_TYPES[cls] = _SerializeNodeDef(cls, name, to_dumpable_context, from_dumpable_context)
        SERIALIZED_TYPE_TO_PYTHON_TYPE[name] = cls


def register_pytree_node(
    cls, flatten_fn, unflatten_fn, *, serialized_type_name=None, to_dumpable_context=None, from_dumpable_context=None, flatten_with_keys_fn=None
):
    """Take instances of a class as nodes.

    Parameters
    ----------
    cls : type
        The class; instances of its subclasses are no nodes by this.
    flatten_fn : callable
        ``flatten_fn(instance) -> (children, context)``.
    unflatten_fn : callable
        ``unflatten_fn(children, context) -> instance``.
    serialized_type_name : str, optional
        The class's name in saved structures; without one they cannot be saved.
    to_dumpable_context, from_dumpable_context : callable, optional
        Between a context and what JSON can save; by default the context must be that itself.
    flatten_with_keys_fn : callable, optional
        ``flatten_with_keys_fn(instance) -> ([(key, child), ...], context)``, for key paths.

    Raises
    ------
    ValueError
        If the class is registered already.
    """
    with _NODE_REGISTRY_LOCK:
        if cls in SUPPORTED_NODES:
            raise ValueError(f"{cls} is already registered as pytree node.")
        _private_register_pytree_node(
            cls,
            flatten_fn,
            unflatten_fn,
            serialized_type_name=serialized_type_name,
            to_dumpable_context=to_dumpable_context,
            from_dumpable_context=from_dumpable_context,
            flatten_with_keys_fn=flatten_with_keys_fn,
        )


def _register_namedtuple(cls, *, serialized_type_name):
    """Give a class of named tuples a name in saved structures; nodes they are without it."""
    _private_register_pytree_node(
        cls,
        _namedtuple_flatten,
        _namedtuple_unflatten,
        serialized_type_name=serialized_type_name,
        to_dumpable_context=_namedtuple_serialize,
        from_dumpable_context=_namedtuple_deserialize,
        flatten_with_keys_fn=_namedtuple_flatten_with_keys,
    )


def _deregister_pytree_node(cls):
    """Take back a registration."""
    if cls in BUILTIN_TYPES:
        raise ValueError(f"{cls} stays a pytree node")
    with _NODE_REGISTRY_LOCK:
        del SUPPORTED_NODES[cls]
        name = SUPPORTED_SERIALIZED_TYPES.pop(cls).serialized_type_name
        SERIALIZED_TYPE_TO_PYTHON_TYPE.pop(name, None)
        CONSTANT_NODES.discard(cls)


def register_dataclass(cls, *, field_names=None, drop_field_names=None, serialized_type_name=None):
    """Take instances of a dataclass, or of a class like one, as nodes whose children are the fields.

    Parameters
    ----------
    cls : type
        The class; it is made by calling it with the fields as keyword arguments.
    field_names : list of str, optional
        The fields; needed unless `cls` is a dataclass.
    drop_field_names : list of str, optional
        Fields of a dataclass that are not named in `field_names` on purpose.
    serialized_type_name : str, optional
        The class's name in saved structures.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from runtime import pytree
    >>> @dataclass
    ... class Point:
    ...     x: int
    ...     y: int
    >>> pytree.register_dataclass(Point)
    >>> pytree.tree_map(lambda n: n + 1, [Point(1, 2)])
    [Point(x=2, y=3)]
    """
    if not dataclasses.is_dataclass(cls):
        if field_names is None:
            raise ValueError(f"field_names must be specified with a list of all fields used to initialize {cls}, as it is not a dataclass.")
    else:
        fields = [field.name for field in dataclasses.fields(cls) if field.init]
        if field_names is None:
            field_names = fields
        else:
            _check_fields(set(fields).difference(drop_field_names or ()), set(field_names))

    def flatten(instance):
        values = {name: getattr(instance, name) for name in field_names}
        there = {name: value for name, value in values.items() if value is not None}
        return list(there.values()), [list(there), [name for name in values if name not in there]]

    def flatten_with_keys(instance):
        values, (names, _) = flatten(instance)
        return [(GetAttrKey(name), value) for name, value in zip(names, values, strict=True)], names

    def unflatten(values, context):
        names, absent = context
        return cls(**dict(zip(names, values, strict=True)), **dict.fromkeys(absent))

    _private_register_pytree_node(cls, flatten, unflatten, serialized_type_name=serialized_type_name, flatten_with_keys_fn=flatten_with_keys)


def _check_fields(expected, given):
    if expected == given:
        return
    message = "field_names does not include all dataclass fields.\n"
    if missing := expected - given:
        message += (
            f"Missing fields in `field_names`: {missing}. If you want to include these fields in the pytree, please add them "
            "to `field_names`, otherwise please add them to `drop_field_names`.\n"
        )
    if unexpected := given - expected:
        message += f"Unexpected fields in `field_names`: {unexpected}. Please remove these fields, or add them to `drop_field_names`.\n"
    raise ValueError(message)


@dataclasses.dataclass(frozen=True, slots=True)
class ConstantNode:
    """The context of an instance of a class registered by `register_constant`."""

    value: Any


def register_constant(cls):
    """Take instances of a class as nodes without children: they are part of the structure.

    Parameters
    ----------
    cls : type
        The class; it compares and hashes its instances by value.
    """
    for method, missing in (("__eq__", object.__eq__), ("__hash__", None)):
        if getattr(cls, method) is missing:
            raise TypeError(f"register_constant(cls) expects `cls` to have a non-default `{method}` implementation.")

    def flatten(instance):
        return [], ConstantNode(instance)

    with _NODE_REGISTRY_LOCK:
        _private_register_pytree_node(cls, flatten, lambda _, context: context.value, flatten_with_keys_fn=flatten)
        CONSTANT_NODES.add(cls)


def is_constant_class(cls):
    """Whether a class is registered by `register_constant`."""
    return isinstance(cls, type) and cls in CONSTANT_NODES


def _is_constant_holder(spec):
    """Whether a structure is an instance of a class registered by `register_constant`."""
    return isinstance(spec._context, ConstantNode)


def _retrieve_constant(spec):
    """The instance that a structure is."""
    if not _is_constant_holder(spec):
        raise AssertionError("spec does not correspond to a registered constant pytree")
    return spec._context.value


# --------------------------------------------------------------------------------------------------------- named tuples and the like


def is_namedtuple(obj):
    """Whether an object is a named tuple, or a class of them."""
    return is_namedtuple_class(obj if isinstance(obj, type) else type(obj))


def is_namedtuple_instance(obj):
    """Whether an object is a named tuple."""
    return is_namedtuple_class(type(obj))


def is_structseq_class(cls):
    """Whether a class is one of CPython's struct sequences, such as `time.struct_time`, or a named result of an operator."""
    counts = ("n_fields", "n_sequence_fields", "n_unnamed_fields")
    extensible = 1 << 10  # Py_TPFLAGS_BASETYPE
    return (
        isinstance(cls, type)
        and cls.__bases__ == (tuple,)
        and all(isinstance(getattr(cls, count, None), int) for count in counts)
        and (not cls.__flags__ & extensible or cls.__module__ == "runtime.return_types")
    )


def is_structseq(obj):
    """Whether an object is a struct sequence, or a class of them."""
    return is_structseq_class(obj if isinstance(obj, type) else type(obj))


def is_structseq_instance(obj):
    """Whether an object is a struct sequence."""
    return is_structseq_class(type(obj))


# ---------------------------------------------------------------------------------------------------------------- built-in nodes


def _sequence_flatten(sequence):
    return list(sequence), None


def _with_indices(flatten, sequence):
    children, context = flatten(sequence)
    return [(SequenceKey(i), child) for i, child in enumerate(children)], context


def _dict_flatten(d):
    return list(d.values()), list(d)


def _dict_unflatten(values, context):
    return dict(zip(context, values, strict=True))


def _with_names(flatten, d):
    children, context = flatten(d)
    return [(MappingKey(key), child) for key, child in zip(d, children, strict=True)], context


def _ordereddict_unflatten(values, context):
    return OrderedDict(zip(context, values, strict=True))


def _defaultdict_flatten(d):
    return list(d.values()), [d.default_factory, list(d)]


def _defaultdict_unflatten(values, context):
    return defaultdict(context[0], zip(context[1], values, strict=True))


def _defaultdict_serialize(context):
    factory, keys = context
    return {"default_factory_module": factory.__module__, "default_factory_name": factory.__qualname__, "dict_context": keys}


def _defaultdict_deserialize(saved):
    module, name, keys = saved["default_factory_module"], saved["default_factory_name"], saved["dict_context"]
    if not (isinstance(module, str) and isinstance(name, str)):
        raise AssertionError("default_factory_module and default_factory_name must be strings")
    return [getattr(importlib.import_module(module), name), keys]


def _deque_flatten(d):
    return list(d), d.maxlen


def _deque_unflatten(values, context):
    return deque(values, maxlen=context)


def _namedtuple_flatten(values):
    return list(values), type(values)


def _namedtuple_unflatten(values, context):
    return context(*values)


def _namedtuple_flatten_with_keys(values):
    return [(GetAttrKey(name), value) for name, value in zip(type(values)._fields, values, strict=True)], type(values)


def _namedtuple_serialize(context):
    saved = SUPPORTED_SERIALIZED_TYPES.get(context)
    if saved is None or saved.serialized_type_name == NO_SERIALIZED_TYPE_NAME_FOUND:
        reason = "didn't register a" if saved is None else "couldn't find a"
        raise NotImplementedError(
            f"Can't serialize TreeSpec of namedtuple class {context} because we {reason} serializated_type_name. "
            "Please register using `_register_namedtuple`."
        )
    return saved.serialized_type_name


def _namedtuple_deserialize(name):
    if name not in SERIALIZED_TYPE_TO_PYTHON_TYPE:
        raise NotImplementedError(f"Can't deserialize TreeSpec of namedtuple class {name} because we couldn't find a serializated name.")
    return SERIALIZED_TYPE_TO_PYTHON_TYPE[name]


def _register_builtin_nodes():
    def register(cls, name, flatten, unflatten, with_keys, **serialization):
        keyed = partial(with_keys, flatten) if with_keys in (_with_indices, _with_names) else with_keys
        _private_register_pytree_node(cls, flatten, unflatten, serialized_type_name=name, flatten_with_keys_fn=keyed, **serialization)

    register(tuple, "builtins.tuple", _sequence_flatten, lambda values, _: tuple(values), _with_indices)
    register(list, "builtins.list", _sequence_flatten, lambda values, _: list(values), _with_indices)
    register(dict, "builtins.dict", _dict_flatten, _dict_unflatten, _with_names)
    register(
        namedtuple, "collections.namedtuple", _namedtuple_flatten, _namedtuple_unflatten, _namedtuple_flatten_with_keys,
        to_dumpable_context=_namedtuple_serialize, from_dumpable_context=_namedtuple_deserialize,
    )  # fmt: skip
    register(OrderedDict, "collections.OrderedDict", _dict_flatten, _ordereddict_unflatten, _with_names)
    register(
        defaultdict, "collections.defaultdict", _defaultdict_flatten, _defaultdict_unflatten, _with_names,
        to_dumpable_context=_defaultdict_serialize, from_dumpable_context=_defaultdict_deserialize,
    )  # fmt: skip
    register(deque, "collections.deque", _deque_flatten, _deque_unflatten, _with_indices)
    # As PyTorch: leaves need not be ints, so that what was a Size comes back as a tuple.
    register(Size, "torch.Size", _sequence_flatten, lambda values, _: tuple(values), _with_indices)


_register_builtin_nodes()


def register_return_type(cls):
    """Take an operator's named results as nodes; `runtime.return_types` calls this for each class that it makes."""
    keyed = partial(_with_indices, _sequence_flatten)
    _private_register_pytree_node(cls, _sequence_flatten, lambda values, _: cls(values), flatten_with_keys_fn=keyed)


# --------------------------------------------------------------------------------------------------------------------- walking


def tree_unflatten(leaves, treespec):
    """The tree of a structure and its leaves.

    Parameters
    ----------
    leaves : iterable
    treespec : TreeSpec
        The two may come in either order.
    """
    if not isinstance(treespec, TreeSpec):
        if not isinstance(leaves, TreeSpec):
            raise TypeError(f"Expected `treespec` to be an instance of PyTreeSpec but got item of type {type(treespec)}.")
        leaves, treespec = treespec, leaves
    return treespec.unflatten(leaves)


def treespec_tuple(iterable=(), /):
    """The structure of a tuple of trees of given structures."""
    children = list(iterable)
    if not all(isinstance(child, TreeSpec) for child in children):
        raise ValueError(f"Expected a tuple of TreeSpec values, got: {children!r}.")
    return TreeSpec(tuple, None, children)


def treespec_dict(mapping=(), /, **kwargs):
    """The structure of a dict of trees of given structures."""
    specs = dict(mapping, **kwargs)
    if not all(isinstance(child, TreeSpec) for child in specs.values()):
        raise ValueError(f"Expected a dictionary of TreeSpec values, got: {specs!r}.")
    return TreeSpec(dict, list(specs), list(specs.values()))


def tree_iter(tree, is_leaf=None):
    """Iterate over the leaves of a tree."""
    yield from tree_leaves(tree, is_leaf)


def tree_map_(func, tree, *rests, is_leaf=None):
    """Call a function at the leaves, as `tree_map` does; returns the tree itself."""
    leaves, spec = tree_flatten(tree, is_leaf)
    deque(map(func, leaves, *[spec.flatten_up_to(rest) for rest in rests]), maxlen=0)
    return tree


def map_only(type_or_types_or_pred, /):
    """A decorator: the function is called for leaves of some types, or those that a predicate selects; others it returns.

    Parameters
    ----------
    type_or_types_or_pred : type, tuple of types, union or callable
    """
    select = type_or_types_or_pred
    if isinstance(select, (type, tuple, types.UnionType)):
        return lambda func: lambda leaf: func(leaf) if isinstance(leaf, select) else leaf
    if not callable(select):
        raise TypeError("Argument must be a type, a tuple of types, or a callable.")
    return lambda func: lambda leaf: func(leaf) if select(leaf) else leaf


def tree_map_only(type_or_types_or_pred, /, func, tree, is_leaf=None):
    """`tree_map` at the leaves of some types, or those that a predicate selects; the others stay."""
    if isinstance(type_or_types_or_pred, (type, tuple)):
        return _tree_map_only(type_or_types_or_pred, func, tree, is_leaf)
    return tree_map(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_map_only_(type_or_types_or_pred, /, func, tree, is_leaf=None):
    """Call a function at the leaves of some types, or those that a predicate selects; returns the tree itself."""
    return tree_map_(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_all(pred, tree, is_leaf=None):
    """Whether a predicate holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred, tree, is_leaf=None):
    """Whether a predicate holds for some leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def tree_all_only(type_or_types, /, pred, tree, is_leaf=None):
    """Whether a predicate holds for all leaves of some types."""
    return all(pred(leaf) for leaf in tree_leaves(tree, is_leaf) if isinstance(leaf, type_or_types))


def tree_any_only(type_or_types, /, pred, tree, is_leaf=None):
    """Whether a predicate holds for some leaf of some types."""
    return any(pred(leaf) for leaf in tree_leaves(tree, is_leaf) if isinstance(leaf, type_or_types))


def _broadcast_to_and_flatten(tree, treespec, is_leaf=None):
    """A tree's leaves, each as often as the structure has leaves where it stands; None where the structure does not begin as the tree."""
    leaves, prefix = tree_flatten(tree, is_leaf)
    try:
        parts = prefix.flatten_up_to(treespec.unflatten([0] * treespec.num_leaves))
    except ValueError:
        return None
    return [leaf for leaf, part in zip(leaves, parts, strict=True) for _ in tree_leaves(part, is_leaf)]


def _key_paths(path, tree, is_leaf):
    if tree_is_leaf(tree, is_leaf):
        yield path, tree
        return
    cls = _get_node_type(tree)
    flatten = SUPPORTED_NODES[cls].flatten_with_keys_fn
    if flatten is None:
        raise ValueError(
            f"Did not find a flatten_with_keys_fn for type: {cls}. Please pass a flatten_with_keys_fn argument to register_pytree_node."
        )
    for key, child in flatten(tree)[0]:
        yield from _key_paths((*path, key), child, is_leaf)


def tree_leaves_with_path(tree, is_leaf=None):
    """Pairs of a leaf's path of keys and the leaf."""
    return list(_key_paths((), tree, is_leaf))


def tree_flatten_with_path(tree, is_leaf=None):
    """Pairs of a leaf's path of keys and the leaf, and the tree's structure."""
    return tree_leaves_with_path(tree, is_leaf), tree_structure(tree, is_leaf)


def tree_map_with_path(func, tree, *rests, is_leaf=None):
    """As `tree_map`, but the function's first argument is the leaf's path of keys.

    Examples
    --------
    >>> from runtime import pytree
    >>> pytree.tree_map_with_path(lambda path, leaf: pytree.keystr(path), {"a": [1, 2]})
    {'a': ["['a'][0]", "['a'][1]"]}
    """
    pairs, spec = tree_flatten_with_path(tree, is_leaf)
    paths, leaves = zip(*pairs, strict=True) if pairs else ((), ())
    return spec.unflatten(map(func, paths, leaves, *[spec.flatten_up_to(rest) for rest in rests]))


# ------------------------------------------------------------------------------------------------------------- saved structures


class _EnumEncoder(json.JSONEncoder):
    def default(self, obj):
        if isinstance(obj, enum.Enum):
            cls = type(obj)
            return {"__enum__": True, "fqn": f"{cls.__module__}:{cls.__qualname__}", "name": obj.name}
        return super().default(obj)


def _enum_members(saved):
    """What JSON has for a member of an Enum, as that member."""
    if "__enum__" not in saved:
        return saved
    module, _, path = saved["fqn"].partition(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found[saved["name"]]


def _to_json(spec):
    if spec.is_leaf():
        return {"type": None, "context": None, "children_spec": []}
    if spec.type not in SUPPORTED_SERIALIZED_TYPES:
        raise NotImplementedError(f"Serializing {spec.type} in pytree is not registered.")
    node = SUPPORTED_SERIALIZED_TYPES[spec.type]
    if node.serialized_type_name == NO_SERIALIZED_TYPE_NAME_FOUND:
        raise NotImplementedError(
            f"No registered serialization name for {spec.type} found. Please update your _register_pytree_node call with a "
            "`serialized_type_name` kwarg."
        )
    if node.to_dumpable_context is not None:
        context = node.to_dumpable_context(spec._context)
    else:
        try:
            context = json.dumps(spec._context, cls=_EnumEncoder)
        except TypeError as error:
            raise TypeError(
                "Unable to serialize context. Please make the context json dump-able, or register a custom serializer using "
                "_register_pytree_node."
            ) from error
    return {"type": node.serialized_type_name, "context": context, "children_spec": [_to_json(child) for child in spec._children]}


def _from_json(saved):
    if saved["type"] is None and saved["context"] is None and not saved["children_spec"]:
        return treespec_leaf()
    if saved["type"] not in SERIALIZED_TYPE_TO_PYTHON_TYPE:
        raise NotImplementedError(f"Deserializing {saved['type']} in pytree is not registered.")
    cls = SERIALIZED_TYPE_TO_PYTHON_TYPE[saved["type"]]
    node = SUPPORTED_SERIALIZED_TYPES[cls]
    if node.from_dumpable_context is not None:
        context = node.from_dumpable_context(saved["context"])
    else:
        try:
            context = json.loads(saved["context"], object_hook=_enum_members)
        except TypeError as error:
            raise TypeError(
                "Unable to deserialize context. Please make the context json load-able, or register a custom serializer using "
                "_register_pytree_node."
            ) from error
    return TreeSpec(cls, context, [_from_json(child) for child in saved["children_spec"]])


def _check_protocol(protocol):
    if protocol != DEFAULT_TREESPEC_SERIALIZATION_PROTOCOL:
        raise ValueError(f"Unknown protocol {protocol}. Available protocols: {[DEFAULT_TREESPEC_SERIALIZATION_PROTOCOL]}")


def treespec_dumps(treespec, protocol=None):
    """A structure as JSON.

    Parameters
    ----------
    treespec : TreeSpec
        Of classes that have a name for it.
    protocol : int, optional
        The version of the format; 1.

    Returns
    -------
    str
    """
    if not isinstance(treespec, TreeSpec):
        raise TypeError(f"Expected `treespec` to be an instance of PyTreeSpec but got item of type {type(treespec)}.")
    if protocol is None:
        protocol = DEFAULT_TREESPEC_SERIALIZATION_PROTOCOL
    _check_protocol(protocol)
    return json.dumps((protocol, _to_json(treespec)), cls=_EnumEncoder)


@lru_cache
def treespec_loads(serialized):
    """The structure that `treespec_dumps` saved."""
    protocol, saved = json.loads(serialized)
    _check_protocol(protocol)
    return _from_json(saved)


class _Asterisk(str):
    __slots__ = ()

    def __repr__(self):
        return "*"


def treespec_pprint(treespec):
    """A structure as the tree prints that has stars for leaves.

    Examples
    --------
    >>> from runtime import pytree
    >>> pytree.treespec_pprint(pytree.tree_structure({"a": [1, (2, 3)]}))
    "{'a': [*, (*, *)]}"
    """
    return repr(treespec.unflatten([_Asterisk("*")] * treespec.num_leaves))


__all__ = [
    "BUILTIN_TYPES",
    "CONSTANT_NODES",
    "ConstantNode",
    "Context",
    "GetAttrKey",
    "LeafSpec",
    "MappingKey",
    "NodeDef",
    "PyTree",
    "PyTreeSpec",
    "SERIALIZED_TYPE_TO_PYTHON_TYPE",
    "STANDARD_DICT_TYPES",
    "SUPPORTED_NODES",
    "SUPPORTED_SERIALIZED_TYPES",
    "SequenceKey",
    "TreeSpec",
    "arg_tree_leaves",
    "is_constant_class",
    "is_namedtuple",
    "is_namedtuple_class",
    "is_namedtuple_instance",
    "is_structseq",
    "is_structseq_class",
    "is_structseq_instance",
    "key_get",
    "keystr",
    "map_only",
    "register_constant",
    "register_dataclass",
    "register_pytree_node",
    "tree_all",
    "tree_all_only",
    "tree_any",
    "tree_any_only",
    "tree_flatten",
    "tree_flatten_with_path",
    "tree_is_leaf",
    "tree_iter",
    "tree_leaves",
    "tree_leaves_with_path",
    "tree_map",
    "tree_map_",
    "tree_map_only",
    "tree_map_only_",
    "tree_map_with_path",
    "tree_structure",
    "tree_unflatten",
    "treespec_dict",
    "treespec_dumps",
    "treespec_leaf",
    "treespec_loads",
    "treespec_pprint",
    "treespec_tuple",
]
