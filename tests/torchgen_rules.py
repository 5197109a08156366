"""Every rule of the operator list with the smallest list that breaks it: the table behind the tests of `runtime.torchgen`.

Tests that have PyTorch's torchgen beside them feed it the same lists.
"""

import json
from dataclasses import dataclass

import yaml

TAGS = [
    "core",
    "dynamic_output_shape",
    "generated",
    "inplace",
    "inplace_view",
    "nondeterministic_seeded",
    "out",
    "pointwise",
    "pt2_compliant_tag",
    "view_copy",
]

ABS = "abs(Tensor self) -> Tensor"
ABS_ = "abs_(Tensor(a!) self) -> Tensor(a!)"
ABS_OUT = "abs.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)"
EXPLICIT = {"CompositeExplicitAutograd": "kernel"}


def entry(func, **fields):
    """An entry of the list."""
    return {"func": func, **fields}


@dataclass(frozen=True)
class Broken:
    """A list that breaks one rule.

    Attributes
    ----------
    rule : str
        The rule, as a test's name.
    entries : list
        The items of the list.
    message : str
        What the error's first line holds.
    error : type
    at : int
        Index of the item that the error must name.
    theirs : bool
        Whether torchgen's error begins with the same line; otherwise it accepts the list or fails by accident.
    """

    rule: str
    entries: list
    message: str
    error: type = AssertionError
    at: int = -1
    theirs: bool = True

    @property
    def func(self):
        """The schema of the item that the error must name."""
        return self.entries[self.at]["func"]

    @property
    def line(self):
        """The item's line in `text`."""
        return range(1, len(self.entries) + 1)[self.at]

    @property
    def text(self):
        """The list as YAML, one line for each item."""
        return yaml_text(self.entries)


def yaml_text(entries):
    """Entries as YAML, one line for each."""
    return "".join(f"- {json.dumps(e)}\n" for e in entries)


def tags_text(tags=TAGS):
    """Tags as YAML."""
    return "".join(f"- tag: {tag}\n  desc: a tag\n" for tag in tags)


def _field(rule, message, func=ABS, **more):
    names = ("error", "theirs")
    options = {name: more.pop(name) for name in names if name in more}
    return Broken(rule, [entry(ABS_OUT.replace("abs", "first"), manual_cpp_binding=True), entry(func, **more)], message, **options)


def _schema(rule, func, message, **more):
    return _field(rule, message, func=func, dispatch=EXPLICIT, **more)


STRUCTURED = [entry(ABS, structured_delegate="abs.out"), entry(ABS_OUT, structured=True, dispatch={"CPU": "abs_out"})]
SUMMED = "sum.out(Tensor self, int dim, *, Tensor(a!) out) -> Tensor(a!)"

