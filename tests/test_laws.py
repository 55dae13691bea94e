"""Laws that every circuit of the catalogue obeys: engines agree, errors fall with the step. (`test_laws_gradients.py`: gradients are slopes.)

A new model joins by standing in the ``CIRCUITS`` of its module; `zoo.py` says how circuits are laid side by side.
"""

import functools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
import torch
import zoo
from zoo import Entry, Row
from zoo_protocol import drive_of, neurons

from bioneuro.brian import simulate
from bioneuro.model import Neuron, Parameter, parameter
from bioneuro.protocol import Protocol
from bioneuro.recording import Recording
from bioneuro.twin import Twin
from bioneuro.verify import verify

GROUPS = zoo.GROUPS
STEPS = sorted({g[0].step for g in GROUPS})
TRIALS = 3


def by_events_too(group: Sequence[Entry]) -> bool:
    """Whether the circuits of a group can be stepped from event to event."""
    return not zoo.why_no_events(group[0].key)


def representatives(*, events: bool) -> list[list[Entry]]:
    """One text per module for the compiler, in the stepping that shows more of it: with neurons on the clock, else from event to event."""
    chosen = {}
    for group in sorted(GROUPS, key=lambda g: not neurons(g[0].circuit)):
        chosen.setdefault(group[0].module, group)
    return [g for g in chosen.values() if events == by_events_too(g)]


def imposed(row: Row, step: float | None, seconds: float) -> Protocol:
    """Spikes at 100 Hz into every port and a pulse of current, read ten times; `step` None goes from event to event."""
    last, grid = 0.9 * seconds, max(1e-4, step or 1e-3)
    return row.protocol(trials=TRIALS, count=round(100 * seconds), last=last, grid=grid, step=step, reads=np.arange(1, 11) * seconds / 10)


Seen = tuple[Row, Protocol, Recording]


@functools.cache
def by_twin(keys: tuple[str, ...], step: float | None, seconds: float) -> Seen:
    """The groups with these keys side by side, as the twin sees them."""
    row = zoo.row([g for g in GROUPS if g[0].key in keys])
    todo = imposed(row, step, seconds)
    with torch.no_grad():
        return row, todo, Twin(row.circuit)(todo, seed=11).detached()


def keys_of(groups: Sequence[Sequence[Entry]]) -> tuple[str, ...]:
    return tuple(group[0].key for group in groups)


def agree(row: Row, seen: Recording, twin: Recording, ledger, check: str) -> None:
    """No differing spike, ties named; traces within 1e-9 of the largest value of each trace of each circuit."""
    verdict = verify(seen, twin)
    print(verdict)
    assert verdict, str(verdict)
    assert len(verdict.ties) <= 1
    reference = {(id(e), path): values for e, path, values in row.traces(twin)}
    worst: dict[Entry, float] = defaultdict(float)
    for entry, path, values in row.traces(seen):
        expected = reference[id(entry), path].astype(float)
        tied = bool(verdict.ties) and bool(neurons(entry.circuit))  # verify has compared these up to the tie
        error = 0.0 if tied else np.abs(values - expected).max() / (np.abs(expected).max() or 1.0)
        worst[entry] = max(worst[entry], float(error))
    for entry, error in worst.items():
        ledger(entry.name, entry.reference, f"parity, {check}: traces, relative (spikes identical)", error, 1e-9)


def happened(row: Row, seen: Recording) -> None:
    """Every neuron population spikes and every synapse with a state changes, in some trial."""
    for entry, name, counts in row.counts(seen):
        assert (counts.sum(axis=0) > 0).all(), f"{entry.name}: a unit of {name!r} never spikes: {counts.sum(axis=0)}"
    moved: dict[tuple[str, str], bool] = defaultdict(bool)
    for entry, path, values in row.traces(seen):
        moved[entry.name, path.partition(".")[0]] |= bool((np.ptp(values, axis=1) > 0).any())
    still = [f"{name}: {owner}" for (name, owner), yes in moved.items() if not yes]
    assert not still, f"nothing happens in {still}"


SHORT, LONG = 0.06, 0.4
"""Seconds of a run on the clock: by default, and where time is no object."""


def events() -> list[list[Entry]]:
    return [g for g in GROUPS if by_events_too(g)]


def at(step: float) -> list[list[Entry]]:
    return [g for g in GROUPS if g[0].step == step]


