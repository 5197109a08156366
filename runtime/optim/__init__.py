"""Optimizers, which change parameters by their gradients, and schedules of their learning rates (`lr_scheduler`)."""

from runtime.optim import lr_scheduler as lr_scheduler
from runtime.optim.adadelta import Adadelta as Adadelta
from runtime.optim.adagrad import Adagrad as Adagrad
from runtime.optim.adam import Adam as Adam
from runtime.optim.adam import AdamW as AdamW
from runtime.optim.adamax import Adamax as Adamax
from runtime.optim.asgd import ASGD as ASGD
from runtime.optim.nadam import NAdam as NAdam
from runtime.optim.optimizer import Optimizer as Optimizer
from runtime.optim.radam import RAdam as RAdam
from runtime.optim.rmsprop import RMSprop as RMSprop
from runtime.optim.rprop import Rprop as Rprop
from runtime.optim.sgd import SGD as SGD
from runtime.optim.sparse_adam import SparseAdam as SparseAdam
