"""Reads native_functions.yaml and tags.yaml into the data model, and groups what they declare.

`parse_native_yaml` is the way in; every rule is checked on the way, those about single entries by
`NativeFunction.from_yaml`, those about several here. An error names the rule, the file and line of the entry, and the
entry. Nothing is returned if anything is wrong.
"""

from __future__ import annotations

import functools
import keyword
import os
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import yaml

from runtime.torchgen.function_schema import FunctionSchema, SchemaKind
from runtime.torchgen.groups import BackendIndex, NativeFunctionsGroup, NativeFunctionsViewGroup
from runtime.torchgen.keys import DispatchKey, is_cuda_dispatch_key, is_xpu_dispatch_key
from runtime.torchgen.names import BaseOperatorName, OperatorName
from runtime.torchgen.native_function import BackendMetadata, Location, NativeFunction, ViewSchemaKind
from runtime.torchgen.native_function_generation import add_generated_native_functions, pre_group_native_functions
from runtime.torchgen.utils import add_context

__all__ = [
    "LineLoader",
    "ParsedYaml",
    "error_check_native_functions",
    "get_grouped_by_view_native_functions",
    "get_grouped_native_functions",
    "parse_native_yaml",
    "parse_native_yaml_struct",
    "parse_tags_yaml",
    "parse_tags_yaml_struct",
    "pre_group_native_functions",
]

#: Arguments that are keywords of Python all the same: callers know their operators.
_KEYWORD_ARGUMENTS = frozenset([("_has_compatible_shallow_copy_type", "from"), ("random_.from", "from"), ("uniform_", "from")])


# ---- YAML


_STR = "tag:yaml.org,2002:str"


class LineLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """A YAML loader that gives every mapping a key ``__line__``, counted from 1, and refuses keys that stand twice."""

    def construct_mapping(self, node, deep=False):
        # A mapping's mappings are looked through with it: by itself an inner one would not know its entry.
        _check_keys(node, node)
        for _, value in node.value:
            if isinstance(value, yaml.MappingNode):
                _check_keys(value, node)
        if all(key.tag == _STR for key, _ in node.value):
            # Nearly every value is a text as well, which needs no constructor.
            mapping = {key.value: value.value if value.tag == _STR else self.construct_object(value, deep=deep) for key, value in node.value}
        else:
            mapping = super().construct_mapping(node, deep=deep)
        mapping["__line__"] = node.start_mark.line + 1
        return mapping


def _check_keys(node: yaml.MappingNode, entry: yaml.MappingNode) -> None:
    keys = [key.value for key, _ in node.value]
    if all(isinstance(key, str) for key in keys) and len(set(keys)) == len(keys):
        return
    for i, key in enumerate(keys):
        if key in keys[:i]:
            mark = node.value[i][0].start_mark
            shown = next((value.value for name, value in entry.value if name.value in ("func", "tag")), "")
            raise AssertionError(
                f"Found a duplicate key in the yaml. key={key}, line={mark.line + 1}\n  in {mark.name}:{entry.start_mark.line + 1}:\n    {shown}"
            )


def _load(path: str) -> object:
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader=LineLoader)


def _entries(es: object, path: str, name: str):
    """The entries of a file, each with its place; `name` is the key that all have."""
    if not isinstance(es, list):
        raise AssertionError(f"Expected 'es' to be a list, but got {type(es)}\n  in {path}")
    for number, e in enumerate(es, 1):
        if not isinstance(e, dict):
            raise AssertionError(f"Expected to be dict: {e}\n  in {path}, entry {number}")
        line = e.get("__line__")
        if not isinstance(line, int):
            raise AssertionError(f"Expected '__line__' to be int: {e}\n  in {path}, entry {number}")
        loc = Location(path, line)
        if e.get(name) is None:
            raise AssertionError(f"Missed '{name}' in {e}\n  in {loc}")
        yield e, loc


def _identity(path: str) -> tuple[str, int, int]:
    """What tells one state of a file from another."""
    state = os.stat(path)
    return os.path.abspath(path), state.st_mtime_ns, state.st_size


# ---- tags


def parse_tags_yaml_struct(es: object, path: str = "<stdin>") -> set[str]:
    """The names of the tags in a loaded tags.yaml.

    Raises
    ------
    AssertionError
        If a tag has no description.
    """
    tags = set()
    for e, loc in _entries(es, path, "tag"):
        if e.get("desc", "") == "":
            raise AssertionError(f"Tag '{e['tag']}' must have a non-empty description\n  in {loc}:\n    {e['tag']}")
        tags.add(e["tag"])
    return tags