#: About one entry: what stands beside the schema.
FIELDS = [
    _field("func is a text", "not a str: 5", func=5),
    _field("a namespace has one level", "more than 1 level(s) of custom namespace. Got a::b.", func="a::b::abs(Tensor self) -> Tensor"),
    _field("cpp_no_default_args is a list", "cpp_no_default_args is not a list: self", cpp_no_default_args="self"),
    _field("cpp_no_default_args are names", "Invalid cpp_no_default_args: [['self']]", cpp_no_default_args=[["self"]], theirs=False),
    _field("cpp_no_default_args have defaults", "Invalid cpp_no_default_args: {'self'}", cpp_no_default_args=["self"]),
    _field("use_const_ref is a bool", "use_const_ref_for_mutable_tensors is not a bool: 1", use_const_ref_for_mutable_tensors=1),
    _field(
        "use_const_ref is not for out", "see https://github.com/pytorch/pytorch/issues/145522", func=ABS_OUT, use_const_ref_for_mutable_tensors=True
    ),
    _field("variants are a text", "variants is not a str: ['function']", variants=["function"]),
    _field("variants are function and method", "illegal variant methods", variants="function, methods"),
    _field("variants are separated by one space", "illegal variant function,method", variants="function,method"),
    _field("manual_kernel_registration is a bool", "not a bool: yes please", manual_kernel_registration="yes please"),
    _field("manual_cpp_binding is a bool", "not a bool: 0", manual_cpp_binding=0),
    _field("device_guard is a bool", "not a bool: None", device_guard=None),
    _field("structured is a bool", "not a bool: 1", structured=1),
    _field("device_check is a text", "not a str: False", device_check=False),
    _field("device_check is known", "illegal device_check: Some", device_check="Some"),
    _field("structured_delegate is a text", "not a str: True", structured_delegate=True),
    _field("structured_delegate has no namespace", "namespace is not supported in structured delegate", structured_delegate="a::abs.out"),
    _field("structured_delegate is a name", "operator name cannot be empty", structured_delegate=""),
    _field("structured_inherits is a text", "not a str: 3", structured_inherits=3),
    _field("structured_inherits has no namespace", "namespace is not supported in structured inherits", structured_inherits="at::TensorIteratorBase"),
    _field(
        "structured_inherits is for structured ones", "structured_inherits must also imply structured: True", structured_inherits="TensorIteratorBase"
    ),
    _field("python_module is a text", "not a str: ['nn']", python_module=["nn"]),
    _field("a function of a module is no method", "functions in modules cannot be methods", python_module="nn", variants="function, method"),
    _field("category_override is a text", "not a str: 7", category_override=7),
    _field("precomputed is for structured ones", "precomputed requires structured=True, got structured=False", precomputed=["dim -> int dim"]),
    _field("tags are a text or a list", "tags is not a list: {'core': 1", tags={"core": 1}),
    _field("tags are known", "illegal tag odd", tags=["core", "odd"]),
    _field("tags are texts", "illegal tag ['core']", tags=[["core"]], theirs=False),
    _field("dispatch is a mapping", "dispatch is not a dict", dispatch="CPU: abs", theirs=False),
    _field(
        "dispatch has no effect with manual registration",
        "cannot specify both manual_kernel_registration and dispatch",
        dispatch={"CPU": "x"},
        manual_kernel_registration=True,
    ),
    _field("dispatch values are texts", "illegal dispatch value '5'", dispatch={"CPU": 5}),
    _field("dispatch keys are known", "unknown dispatch key Abacus", dispatch={"CPU, Abacus": "x"}),
    _field("dispatch keys are supported", "Dispatch key AutogradCPU of kernel x is not a supported dispatch key.", dispatch={"AutogradCPU": "x"}),
    _field("dispatch keys stand once", "dispatch key CPU stands twice", dispatch={"CPU, CUDA": "x", "CPU": "y"}, theirs=False),
    _field("a kernel's namespace has three levels", "more than 3 level(s) of custom namespace. Got a::b::c::d.", dispatch={"CPU": "a::b::c::d::x"}),
    _field("a redundant dispatch is left out", "unnecessary dispatch table for this function", dispatch={"CompositeImplicitAutograd": "abs"}),
    _field(
        "a lone implicit kernel has the operator's name",
        "unexpected name for singleton CompositeImplicitAutograd dispatch entry: expected abs but got",
        dispatch={"CompositeImplicitAutograd": "other"},
    ),
    _field(
        "new_ factories do not decompose",
        "expected new_abs to have a CompositeExplicitAutograd dispatch entry",
        func="new_abs(Tensor self) -> Tensor",
    ),
    _field(
        "_like factories do not decompose",
        "expected abs_like to have a CompositeExplicitAutograd dispatch entry",
        func="abs_like(Tensor self) -> Tensor",
    ),
    _field(
        "factories do not decompose",
        "expected make to have a CompositeExplicitAutograd dispatch entry",
        func="make(*, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
    ),
    *[
        _field(
            f"composites exclude each other: {' and '.join(keys)}",
            "cannot specify more than one of CompositeExplicitAutograd",
            dispatch={key: "x" for key in keys},
        )
        for keys in [
            ("CompositeExplicitAutograd", "CompositeImplicitAutograd"),
            ("CompositeExplicitAutogradNonFunctional", "CompositeImplicitAutogradNestedTensor"),
            ("CompositeExplicitAutograd", "CompositeImplicitAutograd", "CompositeImplicitAutogradNestedTensor"),
        ]
    ],
    _field("autogen is a text", "autogen is not a str: ['abs.out']", autogen=["abs.out"]),
    _field("autogen are names", "_out suffix is reserved", autogen="abs_out"),
    _field("ufunc_inner_loop is a text or a mapping", "ufunc_inner_loop not str or dict: 5", ufunc_inner_loop=5),
    _field("ufunc_inner_loop values are texts", "ufunc_inner_loop value is not a str: 5", ufunc_inner_loop={"Generic": 5}),
    _field("ufunc_inner_loop keys are known", "unknown ufunc key Some", ufunc_inner_loop={"Some": "abs (All)"}),
    _field("ufunc_inner_loop is for structured ones", "ufunc must be structured", ufunc_inner_loop="abs (All)"),
    _field("ufunc_inner_loop has dtypes", "expected '(' at start of supported_dtypes, got: ", ufunc_inner_loop="abs", theirs=False),
    _field("ufunc_inner_loop opens a bracket", "expected '(' at start of supported_dtypes, got: All)", ufunc_inner_loop="abs All)"),
    _field("ufunc_inner_loop closes the bracket", "expected ')' at end of supported_dtypes, got: (All", ufunc_inner_loop="abs (All"),
    _field("ufunc_inner_loop dtypes are known", "unknown dtype Quarter", ufunc_inner_loop="abs (All, Quarter)"),
    _field(
        "ufunc_inner_loop replaces kernels",
        "ufunc should not have explicit dispatch entry for CPU",
        func=ABS_OUT,
        structured=True,
        ufunc_inner_loop="abs (All)",
        dispatch={"CPU": "abs_out"},
    ),
    _field("fields are known", "leftover entries: {'dispach':", dispach={"CPU": "x"}),
    _field(
        "a delegating one has no structured kernels",
        "if structured_delegate, then must not have CPU in dispatch dictionary (it is delegated!)",
        structured_delegate="abs.out",
        dispatch={"CPU": "x"},
    ),
    _field(
        "an out= overload is a function",
        "Native functions with out arguments MUST be declared with only function variant",
        func=ABS_OUT,
        variants="function, method",
    ),
    _field("structured is for out=", "Put structured field on the out= variant of a function", structured=True),
    _field(
        "structured_delegate is not for out=", "structured_delegate field not allowed on out= functions", func=ABS_OUT, structured_delegate="x.out"
    ),
    _field(
        "structured and structured_delegate exclude each other",
        "Cannot have both structured and structured_delegate on function",
        func=ABS_OUT,
        structured=True,
        structured_delegate="x.out",
        theirs=False,
    ),
    _field(
        "structured ones have a device guard",
        "device_guard: False is not respected by structured kernels",
        func=ABS_OUT,
        structured=True,
        device_guard=False,
    ),
    _field(
        "delegating ones have a device guard",
        "device_guard: False is not respected by structured kernels",
        structured_delegate="abs.out",
        device_guard=False,
    ),
    _field("foreach operators check no devices", "foreach kernels fall back to slow path", func="_foreach_abs(Tensor[] self) -> Tensor[]"),
    _field("rand in the name is random", "nondeterministic_seeded tag missing for operand", func="operand(Tensor self) -> Tensor"),
    _field("dropout in the name is random", "nondeterministic_seeded tag missing for dropout", func="dropout(Tensor self) -> Tensor"),
    _field("dropout as an argument is random", "nondeterministic_seeded tag missing for rnn", func="rnn(Tensor self, float dropout_p) -> Tensor"),
    _field("a generator is random", "nondeterministic_seeded tag missing for noise", func="noise(Tensor self, *, Generator? generator) -> Tensor"),
    *[
        _field(f"precomputed: {rule}", message, func=SUMMED, structured=True, dispatch={"CPU": "x"}, precomputed=lines, **more)
        for rule, message, lines, more in [
            ("a list", "precomputed must be a list, got <class 'str'>", "dim -> int dim", {}),
            ("lines are texts", "precomputed item must be a str, got <class 'int'>", [5, "dim -> int dim"], {}),
            (
                "added ones stand in the last line",
                "precomputed parameters without replacement are allowed only in the last line, got: int size",
                ["int size", "dim -> int dim"],
                {},
            ),
            ("one name before the arrow", "illegal kernel param name 'int dim' in precomputed parameters", ["int dim -> int dim"], {}),
            ("prints as it was read", "r.to_list() != src", ["dim -> int dim,int size"], {}),
            ("names are not in upper case", "precomputed argument name must not be all uppercase: DIM", ["dim -> int DIM"], {}),
            ("added names are not in upper case", "precomputed argument name must not be all uppercase: N", ["dim -> int dim", "int N"], {}),
            ("arguments have a name", "illegal argument 'int'", ["dim -> int"], {}),
            ("types are known", "unrecognized type integer", ["dim -> integer dim"], {"error": RuntimeError}),
        ]
    ],
]

