"""The twin held to Brian2: everything in the catalogue that is stepped on a clock, by every integrator.

Brian2: Stimberg, Brette & Goodman 2019, eLife 8:e47314, doi 10.7554/eLife.47314, on NumPy. One circuit for each text of the catalogue, an object
at a time by each method but the deprecated "independent": 400 steps of 0.025 ms (or of its own clock), 300 Hz into ports, a current into inputs.

Writes results/twin_parity/<circuit>.nc: a trial per object and method, whose traces are the largest relative difference of any trace, spikes that
differ, spikes, and ties; the notes say ``object|method|own method|outcome``.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from brian2 import second

from bioneuro import Circuit, Protocol, Twin, brian, catalogue, protocol, save, units, verify
from bioneuro.brian.simulate import SimulationError
from bioneuro.dynamics import METHODS
from bioneuro.equations import equations_of
from bioneuro.model import ModelError
from bioneuro.protocol import Current
from bioneuro.script import Options, apply, options, unused

DRIVES = {"amp": "2 nA", "volt": "40 mV", "volt/second": "20 mV/ms", "1": "20"}  # by the unit of the input, if the module has no other
WHAT, RATE, READS, STEP, QUICK = "traces differing spikes ties", "300 Hz", np.arange(80, 401, 80), "0.025 ms", 3  # READS: steps; QUICK: circuits


def stepped(whole: Circuit) -> list[str]:
    """Objects with something to integrate on a clock."""
    return [o for o, m in whole.models.items() if any(e.kind == "differential" and "event-driven" not in e.flags for e in equations_of(m.equations))]


def plan(options: Options) -> dict[str, tuple[Circuit, Protocol]]:
    """One circuit of each text, by its name in the catalogue."""
    found, first = dict[str, tuple[Circuit, Protocol]](), dict[tuple[str, ...], str]()
    for paper, name, circuit in ((p, name, apply(options, make())) for p in catalogue.papers() for name, make in getattr(p, "CIRCUITS", {}).items()):
        if stepped(circuit) and first.setdefault((paper.__name__, *(m.equations for m in circuit.models.values())), name) == name:
            step, drive = getattr(paper, "CLOCK", {}).get(name, STEP), getattr(paper, "DRIVE", {}).get(name)
            clock = protocol.clock(step, tolerance=step)
            how = {"repetitions": 2, "grid": f"{max(clock.dt, 1e-4)} s", "reads": READS * clock.dt * second, "stepping": clock}
            todo = protocol.poisson({p.name: RATE for p in circuit.populations if p.neuron is None}, how["reads"][-1], **how)
            inputs = [(p.name, p.neuron.plain[p.neuron.input]) for p in circuit.populations if p.neuron and p.neuron.input]
            level = {unit: np.full((1, 2), units.si(drive or DRIVES.get(unit, f"1 {unit}"), name)[0]) for _, unit in inputs}
            found[name] = circuit, replace(todo, currents={n: Current(start=[0.0], value=level[unit], unit=unit) for n, unit in inputs})
    return dict(list(found.items())[:QUICK]) if options.quick else found


def compared(whole: Circuit, todo: Protocol, owner: str, method: str, seed: int) -> tuple[list[float], str]:
    populations = tuple(replace(p, neuron=replace(p.neuron, method=method)) if p.name == owner and p.neuron else p for p in whole.populations)
    projections = tuple(replace(p, synapse=replace(p.synapse, method=method)) if p.name == owner else p for p in whole.projections)
    circuit = replace(whole, populations=populations, projections=projections)
    try:
        twin = Twin(circuit)(todo, seed=seed).detached()
        seen = brian.simulate(circuit, todo, seed=seed, target="numpy", progress=False)
    except (ModelError, SimulationError) as error:
        return [np.nan] * 4, f"{'breaks' if isinstance(error, SimulationError) else 'refused'}: {error}".partition("\n")[0]
    verdict = verify(twin, seen)
    spikes, traces = ([r.difference for r in verdict.rows if r.quantity.endswith(" spikes") == kind] for kind in (True, False))
    return [max(traces), sum(spikes), sum(int(train.counts.sum()) for train in seen.spikes.values()), len(verdict.ties)], "compared"


def main(options: Options) -> Path:
    unused(options, [circuit for circuit, _ in plan(options).values()])
    for name, (circuit, todo) in plan(options).items():
        seen = brian.simulate(circuit, todo, seed=options.seed, target="numpy", progress=False)
        cells = [(o, m, *compared(circuit, todo, o, m, options.seed)) for o in stepped(circuit) for m in METHODS if m != "independent"]
        notes = tuple(f"{o}|{m}|{circuit.models[o].method}|{outcome}" for o, m, _, outcome in cells)
        traces = {f"parity.{what}": np.array([float(c[2][k]) for c in cells])[:, None, None] for k, what in enumerate(WHAT.split())}
        about = {"provenance": replace(seen.provenance, notes=notes), "units": dict.fromkeys(traces, "1"), "times": np.zeros((len(cells), 1))}
        save(replace(seen, traces=traces, spikes={}, conditions={}, **about), options.out.with_suffix("") / f"{name}.nc")
        print(f"{name}: {sum(n.endswith('|compared') for n in notes)} of {len(notes)}, worst {np.nanmax(traces['parity.traces']):.1e}", flush=True)
    return options.out.with_suffix("")


if __name__ == "__main__":
    main(options(Path(__file__).stem))