@pytest.mark.parametrize("step", STEPS)
def test_parity_on_the_clock(step, ledger):
    """All circuits in one, random spikes and a pulse of current: NumPy equals the twin, and something happens in each."""
    row, todo, twin = by_twin(keys_of(at(step)), step, SHORT)
    happened(row, twin)
    agree(row, simulate(row.circuit, todo, seed=11, target="numpy"), twin, ledger, f"NumPy and twin, clock {step * 1e3:g} ms")


def test_parity_from_event_to_event(ledger):
    """All circuits without neurons that can be stepped so, noise included, draw for draw."""
    print({g[0].name: zoo.why_no_events(g[0].key) for g in GROUPS if not by_events_too(g)})
    row, todo, twin = by_twin(keys_of(events()), None, SHORT)
    happened(row, twin)
    agree(row, simulate(row.circuit, todo, seed=11, target="numpy"), twin, ledger, "NumPy and twin, by events")


def compiled(groups: Sequence[Sequence[Entry]], step: float | None, seconds: float, ledger, target: str = "cpp") -> None:
    """The compiled program of some groups against the twin."""
    assert groups
    # On the clock a circuit does not see its neighbours; from event to event it is stepped at their events too, and draws at each step.
    twin = by_twin(keys_of(groups if step is None else at(step)), step, seconds)[2]
    row = zoo.row(groups)
    todo = imposed(row, step, seconds)
    name = {"cpp": "C++", "cython": "Cython"}[target]
    stepping = "by events" if step is None else f"clock {step * 1e3:g} ms"
    agree(row, simulate(row.circuit, todo, seed=11, target=target), twin, ledger, f"{name} and twin, {stepping}")


@pytest.mark.parametrize("step", STEPS)
def test_parity_of_compiled_programs_on_the_clock(step, ledger):
    """One text of each module."""
    compiled([g for g in representatives(events=False) if g[0].step == step], step, SHORT, ledger)


def test_parity_of_compiled_programs_from_event_to_event(ledger):
    """One text of each module."""
    compiled(representatives(events=True), None, SHORT, ledger)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_parity_of_all_compiled_programs_on_the_clock(step, ledger):
    compiled(at(step), step, LONG, ledger)


@pytest.mark.slow
def test_parity_of_all_compiled_programs_from_event_to_event(ledger):
    compiled(events(), None, LONG, ledger)


@pytest.mark.slow
def test_parity_in_cython(ledger):
    """One text of each module with neurons; Cython compiles every object by itself, for minutes."""
    compiled([g for g in representatives(events=False) if not g[0].fixed], min(STEPS), SHORT, ledger, target="cython")


EXACT = 1e-9
"""An error this small on every clock is that of rounding: nothing is left to converge."""


@pytest.mark.slow
def test_the_clock_converges_to_events(ledger):
    """Without noise: the error of the clock against events falls as the step, or there is none."""
    steps = np.array([4e-4, 2e-4, 1e-4])
    row = zoo.row(events(), lambda c: zoo.on_grid(zoo.silenced(c), steps[0]))
    how = {"trials": 16, "count": 8, "last": 0.08, "grid": 2e-3, "reads": [0.05, 0.09]}
    exact = simulate(row.circuit, row.protocol(step=None, **how), seed=0, target="numpy")
    truth = {(e, path): x for e, path, x in row.traces(exact)}
    errors: dict[Entry, list[float]] = defaultdict(list)
    for step in steps:
        seen = simulate(row.circuit, row.protocol(step=step, **how), seed=0, target="numpy")
        squares: dict[Entry, float] = defaultdict(float)
        for entry, path, x in row.traces(seen):
            if path not in zoo.event_driven(entry.circuit):
                scale = np.abs(truth[entry, path]).max() or 1.0
                squares[entry] += float((((x - truth[entry, path]) / scale) ** 2).mean())
        for entry, square in squares.items():
            errors[entry].append(square**0.5)
    for entry, found in errors.items():
        order = np.inf if max(found) < EXACT else np.polyfit(np.log(steps), np.log(found), 1)[0]
        print(entry.name, found, order)
        told = f"error at {steps[-1] * 1e3:g} ms: {found[-1]:.1e}" if found[-1] > EXACT else ""
        ledger(entry.name, entry.reference, "clock against events, 0.4 to 0.1 ms: order short of 1", max(0.0, 1.0 - order), 0.3, told)


