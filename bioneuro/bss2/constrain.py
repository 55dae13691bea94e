"""constrain: a circuit whose plasticity a processor computes, which is a circuit again."""

import dataclasses
import re
import warnings
import zlib
from collections.abc import Mapping

import numpy as np

from bioneuro import text, units
from bioneuro.bss2.hardware import Hardware
from bioneuro.bss2.products import ConstrainError
from bioneuro.bss2.scales import Floats, Lane, Reader, bounded_lane, evaluate, lane_of, reader_of, weight_lane
from bioneuro.bss2.terms import Gate, Level, Noise, Reading, Sensed, Slow, read
from bioneuro.bss2.write import Sheet, program
from bioneuro.equations import Equation, equations_of
from bioneuro.model import Circuit, Every, Parameter, Pathway, Projection, Synapse, did_you_mean, parameter

PERIOD = "ppu_period"

MOST_BELOW = 16
"""Bits below the last one of a variable that correlation sensors move."""


def constrain(circuit: Circuit, hardware: Hardware, *, weight: str = "") -> Circuit:
    """The same circuit with its plasticity computed by a processor: every period, in integers, from what converters read.

    Variables that spikes feed and that decay stay as they are, in continuous time; the others keep their names and units and take values
    that are multiples of a step. So protocols, records and measures serve both circuits.

    Arguments:
        weight: placed name of the variable that is the synaptic weight ("stdp.w"); it then has `hardware.weight_bits` bits and no sign.

    Errors:
        ConstrainError: a rule does not fit a processor, the hardware cannot hold a number of it, or the hardware names what is not there.

    Warns if the period is longer than what it samples takes to decay.
    """
    sheets = written(circuit, hardware, weight=weight)
    made = {p.name: _made(p, *sheets[p.name], hardware) for p in circuit.projections if p.name in sheets}
    return dataclasses.replace(circuit, projections=tuple(made.get(p.name, p) for p in circuit.projections))


def written(circuit: Circuit, hardware: Hardware, *, weight: str = "") -> dict[str, tuple[Reading, Sheet]]:
    """The program of every synapse that has any: what `constrain` puts into the circuit and `report` looks at."""
    if not isinstance(hardware, Hardware):
        raise ConstrainError(f"hardware: {hardware!r:.60} is no Hardware; give one, such as Hardware() or Hardware(bits=8)")
    if not isinstance(weight, str):
        raise ConstrainError(f"weight: {weight!r:.60} is no text; give the placed name of a variable, such as 'stdp.w', or ''")
    readings = {p.name: reading for p in circuit.projections if (reading := _plastic(p)) is not None}
    if not readings:
        raise ConstrainError(f"circuit {circuit.name!r} has no synapse that learns, so there is nothing to constrain")
    _check_names(circuit, readings, hardware, weight)
    found = {}
    for p in circuit.projections:
        if p.name in readings:
            reading = readings[p.name]
            values = {**{k: v.value for k, v in p.synapse.parameters.items()}, **_starts(p.synapse)}
            _check_decay(p, reading, values, hardware)
            sheet = Sheet(
                values=values,
                units=p.synapse.states,
                hardware=hardware,
                lanes=_lanes(p.name, reading, values, hardware, weight),
                readers=_readers(p, reading, values, hardware),
            )
            (program if hardware.bits is not None else _in_reals)(sheet, reading)
            _check_collisions(p, sheet)
            found[p.name] = (reading, sheet)
    return found


def _plastic(projection: Projection) -> Reading | None:
    """What a synapse has to compute; None for one that only transmits."""
    digital = [e for e in equations_of(projection.synapse.equations) if e.kind != "computed"]
    if not digital:
        return None
    reading = read(projection.synapse)
    return reading if reading.slow or reading.sensed else None


def _digital(reading: Reading) -> list[Slow | Sensed]:
    return [*reading.slow, *reading.sensed]


def _starts(synapse: Synapse) -> dict[str, Floats]:
    return {name: synapse.initial[name].value if name in synapse.initial else np.zeros(()) for name in synapse.states}


