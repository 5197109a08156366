"""Pytrees: leaves, structures, registration, key paths and saved structures, by the rules of `torch.utils._pytree`."""

import copy
import enum
import pickle
import time
from collections import OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime
from runtime import compat, pytree

Point = namedtuple("Point", ["x", "y"])

TREES = [
    1,
    None,
    [1, None, (2, [3])],
    {"b": 1, "a": [2, 3]},
    OrderedDict([("z", 1), ("a", 2)]),
    defaultdict(list, {"b": 1, "a": 2}),
    deque([1, 2]),
    deque([1, 2], maxlen=3),
    Point(1, [2]),
    {2: 0, "mixed": 1},
    [],
    {},
    time.gmtime(0),
    type("OwnDict", (dict,), {})(a=1),
    type("OwnTuple", (tuple,), {})((1, 2)),
]


def containers(children):
    keys = st.one_of(st.integers(0, 9), st.text("abc", max_size=2))
    dicts = st.dictionaries(keys, children, max_size=3)
    return st.one_of(
        st.lists(children, max_size=3),
        st.lists(children, max_size=3).map(tuple),
        dicts,
        dicts.map(OrderedDict),
        dicts.map(lambda d: defaultdict(int, d)),
        st.builds(deque, st.lists(children, max_size=3), maxlen=st.sampled_from([None, 5])),
        st.builds(Point, children, children),
    )


trees = st.recursive(st.one_of(st.none(), st.integers(-5, 5), st.text("xy", max_size=2)), containers, max_leaves=12)


@pytest.fixture(scope="module")
def theirs():
    return pytest.importorskip("torch.utils._pytree")


# ------------------------------------------------------------------------------------------------------- as PyTorch does it


def same_structure(ours, spec):
    assert (ours.type, ours.context, ours.num_leaves, ours.num_nodes, ours.num_children, ours.is_leaf()) == (
        spec.type, spec.context, spec.num_leaves, spec.num_nodes, spec.num_children, spec.is_leaf(),
    )  # fmt: skip
    for a, b in zip(ours.children(), spec.children(), strict=True):
        same_structure(a, b)


@pytest.mark.oracle
@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_chosen_trees_flatten_as_in_pytorch(theirs, tree):
    leaves, spec = pytree.tree_flatten(tree)
    assert leaves == theirs.tree_flatten(tree)[0] == pytree.tree_leaves(tree)
    same_structure(spec, theirs.tree_structure(tree))


@pytest.mark.oracle
@settings(max_examples=60, deadline=None)
@given(tree=trees)
def test_any_tree_has_pytorchs_leaves_structure_paths_and_texts(theirs, tree):
    leaves, spec = pytree.tree_flatten(tree)
    expected, reference = theirs.tree_flatten(tree)
    assert leaves == expected
    same_structure(spec, reference)
    assert repr(spec) == repr(reference)
    assert pytree.treespec_pprint(spec) == theirs.treespec_pprint(reference)
    paths = [(pytree.keystr(path), leaf) for path, leaf in pytree.tree_leaves_with_path(tree)]
    assert paths == [(theirs.keystr(path), leaf) for path, leaf in theirs.tree_leaves_with_path(tree)]
    assert [pytree.key_get(tree, path) for path, _ in pytree.tree_leaves_with_path(tree)] == leaves
    assert pytree.tree_map(repr, tree) == theirs.tree_map(repr, tree)
    stops = [lambda node: isinstance(node, (list, Point))]
    assert pytree.tree_leaves(tree, *stops) == theirs.tree_leaves(tree, *stops)


@pytest.mark.oracle
@settings(max_examples=60, deadline=None)
@given(a=trees, b=trees)
def test_structures_compare_and_split_as_in_pytorch(theirs, a, b):
    ours, reference = pytree.tree_structure(a), theirs.tree_structure(a)
    assert (ours == pytree.tree_structure(b)) == (reference == theirs.tree_structure(b))
    if ours == pytree.tree_structure(b):
        assert hash(ours) == hash(pytree.tree_structure(b))

    def outcome(spec):
        try:
            return spec.flatten_up_to(b)
        except ValueError as error:
            return str(error)

    assert outcome(ours) == outcome(reference)
    assert pytree._broadcast_to_and_flatten(a, pytree.tree_structure(b)) == theirs._broadcast_to_and_flatten(a, theirs.tree_structure(b))