def first_spikes(row: Row, seen: Recording) -> dict[Entry, np.ndarray]:
    """Time of the first spike of each entry in each trial, infinite if there is none."""
    found = {entry: np.full(seen.n_trials, np.inf) for entry in row.entries}
    for prefix, group in row.places.items():
        for name, train in seen.spikes.items():
            if name.startswith(f"{prefix}_"):
                for k in np.flatnonzero(train.counts.ravel()):
                    trial, unit = divmod(int(k), train.size)
                    times = found[group[unit // (train.size // len(group))]]
                    times[trial] = min(times[trial], train.steps[train.offsets[k]] * train.dt)
    return found


UPSTROKE = 2e-3
"""Seconds before a spike in which a potential may run away, so that any error grows beyond its order."""


@pytest.mark.slow
def test_a_finer_clock_converges(ledger):
    """Without noise, where there are no events to compare with: up to the first spike, halving the step twice shrinks the change."""
    groups = [g for g in GROUPS if not by_events_too(g) and not g[0].fixed]
    steps = np.array([2e-4, 1e-4, 5e-5])
    row = zoo.row(groups, lambda c: zoo.on_grid(zoo.silenced(c), steps[0]))
    reads = np.arange(1, 21) * 1e-3
    runs = []
    for step in steps:
        todo = row.protocol(trials=6, count=2, last=0.02, grid=1e-3, step=step, reads=reads, strength=0.2)
        runs.append(simulate(row.circuit, todo, seed=0, target="numpy"))
    first = [first_spikes(row, run) for run in runs]
    traces = [{(e, path): x for e, path, x in row.traces(run)} for run in runs]
    squares: dict[Entry, np.ndarray] = defaultdict(lambda: np.zeros(2))
    for (entry, path), finest in traces[2].items():
        quiet = reads < np.min([f[entry] for f in first], axis=0)[:, None] - UPSTROKE
        assert quiet.any(), f"{entry.name} spikes at once"
        if path not in zoo.event_driven(entry.circuit):
            scale = np.abs(finest[quiet]).max(initial=0.0) or 1.0
            changes = [(traces[k][entry, path] - traces[k + 1][entry, path])[quiet] / scale for k in (0, 1)]
            squares[entry] += [float((c**2).sum()) for c in changes]
    for entry in row.entries:
        coarse, fine = np.sqrt(squares[entry])
        order = np.inf if coarse < EXACT else np.log2(coarse / fine)
        print(entry.name, coarse, fine, order)
        ledger(entry.name, entry.reference, "finer clocks up to the first spike, 0.2 to 0.05 ms: order short of 1", max(0.0, 1.0 - order), 0.4)


def neuron(equations: str, input: str = "", **parameters: Parameter) -> Neuron:
    return Neuron(name="odd", equations=equations, threshold="v > 1", reset="v = 0", input=input, parameters=parameters)


def test_an_input_of_an_unknown_unit_says_what_to_add() -> None:
    with pytest.raises(KeyError, match=r"odd: its input 'g' is in 'siemens'.*DRIVE = \{"):
        drive_of(neuron("dv/dt = -v/tau : 1\ng : siemens", input="g", tau=parameter(1, "ms")))


def test_noise_is_silenced_by_its_amplitude() -> None:
    tau, s = parameter(1, "ms"), parameter(2, low=0, high=9)
    assert zoo.amplitudes(neuron("dv/dt = -v/tau + s*sqrt(2/tau)*xi : 1", tau=tau, s=s)) == ["s"]
    with pytest.raises(ValueError, match="no parameter that may be 0 multiplies the noise"):
        zoo.amplitudes(neuron("dv/dt = -v/tau + sqrt(2/tau)*xi : 1", tau=tau))


def test_a_stack_keeps_the_numbers_of_its_members() -> None:
    entries = max(GROUPS, key=len)
    stack = zoo.stacked([e.circuit for e in entries])
    delays = {f"{p.name}.{w.delay}" for p in stack.projections for w in p.synapse.pathways}
    for path in set(stack.values) - delays:
        wanted = [float(e.circuit.values[path].value) for e in entries]
        assert np.broadcast_to(stack.values[path].value, len(entries)).tolist() == wanted, path
