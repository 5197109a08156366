"""The unpickler of `load(weights_only=True)`: an interpreter of pickle's opcodes that a file cannot make do anything but build data.

A name in a file is looked up in `names.default_globals` and in what the caller marked as safe, never imported. What the default names may be
called with is checked by the functions below, whichever opcode or rebuild function calls them; classes and functions that the caller marked
as safe are trusted. What repeated references to one object can cost is bounded by the length of the pickle that was read so far: the
elements that calls copy (lists into sets, dicts into attributes), and the parts of tuples that are hashed as keys. Those may not nest deeply
either, since hashing recurses in C. All errors are UnpicklingErrors that name the opcode and its place.
"""

import codecs
import pickle
import struct
from collections import Counter, OrderedDict
from functools import cache
from pickle import UnpicklingError

import runtime
from runtime._core import Tensor
from runtime.serialization import names, rebuild

__all__ = [
    "NotAllowedError",
    "WeightsUnpickler",
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "pickled_globals",
    "safe_globals",
    "user_globals",
]

# Modules whose members stay forbidden, whatever the caller marks as safe.
_BLOCKED = ("sys", "os", "posix", "nt")
_MAX_KEY_DEPTH = 64
_ATOMS = frozenset({str, int, float, bool, bytes, complex, type(None)})

_safe = []


class NotAllowedError(UnpicklingError):
    """The pickle may be whole, but wants more than data."""


def add_safe_globals(safe_globals):
    """Let files that are loaded with `weights_only=True` call and instantiate functions and classes.

    Parameters
    ----------
    safe_globals : list
        Functions and classes, or pairs of one and the full name that files have for it.
    """
    _safe.extend(item for item in safe_globals if item not in _safe)


def get_safe_globals():
    """The functions and classes that were marked as safe, as a list."""
    return list(_safe)


def clear_safe_globals():
    """Forget all functions and classes that were marked as safe."""
    _safe.clear()


class safe_globals:
    """Functions and classes that are marked as safe in a block; see `add_safe_globals`.

    Parameters
    ----------
    safe_globals : list

    Examples
    --------
    >>> import io
    >>> import runtime
    >>> class Temperature(runtime.Tensor):
    ...     __module__, __qualname__ = "weather", "Temperature"
    >>> with runtime.serialization.safe_globals([Temperature]):
    ...     runtime.serialization.get_safe_globals() == [Temperature]
    True
    """

    def __init__(self, safe_globals):
        self.safe_globals = safe_globals

    def __enter__(self):
        add_safe_globals(self.safe_globals)

    def __exit__(self, *exception):
        for item in self.safe_globals:
            if item in _safe:
                _safe.remove(item)


def user_globals():
    """The names that files may have for what the caller marked as safe, and the objects."""
    found = {}
    for item in _safe:
        if isinstance(item, tuple):
            if len(item) != 2:
                raise ValueError(f"Expected tuple of length 2 (global, str of callable full path), but got tuple of length: {len(item)}")
            if not isinstance(item[1], str):
                raise TypeError(f"Expected second item in tuple to be str of callable full path, but got: {type(item[1])}")
            found[item[1]] = item[0]
        else:
            found[f"{item.__module__}.{item.__qualname__}"] = item
            other = names.torch_name(item)
            if other is not None:
                found[".".join(other)] = item
    return found


def _plain_ints(*values):
    if not all(value is None or type(value) is int for value in values):
        raise ValueError("slices and ranges are read with int bounds only")


# ---- what the default names may be called with; each gets the unpickler first


def _call_set(kind):
    def make(unpickler, items=()):
        if type(items) not in (list, tuple, set, frozenset):
            raise ValueError(f"a {kind.__name__} is made of a list, not of {type(items).__name__}")
        unpickler.charge(len(items))
        for item in items:
            unpickler.check_key(item)
        return kind(items)

    return make


def _call_bytes(kind):
    def make(unpickler, content=b"", encoding=None):
        if encoding is not None:
            content = names._encode(content, encoding)
        if type(content) not in (bytes, bytearray):
            raise ValueError(f"{kind.__name__} is made of bytes, not of {type(content).__name__}")
        unpickler.charge(len(content))
        return kind(content)

    return make


def _call_encode(unpickler, text, encoding="latin1"):
    unpickler.charge(len(text))
    return names._encode(text, encoding)


