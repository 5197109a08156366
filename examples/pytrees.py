"""Nested containers as leaves and a structure: mapping, key paths, saved structures, and a class of one's own."""

from dataclasses import dataclass

import runtime
from runtime import pytree


@dataclass
class Layer:
    weight: runtime.Tensor
    bias: runtime.Tensor


pytree.register_dataclass(Layer, serialized_type_name="examples.Layer")
model = {"layers": [Layer(runtime.ones(2, 2), runtime.zeros(2))], "scale": 0.5}

doubled = pytree.tree_map_only(runtime.Tensor, lambda t: t * 2, model)
print(doubled["layers"][0].weight.tolist())
for path, leaf in pytree.tree_leaves_with_path(model):
    print(pytree.keystr(path), "=", getattr(leaf, "shape", leaf))

leaves, structure = pytree.tree_flatten(model)
print(pytree.treespec_pprint(structure), structure.num_leaves)
