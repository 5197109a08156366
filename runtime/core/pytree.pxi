# Pytrees: nested tuples, lists, dicts and instances of registered classes, as their leaves and their structure.
#
# The walks are here, because handlers of modes and subclasses walk the arguments of every call; `runtime.pytree` has the public names,
# registers the node classes besides tuple, list and dict, and everything that no handler needs. The structure is a TreeSpec: for a
# node its class, the context that its class needs to rebuild it, and its children's structures.


cdef extern from "Python.h":
    int enter_recursion "Py_EnterRecursiveCall"(const char *where) noexcept
    void leave_recursion "Py_LeaveRecursiveCall"() noexcept

cdef object namedtuple, OrderedDict, defaultdict, deque
import collections as _collections
namedtuple, OrderedDict, defaultdict, deque = _collections.namedtuple, _collections.OrderedDict, _collections.defaultdict, _collections.deque

cdef dict tree_nodes = {}   # class -> (class, flatten, unflatten, flatten_with_keys); `namedtuple` stands for all named tuples
SUPPORTED_NODES = tree_nodes

cdef object future_warning(str message):
    import warnings
    warnings.warn(message, FutureWarning, stacklevel=2)


cdef list own_list(object items):
    """A list itself, anything else (and subclasses of list) as one."""
    return <list>items if type(items) is list else list(items)


cdef class TreeSpec:
    """The structure of a pytree.

    Parameters
    ----------
    type : type or None
        The class of the root; None for a leaf, and `collections.namedtuple` for named tuples of any class.
    context : object
        What the class needs beside the children to rebuild the root: keys of a dict, the class of a named tuple, the longest length
        of a deque.
    children_specs : list of TreeSpec
        The structures of the root's children.
    """
    cdef readonly object type
    cdef readonly object _context
    cdef readonly list _children
    cdef readonly Py_ssize_t num_nodes
    cdef readonly Py_ssize_t num_leaves
    cdef readonly Py_ssize_t num_children

    def __init__(self, type, context, children_specs):
        if self._children is not None:
            raise AttributeError(f"cannot change a {class_name(self)}")
        children = own_list(children_specs)
        for child in children:
            if not isinstance(child, TreeSpec):
                raise TypeError(f"the children of a TreeSpec are TreeSpecs, not {class_name(child)}")
        if type is None:
            if context is not None:
                raise AssertionError("leaf node should not have a context")
            if children:
                raise AssertionError("leaf node should not have children")
        fill_spec(self, type, context, children)

    @property
    def context(self):
        """What the root's class needs beside the children."""
        return self._context

    @property
    def children_specs(self):
        """The structures of the children. Deprecated: `children` and `child`."""
        future_warning("`treespec.children_specs` is deprecated. Use `treespec.child(index)` to access a single child, "
                       "or `treespec.children()` to get all children.")
        return self._children

    def is_leaf(self):
        """Whether the whole tree is one leaf."""
        return self.type is None

    def children(self):
        """The structures of the children, in a new list."""
        return list(self._children)

    def child(self, index):
        """The structure of one child."""
        return self._children[index]

    def unflatten(self, leaves):
        """The tree of this structure with the given leaves."""
        return unflatten_tree(self, leaves)

    def flatten_up_to(self, tree):
        """The parts of a tree that stand where this structure has its leaves.

        Raises
        ------
        ValueError
            If the tree does not begin with this structure.
        """
        cdef list found = []
        split_tree(self, tree, found)
        return found

    def __repr__(self):
        return spec_text(self, 0)

    def __eq__(self, other):
        cdef TreeSpec b
        if self is other:
            return True
        if type(other) is not type(self):
            return NotImplemented
        b = <TreeSpec>other
        if self.type is not b.type and str(self.type) != str(b.type):
            return False
        return not self._context != b._context and self._children == b._children

    def __hash__(self):
        if enter_recursion(b" while hashing a TreeSpec"):
            raise_current()
        try:
            kind, context = self.type, self._context
            if kind is dict or kind is OrderedDict:
                context = tuple(context)
            elif kind is defaultdict:
                context = context[0], tuple(context[1])
            elif kind not in (None, tuple, list, namedtuple, deque):
                # A registered class's context may have no hash; equal structures still have equal ones.
                context = None
            return hash((kind, context, tuple(self._children)))
        finally:
            leave_recursion()

    def __reduce__(self):
        return TreeSpec, (self.type, self._context, self._children)