def _call_ordered_dict(unpickler, pairs=()):
    result = OrderedDict()
    unpickler.charge(len(pairs))
    for key, value in pairs:
        unpickler.check_key(key)
        result[key] = value
    return result


def _call_counter(unpickler, counts=None):
    if counts is not None and type(counts) is not dict:
        raise ValueError(f"a Counter is made of a dict, not of {type(counts).__name__}")
    unpickler.charge(len(counts or ()))
    return Counter(counts)


def _call_range(unpickler, *bounds):
    _plain_ints(*bounds)
    return range(*bounds)


def _call_slice(unpickler, *bounds):
    _plain_ints(*bounds)
    return slice(*bounds)


def _call_size(unpickler, sizes=()):
    return runtime.Size(rebuild._ints(sizes, "a size"))


def _call_complex(unpickler, real=0.0, imag=0.0):
    if type(real) not in (int, float) or type(imag) not in (int, float):
        raise ValueError("a complex number is made of two numbers")
    return complex(real, imag)


def _call_device(unpickler, kind, index=None):
    if type(kind) is not str or type(index) not in (int, type(None)):
        raise TypeError("a device is made of its name and index")
    return runtime.device(kind) if index is None else runtime.device(kind, index)


def _call_parameter(unpickler, data=None, requires_grad=True):
    if data is not None and not isinstance(data, Tensor):
        raise TypeError(f"a Parameter is made of a tensor, not of {type(data).__name__}")
    return runtime.nn.Parameter(data, requires_grad)


def _check_state(unpickler, state):
    """Make sure that the state of a tensor sets attributes of its own, not those that every tensor has, such as hooks."""
    for part in state if isinstance(state, tuple) else (state,):
        unpickler.charge(len(part or ()))
        for name in part or ():
            if type(name) is not str or hasattr(Tensor, name):
                raise NotAllowedError(f"the state of a tensor sets {name if type(name) is str else type(name)}, which is no attribute of its own")


def _call_from_type(unpickler, func, new_type, args, state):
    # The function and its arguments come from the file, so calling it is checked like any other call.
    _check_state(unpickler, state)
    if not unpickler.is_allowed(new_type):
        raise NotAllowedError(f"the class {_described(new_type)} of a tensor was not allowed")
    return rebuild._as_type(unpickler.call(func, args), new_type, state)


def _call_with_state(unpickler, data, requires_grad, backward_hooks, state):
    _check_state(unpickler, state)
    _check_hooks(backward_hooks)
    return rebuild._rebuild_parameter_with_state(data, requires_grad, backward_hooks, state)


def _described(obj):
    """Text for a message; the repr of what a file contains can be endless."""
    return repr(obj) if callable(obj) and hasattr(obj, "__name__") else f"of type {type(obj).__name__}"


def _check_hooks(hooks):
    """Hooks would call what the file says when gradients are computed; PyTorch writes an empty dict."""
    if hooks is not None and (type(hooks) not in (dict, OrderedDict) or hooks):
        raise NotAllowedError("a tensor has hooks in the file")


def _without_hooks(function, position):
    """A rebuild function that may get no hooks as the argument at a position."""

    def call(unpickler, *args):
        if len(args) > position:
            _check_hooks(args[position])
        return function(*args)

    return call


def _checks_itself(function):
    return lambda unpickler, *args: function(*args)


@cache
def _calls():
    """What the default names do when they are called."""
    calls = {getattr(rebuild, name): _checks_itself(getattr(rebuild, name)) for name in names._REBUILT}
    calls |= {
        rebuild._rebuild_from_type_v2: _call_from_type,
        rebuild._rebuild_from_type: _call_from_type,
        rebuild._rebuild_tensor_v2: _without_hooks(rebuild._rebuild_tensor_v2, 5),
        rebuild._rebuild_tensor_v3: _without_hooks(rebuild._rebuild_tensor_v3, 5),
        rebuild._rebuild_parameter: _without_hooks(rebuild._rebuild_parameter, 2),
        rebuild._rebuild_parameter_with_state: _call_with_state,
        rebuild._get_layout: _checks_itself(rebuild._get_layout),
        names._encode: _call_encode,
        runtime.nn.Parameter: _call_parameter,
        runtime.Size: _call_size,
        runtime.device: _call_device,
        OrderedDict: _call_ordered_dict,
        Counter: _call_counter,
        bytearray: _call_bytes(bytearray),
        bytes: _call_bytes(bytes),
        set: _call_set(set),
        frozenset: _call_set(frozenset),
        complex: _call_complex,
        slice: _call_slice,
        range: _call_range,
    }
    # By identity: hashing what a file offers as a function is not safe.
    return {id(obj): call for obj, call in calls.items()}


