"""Circuits and recordings as lines of text for a terminal."""

import textwrap
from collections.abc import Sequence

import numpy as np

from bioneuro import units
from bioneuro.model import Circuit, Neuron, Parameter, Synapse
from bioneuro.recording import Recording

WIDTH = 100


def line(text: str) -> str:
    """Text from a file or model on one line, without characters that would steer a terminal."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def first_line(docstring: str | None) -> str:
    """What a docstring says first, without its full stop."""
    return line((docstring or "").strip().partition("\n")[0]).rstrip(".")


def table(rows: Sequence[Sequence[str]], *, indent: int = 0) -> list[str]:
    """Aligned columns; the last one is wrapped into what `WIDTH` leaves, but never made narrower than 24."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    before = indent + sum(widths) + 2 * len(widths)
    lines = []
    for row in rows:
        start = " " * indent + "".join(f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=False))
        wrapped = textwrap.wrap(row[-1], max(WIDTH - before, 24)) or [""]
        lines += [(start + wrapped[0]).rstrip(), *(" " * before + rest for rest in wrapped[1:])]
    return lines


def of_circuit(name: str, circuit: Circuit) -> list[str]:
    """A circuit with every equation, event and parameter."""
    placed = [
        [p.name, f"{p.size} x {p.neuron.name}" if p.neuron else f"{p.size} x port, its spikes are imposed by the protocol"]
        for p in circuit.populations
    ]
    placed += [[p.name, f"{p.pre} -> {p.post}, {p.pairs[0].size if p.pairs else 0} x {p.synapse.name}"] for p in circuit.projections]
    lines = [line(name), *table(placed, indent=2)]
    for owner, model in circuit.models.items():
        lines += ["", f"{owner} ({'neuron' if isinstance(model, Neuron) else 'synapse'}, method on the clock: {model.method})"]
        lines += textwrap.wrap(line(model.reference), WIDTH, initial_indent="  ", subsequent_indent="  ")
        lines += [f"  {text}" for text in _dynamics(model)]
        lines += _parameters(model)
    return lines


def _dynamics(model: Neuron | Synapse) -> list[str]:
    lines = [text.strip() for text in model.equations.splitlines() if text.strip()]
    if isinstance(model, Neuron):
        period = f", then refractory: {model.refractory}" if model.refractory else ""
        if model.refractory in model.parameters:
            period = f", then refractory for {model.refractory} = {model.parameters[model.refractory]}"
        lines += [f"spike when {model.threshold}: {_joined(model.reset)}{period}" if model.threshold else "never spikes by itself"]
        lines += [f"injected current: {model.input}"] if model.input else []
    else:
        for pathway in model.pathways:
            delay = f", {pathway.delay} = {model.parameters[pathway.delay]} later" if pathway.delay else ""
            lines.append(f"on {pathway.event}{delay}: {_joined(pathway.code)}")
        if model.every is not None:
            lines.append(f"every {model.every.period} = {model.parameters[model.every.period]}:")
            lines += [f"    {piece.strip()}" for piece in model.every.code.splitlines() if piece.strip()]
    start = ", ".join(f"{key} = {value}" for key, value in model.initial.items())
    return [*lines, *([f"at first {start}"] if start else [])]


def _joined(code: str) -> str:
    return "; ".join(part.strip() for part in code.splitlines() if part.strip())


def _parameters(model: Neuron | Synapse) -> list[str]:
    if not model.parameters:
        return []
    sources = list(dict.fromkeys(line(p.source) for p in model.parameters.values() if p.source))
    rows = [["name", "value", "bounds", "source", "meaning"]]
    for name, p in model.parameters.items():
        rows.append([name, str(p), _bounds(p), f"[{sources.index(line(p.source)) + 1}]" if p.source else "", line(p.says)])
    notes = [
        text
        for k, source in enumerate(sources, 1)
        for text in textwrap.wrap(source, WIDTH, initial_indent=f"  [{k}] ", subsequent_indent="      ")
    ]
    return ["", *table(rows, indent=2), *notes]


def _bounds(parameter: Parameter) -> str:
    scale = units.unit(parameter.unit).scale
    if np.isinf(parameter.low) and np.isinf(parameter.high):
        return ""
    return f"{parameter.low / scale:.6g} .. {parameter.high / scale:.6g}"


def of_recording(path: str, recording: Recording) -> list[str]:
    """Where a recording comes from, and what it holds."""
    origin = recording.provenance
    rows = [
        ["engine", f"{origin.engine}, {'strict' if origin.strict else 'fast'} arithmetic"],
        ["seed", str(origin.seed)],
        ["circuit", origin.circuit],
        ["protocol", origin.protocol],
        ["versions", ", ".join(f"{k} {v}" for k, v in sorted(origin.versions.items()))],
        ["moved to the grid", ", ".join(f"{k} by up to {v:.3g} s" for k, v in sorted(origin.shifts.items())) or "nothing"],
        *(["note", note] for note in origin.notes),
    ]
    lines = [line(path), *table(_clean(rows), indent=2)]
    conditions = [["condition", "unit", "distinct", "values"]]
    for name, c in recording.conditions.items():
        low, high = c.shown.min(), c.shown.max()
        conditions.append([name, c.unit, str(np.unique(c.values).size), f"{low:.6g}" if low == high else f"{low:.6g} .. {high:.6g}"])
    lines += ["", f"{recording.n_trials} trials", *table(_clean(conditions), indent=2)]
    traces = [["trace", "unit", "trials x readings x units", "values (SI)"]]
    for name, values in recording.traces.items():
        extent = f"{values.min():.6g} .. {values.max():.6g}" if values.size else "none"
        traces.append([name, recording.units[name], " x ".join(str(n) for n in values.shape), extent])
    lines += ["", _read_at(recording), *(table(_clean(traces), indent=2) if recording.traces else [])]
    spikes = [["spikes of", "units", "total", "per trial and unit"]]
    for name, train in recording.spikes.items():
        spikes.append([name, str(train.size), str(train.steps.size), f"{train.counts.mean():.6g} on average, grid {train.dt * 1e3:.6g} ms"])
    return [*lines, *(["", *table(_clean(spikes), indent=2)] if recording.spikes else [])]


def _read_at(recording: Recording) -> str:
    times = recording.times
    span = f"at {times.min():.6g} s" if times.min() == times.max() else f"from {times.min():.6g} to {times.max():.6g} s"
    return f"{times.shape[1]} readings per trial, {span}"


def _clean(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[line(cell) for cell in row] for row in rows]
