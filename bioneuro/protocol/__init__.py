"""What is done to a circuit: the record `Protocol`, and a function for each classic experiment."""

from bioneuro.imposed import Afferents, Clock, Coordinate, Current, Events, Phases, Poisson, ProtocolError, Spikes, clock
from bioneuro.protocol.currents import by_current, step_current
from bioneuro.protocol.induction import SLFS, STET, WLFS, WTET, Train, induction, two_pathways
from bioneuro.protocol.pairs import bursts, doublets, pairing, post_pre_post, pre_post_pre, quadruplets
from bioneuro.protocol.rates import Firing, Following, Silent, paired_pulse, poisson, poisson_pairs, pulses, tetanus
from bioneuro.protocol.record import Protocol, during, once, together

__all__ = [
    "SLFS", "STET", "WLFS", "WTET", "Afferents", "Clock", "Coordinate", "Current", "Events", "Firing", "Following", "Phases", "Poisson", "Protocol",
    "ProtocolError", "Silent", "Spikes", "Train", "bursts", "by_current", "clock", "doublets", "during", "induction", "once", "paired_pulse",
    "pairing", "poisson", "poisson_pairs", "post_pre_post", "pre_post_pre", "pulses", "quadruplets", "step_current", "tetanus", "together",
    "two_pathways",
]  # fmt: skip
