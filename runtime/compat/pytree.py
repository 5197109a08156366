"""`torch.utils._pytree` over the optree package, with PyTorch's conventions: None is a leaf, dicts keep their order, leaves come first.

`runtime.compat` shows this module where optree is installed; elsewhere its names are pending.
"""

import optree

_NAMESPACE = "runtime"
TreeSpec = PyTreeSpec = optree.PyTreeSpec


def _ordered():
    """Keys of dicts stay in the order of their insertion inside the block."""
    return optree.dict_insertion_ordered(True, namespace=_NAMESPACE)


def tree_flatten(tree, is_leaf=None):
    """The leaves of a tree, and its structure.

    Parameters
    ----------
    tree : object
        Nested lists, tuples, named tuples, dicts, ordered dicts, default dicts, deques and registered classes; all else is a leaf.
    is_leaf : callable, optional
        Says of a node that it is taken as a leaf.

    Returns
    -------
    leaves : list
    spec : TreeSpec
    """
    with _ordered():
        return optree.tree_flatten(tree, is_leaf, none_is_leaf=True, namespace=_NAMESPACE)


def tree_unflatten(leaves, treespec):
    """The tree of a structure and its leaves."""
    return optree.tree_unflatten(treespec, leaves)


def tree_leaves(tree, is_leaf=None):
    """The leaves of a tree."""
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree, is_leaf=None):
    """The structure of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_iter(tree, is_leaf=None):
    """Iterate over the leaves of a tree."""
    yield from tree_leaves(tree, is_leaf)


def tree_map(func, tree, *rests, is_leaf=None):
    """The tree of a function's values at the leaves of one tree, or of several of one structure."""
    with _ordered():
        return optree.tree_map(func, tree, *rests, is_leaf=is_leaf, none_is_leaf=True, namespace=_NAMESPACE)


def tree_map_(func, tree, *rests, is_leaf=None):
    """Call a function at the leaves; returns the tree itself."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _predicate(types):
    """What `tree_map_only` selects by: a type, a tuple of types, or a predicate."""
    return (lambda leaf: isinstance(leaf, types)) if isinstance(types, (type, tuple)) else types


def tree_map_only(type_or_types_or_pred, func, tree, is_leaf=None):
    """`tree_map` at the leaves of some types, or those that a predicate selects; the others stay."""
    selects = _predicate(type_or_types_or_pred)
    return tree_map(lambda leaf: func(leaf) if selects(leaf) else leaf, tree, is_leaf=is_leaf)


def tree_all(pred, tree, is_leaf=None):
    """Whether a predicate holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred, tree, is_leaf=None):
    """Whether a predicate holds for some leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def register_pytree_node(cls, flatten_fn, unflatten_fn, **serialization):
    """Take instances of a class as nodes.

    Parameters
    ----------
    cls : type
        The class.
    flatten_fn : callable
        ``flatten_fn(instance) -> (children, context)``.
    unflatten_fn : callable
        ``unflatten_fn(children, context) -> instance``.
    **serialization
        What PyTorch needs to save structures; not used.
    """
    optree.register_pytree_node(cls, flatten_fn, lambda context, children: unflatten_fn(children, context), namespace=_NAMESPACE)
