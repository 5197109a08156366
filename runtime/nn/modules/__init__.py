"""The layers of `runtime.nn`, by subject."""

from runtime.nn.modules.activation import *  # noqa: F403
from runtime.nn.modules.adaptive import *  # noqa: F403
from runtime.nn.modules.batchnorm import *  # noqa: F403
from runtime.nn.modules.container import *  # noqa: F403
from runtime.nn.modules.conv import *  # noqa: F403
from runtime.nn.modules.distance import *  # noqa: F403
from runtime.nn.modules.dropout import *  # noqa: F403
from runtime.nn.modules.linear import *  # noqa: F403
from runtime.nn.modules.loss import *  # noqa: F403
from runtime.nn.modules.module import Module as Module
from runtime.nn.modules.normalization import *  # noqa: F403
from runtime.nn.modules.padding import *  # noqa: F403
from runtime.nn.modules.pooling import *  # noqa: F403
from runtime.nn.modules.reshaping import *  # noqa: F403
from runtime.nn.modules.rnn import *  # noqa: F403
from runtime.nn.modules.sparse import *  # noqa: F403
from runtime.nn.modules.transformer import *  # noqa: F403
