"""The reductions of losses: their names, the codes that operators take, and the two flags that came before the names."""

import warnings


def get_enum(reduction):
    """The code of a reduction: 0 for "none", 1 for "mean", 2 for "sum"."""
    if reduction == "elementwise_mean":
        warnings.warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.", stacklevel=2)
        return 1
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return ("none", "mean", "sum").index(reduction)


def legacy_get_string(size_average, reduce, emit_warning=True):
    """The reduction that the flags `size_average` and `reduce` asked for; None counts as True."""
    if reduce is False:
        name = "none"
    else:
        name = "sum" if size_average is False else "mean"
    if emit_warning:
        warnings.warn(f"size_average and reduce args will be deprecated, please use reduction='{name}' instead.", stacklevel=2)
    return name


def legacy_get_enum(size_average, reduce, emit_warning=True):
    """The code of the reduction that the flags asked for."""
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))


def chosen(reduction, size_average, reduce):
    """The name of the reduction: the flags, where one is given, outdo the name."""
    return reduction if size_average is None and reduce is None else legacy_get_string(size_average, reduce)