class _UserError(Exception):
    """Carries an exception of the caller's own code out of the interpreter."""


class _Stop(Exception):
    """The pickle ended."""


class WeightsUnpickler:
    """Reads one pickle, from data alone.

    Parameters
    ----------
    data : bytes-like
        Indexing gives ints, slicing bytes.
    persistent_load : callable
        Gets the id of a storage, a tuple; returns the storage.
    position : int
        Where the pickle begins.
    encoding : str
        Of byte strings that Python 2 wrote; "bytes" leaves them as they are.
    """

    def __init__(self, data, persistent_load=None, position=0, encoding="utf-8"):
        self.data = data
        self.size = len(data)
        self.position = position
        self.encoding = encoding
        self.persistent_load = persistent_load
        self.stack = []
        self.metastack = []
        self.memo = {}
        self.start = position
        self.charged = 0
        self.defaults = names.default_globals()
        self.users = user_globals()

    # ---- what may be done

    def charge(self, count):
        """Account for elements that are copied or hashed again."""
        self.charged += count
        if self.charged > 4 * (self.position - self.start) + (1 << 16):
            raise UnpicklingError("it repeats its parts without end")

    def is_allowed(self, obj):
        """Whether a class or function may be referred to."""
        return any(obj is other for other in self.users.values()) or any(obj is other for other in self.defaults.values())

    def is_trusted(self, obj):
        """Whether the caller marked a class or function as safe."""
        return any(obj is other for other in self.users.values())

    def check_key(self, key):
        """Make sure that hashing a key ends soon."""
        if type(key) in _ATOMS:
            return
        stack = [(key, 0)]
        while stack:
            item, depth = stack.pop()
            if isinstance(item, tuple):
                if depth >= _MAX_KEY_DEPTH:
                    raise UnpicklingError(f"a key is nested more than {_MAX_KEY_DEPTH} levels deep")
                self.charge(len(item))
                stack.extend((part, depth + 1) for part in item)

    def call(self, func, args):
        """Call what the file refers to, if it is allowed."""
        if self.is_trusted(func):
            try:
                return func(*args)
            except Exception as error:
                raise _UserError(error) from None
        made = _calls().get(id(func))
        if made is None:
            message = f"Trying to call reduce for unrecognized function {_described(func)}"
            if hasattr(func, "__self__"):
                message += f" which belongs to {_described(func.__self__)}"
            raise NotAllowedError(message)
        if not isinstance(args, tuple):
            raise UnpicklingError(f"arguments are a {type(args).__name__}, not a tuple")
        return made(self, *args)

    # ---- reading

    def load(self):
        """The object that the pickle describes; `position` is behind it then.

        Raises
        ------
        UnpicklingError
            If the pickle is damaged, or refers to what is not allowed.
        """
        data, size, handlers = self.data, self.size, _HANDLERS
        start = self.position
        try:
            while True:
                start = self.position
                if start >= size:
                    raise UnpicklingError("the pickle breaks off")
                self.position = start + 1
                code = data[start]
                handler = handlers[code]
                if handler is None:
                    raise UnpicklingError(f"Unsupported operand {code}")
                handler(self)
        except _Stop:
            return self.stack.pop()
        except _UserError as carrier:
            raise carrier.args[0] from None
        except UnpicklingError as error:
            raise type(error)(f"{error} (at byte {start} of the pickle)") from error.__cause__
        except (RuntimeError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, MemoryError, NotImplementedError) as error:
            reason = str(error) or type(error).__name__
            raise UnpicklingError(f"the pickle cannot be read: {reason} (at byte {start} of the pickle)") from error

    def take(self, count):
        """The next bytes."""
        start = self.position
        end = start + count
        if end > self.size:
            raise UnpicklingError("the pickle breaks off")
        self.position = end
        return self.data[start:end]

    def line(self):
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise UnpicklingError("the pickle breaks off")
        text = self.data[self.position : end]
        self.position = end + 1
        return text

    def top(self):
        if not self.stack:
            raise UnpicklingError("the stack is empty")
        return self.stack[-1]

    def pop_mark(self):
        if not self.metastack:
            raise UnpicklingError("there is no mark")
        items = self.stack
        self.stack = self.metastack.pop()
        return items

    # ---- names and calls

    def find(self, module, name):
        if (module, name) in _OLD_NAMES:
            module, name = _OLD_NAMES[module, name]
        elif module in _OLD_MODULES:
            module = _OLD_MODULES[module]
        full = f"{module}.{name}"
        if module in _BLOCKED:
            raise NotAllowedError(f"Trying to load unsupported GLOBAL {full} whose module {module} is blocked.")
        found = self.users.get(full)
        if found is None:
            found = self.defaults.get(full)
        if found is None:
            full = full.removeprefix("builtins.")
            raise NotAllowedError(
                f"Unsupported global: GLOBAL {full} was not an allowed global by default. Please use "
                f"`torch.serialization.add_safe_globals([{full}])` or the `torch.serialization.safe_globals([{full}])` context manager to "
                "allowlist this global if you trust this class/function."
            )
        return found

    def do_global(self):
        module = str(self.line(), "utf-8")
        self.stack.append(self.find(module, str(self.line(), "utf-8")))

    def do_stack_global(self):
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise UnpicklingError("a global has no name")
        self.stack.append(self.find(module, name))

    def do_reduce(self):
        args = self.stack.pop()
        func = self.top()
        self.stack[-1] = self.call(func, args)

    def do_newobj(self):
        args = self.stack.pop()
        self._new(self.stack.pop(), args, {})

    def do_newobj_ex(self):
        kwargs, args = self.stack.pop(), self.stack.pop()
        self._new(self.stack.pop(), args, kwargs)

    def _new(self, cls, args, kwargs):
        if isinstance(cls, type) and self.is_trusted(cls):
            try:
                made = cls.__new__(cls, *args, **kwargs)
            except Exception as error:
                raise _UserError(error) from None
        elif any(cls is known for known in (runtime.nn.Parameter, OrderedDict, Counter)) and not kwargs:
            made = self.call(cls, args)
        else:
            raise NotAllowedError(
                f"Can only create new object for nn.Parameter or classes allowlisted via `add_safe_globals` but got {_described(cls)}"
            )
        self.stack.append(made)

    def do_build(self):
        state = self.stack.pop()
        self._build(self.top(), state)

    def _build(self, obj, state):
        if type(obj) is OrderedDict and type(state) is dict:
            self.charge(len(state))
            obj.__dict__.update(state)
        elif self.is_trusted(type(obj)):
            try:
                _set_state(obj, state)
            except Exception as error:
                raise _UserError(error) from None
        else:
            raise NotAllowedError(f"Can only build OrderedDict or types allowlisted via `add_safe_globals`, but got {type(obj)}")

    def do_persistent_id(self):
        identity = self.stack.pop()
        if type(identity) is not tuple or not identity:
            raise NotAllowedError(f"persistent_load id must be tuple or int, but got {type(identity)}")
        if type(identity[0]) not in (str, bytes) or identity[0] not in ("storage", b"storage") or self.persistent_load is None:
            raise NotAllowedError(f"Only persistent_load of storage is allowed, but got {type(identity[0])}")
        try:
            storage = self.persistent_load(identity)
        except UnpicklingError:
            raise
        except Exception as error:
            raise _UserError(error) from None
        self.stack.append(storage)

    # ---- containers

    def do_append(self):
        item = self.stack.pop()
        self._extend((item,))

    def do_appends(self):
        self._extend(self.pop_mark())

    def _extend(self, items):
        target = self.top()
        if type(target) is list:
            target.extend(items)
        elif self.is_trusted(type(target)) and hasattr(target, "append"):
            for item in items:
                target.append(item)
        else:
            raise NotAllowedError(f"Can only append to lists, but got {type(target)}")

    def do_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items((key, value))

    def do_setitems(self):
        self._set_items(self.pop_mark())

    def _set_items(self, items):
        target = self.top()
        if type(target) not in (dict, OrderedDict, Counter) and not self.is_trusted(type(target)):
            raise NotAllowedError(f"Can only SETITEM for dict, collections.OrderedDict, collections.Counter, but got {type(target)}")
        for at in range(0, len(items), 2):
            self.check_key(items[at])
            target[items[at]] = items[at + 1]

    def do_additems(self):
        items = self.pop_mark()
        self._add_items(self.top(), items)

    def _add_items(self, target, items):
        if type(target) is not set:
            raise NotAllowedError(f"Can only add items to sets, but got {type(target)}")
        for item in items:
            self.check_key(item)
            target.add(item)

    def do_frozenset(self):
        items = self.pop_mark()
        for item in items:
            self.check_key(item)
        self.stack.append(frozenset(items))

    def do_mark(self):
        self.metastack.append(self.stack)
        self.stack = []

    def do_tuple(self):
        items = self.pop_mark()
        self.stack.append(tuple(items))

    def do_list(self):
        items = self.pop_mark()
        self.stack.append(items)

    def do_dict(self):
        items = self.pop_mark()
        self.stack.append({})
        self._set_items(items)

    def _last(self, count):
        if len(self.stack) < count:
            raise UnpicklingError("the stack is empty")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def do_pop(self):
        if self.stack:
            del self.stack[-1]
        else:
            self.pop_mark()

    def do_stop(self):
        if len(self.stack) != 1 or self.metastack:
            raise UnpicklingError("the stack does not hold one object at the end")
        raise _Stop

    # ---- atoms

    def do_string(self, length):
        text = self.take(length)
        self.stack.append(text if self.encoding == "bytes" else text.decode(self.encoding))

    def do_unicode(self, length):
        self.stack.append(str(self.take(length), "utf-8", "surrogatepass"))

    def do_long(self, length):
        self.stack.append(int.from_bytes(self.take(length), "little", signed=True))

    def do_text_int(self):
        text = self.line()
        self.stack.append(text == b"01" if text in (b"00", b"01") else int(text))

    def do_text_string(self):
        text = self.line()
        if len(text) < 2 or text[:1] != text[-1:] or text[:1] not in (b"'", b'"'):
            raise UnpicklingError("a string is not in quotes")
        text = codecs.escape_decode(text[1:-1])[0]
        self.stack.append(text if self.encoding == "bytes" else text.decode(self.encoding))

    def put(self, index):
        self.memo[index] = self.top()

    def get(self, index):
        if index not in self.memo:
            raise UnpicklingError(f"memo value {index} was never stored")
        self.stack.append(self.memo[index])

    def do_proto(self):
        protocol = self.take(1)[0]
        if protocol > pickle.HIGHEST_PROTOCOL:
            raise UnpicklingError(f"unsupported pickle protocol: {protocol}")


