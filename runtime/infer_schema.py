"""Schemas of Python functions, from their type hints."""

import inspect
import typing
from collections.abc import Sequence
from types import GenericAlias

from runtime._core import Tag, Tensor, device, dtype
from runtime.types import Number

_UNKNOWN = "unknown"


def _param_types():
    """What annotations mean: each type with its optional, list, list of optionals and optional list, where a schema has those."""
    found = {}
    for python, schema, lists, lists_of_optionals, optional_lists in (
        (Tensor, "Tensor", True, True, False),
        (int, "SymInt", True, False, True),
        (float, "float", True, False, True),
        (bool, "bool", True, False, True),
        (str, "str", False, False, False),
        (Number, "Scalar", True, False, False),
        (dtype, "ScalarType", False, False, False),
        (device, "Device", False, False, False),
    ):
        optional = typing.Optional[python]  # noqa: UP045
        found[python] = schema
        found[optional] = f"{schema}?"
        if lists:
            found.update((t, f"{schema}[]") for t in _list_types(python))
        if lists_of_optionals:
            found.update((t, f"{schema}?[]") for t in _list_types(optional))
        if optional_lists:
            found.update((typing.Optional[t], f"{schema}[]?") for t in _list_types(python))  # noqa: UP045
    return found


def _list_types(element):
    # `typing` has aliases of its own, which equal none of Python's.
    return typing.Sequence[element], typing.List[element], GenericAlias(Sequence, (element,)), GenericAlias(list, (element,))  # noqa: UP006


SUPPORTED_PARAM_TYPES = _param_types()
SUPPORTED_RETURN_TYPES = {
    Tensor: "Tensor",
    typing.List[Tensor]: "Tensor[]",  # noqa: UP006
    list[Tensor]: "Tensor[]",
    int: "SymInt",
    float: "float",
    bool: "bool",
    Number: "Scalar",
}


def infer_schema(prototype_function, /, *, mutates_args, op_name=None, tags=()):
    """Infer an operator's schema from a function's type hints.

    Parameters
    ----------
    prototype_function : callable
        A function whose parameters and result have type hints; they may be strings that its globals can make sense of.
    mutates_args : "unknown" or iterable of str
        Names of the arguments that the function writes; "unknown" for all tensors.
    op_name : str, optional
        The operator's name, which then stands before the arguments.
    tags : Tag or sequence of Tag, optional
        ``Tag.inplace`` and ``Tag.out`` say what is returned.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the function has parameters, types or defaults that a schema cannot express, or if `mutates_args` or the tags do not fit.

    Examples
    --------
    >>> import runtime
    >>> from runtime.library import infer_schema
    >>> def scaled(x: runtime.Tensor, factor: float = 1.0) -> runtime.Tensor: ...
    >>> infer_schema(scaled, mutates_args=())
    '(Tensor x, float factor=1.0) -> Tensor'
    """
    signature = inspect.signature(prototype_function)
    tags = () if tags is None else (tags,) if isinstance(tags, Tag) else tags
    if Tag.inplace in tags and Tag.out in tags:
        raise AssertionError("torch.Tag.inplace and torch.Tag.out are mutually exclusive")
    if not isinstance(mutates_args, str):
        mutates_args = tuple(mutates_args)
    return _Inference(signature, getattr(prototype_function, "__globals__", {}), mutates_args, tags).schema(op_name or "")