@pytest.mark.oracle
@settings(max_examples=40, deadline=None)
@given(tree=trees)
def test_saved_structures_are_pytorchs(theirs, tree):
    def saved(module):
        try:
            return module.treespec_dumps(module.tree_structure(tree))
        except (NotImplementedError, TypeError) as error:
            return str(error)

    text = saved(pytree)
    assert text == saved(theirs)
    if text.startswith("["):
        again = pytree.treespec_loads(text)
        assert pytree.treespec_dumps(again) == text
        same_structure(again, theirs.treespec_loads(text))


@pytest.mark.oracle
def test_all_names_of_pytorchs_module_are_there(theirs):
    missing = {name for name in theirs.__all__ if not hasattr(pytree, name)}
    assert missing == {"FlattenFn", "UnflattenFn", "DumpableContext", "ToDumpableContextFn", "FromDumpableContextFn"}  # for annotations


@pytest.mark.oracle
def test_named_results_are_nodes_with_pytorchs_structure(theirs):
    torch = pytest.importorskip("torch")
    ours, reference = runtime.ones(2, 2).max(0), torch.ones(2, 2).max(0)
    spec, expected = pytree.tree_structure(ours), theirs.tree_structure(reference)
    assert repr(spec) == repr(expected)
    assert [pytree.keystr(p) for p, _ in pytree.tree_leaves_with_path(ours)] == [theirs.keystr(p) for p, _ in theirs.tree_leaves_with_path(reference)]
    assert type(pytree.tree_map(lambda leaf: leaf + 1, ours)) is type(ours)
    assert pytree.tree_leaves(runtime.Size([1, 2])) == theirs.tree_leaves(torch.Size([1, 2])) == [1, 2]


# ------------------------------------------------------------------------------------------------------------------ the rules


@settings(max_examples=60, deadline=None)
@given(tree=trees)
def test_flattening_and_unflattening_give_the_tree_back(tree):
    again = pytree.tree_unflatten(*pytree.tree_flatten(tree))
    assert again == tree and type(again) is type(tree)
    assert repr(again) == repr(tree)


def test_none_is_a_leaf():
    assert pytree.tree_map(lambda leaf: leaf is None, [None, 1]) == [True, False]


def test_map_takes_trees_that_begin_with_the_first_ones_structure():
    assert pytree.tree_map(lambda a, b: a + b, {"x": [1, 2]}, {"x": [10, 20]}) == {"x": [11, 22]}
    assert pytree.tree_map(lambda a, b: [a, *b], [5, 6], [[7, 9], [1, 2]]) == [[5, 7, 9], [6, 1, 2]]
    with pytest.raises(ValueError, match="Node arity mismatch; expected 2, but got 1."):
        pytree.tree_map(lambda a, b: a + b, [1, 2], [1])


def test_map_in_place_returns_the_tree_itself():
    seen, tree = [], [1, (2,)]
    assert pytree.tree_map_(seen.append, tree) is tree
    assert pytree.tree_map_only_(int, seen.append, tree) is tree
    assert seen == [1, 2, 1, 2]


@pytest.mark.parametrize("select", [int, (int, bytes), int | bytes, lambda leaf: isinstance(leaf, int)])
def test_map_only_leaves_other_leaves_alone(select):
    assert pytree.tree_map_only(select, lambda leaf: leaf + 1, [1, "a", (2.0, 3)]) == [2, "a", (2.0, 4)]


def test_map_only_selects_by_types_or_a_predicate():
    with pytest.raises(TypeError, match="Argument must be a type, a tuple of types, or a callable."):
        pytree.tree_map_only("int", str, [1])


def test_a_predicate_can_stop_at_nodes():
    assert pytree.tree_leaves([(1, 2), [3]], is_leaf=lambda node: isinstance(node, tuple)) == [(1, 2), 3]
    assert pytree.tree_is_leaf((1,), is_leaf=lambda node: True) and not pytree.tree_is_leaf((1,))


def test_all_and_any_ask_the_leaves():
    assert pytree.tree_all(lambda leaf: leaf > 0, [1, (2,)]) and not pytree.tree_all(lambda leaf: leaf > 1, [1, (2,)])
    assert pytree.tree_any(lambda leaf: leaf > 1, [1, (2,)]) and not pytree.tree_any(lambda leaf: leaf > 2, [1, (2,)])
    assert pytree.tree_all_only(int, lambda leaf: leaf > 0, [1, "a"]) and not pytree.tree_any_only(str, str.isupper, [1, "a"])
    assert list(pytree.tree_iter([1, (2,)])) == pytree.arg_tree_leaves([1], x=(2,)) == [1, 2]


