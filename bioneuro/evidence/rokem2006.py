"""Spike trains of two recordings from an auditory receptor of a locust, with the sound level that it heard.

References:
    Rokem, Watzl, Gollisch, Stemmler, Herz & Samengo 2006, J Neurophysiol 95:2541, doi 10.1152/jn.00891.2005: the experiments; data set ia-1
    of crcns.org, of which the package nitime (Rokem, Trumpis & Perez 2009, Proc 8th Python in Science Conf, from memory) carries two files.
    nitime, doc/examples/grasshopper.py: what the columns are, and that both stimuli were played to one cell.

A tone of 2.5 kHz for ten seconds, whose amplitude is modulated so that the level in decibel is Gaussian with a standard deviation of 6 dB up to a
cut-off frequency: 200 Hz in the first recording, 800 Hz in the second (headers of the spike files). One trial of each, so that how well the cell
repeats itself, which bounds every model, cannot be told from these files; nor is it said whether the second cell is the first.

The files are read where nitime is installed, and are no part of this package. Their columns:

    spikes      times in us, multiples of 100 us, counted from the beginning of the sound
    stimulus    time in us, every 50 us; amplitude, 1 at its largest
"""

import dataclasses
import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bioneuro.protocol import Coordinate, Current, Protocol, Spikes, clock
from bioneuro.recording import Recording, Train, train
from bioneuro.records import frozen

PAPER = "Rokem, Watzl, Gollisch, Stemmler, Herz & Samengo 2006, J Neurophysiol 95:2541, doi 10.1152/jn.00891.2005"
FOLDER = "BIONEURO_ROKEM2006"
"""Environment variable with a folder that has the files, for where nitime is not installed."""
SAMPLE = 50e-6
"""Seconds between two values of the level."""
SPREAD = 6.0
"""Standard deviation of the level in decibel, as the headers give it."""

_SHA256 = {
    "grasshopper_spike_times1.txt": "840014ad9a8f591d02ab108bcbd46715badb3459e0ef7eac95fdd661ff134e3d",
    "grasshopper_stimulus1.txt": "4b47a4cbca8c5f694f87dd510db608a868dffbaba96845199c8afa545a4c37fa",
    "grasshopper_spike_times2.txt": "389e5dccb709fbe0552589ff2e0b64e15d46665e4d2d4172071f2175c8641541",
    "grasshopper_stimulus2.txt": "69f257a8e7a5019897111b07f9cd317b136357d256e99682d40c09d5add18e6a",
}
_HEADERS = {200: (1, 76.4286), 800: (2, 71.2)}

CUTOFFS = tuple(_HEADERS)
"""Cut-off frequencies of the modulation, Hz: the names of the recordings."""