#: About one entry: the schema itself.
SCHEMAS = [
    _schema("a schema has arguments and returns", "abs(Tensor self)", "Invalid function schema: abs(Tensor self)"),
    _schema("a name is not empty", "(Tensor self) -> Tensor", "Invalid function schema"),
    _schema("an overload needs a name", ".out(Tensor self) -> Tensor", "operator name cannot be empty"),
    _schema(
        "a schema prints as it was read: bracketed return",
        "abs(Tensor self) -> (Tensor)",
        "abs(Tensor self) -> Tensor != abs(Tensor self) -> (Tensor)",
    ),
    _schema("a schema prints as it was read: star", "abs(Tensor self, *) -> Tensor", "abs(Tensor self) -> Tensor != abs(Tensor self, *) -> Tensor"),
    _schema("a schema prints as it was read: commas", "abs(Tensor self, , int x) -> Tensor", "!= abs(Tensor self, , int x) -> Tensor"),
    _schema("an overload prints as it was read", "abs.(Tensor self) -> Tensor", "abs != abs."),
    _schema("_out is reserved", "abs_out(Tensor self) -> Tensor", "_out suffix is reserved and not permitted for operator names"),
    _schema("special methods do not start with i", "__invert__(Tensor self) -> Tensor", "unexpected dunder method starting with 'i': __invert__"),
    _schema(
        "a functional twin is not in-place",
        "abs_functional_(Tensor(a!) self) -> Tensor(a!)",
        "functional overload cannot be a dunder method or inplace: abs_functional_",
    ),
    _schema("an out argument is the return", "abs(Tensor self, *, Tensor(a!) out) -> Tensor(b!)", "Out arguments must have matching return Tensor"),
    _schema(
        "what is written after self is not returned",
        "abs(Tensor self, Tensor(a!) x) -> Tensor(a!)",
        "If you have a schema with mutable positional args, we expect them to not be returned.",
    ),
    _schema(
        "all or no returns are written", "abs_(Tensor(a!) self) -> (Tensor(a!), Tensor)", "NativeFunctions must have either only mutable returns"
    ),
    _schema(
        "a written return is an out argument or self",
        "abs(Tensor self) -> Tensor(a!)",
        'All mutable returns must be aliased either to a keyword argument, or to "self".',
    ),
    _schema(
        "a list is written and not returned",
        "abs.out(Tensor[] self, *, Tensor(a!)[] out) -> Tensor(a!)[]",
        "out= ops that accept tensor lists as out arguments are expected to have no return type",
    ),
    _schema(
        "out arguments are all returned",
        "abs.out(Tensor self, *, Tensor(a!) x, Tensor(b!) y) -> Tensor(a!)",
        "Must return as many arguments as there are out arguments, or no return at all. Got 2 non-scratch out args and 1 returns",
    ),
    _schema(
        "scratch arguments are not returned",
        "abs.out(Tensor self, *, Tensor(a!) x, Tensor(b!) _scratch_y) -> (Tensor(a!), Tensor(b!))",
        "Got 1 non-scratch out args and 2 returns",
    ),
    _schema("in-place needs self", "abs_(Tensor(a!) x) -> ()", "Inplace op abs_ must have a self argument with a mutable annotation"),
    _schema("in-place writes self", "abs_(Tensor self) -> Tensor", "Inplace op abs_ must have a self argument with a mutable annotation"),
    _schema("in-place returns self", "abs_(Tensor(a!) self) -> ()", "Inplace op abs_ with Tensor self must return self"),
    _schema("in-place returns no list", "abs_(Tensor(a!)[] self) -> Tensor(a!)[]", "Inplace op abs_ with non-Tensor self must have no returns"),
    _schema("in-place is not out=", "abs_(Tensor(a!) self, *, Tensor(b!) out) -> ()", "Must return as many arguments as there are out arguments"),
    _schema(
        "tensor options are for functional ones",
        "make.out(Tensor(a!) self, Tensor(b!) x, *, ScalarType dtype, Layout layout, Device device, bool pin_memory) -> ()",
        "Found an operator that is not functional or out variant, but has tensor options arguments.",
    ),
    _schema(
        "a functional overload is functional",
        "abs.functional(Tensor self, Tensor(a!) x) -> ()",
        "Found an operator that is not functional, but its overload contains the string 'functional'.",
    ),
    _schema("an argument has a name", "abs(Tensor) -> Tensor", "illegal argument 'Tensor'"),
    _schema("a default has no spaces", "abs(int[2] x=[1, 1]) -> Tensor", "illegal argument '1]'"),
    _schema("a default stands behind a name", "abs(x=a b) -> Tensor", "illegal argument 'x=a b'", theirs=False),
    _schema("there is one default", "abs(int x=1=2) -> Tensor", "illegal argument with default value: 'int x=1=2'"),
    _schema("a default is not empty", "abs(int x=) -> Tensor", "int x != int x="),
    _schema("an annotation is an alias set", "abs(Tensor(A) self) -> Tensor", "unrecognized alias annotation A"),
    _schema("one set is written", "abs(Tensor(a|b!) self) -> Tensor", "alias set larger than 1 is not mutable, got a|b! instead."),
    _schema(
        "of the sets before and after one is single",
        "abs(Tensor(a|b -> c|d) self) -> Tensor",
        "before alias set and after alias set cannot be larger than 1 at the same time, got a|b -> c|d instead.",
    ),
    _schema("an annotated list has no size", "abs(Tensor(a!)[2] self) -> ()", "unrecognized alias analysis form with Tensor: [2]"),
    _schema("an annotated return has no size", "abs(Tensor(a) self) -> Tensor(a)[2]", "unrecognized alias analysis form with Tensor: [2]"),
    _schema("only tensors are annotated", "abs(int(a) self) -> Tensor", "unrecognized type int(a)", error=RuntimeError),
    _schema("types are known", "abs(Sensor self) -> Tensor", "unrecognized type Sensor", error=RuntimeError),
    _schema("types of returns are known", "abs(Tensor self) -> Sensor[]?", "unrecognized type Sensor", error=RuntimeError),
    _schema("a return has a type", "abs(Tensor self) -> ", "unrecognized type ", error=RuntimeError, theirs=False),
    _schema("a list's size is written without zeros", "abs(int[02] x) -> Tensor", "int[2] != int[02]"),
    _schema("a list's size is positive", "abs(int[0] x) -> Tensor", "int[] != int[0]"),
    _schema("one star", "abs(Tensor self, *, int x, *, int y) -> Tensor", "invalid syntax: kwarg-only specifier * can only occur once"),
    _schema(
        "out arguments stand last",
        "abs(Tensor self, *, Tensor(a!) out, int x) -> Tensor(a!)",
        "non-mutable argument 'x' cannot follow mutable out arguments",
    ),
    _schema(
        "tensor options stand once",
        "make(*, ScalarType dtype, Layout layout, Device device, bool pin_memory, ScalarType dtype, Layout layout, Device device, bool pin_memory)"
        " -> Tensor",
        "tensor options arguments can only appear once",
    ),
    _schema(
        "what stands before self is not written",
        "abs(Tensor(a!) x, Tensor self) -> ()",
        "mutable pre_self_positional arguments are not currently supported in the schema",
    ),
]