rt_name_type(<PyTypeObject *>TreeSpec, "runtime.pytree.TreeSpec")


cdef class LeafSpec(TreeSpec):
    """The structure of a tree that is one leaf. Deprecated as a class: `treespec_leaf`, and `TreeSpec.is_leaf`."""

    def __init__(self):
        future_warning("`isinstance(treespec, LeafSpec)` is deprecated, use `isinstance(treespec, TreeSpec) and treespec.is_leaf()` instead.")
        if self._children is None:
            fill_spec(self, None, None, [])

    def __reduce__(self):
        return treespec_leaf, ()

rt_name_type(<PyTypeObject *>LeafSpec, "runtime.pytree.LeafSpec")


cdef str spec_text(TreeSpec spec, int indent):
    if spec.type is None:
        return "*"
    if enter_recursion(b" while printing a TreeSpec"):
        raise_current()
    try:
        gap = ",\n" + " " * (indent + 2)
        inner = gap.join([spec_text(<TreeSpec?>child, indent + 2) for child in spec._children])
        return f"TreeSpec({spec.type.__name__}, {spec._context}, [{inner}])"
    finally:
        leave_recursion()


cdef int fill_spec(TreeSpec spec, object kind, object context, list children) except -1:
    spec.type = kind
    spec._context = context
    spec._children = children
    spec.num_children = len(children)
    spec.num_nodes = 1
    spec.num_leaves = 1 if kind is None else 0
    for child in children:
        spec.num_nodes += (<TreeSpec>child).num_nodes
        spec.num_leaves += (<TreeSpec>child).num_leaves
    return 0


cdef TreeSpec new_spec(object kind, object context, list children):
    cdef TreeSpec spec = TreeSpec.__new__(TreeSpec)
    fill_spec(spec, kind, context, children)
    return spec


cdef LeafSpec leaf_spec = LeafSpec.__new__(LeafSpec)
fill_spec(leaf_spec, None, None, [])


def treespec_leaf():
    """The structure of a leaf."""
    return leaf_spec


# --------------------------------------------------------------------------------------------------------------- node classes

def is_namedtuple_class(cls):
    """Whether a class is one that `collections.namedtuple` makes, or derives from one."""
    if not (isinstance(cls, type) and issubclass(cls, tuple)):
        return False
    fields = getattr(cls, "_fields", None)
    return (isinstance(fields, tuple) and all([type(field) is str for field in fields]) and callable(getattr(cls, "_make", None))
            and callable(getattr(cls, "_asdict", None)))


cdef object node_class(object tree):
    """What a tree's root is registered under; None for a leaf."""
    cls = type(tree)
    if cls is tuple or cls is list or cls is dict:
        return cls
    if isinstance(tree, tuple) and is_namedtuple_class(cls):
        return namedtuple if namedtuple in tree_nodes else None
    return cls if cls in tree_nodes else None


def _get_node_type(tree):
    """The class that a tree's root would be registered under, whether it is or not."""
    return namedtuple if is_namedtuple_class(type(tree)) else type(tree)


def tree_is_leaf(tree, is_leaf=None):
    """Whether a tree is one leaf."""
    return (is_leaf is not None and bool(is_leaf(tree))) or node_class(tree) is None


# ---------------------------------------------------------------------------------------------------------------------- walks