def test_a_structure_is_made_of_class_context_and_children():
    leaf = pytree.treespec_leaf()
    assert pytree.TreeSpec(dict, ["a"], [leaf]) == pytree.tree_structure({"a": 0}) == pytree.treespec_dict(a=leaf)
    assert pytree.treespec_tuple([leaf]).unflatten([1]) == (1,)
    assert pytree.tree_structure({"a": 1, "b": 2}) != pytree.tree_structure({"b": 1, "a": 2})
    with pytest.raises(TypeError, match="TreeSpecs, not int"):
        pytree.TreeSpec(list, None, [1])
    with pytest.raises(AttributeError):
        leaf.type = list
    with pytest.raises(AttributeError):
        pytree.tree_structure([1]).__init__(list, None, [])


def test_deprecated_names_of_structures_warn():
    with pytest.warns(FutureWarning, match="is_leaf"):
        assert pytree.LeafSpec() == pytree.treespec_leaf()
    with pytest.warns(FutureWarning, match="children"):
        assert pytree.tree_structure([1]).children_specs == [pytree.treespec_leaf()]


def test_structures_can_be_copied_and_pickled():
    spec = pytree.tree_structure([1, {"a": (2,)}, Point(3, 4)])
    assert copy.deepcopy(spec) == pickle.loads(pickle.dumps(spec)) == spec


def test_unflattening_needs_as_many_leaves_as_the_structure_has():
    spec = pytree.tree_structure([1, 2])
    with pytest.raises(ValueError, match="has length 1 but the spec refers to a pytree that holds 2 items"):
        pytree.tree_unflatten([1], spec)
    assert pytree.tree_unflatten(spec, iter([3, 4])) == [3, 4]
    with pytest.raises(TypeError, match="instance of PyTreeSpec"):
        pytree.tree_unflatten([1], [2])


def test_trees_that_contain_themselves_raise():
    tree = []
    tree.append(tree)
    for walk in (pytree.tree_flatten, pytree.tree_leaves, lambda t: pytree.tree_map(id, t)):
        with pytest.raises(RecursionError):
            walk(tree)
    spec = pytree.tree_structure([[1]])
    spec._children.append(spec)
    for use in (repr, hash, lambda s: s.unflatten([1])):
        with pytest.raises((RecursionError, ValueError)):
            use(spec)


def test_lists_may_change_while_they_are_walked():
    tree = [1, 2, 3]
    assert pytree.tree_map(lambda leaf: tree.clear(), tree) == [None]


def test_structures_that_were_tampered_with_raise():
    class Children(list):
        pass

    leaf = pytree.treespec_leaf()
    assert pytree.TreeSpec(list, None, Children([leaf])).unflatten([1]) == [1]
    empty = pytree.TreeSpec.__new__(pytree.TreeSpec)
    for use in (hash, lambda spec: spec.children(), lambda spec: spec.unflatten([1])):
        with pytest.raises((TypeError, ValueError)):
            use(empty)
    spec = pytree.tree_structure([1, 2])
    spec._children[:] = [leaf, 3]
    for use in (repr, lambda spec: spec.unflatten([1, 2]), lambda spec: spec.flatten_up_to([1, 2])):
        with pytest.raises(TypeError):
            use(spec)


def test_taking_nodes_apart_may_change_the_structure():
    class Sly:
        pass

    spec = pytree.TreeSpec(list, None, [pytree.TreeSpec(Sly, None, []), pytree.treespec_leaf()])
    pytree.register_pytree_node(Sly, lambda sly: (spec._children.clear() or [], None), lambda children, context: Sly())
    try:
        assert spec.flatten_up_to([Sly(), 1]) == [1]
    finally:
        pytree._deregister_pytree_node(Sly)


class Box:
    def __init__(self, content, label):
        self.content, self.label = content, label


@pytest.fixture
def box():
    pytree.register_pytree_node(
        Box,
        lambda b: ([b.content], b.label),
        lambda children, label: Box(*children, label),
        serialized_type_name="tests.Box",
        flatten_with_keys_fn=lambda b: ([(pytree.GetAttrKey("content"), b.content)], b.label),
    )
    yield Box([1, 2], "l")
    pytree._deregister_pytree_node(Box)


