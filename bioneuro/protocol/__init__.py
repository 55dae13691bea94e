"""What is done to a circuit: the record `Protocol`, and a function for each classic experiment."""

from bioneuro.imposed import Clock, Coordinate, Current, Events, Poisson, ProtocolError, Spikes, clock
from bioneuro.protocol.currents import by_current, step_current
from bioneuro.protocol.pairs import bursts, doublets, pairing, post_pre_post, pre_post_pre, quadruplets
from bioneuro.protocol.rates import Firing, Following, Silent, paired_pulse, poisson, poisson_pairs, pulses, tetanus
from bioneuro.protocol.record import Protocol, once, together

__all__ = [
    "Clock", "Coordinate", "Current", "Events", "Firing", "Following", "Poisson", "Protocol", "ProtocolError", "Silent", "Spikes",
    "bursts", "by_current", "clock", "doublets", "once", "paired_pulse", "pairing", "poisson", "poisson_pairs", "post_pre_post",
    "pre_post_pre", "pulses", "quadruplets", "step_current", "tetanus", "together",
]  # fmt: skip