cdef TreeSpec flatten_tree(object tree, list leaves, object is_leaf):
    cdef list specs
    if is_leaf is not None and is_leaf(tree):
        leaves.append(tree)
        return leaf_spec
    cls = node_class(tree)
    if cls is None:
        leaves.append(tree)
        return leaf_spec
    if enter_recursion(b" while flattening a pytree"):
        raise_current()
    try:
        context = None
        if cls is tuple:
            specs = [flatten_tree(child, leaves, is_leaf) for child in <tuple>tree]
        elif cls is list:
            specs = [flatten_tree(child, leaves, is_leaf) for child in <list>tree]
        elif cls is dict:
            context = list(<dict>tree)
            specs = [flatten_tree(child, leaves, is_leaf) for child in list((<dict>tree).values())]
        else:
            children, context = tree_nodes[cls][1](tree)
            specs = [flatten_tree(child, leaves, is_leaf) for child in children]
        return new_spec(cls, context, specs)
    finally:
        leave_recursion()


cdef int gather_leaves(object tree, list leaves, object is_leaf) except -1:
    if is_leaf is not None and is_leaf(tree):
        leaves.append(tree)
        return 0
    cls = node_class(tree)
    if cls is None:
        leaves.append(tree)
        return 0
    if enter_recursion(b" while flattening a pytree"):
        raise_current()
    try:
        if cls is tuple:
            for child in <tuple>tree:
                gather_leaves(child, leaves, is_leaf)
        elif cls is list:
            for child in <list>tree:
                gather_leaves(child, leaves, is_leaf)
        elif cls is dict:
            for child in list((<dict>tree).values()):
                gather_leaves(child, leaves, is_leaf)
        else:
            for child in tree_nodes[cls][1](tree)[0]:
                gather_leaves(child, leaves, is_leaf)
        return 0
    finally:
        leave_recursion()


cdef object build_tree(TreeSpec spec, list leaves, Py_ssize_t *at):
    cdef list children
    if spec.type is None:
        if at[0] >= len(leaves):
            raise ValueError("there are fewer leaves than the structure has")
        at[0] += 1
        return leaves[at[0] - 1]
    if enter_recursion(b" while building a pytree"):
        raise_current()
    try:
        children = [build_tree(<TreeSpec?>child, leaves, at) for child in spec._children]
        if spec.type is tuple:
            return tuple(children)
        if spec.type is list:
            return children
        if spec.type is dict:
            return dict(zip(spec._context, children, strict=True))
        return tree_nodes[spec.type][2](children, spec._context)
    finally:
        leave_recursion()


cdef object unflatten_tree(TreeSpec spec, object leaves):
    cdef Py_ssize_t at = 0
    cdef list own = list(leaves)
    if len(own) != spec.num_leaves:
        raise ValueError(f"treespec.unflatten(leaves): `leaves` has length {len(own)} but the spec refers to a pytree that holds "
                         f"{spec.num_leaves} items ({spec}).")
    return build_tree(spec, own, &at)


cdef object map_tree(object func, object selected, object tree, object is_leaf):
    """The tree of a function's values; leaves that are no instances of `selected`, unless it is None, stay as they are."""
    cls = None
    if is_leaf is None or not is_leaf(tree):
        cls = node_class(tree)
    if cls is None:
        return func(tree) if selected is None or isinstance(tree, selected) else tree
    if enter_recursion(b" while mapping over a pytree"):
        raise_current()
    try:
        if cls is tuple:
            return tuple([map_tree(func, selected, child, is_leaf) for child in <tuple>tree])
        if cls is list:
            return [map_tree(func, selected, child, is_leaf) for child in <list>tree]
        if cls is dict:
            return {key: map_tree(func, selected, child, is_leaf) for key, child in (<dict>tree).items()}
        children, context = tree_nodes[cls][1](tree)
        return tree_nodes[cls][2]([map_tree(func, selected, child, is_leaf) for child in children], context)
    finally:
        leave_recursion()


cdef inline bint is_dict_class(object cls) noexcept:
    return cls is dict or cls is OrderedDict or cls is defaultdict


