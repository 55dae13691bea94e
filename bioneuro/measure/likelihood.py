"""How likely recorded spikes are for a neuron that is told them, if its threshold is soft.

References:
    Gerstner & Kistler 2002, Spiking Neuron Models, section 5.3: escape noise (from memory; they prefer an exponential to the ramp used here).
    Paninski 2004, Network 15:243, doi 10.1088/0954-898X_15_4_002: the likelihood of a train given the past of the neuron (from memory).
"""

from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike

from bioneuro.measure.arrays import like
from bioneuro.measure.curves import MeasureError
from bioneuro.recording import Recording

_LEAST = 1e-12  # of an expected number of spikes: an impossible spike costs 28, not infinity


def surprise(recording: Recording, fired: ArrayLike, *, above: str, below: tuple[str, ...] = (), noted: str = "", warm: float = 0.0) -> Any:
    r"""Minus the logarithm of the probability of the recorded spikes, summed over steps: shape (trial,), from a twin with its gradient.

    In a step of dt the neuron escapes with the rate log(1 + exp(u)) per ms, where u is how far it is above its threshold at the end of the
    step: it fires with probability 1 - exp(-dt rate). u has no unit: 1 is the softness of the threshold. A neuron that is told the recorded
    spikes, and has none of its own, has the past that it is to be judged by; so there is no step function and the gradient is exact.

    Arguments:
        recording: read after every step.
        fired: whether a spike was recorded, shape (trial, step). With several copies of the trials, one after the other, it holds for each.
        above, below: placed names of traces of one neuron; u is the first minus the others.
        noted: a trace that is u before the reset where a spike was told; by default u is not reset.
        warm: seconds at the beginning of a trial that do not count.

    Raises:
        MeasureError: the recording has no reading after every step of `fired`, or no whole number of copies of its trials.
    """
    hit = np.asarray(fired, bool)
    seen = recording[above]
    if hit.ndim != 2 or seen.shape[1:] != (hit.shape[1], 1) or seen.shape[0] % hit.shape[0]:
        raise MeasureError(
            f"surprise: {above!r} has shape {tuple(seen.shape)} (trial, time, unit) for spikes of shape {hit.shape}; read one neuron after every "
            "step, and give a row of spikes for every trial"
        )
    xp = array_namespace(seen)
    dt = float(recording.times[0, -1]) / hit.shape[1]
    first = round(warm / dt)
    on = np.tile(hit, (seen.shape[0] // hit.shape[0], 1))[:, first:]
    u = seen[:, first:, 0]
    for path in below:
        u = u - recording[path][:, first:, 0]
    share = like(on.astype(np.float64), seen)
    told = u if not noted else share * recording[noted][:, first:, 0] + (1 - share) * u
    ramp = 0.5 * (told + xp.abs(told)) + xp.log1p(xp.exp(-xp.abs(told)))
    expected = xp.where(ramp * dt / 1e-3 > _LEAST, ramp * dt / 1e-3, _LEAST + 0 * ramp)
    spikes = -xp.log(-xp.expm1(-expected))
    return xp.sum(share * spikes + (1 - share) * expected, axis=1)