def _set_state(obj, state):
    """What pickle does with the state of an object."""
    if hasattr(obj, "__setstate__"):
        obj.__setstate__(state)
        return
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if parts[0]:
        obj.__dict__.update(parts[0])
    for name, value in (parts[1] or {}).items():
        setattr(obj, name, value)


_OLD_NAMES, _OLD_MODULES = pickle._compat_pickle.NAME_MAPPING, pickle._compat_pickle.IMPORT_MAPPING

# Opcodes with an argument of fixed size: its format, and what is done with it.
_COUNTED = {
    pickle.BININT: ("<i", None),
    pickle.BININT1: ("<B", None),
    pickle.BININT2: ("<H", None),
    pickle.BINFLOAT: (">d", None),
    pickle.BINUNICODE: ("<I", WeightsUnpickler.do_unicode),
    pickle.SHORT_BINUNICODE: ("<B", WeightsUnpickler.do_unicode),
    pickle.BINUNICODE8: ("<Q", WeightsUnpickler.do_unicode),
    pickle.BINSTRING: ("<I", WeightsUnpickler.do_string),
    pickle.SHORT_BINSTRING: ("<B", WeightsUnpickler.do_string),
    pickle.BINBYTES: ("<I", lambda self, length: self.stack.append(bytes(self.take(length)))),
    pickle.SHORT_BINBYTES: ("<B", lambda self, length: self.stack.append(bytes(self.take(length)))),
    pickle.BINBYTES8: ("<Q", lambda self, length: self.stack.append(bytes(self.take(length)))),
    pickle.BYTEARRAY8: ("<Q", lambda self, length: self.stack.append(bytearray(self.take(length)))),
    pickle.LONG1: ("<B", WeightsUnpickler.do_long),
    pickle.LONG4: ("<I", WeightsUnpickler.do_long),
    pickle.BINGET: ("<B", WeightsUnpickler.get),
    pickle.LONG_BINGET: ("<I", WeightsUnpickler.get),
    pickle.BINPUT: ("<B", WeightsUnpickler.put),
    pickle.LONG_BINPUT: ("<I", WeightsUnpickler.put),
    pickle.FRAME: ("<Q", lambda self, length: None),
}
_PLAIN = {
    pickle.PROTO: WeightsUnpickler.do_proto,
    pickle.STOP: WeightsUnpickler.do_stop,
    pickle.GLOBAL: WeightsUnpickler.do_global,
    pickle.STACK_GLOBAL: WeightsUnpickler.do_stack_global,
    pickle.REDUCE: WeightsUnpickler.do_reduce,
    pickle.NEWOBJ: WeightsUnpickler.do_newobj,
    pickle.NEWOBJ_EX: WeightsUnpickler.do_newobj_ex,
    pickle.BUILD: WeightsUnpickler.do_build,
    pickle.BINPERSID: WeightsUnpickler.do_persistent_id,
    pickle.APPEND: WeightsUnpickler.do_append,
    pickle.APPENDS: WeightsUnpickler.do_appends,
    pickle.SETITEM: WeightsUnpickler.do_setitem,
    pickle.SETITEMS: WeightsUnpickler.do_setitems,
    pickle.ADDITEMS: WeightsUnpickler.do_additems,
    pickle.FROZENSET: WeightsUnpickler.do_frozenset,
    pickle.MARK: WeightsUnpickler.do_mark,
    pickle.TUPLE: WeightsUnpickler.do_tuple,
    pickle.TUPLE1: lambda self: self._last(1),
    pickle.TUPLE2: lambda self: self._last(2),
    pickle.TUPLE3: lambda self: self._last(3),
    pickle.LIST: WeightsUnpickler.do_list,
    pickle.DICT: WeightsUnpickler.do_dict,
    pickle.POP: WeightsUnpickler.do_pop,
    pickle.POP_MARK: WeightsUnpickler.pop_mark,
    pickle.DUP: lambda self: self.stack.append(self.top()),
    pickle.MEMOIZE: lambda self: self.put(len(self.memo)),
    pickle.NONE: lambda self: self.stack.append(None),
    pickle.NEWTRUE: lambda self: self.stack.append(True),
    pickle.NEWFALSE: lambda self: self.stack.append(False),
    pickle.EMPTY_TUPLE: lambda self: self.stack.append(()),
    pickle.EMPTY_LIST: lambda self: self.stack.append([]),
    pickle.EMPTY_DICT: lambda self: self.stack.append({}),
    pickle.EMPTY_SET: lambda self: self.stack.append(set()),
    # Protocols 0 and 1 write numbers and text as lines.
    pickle.INT: WeightsUnpickler.do_text_int,
    pickle.LONG: lambda self: self.stack.append(int(self.line().removesuffix(b"L"))),
    pickle.FLOAT: lambda self: self.stack.append(float(self.line())),
    pickle.STRING: WeightsUnpickler.do_text_string,
    pickle.UNICODE: lambda self: self.stack.append(str(self.line(), "raw-unicode-escape")),
    pickle.PUT: lambda self: self.put(int(self.line())),
    pickle.GET: lambda self: self.get(int(self.line())),
}


