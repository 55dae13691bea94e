"""The second noun: what is done to a circuit. A protocol knows no engine.

Trials are an axis: a whole STDP window, both initial states and all repetitions are one protocol and one run. Times are in seconds in
the record and take units (``5*ms`` or ``"5 ms"``) where they are written.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import text, units
from bioneuro.imposed import Afferents, Clock, Coordinate, Current, Events, Floats, Phases, Poisson, ProtocolError, Spikes, integers
from bioneuro.protocol.table import second
from bioneuro.records import digest, frozen


@dataclass(frozen=True, kw_only=True, eq=False)
class Protocol:
    """What is done: spikes and currents imposed, values set per trial, and when what is read.

    Attributes:
        stepping: `Clock` or `Events`.
        trials: coordinate name -> `Coordinate`, one value per trial.
        stimulus: the number of the stimulus of each trial, from 0. Trials that share one differ in settings and noise only.
        reads: reading times in seconds, shape (stimulus, reads), increasing.
        settings: placed name ("calcium.rho", "calcium.gamma_p") -> SI value per trial, for parameters and initial values.
        spikes: population -> `Spikes`, `Poisson`, or `Afferents` (one of them per unit).
        currents: population -> `Current`.
        phases: placed name of a parameter -> `Phases`, in which it has other values than the circuit's.
        record: placed state names to read; empty means every state variable.
        dimensions: placed name -> dimensions of its settings, where they were given with units; a plan refuses others.
    """

    name: str
    stepping: Clock | Events
    trials: Mapping[str, Coordinate]
    stimulus: NDArray[np.int64]
    reads: Floats
    settings: Mapping[str, Floats] = field(default_factory=dict)
    spikes: Mapping[str, Spikes | Poisson | Afferents] = field(default_factory=dict)
    currents: Mapping[str, Current] = field(default_factory=dict)
    phases: Mapping[str, Phases] = field(default_factory=dict)
    record: tuple[str, ...] = ()
    dimensions: Mapping[str, units.Dimensions] = field(default_factory=dict)

    def __post_init__(self) -> None:
        text.check_name(self.name, "protocol.name")
        record: Any = self.record
        if isinstance(record, str):
            raise ProtocolError(f"protocol {self.name!r}: record is the text {record!r}; give a tuple of placed names, ({record!r},)")
        if not isinstance(self.stepping, Clock | Events):
            raise ProtocolError(f"protocol {self.name!r}: stepping {self.stepping!r:.60} is unknown; allowed: clock('0.1 ms'), Events()")
        object.__setattr__(self, "reads", frozen(self.reads))
        object.__setattr__(self, "stimulus", integers(self.stimulus, f"protocol {self.name!r}: stimulus"))
        object.__setattr__(self, "record", tuple(dict.fromkeys(self.record)))
        settings = {path: units.si(value, f"protocol {self.name!r}: setting {path}") for path, value in self.settings.items()}
        known = {path: dims for path, (_, dims) in settings.items() if dims != units.DIMENSIONLESS}
        object.__setattr__(self, "dimensions", MappingProxyType({**known, **self.dimensions}))
        object.__setattr__(self, "settings", MappingProxyType({path: frozen(value) for path, (value, _) in settings.items()}))
        for name in ("trials", "spikes", "currents", "phases"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        if self.reads.ndim != 2 or self.reads.size == 0 or self.stimulus.size == 0:
            raise ProtocolError(f"protocol {self.name!r} is empty: it has no trial or no reading time; give at least one of each")
        if not np.all(np.isfinite(self.reads)) or self.reads.min() < 0 or np.any(np.diff(self.reads, axis=1) < 0):
            raise ProtocolError(f"protocol {self.name!r}: reading times are finite, not negative and in increasing order")
        if self.stimulus.ndim != 1 or not np.array_equal(np.unique(self.stimulus), np.arange(self.n_stimuli)):
            raise ProtocolError(f"protocol {self.name!r}: stimulus numbers each trial's stimulus from 0 to {self.n_stimuli - 1}, all used")
        for what, values in [*((k, c.values) for k, c in self.trials.items()), *self.settings.items()]:
            if values.shape != (self.n_trials,):
                raise ProtocolError(f"protocol {self.name!r}: {what!r} has shape {values.shape}, expected ({self.n_trials},): one per trial")
            if not np.all(np.isfinite(values)):
                raise ProtocolError(f"protocol {self.name!r}: {what!r} holds a value that is not finite")
        courses = {f"current into {name!r}": c for name, c in self.currents.items()} | {f"course of {name!r}": c for name, c in self.phases.items()}
        for what, course in courses.items():
            if course.value.shape[1] != self.n_trials:
                raise ProtocolError(
                    f"protocol {self.name!r}: the {what} has {course.value.shape[1]} columns, expected {self.n_trials}: one per trial"
                )
        for port, source in self.spikes.items():
            for spikes in source.sources if isinstance(source, Afferents) else (source,):
                self._check_spikes(port, spikes)

    def _check_spikes(self, port: str, spikes: Spikes | Poisson) -> None:
        if isinstance(spikes, Spikes) and spikes.time.size and not 0 <= spikes.stimulus.min() <= spikes.stimulus.max() < self.n_stimuli:
            raise ProtocolError(f"protocol {self.name!r}: spikes of {port!r} name a stimulus outside 0..{self.n_stimuli - 1}")
        if isinstance(spikes, Poisson) and spikes.rate.shape != (self.n_stimuli,):
            raise ProtocolError(f"protocol {self.name!r}: poisson {port!r} needs one rate per stimulus ({self.n_stimuli})")

    @property
    def n_trials(self) -> int:
        return int(self.stimulus.size)

    @property
    def n_stimuli(self) -> int:
        return int(self.reads.shape[0])

    @property
    def digest(self) -> str:
        return digest(self)


def once(protocol: Protocol) -> Protocol:
    """The trials of `protocol` whose ``repetition`` is 0: what differs in noise only is done once."""
    if "repetition" not in protocol.trials:
        return protocol
    keep = np.flatnonzero(protocol.trials["repetition"].values == 0)
    kept, stimulus = np.unique(protocol.stimulus[keep], return_inverse=True)

    def of_kept(s: Spikes | Poisson | Afferents) -> Spikes | Poisson | Afferents:
        if isinstance(s, Afferents):
            return Afferents(tuple(of_kept(one) for one in s.sources))  # type: ignore[misc]
        if isinstance(s, Poisson):
            start, stop = np.asarray(s.start)[kept], np.asarray(s.stop)[kept]
            return dataclasses.replace(s, rate=s.rate[kept], start=start, stop=stop, common=s.common[kept])
        mine = np.isin(s.stimulus, kept)
        return Spikes(stimulus=np.searchsorted(kept, s.stimulus[mine]), unit=s.unit[mine], time=s.time[mine])

    return dataclasses.replace(
        protocol,
        trials={k: dataclasses.replace(c, values=frozen(c.values[keep])) for k, c in protocol.trials.items()},
        stimulus=stimulus,
        reads=protocol.reads[kept],
        settings={k: v[keep] for k, v in protocol.settings.items()},
        spikes={port: of_kept(s) for port, s in protocol.spikes.items()},
        currents={k: dataclasses.replace(c, value=c.value[:, keep]) for k, c in protocol.currents.items()},
        phases={k: dataclasses.replace(c, value=c.value[:, keep]) for k, c in protocol.phases.items()},
    )


def during(protocol: Protocol, path: str, value: Any, start: Any, stop: Any = None) -> Protocol:
    """The same protocol with another value of a parameter from `start` to `stop` (default: to the end): a drug, a neuromodulator, a clamp.

    Several calls for one parameter add up; where they overlap the later call holds.

    Arguments:
        path: placed name of the parameter, such as ``"neuron.alpha"``.
        value: with its unit, one for all trials or one per trial. start, stop: times, common to all trials.

    Errors:
        ProtocolError: `start` is not before `stop`, or a number of values other than the number of trials.
        UnitError, when the protocol meets its circuit: the parameter has other dimensions.
    """
    amount, dims = units.si(value, f"during: {path}")
    begin, end = (second(t, f"during: {what}") if t is not None else np.inf for what, t in (("start", start), ("stop", stop)))
    if not 0 <= begin < end:
        raise ProtocolError(f"during: {path} from {begin:g} s to {end:g} s; give 0 <= start < stop")
    n = protocol.n_trials
    if np.shape(amount) not in ((), (n,)):
        raise ProtocolError(f"during: {np.size(amount)} values of {path!r} for {n} trials; give one, or one per trial")
    old = protocol.phases.get(path)
    before = (old.start, old.value) if old else (np.zeros(1), np.full((1, n), np.nan))
    times = np.unique([0.0, *before[0], begin, *([end] if np.isfinite(end) else [])])
    course = before[1][np.searchsorted(before[0], times, side="right") - 1]
    course = np.where(((times >= begin) & (times < end))[:, None], amount, course)
    phases = {**protocol.phases, path: Phases(start=times, value=course, unit=units.base(dims))}
    return dataclasses.replace(protocol, phases=phases)


def together(*parts: tuple[int, Protocol]) -> Protocol:
    """The trials of several protocols as those of one, so that they are one run; ``kind`` is the number that comes with each.

    Arguments:
        parts: (kind, protocol); the same kind may come several times. All have the same coordinates, settings, ports, stepping and number
            of readings, and spikes that are given one by one. The first says what is recorded.

    Errors:
        ProtocolError: naming what differs.
    """
    made = [protocol for _, protocol in parts]
    alike: dict[str, set[Any]] = {
        "coordinates": {tuple(p.trials) for p in made},
        "settings": {tuple(p.settings) for p in made},
        "ports": {tuple(p.spikes) for p in made},
        "stepping": {p.stepping for p in made},
        "numbers of readings": {p.reads.shape[1] for p in made},
    }
    for what, found in alike.items():
        if len(found) != 1:
            raise ProtocolError(f"together: {what} differ: {sorted(str(x) for x in found)}; give protocols that share them")
    if any(p.currents or p.phases or not all(isinstance(s, Spikes) for s in p.spikes.values()) for p in made):
        raise ProtocolError("together: currents, phases and Poisson trains cannot be joined; join protocols of given spikes first")
    begin = np.cumsum([0, *(p.n_stimuli for p in made)]).tolist()[:-1]
    trials = {k: dataclasses.replace(c, values=frozen(np.concatenate([p.trials[k].values for p in made]))) for k, c in made[0].trials.items()}
    trials["kind"] = Coordinate(values=frozen(np.repeat([float(kind) for kind, _ in parts], [p.n_trials for p in made])))
    spikes = {}
    for port in made[0].spikes:
        trains: list[Any] = [p.spikes[port] for p in made]
        spikes[port] = Spikes(
            stimulus=np.concatenate([s.stimulus + n for s, n in zip(trains, begin, strict=True)]),
            unit=np.concatenate([s.unit for s in trains]),
            time=np.concatenate([s.time for s in trains]),
        )
    return dataclasses.replace(
        made[0],
        name="together",
        trials=trials,
        stimulus=np.concatenate([p.stimulus + n for p, n in zip(made, begin, strict=True)]),
        reads=np.concatenate([p.reads for p in made]),
        settings={k: np.concatenate([p.settings[k] for p in made]) for k in made[0].settings},
        spikes=spikes,
    )
