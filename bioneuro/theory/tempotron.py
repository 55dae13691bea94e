"""The tempotron below its threshold, in closed form.

Gütig R, Sompolinsky H (2006) The tempotron: a neuron that learns spike timing-based decisions. Nat Neurosci 9:420, doi 10.1038/nn1643.
Rubin R, Monasson R, Sompolinsky H (2010) Theory of spike timing-based neural classifiers. Phys Rev Lett 105:218102,
doi 10.1103/PhysRevLett.105.218102, arXiv 1010.5496.

Times in seconds; potentials in units of the distance from rest to threshold.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

CAPACITY = 3.0
"""Random latency patterns per synapse that the tempotron rule learns, about (Gütig & Sompolinsky 2006; read in a public replication that
cites the paper's figures, the paper itself from memory)."""

PERCEPTRON = 2.0
"""Patterns per synapse of a perceptron, which cannot use time (Cover 1965, IEEE Trans Electron Comput 14:326, doi 10.1109/PGEC.1965.264137)."""


def peak(*, tau: float, tau_s: float) -> float:
    """When the potential of one spike is highest."""
    return tau * tau_s / (tau - tau_s) * math.log(tau / tau_s)


def scale(*, tau: float, tau_s: float) -> float:
    """V0, which makes the highest potential of one spike 1."""
    top = peak(tau=tau, tau_s=tau_s)
    return 1 / (math.exp(-top / tau) - math.exp(-top / tau_s))


def kernel(t: ArrayLike, *, tau: float, tau_s: float) -> NDArray[np.float64]:
    """V0 (exp(-t/tau) - exp(-t/tau_s)), 0 before the spike.

    >>> kernel([-0.001, 0.0, peak(tau=0.015, tau_s=0.00375)], tau=0.015, tau_s=0.00375).round(12).tolist()
    [0.0, 0.0, 1.0]
    """
    late = np.maximum(np.asarray(t, float), 0.0)
    return np.asarray(scale(tau=tau, tau_s=tau_s) * (np.exp(-late / tau) - np.exp(-late / tau_s)))


def rate(afferents: int, duration: float, *, tau: float, tau_s: float) -> float:
    """Size lambda of a step of the rule, 3e-3 T/(tau N V0) (Gütig & Sompolinsky 2006, Methods, as a public replication has it).

    `duration` is T, the length of a pattern.
    """
    return 3e-3 * duration / (tau * afferents * scale(tau=tau, tau_s=tau_s))