#: About several entries.
LISTS = [
    Broken("an operator has one kernel for a key", [entry(ABS), entry(ABS)], "duplicate operator abs for dispatch key CompositeImplicitAutograd"),
    Broken(
        "a delegate exists",
        [entry(ABS, structured_delegate="abs.out")],
        "abs is marked as a structured_delegate pointing to abs.out, but abs.out is missing.",
    ),
    Broken(
        "a delegate is structured",
        [entry(ABS, structured_delegate="abs.out"), entry(ABS_OUT, dispatch={"CPU": "x"})],
        "but abs.out is not marked as structured.",
        at=0,
    ),
    Broken(
        "arguments are not keywords of Python",
        [entry("abs(Tensor self, int lambda) -> Tensor")],
        "Argument name 'lambda' in function 'abs' is a reserved Python keyword.",
    ),
    Broken(
        "an in-place view has an in-place name",
        [entry("flop(Tensor(a) self) -> Tensor(a)", tags="inplace_view")],
        "flop is marked with tag: inplace_view, but it doesn't follow the naming convention for inplace ops",
    ),
    Broken(
        "an in-place view has an out-of-place sibling",
        [entry("flop_(Tensor(a!) self) -> Tensor(a!)", tags="inplace_view")],
        "flop_ is marked with tag: inplace_view. The codegen expects there to be a corresponding out-of-place view op",
    ),
    Broken("an in-place view says so", [entry("flop_(Tensor(a! -> *)[] self) -> ()")], "inplace_view tag missing for flop_"),
    Broken(
        "one operator of a kind for a signature",
        [entry(ABS), entry("abs.other(Tensor self) -> Tensor", dispatch=EXPLICIT)],
        "Duplicate schema kind SchemaKind.functional for abs.other(Tensor self) -> Tensor",
    ),
    Broken(
        "in-place is not out= of lists", [entry("abs_(Tensor(a!)[] self, *, Tensor(b!)[] out) -> ()")], "A schema cannot be both out= and inplace"
    ),
    Broken(
        "an out= operator does not stand alone",
        [entry(ABS_OUT, dispatch=EXPLICIT)],
        "Found an out= operator that we could not find any other variants of: abs.out",
    ),
    Broken(
        "an operator without tensor returns is known for that",
        [entry("abs(Tensor self) -> int", dispatch=EXPLICIT)],
        "Found an operator that we could not generate an out= variant for: abs(Tensor self) -> int.",
    ),
    Broken(
        "what is generated is announced",
        [entry(ABS_, dispatch=EXPLICIT), entry(ABS_OUT, dispatch=EXPLICIT)],
        "The codegen expects to be able to generate 'abs'. In order to generate them however",
        error=RuntimeError,
    ),
    Broken(
        "what is announced is generated",
        [entry(ABS, dispatch=EXPLICIT, autogen="abs.out, abs.other")],
        "Instead, it found 'autogen: abs.other, abs.out'",
        error=RuntimeError,
    ),
    Broken(
        "nothing is announced that exists",
        [entry(ABS, dispatch=EXPLICIT, autogen="abs.out"), entry(ABS_OUT, dispatch=EXPLICIT)],
        "The codegen expects to be able to generate ''.",
        error=RuntimeError,
    ),
    Broken("a group has a functional variant", [entry(ABS_), entry(ABS_OUT)], "functional variant is required"),
    Broken(
        "a group has no scratch variant",
        [entry(ABS), entry("abs.s(Tensor self, *, Tensor(a!) _scratch_x) -> ()")],
        "unexpected keys in dict",
        theirs=False,
    ),
    Broken(
        "a group is structured as a whole",
        [STRUCTURED[1], entry(ABS, dispatch=EXPLICIT)],
        "NativeFunctionsGroup constructed from structured and unstructured functions: abs.out and abs",
    ),
    Broken(
        "a group has one namespace",
        [entry(ABS, dispatch=EXPLICIT), entry("my::" + ABS_OUT, dispatch=EXPLICIT)],
        "functional.namespace (aten) != out.namespace (my)",
    ),
    Broken(
        "an in-place variant has the group's namespace",
        [entry(ABS, dispatch=EXPLICIT), entry(ABS_OUT, dispatch=EXPLICIT), entry("my::" + ABS_, dispatch=EXPLICIT)],
        "inplace.namespace (my) != functional.namespace (aten)",
    ),
    Broken(
        "a mutable operator's twin has a name of its own",
        [
            entry("m(Tensor self, Tensor(a!) x) -> Tensor", dispatch=EXPLICIT),
            entry("m.f(Tensor self, Tensor x) -> (Tensor, Tensor)", dispatch=EXPLICIT),
            entry("m.out(Tensor self, Tensor(a!) x, *, Tensor(b!) out) -> Tensor(b!)", dispatch=EXPLICIT),
        ],
        "functional.func.name.name.functional_overload must be True when mutable is not None",
    ),
    Broken(
        "a structured operator is no implicit composite",
        [STRUCTURED[0], entry(ABS_OUT, structured=True, dispatch={"CPU": "x", "CompositeImplicitAutograd": "y"})],
        "structured composite kernels are not supported",
    ),
    Broken(
        "a functional variant delegates to its own group",
        [
            entry(ABS, structured_delegate="neg.out"),
            STRUCTURED[1],
            *[e | {"func": e["func"].replace("abs", "neg")} for e in (entry(ABS, structured_delegate="neg.out"), STRUCTURED[1])],
        ],
        "abs delegates to neg.out but its actual delegate is abs.out",
        at=0,
    ),
    Broken(
        "an in-place variant delegates to its own group",
        [
            *STRUCTURED,
            entry(ABS_, structured_delegate="neg.out"),
            *[e | {"func": e["func"].replace("abs", "neg")} for e in (entry(ABS, structured_delegate="neg.out"), STRUCTURED[1])],
        ],
        "abs_ delegates to neg.out but its actual delegate is abs.out",
        at=2,
    ),
    Broken(
        "a view has a copying variant",
        [entry("flop(Tensor(a) self) -> Tensor(a)", dispatch=EXPLICIT)],
        "flop appears to be a new operator that aliases its inputs.",
    ),
    Broken(
        "a copying variant says so",
        [entry("flop(Tensor(a) self) -> Tensor(a)", dispatch=EXPLICIT), entry("flop_copy(Tensor self) -> Tensor", dispatch=EXPLICIT)],
        "appears to be a view_copy operator. The codegen expects view_copy operators to be annotated",
    ),
    Broken(
        "a signature has one view",
        [entry("flop(Tensor(a) self) -> Tensor(a)"), entry("flop_copy(Tensor(a) self) -> Tensor(a)")],
        "ViewSchemaKind.aliasing already in",
    ),
    Broken(
        "a signature has one operator of a kind beside its view",
        [entry(ABS), entry("abs_copy(Tensor self) -> Tensor")],
        "Duplicate schema kind SchemaKind.functional in",
    ),
    *[
        Broken(
            f"a view and its in-place variant decompose both: {key}",
            [
                entry("flop(Tensor(a) self) -> Tensor(a)", dispatch={key: "x", "CPU": "y"}),
                entry("flop_(Tensor(a!) self) -> Tensor(a!)", dispatch=EXPLICIT, tags="inplace_view"),
                *([] if key == "CompositeImplicitAutograd" else [entry("flop_copy(Tensor self) -> Tensor", dispatch=EXPLICIT, tags="view_copy")]),
            ],
            f"flop and flop_ must either both have {key} kernels, or both not have composite kernels.",
            at=1,
        )
        for key in ("CompositeImplicitAutograd", "CompositeImplicitAutogradNestedTensor")
    ],
]

BROKEN = [*FIELDS, *SCHEMAS, *LISTS]


def first_line(error):
    """The rule that an error names."""
    return str(error).splitlines()[0]


def load(gen, path, tags):
    """All that reading a file checks, by a module `gen` of ours or PyTorch's; the cached ways in are avoided."""
    with open(path) as file:
        entries = yaml.load(file, Loader=gen.LineLoader)
    parsed = gen.parse_native_yaml_struct(entries, gen.parse_tags_yaml(str(tags)), path=str(path))
    groups = gen.get_grouped_native_functions(parsed.native_functions)
    views = gen.get_grouped_by_view_native_functions(parsed.native_functions)
    return entries, parsed, groups, views
