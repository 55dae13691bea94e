"""The twin: the statements that Brian2 executes, executed by torch, so that gradients flow through them."""

from bioneuro.twin.layer import Layer, State
from bioneuro.twin.layer_checks import LayerError
from bioneuro.twin.module import Twin
from bioneuro.twin.refused import CODES, TwinError
from bioneuro.twin.stack import circuit_of, protocol_of, recorded
from bioneuro.twin.stages import Frames
from bioneuro.twin.surrogate import Surrogate, arctan, damped, detached, gaussian, multi_gaussian, rectangle, sigmoid, superspike, triangle

__all__ = [
    "CODES", "Frames", "Layer", "LayerError", "State", "Surrogate", "Twin", "TwinError", "arctan", "circuit_of", "damped", "detached", "gaussian",
    "multi_gaussian", "protocol_of", "recorded", "rectangle", "sigmoid", "superspike", "triangle",
]  # fmt: skip