def _check_names(circuit: Circuit, readings: Mapping[str, Reading], hardware: Hardware, weight: str) -> None:
    """Refuse names in the hardware that mean nothing here."""
    digital = {f"{o}.{x.name}" for o, r in readings.items() for x in _digital(r)}
    analog = {f"{o}.{name}" for o, r in readings.items() for name in r.analog}
    varying = {f"{p.name}.{n}" for p in circuit.projections if p.name in readings for n in _analog_parameters(p.synapse, readings[p.name])}
    widths = hardware.bits if isinstance(hardware.bits, Mapping) else {}
    named = (("bits", {k for k in widths if k}, digital), ("ranges", set(hardware.ranges), digital | analog))
    for field, given, known in (*named, ("mismatch", set(hardware.mismatch), varying), ("weight", {weight} - {""}, digital)):
        for path in sorted(given - known):
            place = "weight" if field == "weight" else f"hardware.{field}"
            raise ConstrainError(f"{place}: {path!r} is not among {sorted(known)}, which circuit {circuit.name!r} has." + did_you_mean(path, known))


def _analog_parameters(synapse: Synapse, reading: Reading) -> set[str]:
    """Parameters of what is left analog; a delay is one for all synapses."""
    kept = [e.right for e in equations_of(synapse.equations) if e.name in reading.analog]
    kept += [p.partition("=")[2] for w in synapse.pathways for p in _pieces(w.code) if _target(p) in reading.analog]
    return set().union(*(text.names(k).read for k in kept)) & set(synapse.parameters) - {w.delay for w in synapse.pathways}


def _pieces(code: str) -> list[str]:
    return [piece.strip() for line in code.splitlines() for piece in line.split(";") if piece.strip()]


def _target(statement: str) -> str:
    found = re.match(r"\w+", statement)
    return found[0] if found else ""


def _check_decay(projection: Projection, reading: Reading, values: Mapping[str, Floats], hardware: Hardware) -> None:
    """Warn where the period is longer than what it samples takes to decay."""
    for name, shortest in decays(projection, reading, values).items():
        if hardware.seconds > shortest:
            warnings.warn(
                f"hardware.period: {hardware.period} is longer than {projection.name}.{name} takes to decay ({shortest * 1e3:.4g} ms): the "
                f"processor does not see most of it; choose a period below {shortest * 1e3 / 2:.3g} ms",
                stacklevel=4,
            )


def decays(projection: Projection, reading: Reading, values: Mapping[str, Floats]) -> dict[str, float]:
    """Seconds in which what is sampled decays; what sensors gather between updates is not missed."""
    sensed = {c.what for s in reading.sensed for c in s.changes}
    found = {}
    for e in equations_of(projection.synapse.equations):
        if e.name in reading.analog and e.name not in sensed:
            found[e.name] = float(1 / np.max(-evaluate(e.right, {**values, e.name: np.ones(())})))
    return found


def _given(owner: str, name: str, unit: str, hardware: Hardware) -> tuple[float, float] | None:
    """A range that the hardware states, in SI."""
    path = f"{owner}.{name}"
    if path not in hardware.ranges:
        return None
    pair = hardware.ranges[path]
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ConstrainError(f"hardware.ranges[{path!r}]: {pair!r:.60} is no range; give (low, high) with units")
    low, high = (float(units.in_unit(end, unit, f"hardware.ranges[{path!r}]")) for end in pair)
    if not low < high:
        raise ConstrainError(f"hardware.ranges[{path!r}]: ({low:g}, {high:g}) is empty; give low < high")
    return low, high


def _lanes(owner: str, reading: Reading, values: Mapping[str, Floats], hardware: Hardware, weight: str) -> dict[str, Lane]:
    lanes = {}
    for x in _digital(reading) if hardware.bits is not None else ():
        path, given = f"{owner}.{x.name}", _given(owner, x.name, x.unit, hardware)
        if path == weight or isinstance(x, Sensed):
            ends = given or _bounds(path, x, values)
            lane = (weight_lane if path == weight else bounded_lane)(path, *ends, hardware)
            # A count of a sensor can be worth many steps, and its rate must fit 32 bits.
            lanes[x.name] = dataclasses.replace(lane, fraction=min(lane.fraction, MOST_BELOW)) if isinstance(x, Sensed) else lane
        else:
            lanes[x.name] = lane_of(x, owner, values, hardware, given)
    return lanes