class MissingData(FileNotFoundError):
    """The files are not on this machine, or are not the ones that are meant."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """A recording of ten seconds.

    Attributes:
        cutoff: of the modulation, Hz. peak: largest level, dB SPL.
        level: dB below the peak (0 or less), one value every `SAMPLE`, shape (200000,).
        spikes: s from the beginning of the sound, increasing.
    """

    cutoff: int
    peak: float
    level: NDArray[np.float64]
    spikes: NDArray[np.float64]

    def steps(self, dt: float, latency: float = 0.0) -> NDArray[np.float64]:
        """Mean level of every step of `dt` (s), in standard deviations from its mean, `latency` (s) after it was played; before the sound: -3.

        Raises ValueError unless both are multiples of `SAMPLE`.
        """
        width, late = (round(t / SAMPLE) for t in (dt, latency))
        if width < 1 or late < 0 or abs(width * SAMPLE - dt) > 1e-9 or abs(late * SAMPLE - latency) > 1e-9:
            raise ValueError(f"rokem2006: steps of {dt:g} s, {latency:g} s late; give multiples of {SAMPLE:g} s")
        x = (self.level - self.level.mean()) / SPREAD
        x = np.concatenate([np.full(late, -3.0), x])[: x.size // width * width]
        return np.asarray(x.reshape(-1, width).mean(axis=1))


def load(cutoff: int = 200, folder: str | os.PathLike[str] | None = None) -> Heard:
    """The recording with modulation up to `cutoff` Hz, 200 or 800.

    Arguments:
        folder: where the four files are; by default ``$BIONEURO_ROKEM2006``, else the installed package nitime, which is not imported.

    Raises:
        MissingData: there are no such files, or a file is another than the one that nitime 0.12.1 has. KeyError: another cut-off.
    """
    if cutoff not in _HEADERS:
        raise KeyError(f"rokem2006: no recording with a cut-off of {cutoff} Hz; allowed: {', '.join(map(str, CUTOFFS))}")
    number, peak = _HEADERS[cutoff]
    place = _place(folder)
    spikes = _numbers(place / f"grasshopper_spike_times{number}.txt")
    amplitude = _numbers(place / f"grasshopper_stimulus{number}.txt").reshape(-1, 2)[:, 1]
    return Heard(cutoff=cutoff, peak=peak, level=frozen(20 * np.log10(amplitude)), spikes=frozen(spikes * 1e-6))


def _place(folder: str | os.PathLike[str] | None) -> Path:
    given = folder or os.environ.get(FOLDER)
    if given:
        return Path(given)
    found = importlib.util.find_spec("nitime")
    if found is None or not found.submodule_search_locations:
        raise MissingData(
            f"rokem2006: the package nitime, which has the recordings, is not installed: pip install nitime; or set {FOLDER} to a folder "
            f"with {', '.join(_SHA256)}"
        )
    return Path(found.submodule_search_locations[0]) / "data"


def _numbers(path: Path) -> NDArray[np.float64]:
    if not path.is_file():
        raise MissingData(f"rokem2006: {path} does not exist; pip install nitime==0.12.1, or set {FOLDER} to a folder that has it")
    raw = path.read_bytes()
    digest = hashlib.sha256(raw).hexdigest()
    if digest != _SHA256[path.name]:
        raise MissingData(f"rokem2006: {path} has SHA-256 {digest}, expected {_SHA256[path.name]}; take the file of nitime 0.12.1")
    return np.loadtxt(raw.decode("ascii").splitlines(), comments="#").ravel()


def stretches(
    heard: Heard, begin: float, count: int, length: float, *, warm: float, dt: float, latency: float, told: str = "", into: str = "receptor"
) -> tuple[Protocol, NDArray[np.bool_]]:
    """`count` stretches of `length` seconds that follow each other from `begin` on, as trials side by side, and where the cell fired.

    The level drives the population `into`. Every trial begins `warm` seconds ahead of its stretch, so that the neuron has a past.

    Arguments:
        told: a port that fires the recorded spikes, each in the step in which it fell.

    Returns:
        The protocol, read after every step if spikes are told and else at the end, and whether a spike was recorded, shape (trial, step),
        the warm-up included.
    """
    steps = round((warm + length) / dt)
    clocked = np.asarray(dt * np.arange(steps + 1), dtype=np.float64)
    first = np.rint((begin + length * np.arange(count) - warm) / dt).astype(np.int64)
    level = heard.steps(dt, latency)
    if first[0] < 0 or first[-1] + steps > level.size:
        raise ValueError(f"rokem2006: stretches from {begin - warm:g} s to {begin + count * length:g} s of {level.size * dt:g} s; stay within")
    fired = np.zeros(level.size, bool)
    fired[np.floor(heard.spikes / dt + 1e-6).astype(np.int64)] = True
    window = first[:, None] + np.arange(steps)
    trial, step = np.nonzero(fired[window])
    made = Protocol(
        name="stretches",
        stepping=clock(f"{dt!r} s"),
        trials={"begin": Coordinate(values=frozen(first * dt), unit="second")},
        stimulus=np.arange(count),
        reads=np.tile(clocked[1:] if told else clocked[-1:], (count, 1)),
        currents={into: Current(start=clocked[:-1], value=level[window].T, unit="1")},
        spikes={told: Spikes(stimulus=trial, unit=np.zeros_like(trial), time=clocked[step])} if told else {},
    )
    return made, fired[window]


def trains(fired: NDArray[np.bool_], dt: float) -> Train:
    """The spikes of one unit from whether it fired, shape (trial, step)."""
    trial, step = np.nonzero(fired)
    return train(step, trial, n_trials=fired.shape[0], size=1, dt=dt)


def settled(seen: Recording, warm: float) -> Recording:
    """The spikes of a recording without its first `warm` seconds, counted from there."""

    def later(train: Train) -> Train:
        skip = round(warm / train.dt)
        kept = train.steps >= skip
        offsets = np.concatenate([[0], np.cumsum(kept)])[train.offsets]
        return dataclasses.replace(train, steps=train.steps[kept] - skip, offsets=offsets)

    return dataclasses.replace(seen, spikes={name: later(train) for name, train in seen.spikes.items()}, times=seen.times[:, -1:] - warm, traces={},
                               units={}, raster={}, close={})  # fmt: skip