class _Inference:
    """One function's signature on its way to a schema."""

    def __init__(self, signature, names, mutates_args, tags):
        self.signature, self.names, self.mutates_args = signature, names, mutates_args
        self.inplace, self.out = Tag.inplace in tags, Tag.out in tags
        self.first = None  # name, type and alias of the first argument that may be given by position
        self.written = []  # name and alias of each argument that Tag.out returns

    def refuse(self, what):
        raise ValueError(f"infer_schema(func): {what} Got func with signature {self.signature})")

    def schema(self, name):
        parameters = self.signature.parameters
        texts = []
        for index, parameter in enumerate(parameters.values()):
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                self.refuse("We do not support positional-only args, varargs, or varkwargs.")
            if parameter.kind == parameter.KEYWORD_ONLY and "*" not in texts:
                texts.append("*")
            texts.append(f"{self.type_of(index, parameter)} {parameter.name}{self.default_of(parameter)}")
        if self.mutates_args != _UNKNOWN:
            unseen = set(self.mutates_args) - set(parameters)
            if unseen:
                self.refuse(
                    f"{unseen} in mutates_args were not found in the custom op's signature. mutates_args should contain the names of all args "
                    f"that the custom op mutates, or just the string 'unknown' if you don't know."
                )
        self.check_tags()
        return f"{name}({', '.join(texts)}) -> {self.returns()}"

    def type_of(self, index, parameter):
        """The schema's type of a parameter, with the alias of a written one."""
        if parameter.annotation is parameter.empty:
            self.refuse(f"Parameter {parameter.name} must have a type annotation.")
        annotation = self.evaluated(parameter.annotation)
        if annotation not in SUPPORTED_PARAM_TYPES:
            self.refuse(_unsupported(parameter, annotation))
        text = SUPPORTED_PARAM_TYPES[annotation]
        if parameter.kind == parameter.POSITIONAL_OR_KEYWORD and self.first is None:
            self.first = parameter.name, text, f"a{index}"
        tensors = text.startswith("Tensor")
        if isinstance(self.mutates_args, str):
            if self.mutates_args != _UNKNOWN:
                raise ValueError("mutates_args must either be a sequence of the names of the arguments that are mutated or the string 'unknown'. ")
            written = tensors
        else:
            written = parameter.name in self.mutates_args
            if written and not tensors:
                self.refuse(f"Parameter {parameter.name} is in mutable_args but only Tensors or collections of Tensors can be mutated")
        if not written:
            return text
        if self.out:
            if parameter.kind != parameter.KEYWORD_ONLY:
                self.refuse("torch.Tag.out requires mutable arguments to be keyword-only.")
            if text != "Tensor":
                self.refuse("torch.Tag.out only supports mutable keyword-only Tensor arguments.")
            self.written.append((parameter.name, f"a{index}"))
        return f"Tensor(a{index}!){text.removeprefix('Tensor')}"

    def default_of(self, parameter):
        value = parameter.default
        if value is parameter.empty:
            return ""
        if value is None or isinstance(value, (int, float)):
            return f"={value}"
        if isinstance(value, (str, device)):
            return f'="{value}"'
        if isinstance(value, dtype):
            return f"={str(value).removeprefix('torch.')}"
        self.refuse(
            f"Parameter {parameter.name} has an unsupported default value type {type(value)}. Please file an issue on GitHub so we can "
            f"prioritize this."
        )

    def evaluated(self, annotation):
        """An annotation with the strings in it replaced by what they name."""
        if isinstance(annotation, str):
            return self.named(annotation)
        origin = typing.get_origin(annotation)
        if origin:
            arguments = typing.get_args(annotation)
            real = tuple(self.evaluated(a) for a in arguments)
            if any(r is not a for r, a in zip(real, arguments)):
                return GenericAlias(origin, real)
        return annotation

    def named(self, text):
        hint = ""
        try:
            return eval(text, self.names)
        except NameError as error:
            reason = str(error)
            hint = (
                " If you are using 'from __future__ import annotations', note that annotations are evaluated lazily as strings; make sure all "
                "types referenced in annotations are importable at module scope, not only inside a local function."
            )
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        self.refuse(f"Unsupported type annotation {text}. It is not a type. ({reason}){'.' + hint if hint else ''}")

    def check_tags(self):
        if self.inplace:
            if self.first is None:
                self.refuse("torch.Tag.inplace requires a positional Tensor argument.")
            name, text, _ = self.first
            if text != "Tensor":
                self.refuse("torch.Tag.inplace requires the first positional argument to be a Tensor.")
            if isinstance(self.mutates_args, str) or set(self.mutates_args) != {name}:
                self.refuse(f"torch.Tag.inplace requires mutates_args to contain exactly the first positional argument, got {self.mutates_args}.")
        if self.out and not self.written:
            self.refuse("torch.Tag.out requires at least one mutable keyword-only Tensor argument.")

    def returns(self):
        annotation = self.evaluated(self.signature.return_annotation)
        if self.out:
            return self.written_returns(annotation)
        text = self.returned(annotation)
        if not self.inplace:
            return text
        if text != "Tensor":
            self.refuse("torch.Tag.inplace requires the return annotation to be torch.Tensor.")
        return f"Tensor({self.first[2]}!)"

    def returned(self, annotation):
        if annotation is None:
            return "()"
        if annotation is inspect.Parameter.empty:
            self.refuse("No return type annotation was provided. Please add one.")
        several = typing.get_origin(annotation) is tuple
        types = typing.get_args(annotation) if several else (annotation,)
        if any(t not in SUPPORTED_RETURN_TYPES for t in types):
            self.refuse(f"Return has unsupported type {annotation}. The valid types are: {SUPPORTED_RETURN_TYPES}.")
        text = ", ".join(SUPPORTED_RETURN_TYPES[t] for t in types)
        if not several:
            return text
        # A tuple of one is no parenthesized type.
        return f"(({text}))" if len(types) == 1 else f"({text})"

    def written_returns(self, annotation):
        """The returns of an operator that returns what it writes."""
        count = len(self.written)
        fits = annotation is Tensor if count == 1 else typing.get_origin(annotation) is tuple and typing.get_args(annotation) == (Tensor,) * count
        if not fits:
            self.refuse(
                f"torch.Tag.out requires the return annotation to match the mutable keyword-only Tensor arguments "
                f"{tuple(name for name, _ in self.written)}."
            )
        texts = [f"Tensor({alias}!)" for _, alias in self.written]
        return texts[0] if count == 1 else f"({', '.join(texts)})"


def _unsupported(parameter, annotation):
    """Why a parameter's type has no place in a schema, with the list type that a tuple could be."""
    start = f"Parameter {parameter.name} has unsupported type {parameter.annotation}. "
    known = f"The valid types are: {SUPPORTED_PARAM_TYPES.keys()}."
    if typing.get_origin(annotation) is not tuple:
        return start + known
    instead = tuple_to_list(annotation)
    example = f"For example, {instead}.\n\n" if instead in SUPPORTED_PARAM_TYPES else "\n\n"
    return f"{start}We do not support Tuple inputs in schema. As a workaround, please try to use List instead. {example}{known}"


def tuple_to_list(tuple_type):
    """The list type whose elements are those of a tuple type."""
    elements = [a for a in typing.get_args(tuple_type) if a is not Ellipsis]
    if not elements:
        return list
    return list[elements[0]] if len(elements) == 1 else list[typing.Union[tuple(elements)]]  # noqa: UP007