def _bounds(path: str, x: Slow | Sensed, values: Mapping[str, Floats]) -> tuple[float, float]:
    """The bounds that a rule gives a variable."""
    if isinstance(x, Sensed) and x.low and x.high:
        low, high = float(np.min(evaluate(x.low, values))), float(np.max(evaluate(x.high, values)))
        if np.isfinite(low) and np.isfinite(high):
            return low, high
    raise ConstrainError(f"{path}: the rule gives it no bounds; give hardware.ranges[{path!r}] = (low, high)")


def _readers(projection: Projection, reading: Reading, values: Mapping[str, Floats], hardware: Hardware) -> dict[str, Reader]:
    """Converters of the analog variables that an equation reads; offsets are fixed to the columns."""
    asked = {g.variable for s in reading.slow for gates in (*(t.gates for t in s.terms), *(n.gates for n in s.noises)) for g in gates}
    asked |= {x.variable for s in reading.slow for t in s.terms for x in t.levels}
    found = {}
    for name in reading.analog if hardware.bits is not None else ():
        if name in asked:
            given = _given(projection.name, name, projection.synapse.states[name], hardware)
            reader = reader_of(name, projection.name, reading, values, hardware, given)
            if hardware.offsets:
                fixed = hardware.offsets * _draws(hardware, f"{projection.name}.{name} offset", projection)
                reader = dataclasses.replace(reader, base=reader.base + fixed)
            found[name] = reader
    return found


def _draws(hardware: Hardware, what: str, projection: Projection) -> Floats:
    """One standard normal number per synapse, the same for the same chip."""
    generator = np.random.Generator(np.random.Philox(key=[hardware.seed, zlib.crc32(what.encode())]))
    return generator.standard_normal(projection.pairs[0].size)  # type: ignore[index]


def _in_reals(sheet: Sheet, reading: Reading) -> None:
    """The rule in real numbers, a step of Euler's method every period."""
    for k, x in enumerate(reading.slow):
        parts = [f"{PERIOD}*({t.coefficient})" + "".join(f"*({_real(v)})" for v in t.levels) + _gates(t.gates) for t in x.terms]
        parts += [f"sqrt({PERIOD})*({_amplitude(noise)})*{_draw(noise, 10 * k + j)}" for j, noise in enumerate(x.noises)]
        sheet.lines.append(f"{x.name}_step = {' + '.join(parts) or '0'}")
    sheet.lines += [f"{x.name} = {x.name} + {x.name}_step" for x in reading.slow]
    for s in reading.sensed:
        whole = " + ".join([s.name, *(f"({c.coefficient})*{s.name}_sensor_{k}" for k, c in enumerate(s.changes, 1))])
        bounded = f"clip({whole}, {s.low}, {s.high})" if s.low and s.high else whole
        sheet.lines += [f"{s.name} = {bounded}", *(f"{s.name}_sensor_{k} = 0" for k, _ in enumerate(s.changes, 1))]


def _draw(noise: Noise, k: int) -> str:
    """A normal draw while any gate is open, 0 else: draws take longer than the rest of an update."""
    shut = "*".join(f"(1 - {_gates((g,))[1:]})" for g in noise.gates)
    return f"ppu_noise(1.0 - {shut}, {k})" if shut and noise.amplitudes[0] == "0" else f"ppu_normal({k})"


def _real(level: Level) -> str:
    if level.level == "0":
        return level.variable if level.sign > 0 else f"-{level.variable}"
    return f"{level.variable} - ({level.level})" if level.sign > 0 else f"{level.level} - {level.variable}"


