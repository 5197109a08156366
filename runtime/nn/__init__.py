"""Neural networks."""

from runtime.nn import functional as functional
