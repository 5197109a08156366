"""Functions of the package's namespace that are no operators: they prepare arguments for operators."""

__all__: list[str] = []
