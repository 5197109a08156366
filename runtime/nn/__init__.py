"""Neural networks: layers (`modules`), their functions (`functional`), initial values (`init`) and helpers for training (`utils`)."""

from runtime.nn import functional as functional
from runtime.nn import init as init
from runtime.nn import modules as modules
from runtime.nn import utils as utils
from runtime.nn.modules import *  # noqa: F403
from runtime.nn.modules import Module as Module
from runtime.nn.parameter import Buffer as Buffer
from runtime.nn.parameter import Parameter as Parameter