def _counted(form, use):
    """A handler that reads a number and uses it, or pushes it."""
    reader = struct.Struct(form)

    def handle(self):
        start = self.position
        if start + reader.size > self.size:
            raise UnpicklingError("the pickle breaks off")
        self.position = start + reader.size
        number = reader.unpack_from(self.data, start)[0]
        if use is None:
            self.stack.append(number)
        else:
            use(self, number)

    return handle


_HANDLERS = [None] * 256
for _code, _handler in _PLAIN.items():
    _HANDLERS[_code[0]] = _handler
for _code, (_form, _use) in _COUNTED.items():
    _HANDLERS[_code[0]] = _counted(_form, _use)


class _GlobalCollector(WeightsUnpickler):
    """Notes the names that a pickle refers to; what it builds is not the object."""

    def __init__(self, data):
        super().__init__(data, persistent_load=lambda identity: None)
        self.found = set()

    def find(self, module, name):
        if (module, name) in _OLD_NAMES:
            module, name = _OLD_NAMES[module, name]
        self.found.add(f"{_OLD_MODULES.get(module, module)}.{name}")
        return None

    def call(self, func, args):
        return None

    def _new(self, cls, args, kwargs):
        self.stack.append(None)

    def _set_items(self, items):
        self.top()

    _extend = _set_items

    def _build(self, obj, state):
        pass

    _add_items = _build


def pickled_globals(data):
    """The full names of all classes and functions that a pickle refers to; nothing is called.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    set of str
    """
    collector = _GlobalCollector(data)
    collector.load()
    return collector.found