def test_a_registered_class_is_a_node(box):
    mapped = pytree.tree_map(lambda leaf: leaf * 2, box)
    assert (mapped.content, mapped.label) == ([2, 4], "l")
    assert [pytree.keystr(path) for path, _ in pytree.tree_leaves_with_path((box,))] == ["[0].content[0]", "[0].content[1]"]
    spec = pytree.tree_structure(box)
    assert spec.type is Box and spec.context == "l"
    assert pytree.treespec_loads(pytree.treespec_dumps(spec)) == spec
    with pytest.raises(ValueError, match="Node context mismatch"):
        spec.flatten_up_to(Box([1, 2], "other"))


def test_a_class_is_registered_once(box):
    with pytest.raises(ValueError, match="already registered as pytree node"):
        pytree.register_pytree_node(Box, list, list)
    for built_in in (list, namedtuple):
        with pytest.raises(ValueError, match="already registered"):
            pytree._private_register_pytree_node(built_in, list, list)


def test_a_class_that_is_no_longer_registered_is_a_leaf(box):
    pytree._deregister_pytree_node(Box)
    assert pytree.tree_leaves(box) == [box]
    pytree.register_pytree_node(Box, lambda b: ([], None), lambda _, __: None)
    with pytest.raises(NotImplementedError, match="No registered serialization name"):
        pytree.treespec_dumps(pytree.tree_structure(box))
    with pytest.raises(ValueError, match="flatten_with_keys_fn"):
        pytree.tree_leaves_with_path(box)


def test_fields_of_a_dataclass_are_children_unless_they_are_none():
    @dataclass
    class Pair:
        a: object
        b: object = None

    with pytest.raises(ValueError, match="Missing fields in `field_names`"):
        pytree.register_dataclass(Pair, field_names=["a"])
    pytree.register_dataclass(Pair)
    try:
        assert pytree.tree_leaves(Pair(1)) == [1]
        assert pytree.tree_map(str, Pair(1, (2,))) == Pair("1", ("2",))
        assert [pytree.keystr(p) for p, _ in pytree.tree_leaves_with_path(Pair(1, 2))] == [".a", ".b"]
    finally:
        pytree._deregister_pytree_node(Pair)


def test_constants_belong_to_the_structure():
    @dataclass(frozen=True)
    class Config:
        norm: str

    pytree.register_constant(Config)
    try:
        leaves, spec = pytree.tree_flatten(Config("l2"))
        assert leaves == [] and spec.unflatten([]) == Config("l2") == pytree._retrieve_constant(spec)
        assert spec != pytree.tree_structure(Config("l1"))
        assert pytree.is_constant_class(Config) and pytree._is_constant_holder(spec)
    finally:
        pytree._deregister_pytree_node(Config)
    with pytest.raises(TypeError, match="`__eq__`"):
        pytree.register_constant(Box)


Colour = enum.Enum("Colour", "RED")


def test_named_tuples_and_enum_keys_can_be_saved():
    pytree._register_namedtuple(Point, serialized_type_name="tests.Point")
    try:
        spec = pytree.tree_structure([Point(1, 2), {Colour.RED: 3}])
        assert pytree.treespec_loads(pytree.treespec_dumps(spec)) == spec
    finally:
        pytree._deregister_pytree_node(Point)
    with pytest.raises(ValueError, match="Unknown protocol 7"):
        pytree.treespec_dumps(spec, protocol=7)
    assert pytree.is_namedtuple(Point) and pytree.is_namedtuple_instance(Point(1, 2)) and not pytree.is_namedtuple((1, 2))
    assert pytree.is_structseq(time.gmtime(0)) and pytree.is_structseq_class(time.struct_time) and not pytree.is_structseq_instance(())


def test_mapping_with_paths_passes_the_way_to_each_leaf():
    named = pytree.tree_map_with_path(lambda path, leaf, other: (pytree.keystr(path), leaf + other), {"a": [1]}, {"a": [2]})
    assert named == {"a": [("['a'][0]", 3)]}
    assert pytree.tree_map_with_path(lambda path, leaf: leaf, []) == []
    ((path, leaf),), spec = pytree.tree_flatten_with_path(Point((), [5]))
    assert path == (pytree.GetAttrKey("y"), pytree.SequenceKey(0)) and leaf == 5 and spec == pytree.tree_structure(Point((), [0]))


def test_compat_shows_the_module():
    assert compat.resolve("torch.utils._pytree.tree_map") is pytree.tree_map
    assert compat.resolve("torch.utils._pytree.MappingKey") is pytree.MappingKey


def test_a_size_comes_back_as_a_tuple_whatever_its_leaves_become():
    mapped = pytree.tree_map(str, runtime.Size([1, 2]))
    assert type(mapped) is tuple
    assert mapped == ("1", "2")
