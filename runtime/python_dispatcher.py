"""The teaching class `PythonDispatcher`: registrations and the table that follows from them, without writing a kernel."""

from runtime import _core


class PythonDispatcher:
    """Shows how registrations of one operator, ``__test__::foo``, fill its dispatch table.

    Examples
    --------
    >>> dispatcher = PythonDispatcher()
    >>> dispatcher.register(["CPU", "CompositeImplicitAutograd"])
    >>> print(dispatcher.dispatchTable().splitlines()[4].split())
    ['CPU', 'fn_CPU', '[kernel]']
    """

    namespace = "__test__"
    name = "foo"
    # The run-time keys that the tables show, and the alias keys that can be registered.
    runtime_keys = [
        "CPU", "AutogradCPU", "FPGA", "AutogradOther", "XLA", "AutogradXLA", "Lazy", "AutogradLazy",
    ]  # fmt: skip
    alias_keys = ["CompositeExplicitAutograd", "Autograd", "CompositeImplicitAutograd"]
    supported_keys = runtime_keys + alias_keys

    def __init__(self):
        _core._dispatch_check_invariants(self.name)
        self.ref = _core._dispatch_library("FRAGMENT", self.namespace, "")
        self.ref.def_("foo(Tensor x) -> Tensor")

    def keys(self):
        """All keys that can be registered."""
        return self.supported_keys

    def register(self, dispatchKeys):
        """Register a kernel at each of some keys; at most once, and no key twice."""
        if len(set(dispatchKeys)) != len(dispatchKeys):
            raise RuntimeError(f"Overriden is not allowed but found duplicates in {dispatchKeys}.")
        if "CompositeImplicitAutograd" in dispatchKeys and "CompositeExplicitAutograd" in dispatchKeys:
            raise RuntimeError("Registration to both CompositeImplicitAutograd and CompositeExplicitAutograd is not allowed.")
        for key in dispatchKeys:
            if key not in self.supported_keys:
                raise RuntimeError(f"{key} is not supported, please select a dispatch key in {self.supported_keys}.")
            self.ref.impl_t_t("foo", dispatch=key, debug=f"fn_{key}")

    def _format_line(self, key, kernel):
        return f"{key:<15} {kernel}\n"

    def _format_header(self, header):
        return f"\n{header}\n{self._format_line('key', 'kernel')}{'-' * 27}\n"

    def rawRegistrations(self):
        """The registrations as text, in the dispatcher's own format."""
        return _core._dispatch_dump(f"{self.namespace}::{self.name}")

    def rawDispatchTable(self):
        """The computed table as text, in the dispatcher's own format."""
        return _core._dispatch_dump_table(f"{self.namespace}::{self.name}")

    def registrations(self):
        """The registrations as a table, alias keys marked."""
        text = self._format_header("Registered Kernels")
        for line in self.rawRegistrations().split("\n"):
            if ":" not in line or line.startswith(("debug", "name", "schema", "alias analysis kind")):
                continue
            key, kernel = line.split(":")[0], line.split("::")[0].partition(":")[2].strip()
            text += self._format_line(key, kernel)
        return text

    def dispatchTable(self):
        """The computed table, for the keys that the class knows; of a backend fallback only that it is one."""
        text = self._format_header("Computed Dispatch Table")
        for line in self.rawDispatchTable().split("\n"):
            key, _, entry = line.partition(": ")
            if key in self.runtime_keys:
                text += self._format_line(key, "[backend fallback]" if entry.endswith("[backend fallback]") else entry)
        return text