cdef int split_tree(TreeSpec spec, object tree, list found) except -1:
    """Append the parts of a tree that stand where a structure has leaves."""
    cdef list children, specs
    cdef Py_ssize_t i
    kind = spec.type
    if kind is None:
        found.append(tree)
        return 0
    cls = _get_node_type(tree)
    builtin = is_dict_class(kind) or kind in (tuple, list, namedtuple, deque)
    if is_dict_class(kind) and is_dict_class(cls):
        # Dicts of all kinds go together, whatever the order of their keys.
        expected = spec._context[1] if kind is defaultdict else spec._context
        check_arity(spec, len(tree))
        if set(tree) != set(expected):
            missing, extra = set(expected).difference(tree), set(tree).difference(expected)
            raise ValueError("Node keys mismatch" + (f"; missing key(s): {missing}" if missing else "")
                             + (f"; extra key(s): {extra}" if extra else "") + ".")
        children = [tree[key] for key in expected]
    else:
        if cls != kind:
            raise ValueError(f"{'Node type' if builtin else 'Type'} mismatch; expected {kind!r}, but got {cls!r}.")
        if builtin:
            check_arity(spec, len(tree))
        if kind is tuple or kind is list:
            children = list(tree)
        else:
            parts, context = tree_nodes[kind][1](tree)
            children = list(parts)
            check_arity(spec, len(children))
            if kind is not deque and context != spec._context:
                raise ValueError(f"Node context mismatch for node type {kind!r}; expected {spec._context!r}, but got {context!r}."
                                 if builtin else f"Node context mismatch for custom node type {kind!r}.")
    if enter_recursion(b" while flattening a pytree"):
        raise_current()
    try:
        specs = list(spec._children)   # code that takes nodes apart could change the spec's own
        for i in range(min(len(children), len(specs))):
            split_tree(<TreeSpec?>specs[i], children[i], found)
    finally:
        leave_recursion()
    return 0


cdef int check_arity(TreeSpec spec, Py_ssize_t n) except -1:
    if n != spec.num_children:
        raise ValueError(f"Node arity mismatch; expected {spec.num_children}, but got {n}.")
    return 0


# ------------------------------------------------------------------------------------------------------------ public functions

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
    cdef list leaves = []
    spec = flatten_tree(tree, leaves, is_leaf)
    return leaves, spec


def tree_leaves(tree, is_leaf=None):
    """The leaves of a tree."""
    cdef list leaves = []
    gather_leaves(tree, leaves, is_leaf)
    return leaves


def tree_structure(tree, is_leaf=None):
    """The structure of a tree."""
    return flatten_tree(tree, [], is_leaf)


def arg_tree_leaves(*args, **kwargs):
    """The leaves of all arguments."""
    cdef list leaves = []
    for argument in args:
        gather_leaves(argument, leaves, None)
    for argument in kwargs.values():
        gather_leaves(argument, leaves, None)
    return leaves


def tree_map(func, tree, *rests, is_leaf=None):
    """The tree of a function's values at the leaves of a tree.

    Parameters
    ----------
    func : callable
        Takes a leaf of each tree.
    tree : object
        Its structure is the result's.
    *rests : object
        Trees that begin with that structure: what stands where the first has a leaf is the argument.
    is_leaf : callable, optional
        Says of a node of the first tree that it is taken as a leaf.
    """
    cdef list leaves
    cdef TreeSpec spec
    if not rests:
        return map_tree(func, None, tree, is_leaf)
    leaves = []
    spec = flatten_tree(tree, leaves, is_leaf)
    return unflatten_tree(spec, map(func, leaves, *[spec.flatten_up_to(rest) for rest in rests]))


def _tree_map_only(selected, func, tree, is_leaf=None):
    """`tree_map` at the leaves that are instances of a class or of one of several; the others stay."""
    return map_tree(func, selected, tree, is_leaf)