def parse_tags_yaml(path: str) -> set[str]:
    """The names of the tags in a file. A file that has not changed is read once."""
    return _parse_tags(*_identity(path))


@functools.lru_cache(16)
def _parse_tags(path: str, mtime: int, size: int) -> set[str]:
    return parse_tags_yaml_struct(_load(path), path)


# ---- operators


class ParsedYaml(NamedTuple):
    """What a file declares: its operators, then those that are made of them; and the kernels of each backend.

    `backend_indices` answers for keys without kernels too.
    """

    native_functions: list[NativeFunction]
    backend_indices: dict[DispatchKey, BackendIndex]


def _no_kernels() -> BackendIndex:
    return BackendIndex(DispatchKey.Undefined, use_out_as_primary=True, device_guard=False, external=False, index={})


def parse_native_yaml_struct(
    es: object,
    valid_tags: set[str],
    ignore_keys: set[DispatchKey] | None = None,
    path: str = "<stdin>",
    skip_native_fns_gen: bool = False,
) -> ParsedYaml:
    """Read the entries of a loaded native_functions.yaml.

    Parameters
    ----------
    es : list of dict
        From `LineLoader`.
    valid_tags : set of str
        The tags that exist.
    ignore_keys : set of DispatchKey, optional
        Keys whose kernels are left out.
    path : str
        The file's name for messages.
    skip_native_fns_gen : bool
        Leave out the operators that no entry declares.

    Raises
    ------
    AssertionError, RuntimeError
        If a rule is broken. The message tells the rule, the place of the entry and its `func`.
    """
    functions: list[NativeFunction] = []
    kernels: dict[DispatchKey, dict[OperatorName, BackendMetadata]] = defaultdict(dict)
    for e, loc in _entries(es, path, "func"):
        f, own = NativeFunction.from_yaml(e, loc, valid_tags, ignore_keys)
        functions.append(f)
        try:
            BackendIndex.grow_index(kernels, own)
        except AssertionError as error:
            add_context(error, f"in {loc}:\n  {e['func']}")
            raise
    error_check_native_functions(functions)
    if not skip_native_fns_gen:
        add_generated_native_functions(functions, kernels)
    indices: dict[DispatchKey, BackendIndex] = defaultdict(_no_kernels)
    for key, index in kernels.items():
        guarded = is_cuda_dispatch_key(key) or is_xpu_dispatch_key(key)
        indices[key] = BackendIndex(key, use_out_as_primary=True, device_guard=guarded, external=False, index=index)
    return ParsedYaml(functions, indices)


def parse_native_yaml(
    path: str,
    tags_yaml_path: str,
    ignore_keys: set[DispatchKey] | None = None,
    *,
    skip_native_fns_gen: bool = False,
    loaded_yaml: object | None = None,
) -> ParsedYaml:
    """Read a native_functions.yaml. Files that have not changed are read once for the same options.

    Parameters
    ----------
    path, tags_yaml_path : str
        The files.
    ignore_keys : set of DispatchKey, optional
        Keys whose kernels are left out.
    skip_native_fns_gen : bool
        Leave out the operators that no entry declares.
    loaded_yaml : list of dict, optional
        The entries, if they have been loaded; `path` is for messages only then.

    Raises
    ------
    AssertionError, RuntimeError
        If a rule is broken. The message tells the rule, the place of the entry and its `func`.
    """
    ignored = frozenset(ignore_keys or ())
    if loaded_yaml is not None:
        return parse_native_yaml_struct(loaded_yaml, parse_tags_yaml(tags_yaml_path), ignored, str(path), skip_native_fns_gen)
    return _parse_native(*_identity(path), _identity(tags_yaml_path), ignored, skip_native_fns_gen)


@functools.lru_cache(16)
def _parse_native(path: str, mtime: int, size: int, tags: tuple[str, int, int], ignored: frozenset[DispatchKey], skip: bool) -> ParsedYaml:
    return parse_native_yaml_struct(_load(path), _parse_tags(*tags), ignored, path, skip)


def error_check_native_functions(funcs: Sequence[NativeFunction]) -> None:
    """Check the rules that concern several entries.

    Raises
    ------
    AssertionError
        If one is broken. The message tells the rule, the place of the entry and its schema.
    """
    by_name = {f.func.name: f for f in funcs}
    base_names = {f.func.name.name for f in funcs}
    for f in funcs:
        try:
            _check_among(f, by_name, base_names)
        except AssertionError as error:
            add_context(error, f.place)
            raise


