"""How `Module.to` and the like give parameters their new values (`torch.__future__`)."""

from runtime import settings


def set_overwrite_module_params_on_conversion(value):
    """Set whether conversions make new parameters, instead of giving those that exist new data."""
    settings.overwrite_parameters = value


def get_overwrite_module_params_on_conversion():
    """Whether conversions make new parameters."""
    return settings.overwrite_parameters


def set_swap_module_params_on_conversion(value):
    """Set whether conversions exchange parameters with new ones in place: they do not."""
    if value:
        raise NotImplementedError("torch.__future__.set_swap_module_params_on_conversion(True) is not built yet in this runtime")


def get_swap_module_params_on_conversion():
    """False: conversions do not exchange parameters with new ones."""
    return False