def _amplitude(noise: Noise) -> str:
    """The amplitude for the present state of the gates."""
    states = [
        f"({text})" + "".join(_gates((g,)) if k >> j & 1 else f"*(1 - {_gates((g,))[1:]})" for j, g in enumerate(noise.gates))
        for k, text in enumerate(noise.amplitudes)
        if text != "0"
    ]
    return " + ".join(states) or "0"


def _gates(gates: tuple[Gate, ...]) -> str:
    sides = [
        " + ".join(f"int({g.variable} {sign}{'' if g.strict else '='} {end})" for end, sign in ((g.high, ">"), (g.low, "<")) if end) for g in gates
    ]
    return "".join(f"*({side})" for side in sides)


def _check_collisions(projection: Projection, sheet: Sheet) -> None:
    made = {*sheet.parameters, *(line.partition(" = ")[0] for line in sheet.lines)} - set(projection.synapse.states)
    for name in sorted(made & {*projection.synapse.parameters, *projection.synapse.states}):
        raise ConstrainError(f"{projection.name}: {name!r} is a name that its program needs for itself; rename it in the rule")


def _made(projection: Projection, reading: Reading, sheet: Sheet, hardware: Hardware) -> Projection:
    """The synapse with its program."""
    synapse, code = projection.synapse, "\n".join(sheet.lines)
    digital = {x.name for x in _digital(reading)}
    kept = [_line(e) for e in equations_of(synapse.equations) if e.name in reading.analog]
    registers = sorted(set(re.findall(r"\bregister_\d\b", code)))
    sensors: dict[int, list[tuple[str, str]]] = {c.pathway: [] for s in reading.sensed for c in s.changes}
    for s in reading.sensed:
        for k, c in enumerate(s.changes, 1):
            sensors[c.pathway].append((f"{s.name}_sensor_{k}", c.what))
    added = [f"{name} : {synapse.states[name]}" for name in synapse.states if name in digital]
    added += [f"{name} : integer" for name in registers] + [f"{name} : 1" for pairs in sensors.values() for name, _ in pairs]
    pathways = []
    for k, pathway in enumerate(synapse.pathways):
        lines = [f"{name} += {what}" for name, what in sensors.get(k, [])]
        lines += [piece for piece in _pieces(pathway.code) if _target(piece) not in digital]
        pathways.append(Pathway(event=pathway.event, code="\n".join(lines), delay=pathway.delay))
    period = parameter(hardware.seconds * 1e3, "ms", low=1e-3, high=1e9, says="time between two updates", source="hardware.period")
    if hardware.bits is not None:  # the integers are those of this period: for another one, constrain again
        period = dataclasses.replace(period, low=float(period.value), high=float(period.value))
    parameters = {**synapse.parameters, **sheet.parameters, PERIOD: period}
    named = " ".join([*kept, code, *(p.code for p in pathways)])
    used = {*re.findall(r"\w+", named), PERIOD, *(p.delay for p in pathways)}
    chosen = {name: _varied(projection, name, p, hardware) for name, p in parameters.items() if name in used}
    made = Synapse(
        name=synapse.name,
        equations="\n".join([*kept, *added]),
        pathways=tuple(pathways),
        method=synapse.method,
        parameters=chosen,
        initial=synapse.initial,
        reference=f"{synapse.reference}; computed by a processor",
        every=Every(period=PERIOD, code=code),
    )
    return dataclasses.replace(projection, synapse=made)


def _line(e: Equation) -> str:
    flags = f" ({', '.join(e.flags)})" if e.flags else ""
    return f"d{e.name}/dt = {e.right} : {e.unit}{flags}"


def _varied(projection: Projection, name: str, p: Parameter, hardware: Hardware) -> Parameter:
    """A parameter with the mismatch of the chip, one value per synapse: lognormal, its median the value wanted."""
    deviation = hardware.mismatch.get(f"{projection.name}.{name}", 0.0)
    if not deviation:
        return p
    factor = np.exp(deviation * _draws(hardware, f"{projection.name}.{name}", projection))
    says = f"{p.says}, with a mismatch of {deviation:g} from synapse to synapse"
    return dataclasses.replace(p, value=p.value * factor, low=-np.inf, high=np.inf, says=says)
