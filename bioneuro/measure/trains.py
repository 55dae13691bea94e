"""Distances between spike trains: the run's and those wanted, trial by trial and unit by unit.

References:
    van Rossum 2001, Neural Comput 13:751, doi 10.1162/089976601300014321
    Kistler, Gerstner & van Hemmen 1997, Neural Comput 9:1015, doi 10.1162/neco.1997.9.5.1015 (from memory)
    Jolivet et al. 2008, J Neurosci Methods 169:417, doi 10.1016/j.jneumeth.2007.11.006
"""

import math
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from bioneuro.measure.arrays import like
from bioneuro.measure.curves import MeasureError
from bioneuro.measure.losses import Loss
from bioneuro.measure.spikes import alike, end_of, n_steps, seconds, train_of
from bioneuro.recording import Recording, Train

_BLOCK = 64  # steps; a whole block is one product with a matrix
_AT_ONCE = 2**23  # steps * units of the trials that are looked at together


def van_rossum(target: Recording, population: str, tau: Any = "10 ms") -> Loss:
    r"""Squared distance of van Rossum 2001, mean over trials and units: D^2 = 1/tau \int_0^\infty (f - g)^2 dt, without unit.

    f and g are the trains of the recording and of the target, each spike at t_i as H(t - t_i) exp(-(t - t_i)/tau). So one spike more or
    less is 1/2, a spike moved by d is 1 - exp(-d/tau), and for tau to infinity D^2 is half the squared difference of the numbers of
    spikes. The integral is exact, with the tail beyond the end of the run. It is symmetric, and 0 only for equal trains.

    Through a raster the gradient says where a spike is missing or too many. It does not say that a spike should come earlier or later:
    `bioneuro.measure.first_spike_error` and `isi_error` do.

    Arguments:
        target: its trains are moved to the steps of the recording.
        tau: a time, or ``math.inf``.

    Raises:
        MeasureError: `tau` is not positive, or no such population; the loss itself, where the recording has other trials, units or another
            length than the target.
    """
    constant = math.inf if isinstance(tau, float) and tau == math.inf else seconds(tau, "van_rossum: tau")
    if constant <= 0:
        raise MeasureError(f"van_rossum: tau {tau!r} is not positive; give a time such as '10 ms', or math.inf to compare numbers of spikes")
    wanted = target.detached()
    train_of(wanted, population)

    def loss(seen: Recording) -> Any:
        train, other = alike(seen, wanted, population)
        n, decay = n_steps(seen, population), train.dt / constant
        most = max(1, _AT_ONCE // max(1, n * train.size))
        raster = seen.raster.get(population)
        total: Any = 0.0
        for first in range(0, seen.n_trials, most):
            trials = range(first, min(first + most, seen.n_trials))
            there = _dense(other, trials, n, train.dt)
            part = _dense(train, trials, n, train.dt) - there if raster is None else raster[first : first + most] - like(there, raster)
            total = total + _distances(part, decay)
        return total / (seen.n_trials * train.size)

    return loss


def _dense(train: Train, trials: range, n: int, dt: float) -> NDArray[np.float64]:
    """Numbers of spikes in steps of `dt`, shape (trial, n, unit); what lies after the last step falls into it."""
    first, last = trials.start * train.size, trials.stop * train.size
    rows = np.repeat(np.arange(last - first), np.diff(train.offsets[first : last + 1]))
    steps = train.steps[train.offsets[first] : train.offsets[last]]
    moved = np.minimum(np.rint(steps * (train.dt / dt)).astype(np.int64), n - 1)
    flat = np.bincount(rows * n + moved, minlength=(last - first) * n).astype(np.float64)
    return flat.reshape(len(trials), train.size, n).transpose(0, 2, 1)


def _distances(difference: Any, decay: float) -> Any:
    """Sum of D^2 over trials and units, of the difference of two trains (trial, step, unit)."""
    xp = array_namespace(difference)
    trials, n, size = difference.shape
    trace = filtered(xp.reshape(xp.permute_dims(difference, (0, 2, 1)), (trials * size, n)), decay)
    whole = xp.sum(trace[:, :-1] ** 2) * -math.expm1(-2 * decay)  # between steps the trace decays; after the last one it does so for ever
    return 0.5 * (whole + xp.sum(trace[:, -1] ** 2))


def filtered(pulses: Any, decay: float) -> Any:
    """x_k = pulses_k + exp(-decay) x_{k-1} along the second of two axes, block by block, so that long runs take few operations."""
    xp = array_namespace(pulses)
    rows, n = pulses.shape
    size = min(n, _BLOCK)
    ahead = np.arange(size)[None, :] - np.arange(size)[:, None]
    kernel = like(np.where(ahead >= 0, np.exp(-decay * np.maximum(ahead, 0)), 0.0), pulses)
    if n == size:
        return xp.matmul(pulses, kernel)
    blocks = -(-n // size)
    padded = xp.concat([pulses, xp.zeros((rows, blocks * size - n), dtype=pulses.dtype, device=pulses.device)], axis=1)
    inside = xp.matmul(xp.reshape(padded, (rows, blocks, size)), kernel)
    carried = filtered(inside[:, :, -1], decay * size)
    before = xp.concat([0 * carried[:, :1], carried[:, :-1]], axis=1)
    whole = inside + before[:, :, None] * like(np.exp(-decay * (np.arange(size) + 1)), pulses)
    return xp.reshape(whole, (rows, blocks * size))[:, :n]


def coincidence(recording: Recording, target: Recording, population: str, window: Any = "2 ms") -> NDArray[np.float64]:
    """Coincidence factor Gamma, shape (trial, unit): 1 for equal trains, 0 for what chance gives; it has no gradient.

    Gamma = (N_coinc - <N_coinc>) / ((N_data + N_model)/2) / (1 - 2 f window), with <N_coinc> = 2 f window N_data and f the model's rate
    over the run: what a Poisson train of that rate would hit, to first order in f window (Kistler et al. 1997; Jolivet et al. 2008; the
    equation from memory. Some programs take the rate of the data). Spikes coincide if they are at most `window` apart. Spikes of the
    data, in order, each take the earliest spike of the model that is near enough and not taken: no spike counts twice, and no other
    rule finds more pairs. NaN where neither fires.

    Raises:
        MeasureError: other trials, units or another length than the target; or 2 f window reaches 1, so that everything coincides.
    """
    near = seconds(window, "coincidence: window")
    mine, wanted = alike(recording, target, population)
    found = np.full(mine.counts.shape, math.nan)
    allowed = near + 1e-6 * mine.dt  # a distance of just the window may be rounded up
    for trial, unit in np.ndindex(*found.shape):
        model, data = mine.times(trial, unit), wanted.times(trial, unit)
        chance = 2 * near * model.size / end_of(recording)
        if chance >= 1:
            raise MeasureError(
                f"coincidence: {population!r} fires {model.size / end_of(recording):g} Hz in trial {trial}, unit {unit}, "
                f"so a window of {near:g} s covers the run; give a smaller one"
            )
        if model.size + data.size:
            hits = _pairs(data, model, allowed)
            found[trial, unit] = (hits - chance * data.size) / (0.5 * (data.size + model.size)) / (1 - chance)
    return found


def _pairs(data: NDArray[np.float64], model: NDArray[np.float64], window: float) -> int:
    """Number of pairs: each of `data` in order takes the earliest of `model` within `window` that is left."""
    hits, k = 0, 0
    for time in data.tolist():
        while k < model.size and model[k] < time - window:
            k += 1
        if k < model.size and model[k] <= time + window:
            hits, k = hits + 1, k + 1
    return hits
