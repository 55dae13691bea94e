"""A learning rule as the program of a processor: integers, one statement per line, every number a parameter with a name."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bioneuro.bss2.hardware import Hardware
from bioneuro.bss2.products import ConstrainError
from bioneuro.bss2.scales import Floats, Lane, Reader, evaluate, mantissa
from bioneuro.bss2.terms import Gate, Level, Noise, Reading, Sensed, Slow, Term
from bioneuro.records import Parameter

BYTES, CENTRE = 4, 510
"""Noise from registers: the sum of so many bytes, its mean, and below its standard deviation."""
SPREAD = float(np.sqrt(BYTES * (256**2 - 1) / 12))


@dataclass(frozen=True, kw_only=True)
class Rounded:
    """A number of the rule, as the processor has it.

    Attributes:
        name: of the new parameter; what: of what it stands for; kind: "rate", "level", "threshold", "noise" or "push".
        exact, made: the number wanted and the one there is, in steps of the variable (per update for rates, noise and pushes).
        most: the largest change in steps of the variable that it can make in one update; NaN for levels and thresholds.
    """

    name: str
    variable: str
    what: str
    kind: str
    exact: float
    made: float
    most: float = np.nan


@dataclass
class Sheet:
    """What is being written."""

    values: Mapping[str, Floats]
    units: Mapping[str, str]
    hardware: Hardware
    lanes: Mapping[str, Lane]
    readers: Mapping[str, Reader]
    parameters: dict[str, Parameter] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    rounded: list[Rounded] = field(default_factory=list)
    gates: dict[Gate, str] = field(default_factory=dict)
    levels: dict[tuple[str, str], str] = field(default_factory=dict)

    def integer(self, name: str, value: Any, says: str) -> str:
        """Add a parameter that is an integer, one or one per synapse."""
        array = np.asarray(value, np.float64)
        same = array.ravel()[0] if array.size and np.all(array == array.ravel()[0]) else array
        self.parameters[name] = Parameter(value=np.asarray(same), unit="integer", says=says, source="from the rule and the hardware")
        return name

    def real(self, name: str, value: Any, unit: str, says: str) -> str:
        """Add a parameter in SI."""
        self.parameters[name] = Parameter(value=np.asarray(value, np.float64), unit=unit, says=says, source="from the rule and the hardware")
        return name

    def note(self, name: str, variable: str, what: str, kind: str, exact: Floats, made: Floats, most: float = np.nan) -> None:
        """Remember how well a number came out: the worst of its elements."""
        exact, made = np.broadcast_arrays(np.asarray(exact, np.float64), np.asarray(made, np.float64))
        worst = int(np.argmax(np.abs(made - exact).ravel()))
        self.rounded.append(
            Rounded(
                name=name, variable=variable, what=what, kind=kind, exact=float(exact.ravel()[worst]), made=float(made.ravel()[worst]), most=most
            )
        )


def program(sheet: Sheet, reading: Reading) -> None:
    """Write what happens in one update: sample, compare, add up, round, put back."""
    h = sheet.hardware
    for k, name in enumerate(reading.analog):
        if name in sheet.readers:
            _sample(sheet, name, k)
    for name, lane in sheet.lanes.items():
        sheet.real(f"{name}_lsb", lane.unit, sheet.units[name], f"one step of {name}")
        sheet.integer(f"{name}_bits", lane.bits, f"bits of {name}, sign included")
        sheet.integer(f"{name}_below", lane.fraction, f"bits that increments of {name} keep below its last one")
        sheet.lines.append(f"{name}_n = ppu_quantise({name}/{name}_lsb, {name}_bits)")
    for gate in dict.fromkeys(g for s in reading.slow for g in (*(g for t in s.terms for g in t.gates), *(g for n in s.noises for g in n.gates))):
        _compare(sheet, gate)
    if any(not _analog(t, sheet) for s in reading.slow for t in s.terms) and h.rarely > 1:
        sheet.lines.append(f"rare = int(updates % {sheet.integer('ppu_rarely', h.rarely, 'updates from one of the slow rates to the next')} == 0)")
    sums = [(s.name, [*(_term(sheet, s, k, t) for k, t in enumerate(s.terms, 1)), *(_noise(sheet, s, n) for n in s.noises)]) for s in reading.slow]
    sums += [(s.name, _sensed(sheet, s)) for s in reading.sensed]
    for k, (name, parts) in enumerate(sums):
        if parts:
            _put_back(sheet, name, parts, k)


def _sample(sheet: Sheet, name: str, k: int) -> None:
    reader = sheet.readers[name]
    sheet.real(f"{name}_lsb", reader.unit, sheet.units[name], f"{name} of one count")
    sheet.real(f"{name}_base", reader.base, "1", f"reading of the converter at {name} = 0, its column's offset included")
    _span(sheet, "count", reader.span)
    noise = _reading_noise(sheet, 100 + k)
    sheet.lines.append(f"{name}_n = ppu_count({name}_base + {name}/{name}_lsb{noise}, count_low, count_high)")


def _reading_noise(sheet: Sheet, k: int) -> str:
    deviation = sheet.hardware.converter_noise
    return f" + {sheet.real('count_noise', deviation, '1', 'noise of a reading, counts')}*ppu_normal({k})" if deviation else ""


def _span(sheet: Sheet, name: str, span: tuple[int, ...]) -> None:
    sheet.integer(f"{name}_low", span[0], "lowest value")
    sheet.integer(f"{name}_high", span[1], "highest value")


def _compare(sheet: Sheet, gate: Gate) -> None:
    """A comparison with one or two levels, which exclude each other."""
    name = f"gate_{len(sheet.gates) + 1}"
    sheet.gates[gate] = name
    sides, levels = [], []
    for text, side, sign in ((gate.high, "high", ">"), (gate.low, "low", "<")):
        if text:
            value, what = evaluate(text, sheet.values), f"{gate.variable} {sign}= {text}"
            scale = sheet.lanes.get(gate.variable) or sheet.readers[gate.variable]
            n = scale.integer(value, what) if isinstance(scale, Lane) else scale.count(value, what)
            exact = scale.exact(value) if isinstance(scale, Reader) else value / scale.unit
            sheet.integer(f"{name}_{side}", n, what)
            sheet.note(f"{name}_{side}", gate.variable, what, "threshold", exact, n)
            levels.append(n)
            sides.append(f"int({gate.variable}_n {sign}{'' if gate.strict else '='} {name}_{side})")
    if len(levels) == 2 and np.any(levels[0] <= levels[1]):
        raise ConstrainError(
            f"{scale.path}: {gate.high} and {gate.low} fall on one integer: steps of {scale.unit:.4g} (SI) cannot tell above from below; give "
            f"it more bits, or a narrower range, hardware.ranges[{scale.path!r}]"
        )
    sheet.lines.append(f"{name} = {' + '.join(sides)}")


def _level(sheet: Sheet, level: Level) -> tuple[str, float, str, int, int]:
    """A difference from a level: its text, its step (SI), the text of its width, its width and its sign."""
    name = level.variable
    lane = sheet.lanes.get(name)
    bits = f"{name}_bits" if lane else "9"  # a count has 8 bits and no sign
    step, width = (lane.unit, lane.bits) if lane else (sheet.readers[name].unit, 9)
    if level.level == "0" and lane:
        return f"{name}_n", step, bits, width, level.sign
    if (name, level.level) not in sheet.levels:
        known = sheet.levels[name, level.level] = f"{name}_level_{sum(v == name for v, _ in sheet.levels) + 1}"
        value, what = evaluate(level.level, sheet.values), f"{name} = {level.level}"
        n = lane.integer(value, what) if lane else sheet.readers[name].count(value, what)
        sheet.integer(known, n, what)
        sheet.note(known, name, what, "level", value / step if lane else sheet.readers[name].exact(value), n)
    known = sheet.levels[name, level.level]
    pair = f"{name}_n, {known}" if level.sign > 0 else f"{known}, {name}_n"
    return f"ppu_subtract({pair}, {bits})", step, bits, width, 1


def _analog(term: Term, sheet: Sheet) -> bool:
    """Whether a term hangs on something sampled."""
    return any(g.variable in sheet.readers for g in term.gates) or any(x.variable in sheet.readers for x in term.levels)


def _term(sheet: Sheet, found: Slow, k: int, term: Term) -> str:
    """What a term adds, in the smallest steps of an increment."""
    h, lane = sheet.hardware, sheet.lanes[found.name]
    rare = h.rarely > 1 and not _analog(term, sheet)
    rate = evaluate(term.coefficient, sheet.values) * h.seconds * (h.rarely if rare else 1)
    what = "*".join([f"({term.coefficient})", *(f"{'-' * (x.sign < 0)}({x.variable} - {x.level})" for x in term.levels)])
    widths: list[tuple[str, int]] = []
    text, step, sign = "", 1.0, 1
    for level in term.levels:
        one, unit, bits, width, s = _level(sheet, level)
        text = f"ppu_saturate(ppu_scale({text}, {one}, {bits} - 1), {widths[0][0]})" if text else one
        step *= unit * (2.0 ** (width - 1) if widths else 1.0)
        sign *= s
        widths.append((bits, width))
    gate = "*".join([*(sheet.gates[g] for g in term.gates), *(["rare"] if rare else [])])
    scaled = _scaled(sheet, lane, f"{found.name}_{k}", sign * rate * step / lane.unit, text, what, widths[0][1] if widths else 0)
    if len(term.levels) == 1 and (fast := float(np.max(np.abs(rate)))) > 1:
        _warn_of_overshoot(lane, h, what, fast, rare)
    sheet.lines.append(f"{found.name}_{k} = {gate + '*' if gate else ''}{scaled}")
    return f"{found.name}_{k}"


def _warn_of_overshoot(lane: Lane, h: Hardware, what: str, rate: float, rare: bool) -> None:
    every = f"{h.seconds * 1e3:g} ms" + (f", {h.rarely} of them at once" if rare else "")
    warnings.warn(
        f"{lane.path}: {what} moves {rate:.3g} times the distance that it closes in one update ({every}); choose a shorter period"
        + (" or a smaller hardware.rarely" if rare else ""),
        stacklevel=7,
    )


def _scaled(sheet: Sheet, lane: Lane, name: str, rate: Floats, text: str, what: str, width: int) -> str:
    """``rate*text`` in steps of an increment, the rate as mantissa and shift."""
    most = 2.0 ** (width - 1) - 1 if width else 1.0
    m, s = mantissa(rate, lane.mantissa)
    if not text:  # a constant push can be far larger than a step: part of its power of two stands beside it
        beside = 2.0 ** np.clip(lane.fraction - s, 0, 30)
        text, s = sheet.integer(f"{name}_b", beside, f"power of two of {what}, per update"), s + np.log2(beside)
    _check_rate(sheet, lane, rate, m * 2.0 ** np.maximum(lane.fraction - s, 0), what)
    lost = (np.abs(rate) * most * 2.0**lane.fraction < 0.5) | (s - lane.fraction > 62)
    m, s = np.where(lost, 0.0, m), np.where(lost, lane.fraction, s)
    shift = np.maximum(s - lane.fraction, 0)
    sheet.integer(f"{name}_m", m * 2.0 ** np.maximum(lane.fraction - s, 0), f"rate of {what} per update, times 2**({name}_s + {lane.fraction})")
    sheet.integer(f"{name}_s", shift, f"shift of the rate of {what}")
    kind = "rate" if width else "push"
    made = m * 2.0**-s * (sheet.parameters[f"{name}_b"].value if f"{name}_b" in sheet.parameters else 1.0)
    sheet.note(f"{name}_m", lane.path.rpartition(".")[2], what, kind, rate, made, most=float(np.max(np.abs(rate) * most)))
    return f"ppu_scale({text}, {name}_m, {name}_s)"


def _check_rate(sheet: Sheet, lane: Lane, rate: Floats, m: Floats, what: str) -> None:
    """The number of a rate fits 32 bits."""
    fast, period = float(np.max(np.abs(rate))), sheet.hardware.seconds
    if np.any(np.abs(m) >= 2**31):
        raise ConstrainError(
            f"{lane.path}: {what} is {fast:.4g} steps per update of {period * 1e3:g} ms, too many for its 32-bit number with {lane.fraction} bits "
            f"below the last one; choose a period below {period / float(np.max(np.abs(m))) * 2**31 * 1e3:.2g} ms, or a smaller hardware.fraction"
        )


def _noise(sheet: Sheet, found: Slow, noise: Noise) -> str:
    """Noise while gates are open: one amplitude for each combination of them."""
    h, lane = sheet.hardware, sheet.lanes[found.name]
    name = f"{found.name}_{noise.symbol}"
    ideal = h.draws == "ideal"
    scale = np.sqrt(h.seconds) / lane.unit * 2.0**lane.fraction / (1.0 if ideal else SPREAD)
    largest = max(float(np.max(evaluate(text, sheet.values) * scale)) for text in noise.amplitudes)
    beside = 1.0 if ideal or largest < 2**30 else 2.0 ** np.ceil(np.log2(largest / 2**30))
    scale /= beside
    parts = []
    for k, text in enumerate(noise.amplitudes):
        wanted = evaluate(text, sheet.values) * scale
        made = wanted if ideal else np.rint(wanted)
        if np.any(wanted):
            what = f"{text}*{noise.symbol}"
            says = f"amplitude of {what} per update, times 2**{lane.fraction}" + ("" if ideal else f" and over {SPREAD * beside:.4g}")
            sheet.real(f"{name}_a{k}", made, "1", says) if ideal else sheet.integer(f"{name}_a{k}", made, says)
            unit = 2.0**-lane.fraction * beside * (1.0 if ideal else SPREAD)
            sheet.note(f"{name}_a{k}", found.name, what, "noise", wanted * unit, made * unit, most=float(np.max(wanted * unit)))
            states = (sheet.gates[g] if k >> j & 1 else f"(1 - {sheet.gates[g]})" for j, g in enumerate(noise.gates))
            parts.append("*".join([f"{name}_a{k}", *states]))
    if not parts:
        return "0"
    amplitude = " + ".join(parts)
    if ideal:
        sheet.lines.append(f"{name} = ppu_quantise(ppu_noise({amplitude}, {list(sheet.lanes).index(found.name)}), 60)")
    else:
        total = " + ".join(_draw(sheet, 1) for _ in range(BYTES))
        more = sheet.integer(f"{name}_b", beside, f"power of two of the amplitudes of {found.name}'s noise")
        sheet.lines.append(f"{name} = ppu_scale(ppu_scale({amplitude}, {total} - {CENTRE}, 0), {more}, 0)")
    return name


def _draw(sheet: Sheet, registers: int, *, at_top: bool = False) -> str:
    """A draw from so many registers, the first one highest; `at_top`: as the highest of 32 bits."""
    for k in range(1, registers + 1):
        sheet.lines.append(f"register_{k} = ppu_lfsr(register_{k}, {sheet.hardware.reads}, {k})")
    name = f"draw_{sum(line.startswith('draw_') for line in sheet.lines) + 1}"
    top = 24 if registers > 1 or at_top else 0
    bytes_of = [f"{2 ** (top - 8 * k)}*ppu_byte(register_{k + 1})" for k in range(registers)]
    sheet.lines.append(f"{name} = {' + '.join(b.removeprefix('1*') for b in bytes_of)}")
    return name


def _sensed(sheet: Sheet, found: Sensed) -> list[str]:
    """What correlation sensors have gathered since the last update."""
    h, lane, parts = sheet.hardware, sheet.lanes[found.name], []
    # A sensor reads as baseline minus result, so noise can make it negative; cut off at 0, noise alone would move silent synapses.
    _span(sheet, "sensor", (-h.converter[0], h.converter[1] - h.converter[0]))
    sheet.real("sensor_gain", h.amplitude, "1", "counts of one event at full strength")
    for k, change in enumerate(found.changes, 1):
        sensor = f"{found.name}_sensor_{k}"
        noise = _reading_noise(sheet, 200 + k)
        sheet.lines.append(f"{sensor}_n = ppu_count({sensor}*sensor_gain{noise}, sensor_low, sensor_high)")
        sheet.lines.append(f"{sensor} = 0")
        rate = evaluate(change.coefficient, sheet.values) / (h.amplitude * lane.unit)
        scaled = _scaled(sheet, lane, f"{found.name}_{k}", rate, f"{sensor}_n", f"({change.coefficient})*{change.what}", 9)
        sheet.lines.append(f"{found.name}_{k} = {scaled}")
        parts.append(f"{found.name}_{k}")
    return parts


def _put_back(sheet: Sheet, name: str, parts: Sequence[str], k: int) -> None:
    """Round the sum of what is added and put the variable back, in its own unit."""
    lane, h = sheet.lanes[name], sheet.hardware
    draw, half = "0", 2 ** (lane.fraction - 1) if lane.fraction and h.rounding == "nearest" else 0
    if h.rounding == "stochastic":
        draw = f"ppu_uniform({k % 4})" if h.draws == "ideal" else _draw(sheet, h.draw_bits // 8, at_top=True)
        half = 2 ** (lane.fraction - h.draw_bits - 1) if h.centred and lane.fraction > h.draw_bits else 0
    sheet.integer(f"{name}_half", half, f"added before the bits of {name} below its last one are dropped")
    rounded = f"ppu_round({' + '.join(parts)}, {name}_below, {name}_half, {draw})"
    if lane.clip:
        _span(sheet, name, lane.clip)
        sheet.lines.append(f"{name}_n = ppu_clip({name}_n + {rounded}, {name}_low, {name}_high)")
    else:
        sheet.lines.append(f"{name}_n = ppu_add({name}_n, {rounded}, {name}_bits)")
    sheet.lines.append(f"{name} = {name}_n*{name}_lsb")
