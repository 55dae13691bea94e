"""The twin: the statements that Brian2 executes, executed by torch, so that gradients flow through them."""

from bioneuro.twin.module import Twin
from bioneuro.twin.surrogate import Surrogate, arctan, detached, sigmoid, superspike

__all__ = ["Surrogate", "Twin", "arctan", "detached", "sigmoid", "superspike"]
