"""Pytrees through the compat door: PyTorch's conventions over optree."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest

pytest.importorskip("optree")

from runtime.compat import pytree  # noqa: E402

Point = namedtuple("Point", ["x", "y"])

TREES = [
    1,
    None,
    [1, None, (2, [3])],
    {"b": 1, "a": [2, 3]},
    OrderedDict([("z", 1), ("a", 2)]),
    defaultdict(list, {"b": 1, "a": 2}),
    deque([1, 2]),
    Point(1, [2]),
    {2: 0, "mixed": 1},
    [],
    {},
]


@pytest.mark.oracle
@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_leaves_come_in_pytorchs_order(tree):
    theirs = pytest.importorskip("torch.utils._pytree")
    leaves, spec = pytree.tree_flatten(tree)
    assert leaves == theirs.tree_flatten(tree)[0]
    assert spec.num_leaves == len(leaves)


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_flattening_and_unflattening_give_the_tree_back(tree):
    again = pytree.tree_unflatten(*pytree.tree_flatten(tree))
    assert again == tree and type(again) is type(tree)
    if isinstance(tree, dict):
        assert list(again) == list(tree)


def test_none_is_a_leaf():
    assert pytree.tree_map(lambda leaf: leaf is None, [None, 1]) == [True, False]


def test_map_takes_several_trees_of_one_structure():
    assert pytree.tree_map(lambda a, b: a + b, {"x": [1, 2]}, {"x": [10, 20]}) == {"x": [11, 22]}
    with pytest.raises(ValueError):
        pytree.tree_map(lambda a, b: a + b, [1, 2], [1])


def test_map_in_place_returns_the_tree_itself():
    seen, tree = [], [1, (2,)]
    assert pytree.tree_map_(seen.append, tree) is tree
    assert seen == [1, 2]


@pytest.mark.parametrize("select", [int, (int, bytes), lambda leaf: isinstance(leaf, int)])
def test_map_only_leaves_other_leaves_alone(select):
    assert pytree.tree_map_only(select, lambda leaf: leaf + 1, [1, "a", (2.0, 3)]) == [2, "a", (2.0, 4)]


def test_a_predicate_can_stop_at_nodes():
    assert pytree.tree_leaves([(1, 2), [3]], is_leaf=lambda node: isinstance(node, tuple)) == [(1, 2), 3]


def test_all_and_any_ask_the_leaves():
    assert pytree.tree_all(lambda leaf: leaf > 0, [1, (2,)]) and not pytree.tree_all(lambda leaf: leaf > 1, [1, (2,)])
    assert pytree.tree_any(lambda leaf: leaf > 1, [1, (2,)]) and not pytree.tree_any(lambda leaf: leaf > 2, [1, (2,)])
    assert list(pytree.tree_iter([1, (2,)])) == [1, 2]
    assert pytree.tree_structure([1, (2,)]) == pytree.tree_structure([3, (4,)])


def test_a_class_can_be_registered():
    class Box:
        def __init__(self, content, label):
            self.content, self.label = content, label

    pytree.register_pytree_node(Box, lambda box: ([box.content], box.label), lambda children, label: Box(*children, label))
    box = pytree.tree_map(lambda leaf: leaf * 2, Box([1, 2], "l"))
    assert (box.content, box.label) == ([2, 4], "l")
