"""Every integrator on every model of the catalogue that it can integrate: NumPy and C++ equal the twin, spike for spike.

What Brian2 refuses is asked of Brian2 (`refusal`), and `BREAKS` has what it takes and cannot step.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest
import torch
import zoo
from zoo import Entry, Row
from zoo_protocol import imposed, neurons

from bioneuro.brian import simulate
from bioneuro.dynamics import METHODS, Neuron, Synapse
from bioneuro.equations import equations_of
from bioneuro.imposed import Clock
from bioneuro.model import Circuit, ModelError, Population, parameter
from bioneuro.plan import plan
from bioneuro.protocol import Protocol
from bioneuro.recording import Recording
from bioneuro.statements import read
from bioneuro.twin import Twin
from bioneuro.verify import Verdict, verify

GROUPS = zoo.GROUPS
FINE, COARSE = 2.5e-5, 5e-5
"""Steps (s) at which all explicit methods are stable on all models, the axon of Hodgkin and Huxley too, and at which they are for a while."""
INTEGRATORS = tuple(method for method in METHODS if method != "independent")
"""What the catalogue is stepped by. Brian2 has deprecated "independent": on coupled or driven equations sympy searches for minutes, or fails."""
ALLOWED = 1e-11
SHORT, LONG = 0.01, 0.03
"""Seconds of a run: by default, and where time is no object."""

BREAKS = {
    ("clopath2010", "exponential_euler"): "while the potential is held, its rate vanishes, and the method divides by it",
    ("deperrois2020", "exponential_euler"): "below both thresholds the rate vanishes, and the method divides by it",
    ("graupner2016", "exponential_euler"): "below both thresholds the rate vanishes, and the method divides by it",
}
"""(module, method) that Brian2 accepts and cannot step: 0/0. Its linear methods divide by rates that do not vanish elsewhere."""


def integrated(model: Neuron | Synapse) -> bool:
    """Whether anything in a model is left to an integrator on the clock."""
    return any(e.kind == "differential" and "event-driven" not in e.flags for e in equations_of(model.equations))


def with_methods(circuit: Circuit, methods: Mapping[str, str]) -> Circuit:
    """The circuit with another integrator in some of its objects."""

    def changed(owner: str, model):
        return dataclasses.replace(model, method=methods[owner]) if owner in methods else model

    return dataclasses.replace(
        circuit,
        populations=tuple(dataclasses.replace(p, neuron=changed(p.name, p.neuron)) for p in circuit.populations),
        projections=tuple(dataclasses.replace(p, synapse=changed(p.name, p.synapse)) for p in circuit.projections),
    )


EXPLICIT = ("euler", "rk2", "rk4", "heun", "milstein")
"""Refused for noise alone."""


@functools.cache
def refusal(key: str, owner: str, method: str) -> str:
    """Why Brian2 does not step an object of a group by a method, or nothing."""
    entry = next(g[0] for g in GROUPS if g[0].key == key)
    if method in EXPLICIT and not zoo.noisy(entry.circuit):
        return ""  # what is wrong with this shows in the run
    drives = dict.fromkeys(neurons(entry.circuit), entry.drive)
    todo = imposed(entry.circuit, trials=1, count=1, last=9e-3, grid=1e-3, step=entry.step, reads=[0.01], drives=drives)
    try:
        read(plan(with_methods(entry.circuit, {owner: method}), todo, seed=0))
    except ModelError as error:
        return str(error)
    return BREAKS.get((entry.module, method), "")


def able(group: Sequence[Entry], method: str, kind: type = object) -> dict[str, str]:
    """The objects (of a `kind`) of a group that a method can step, each with the method."""
    models = {owner: m for owner, m in group[0].circuit.models.items() if isinstance(m, kind) and integrated(m)}
    return {owner: method for owner in models if not refusal(group[0].key, owner, method)}


def step_of(group: Sequence[Entry]) -> float:
    return group[0].step if group[0].fixed else FINE


def changed(groups: Sequence[Sequence[Entry]], methods: Sequence[Mapping[str, str]]) -> Row:
    """Groups side by side, each with its own methods."""
    places = {f"{g[0].module}_{g[0].key[:6]}_{'_'.join(dict.fromkeys(m.values()))}": g for g, m in zip(groups, methods, strict=True)}
    stacks = {
        prefix: zoo.stacked([with_methods(e.excited, m) for e in group])
        for (prefix, group), m in zip(places.items(), methods, strict=True)
    }
    return Row(circuit=zoo.side_by_side(stacks), places=places)


def protocol(row: Row, step: float, seconds: float) -> Protocol:
    """Spikes at 200 Hz into every port and a strong pulse of current."""
    seconds = max(seconds, 20 * step)
    reads = np.arange(1, 6) * seconds / 5
    count = max(1, round(200 * seconds))
    return row.protocol(trials=2, count=count, last=0.9 * seconds, grid=max(1e-4, step), step=step, reads=reads, strength=2.0)


def by_twin(row: Row, todo: Protocol) -> Recording:
    with torch.no_grad():
        return Twin(row.circuit)(todo, seed=11).detached()


def agree(row: Row, seen: Recording, twin: Recording, ledger, check: str) -> Verdict:
    """No differing spike, ties named, traces within `ALLOWED` of the largest value of each, circuit by circuit."""
    verdict = verify(seen, twin, ALLOWED)
    assert verdict, str(verdict)
    print(*(f"tie: {tie}" for tie in verdict.ties), sep="\n")
    assert len(verdict.ties) <= 1
    reference = {(id(e), path): values for e, path, values in row.traces(twin)}
    for entry, path, values in row.traces(seen):
        wanted = reference[id(entry), path].astype(float)
        tied = bool(verdict.ties) and bool(neurons(entry.circuit))  # verify has compared these up to the tie
        error = 0.0 if tied else np.abs(values - wanted).max() / (np.abs(wanted).max() or 1.0)
        ledger(entry.name, entry.reference, f"parity, {check}: traces, relative (spikes identical)", error, ALLOWED)
    return verdict


FIRING = [g for g in GROUPS if any(n.threshold for n in neurons(g[0].circuit).values())]
ON_CLOCK = [g for g in GROUPS if any(integrated(m) for m in g[0].circuit.models.values())]


def in_turn(groups: Sequence[Sequence[Entry]]) -> Iterator[tuple[Sequence[Entry], Mapping[str, str]]]:
    """Each group with a method that its own neurons do not use: the methods in turn over the groups."""
    for k, group in enumerate(groups):
        own = {n.method for n in neurons(group[0].circuit).values()}
        for n in range(len(INTEGRATORS)):
            method = INTEGRATORS[(k + n) % len(INTEGRATORS)]
            methods = {} if method in own else able(group, method, Neuron)
            if methods:
                yield group, methods
                break


def test_neurons_by_integrators_that_are_not_their_own(ledger):
    """One run with every neuron of the catalogue, each with another method than its own."""
    chosen = list(in_turn([g for g in FIRING if not g[0].fixed]))
    row = changed([g for g, _ in chosen], [m for _, m in chosen])
    used = {method for _, methods in chosen for method in methods.values()}
    print(sorted(used), "of", INTEGRATORS)
    assert len(used) > len(INTEGRATORS) // 2
    todo = protocol(row, COARSE, SHORT)
    twin = by_twin(row, todo)
    assert sum(train.counts.sum() > 0 for train in twin.spikes.values()) > len(twin.spikes) // 2
    agree(row, simulate(row.circuit, todo, seed=11, target="numpy"), twin, ledger, "NumPy and twin, integrators in turn")


def by_method(method: str, groups: Sequence[Sequence[Entry]]) -> Iterator[tuple[float, Row]]:
    """What a method can step: groups of one step side by side."""
    for step in sorted({step_of(g) for g in groups}):
        mine = [(g, able(g, method)) for g in groups if step_of(g) == step]
        mine = [(g, m) for g, m in mine if m]
        if mine:
            yield step, changed([g for g, _ in mine], [m for _, m in mine])


def test_independent_equations(ledger):
    """The one integrator that the catalogue is not asked for, on what it is for: equations that do not know each other."""
    numbers = {"tau": parameter(5, "ms"), "level": parameter(1.5)}
    lines = "dx/dt = (level - x)/tau : 1\ndy/dt = -y/(2*tau) : 1"
    neuron = Neuron(name="n", equations=lines, threshold="x > 1", reset="x = 0; y += 1", method="independent", parameters=numbers)
    circuit = Circuit(name="two", populations=(Population(name="n", neuron=neuron),))
    row = Row(circuit=circuit, places={})
    todo = Protocol(name="rest", stepping=Clock(dt=1e-4, tolerance=1e-5), trials={}, stimulus=np.zeros(1, np.int64), reads=np.array([[0.02, 0.05]]))
    twin = by_twin(row, todo)
    assert twin.spikes["n"].counts.sum() > 3
    verdict = agree(row, simulate(circuit, todo, seed=11, target="numpy"), twin, ledger, "independent")
    ledger("two equations", "NumPy engine", "parity, independent: traces, relative", max(r.difference for r in verdict.rows), ALLOWED)


@pytest.mark.slow
@pytest.mark.parametrize("method", INTEGRATORS)
def test_every_model_by_every_integrator(method, ledger):
    """NumPy against the twin, noise draw for draw."""
    for step, row in by_method(method, ON_CLOCK):
        todo = protocol(row, step, LONG)
        seen = simulate(row.circuit, todo, seed=11, target="numpy")
        agree(row, seen, by_twin(row, todo), ledger, f"NumPy and twin, clock {step * 1e3:g} ms, {method}")


@pytest.mark.slow
@pytest.mark.parametrize("method", INTEGRATORS)
def test_every_neuron_by_every_integrator_compiled(method, ledger):
    """C++ against the twin: all neurons of the catalogue in one network."""
    for step, row in by_method(method, FIRING):
        todo = protocol(row, step, LONG)
        agree(row, simulate(row.circuit, todo, seed=11), by_twin(row, todo), ledger, f"C++ and twin, clock {step * 1e3:g} ms, {method}")


@pytest.mark.slow
def test_what_is_refused_is_refused_for_a_reason():
    """Every pair of model and method is either stepped or has a reason; noise and non-linear terms are the only ones Brian2 gives."""
    reasons = {}
    for group in ON_CLOCK:
        for owner, model in group[0].circuit.models.items():
            for method in INTEGRATORS if integrated(model) else ():
                reasons[group[0].name, owner, method] = refusal(group[0].key, owner, method)
    for (name, owner, method), why in reasons.items():
        print(f"{name}, {owner}, {method}: {why.splitlines()[0][:100] if why else 'stepped'}")
    assert not any(why for (_, _, method), why in reasons.items() if method in ("heun", "milstein"))
    words = ("stochastic", "multiplicative noise", "conditionally linear", "could not be separated", "non-commutative", "vanishes", "not supported")
    strange = {key: why for key, why in reasons.items() if why and not any(word in why for word in words)}
    assert not strange


@pytest.mark.slow
@pytest.mark.parametrize(("module", "method"), BREAKS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_breaks_breaks_in_brian2(module, method):
    """NumPy says so; the day it does not, the entry can go."""
    group = next(g for g in ON_CLOCK if g[0].module == module)
    owners = [o for o, m in group[0].circuit.models.items() if integrated(m)]
    row = changed([group], [dict.fromkeys(owners[:1], method)])
    with pytest.raises(Exception, match=r"became (nan|inf)|divide"):
        simulate(row.circuit, protocol(row, FINE, LONG), seed=11, target="numpy")