def _check_among(f: NativeFunction, by_name: dict[OperatorName, NativeFunction], base_names: set[BaseOperatorName]) -> None:
    name = f.func.name
    if f.structured_delegate is not None:
        delegate = by_name.get(f.structured_delegate)
        if delegate is None:
            raise AssertionError(
                f"{name} is marked as a structured_delegate pointing to {f.structured_delegate}, but {f.structured_delegate} is missing."
            )
        if not delegate.structured:
            raise AssertionError(
                f"{name} is marked as a structured_delegate pointing to "
                f"{f.structured_delegate}, but {f.structured_delegate} is not marked as structured. "
                f"Consider adding 'structured=True' to the delegated operator"
            )
    for argument in f.func.arguments.flat_all:
        if keyword.iskeyword(argument.name) and (str(name), argument.name) not in _KEYWORD_ARGUMENTS:
            raise AssertionError(f"Argument name '{argument.name}' in function '{name}' is a reserved Python keyword.")
    # The exceptions change their argument's storage and have no variant that returns a view.
    if "inplace_view" in f.tags and str(name) not in ("resize_", "resize_as_") and str(name.name) != "set_":
        if not name.name.inplace:
            raise AssertionError(
                f"{name} is marked with tag: inplace_view, but it doesn't follow the naming "
                "convention for inplace ops - the codegen expects the base name to have a trailing underscore."
            )
        if BaseOperatorName(name.name.base, False, name.name.dunder_method) not in base_names:
            raise AssertionError(
                f"{name} is marked with tag: inplace_view. The codegen expects there to be a corresponding "
                f"out-of-place view op with the name '{name.name}' and matching schema, but it didn't find one."
            )


# ---- groups


def _add_members(error: Exception, members) -> None:
    add_context(error, "\n".join(f.place for f in members))


def get_grouped_native_functions(native_functions: Sequence[NativeFunction]) -> Sequence[NativeFunction | NativeFunctionsGroup]:
    """The groups of variants, and the operators that belong to none, in the order of their first members.

    Raises
    ------
    AssertionError, RuntimeError
        If a group breaks a rule. The message tells the rule, and the place and schema of each member.
    """
    result: list[NativeFunction | NativeFunctionsGroup] = []
    for members in pre_group_native_functions(native_functions).values():
        try:
            group = NativeFunctionsGroup.from_dict(members)
            if group is not None:
                result.append(group)
                continue
            if any("generated" in f.tags for f in members.values()):
                raise AssertionError(
                    f"Generated NativeFunctions should have been grouped into NativeFunctionsGroup objects: {[str(f.func) for f in members.values()]}"
                )
        except (AssertionError, RuntimeError) as error:
            _add_members(error, members.values())
            raise
        result.extend(members.values())
    return result


def get_grouped_by_view_native_functions(native_functions: Sequence[NativeFunction]) -> Sequence[NativeFunction | NativeFunctionsViewGroup]:
    """The groups of views, and the operators that belong to none, in the order of their first members.

    Raises
    ------
    AssertionError
        If a group breaks a rule. The message tells the rule, and the place and schema of each member.
    """
    groups: dict[FunctionSchema, dict[SchemaKind | ViewSchemaKind, NativeFunction]] = defaultdict(dict)
    for f in native_functions:
        group = groups[f.func.view_signature()]
        try:
            view_kind = f.view_schema_kind
            kind = f.func.kind() if view_kind is ViewSchemaKind.non_aliasing else view_kind
            if kind in group:
                if kind is view_kind:
                    raise AssertionError(f"{kind} already in {group.keys()}")
                raise AssertionError(f"Duplicate schema kind {kind} in {group.keys()}")
        except AssertionError as error:
            _add_members(error, [f])
            raise
        group[kind] = f
    result: list[NativeFunction | NativeFunctionsViewGroup] = []
    for group in groups.values():
        if ViewSchemaKind.aliasing in group:
            view, inplace, copy = (group.pop(k, None) for k in (ViewSchemaKind.aliasing, ViewSchemaKind.aliasing_inplace, SchemaKind.functional))
            try:
                result.append(NativeFunctionsViewGroup(view, copy, inplace))
            except AssertionError as error:
                _add_members(error, [f for f in (view, inplace, copy) if f is not None])
                raise
        result.extend(group.values())
    return result
