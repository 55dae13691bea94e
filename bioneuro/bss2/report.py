"""What a hardware loses of a circuit, before anything runs: `report`.

Every number of the rule is compared with what the program has in its place (`bioneuro.bss2.write.Rounded`). A term is judged by the largest
change that it can make in one update, in steps of its variable; so what is called frozen never moves, but what is not named may still be slow.
A remedy is the first number that does: it is worked out, put into the hardware, and the report is made again to see that the loss is gone.
"""

import dataclasses
import functools
import itertools
import math
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bioneuro.bss2.constrain import decays, written
from bioneuro.bss2.hardware import WIDTHS, Hardware
from bioneuro.bss2.products import ConstrainError
from bioneuro.bss2.scales import HEADROOM, Lane
from bioneuro.bss2.terms import Reading
from bioneuro.bss2.write import CENTRE, SPREAD, Rounded, Sheet
from bioneuro.model import Circuit

KINDS: Mapping[str, str] = {
    "lost": "it is 0 in the program, being less than half of the smallest step of an increment",
    "frozen": "rounded to the nearest, the largest change in one update is less than half a step: it never moves alone",
    "stalls": "rounded to the nearest, it stops short of where it goes, by more than the share of its range",
    "drift": "truncated, a change smaller than a step is none upwards and a whole step downwards",
    "chance": "the chance of going up has too few bits: at half of its largest change it is wrong by up to more than the share",
    "coarse": "an increment keeps too few bits: at half of its largest change it is wrong by up to more than the share",
    "imprecise": "the number in the program differs from the rule's by more than the share",
    "merged": "two thresholds of one variable are the same integer",
    "overflow": "a change in one update, or a difference from a level, goes beyond the lane",
    "period": "what is sampled decays before it is sampled again",
    "sensor": "a correlation sensor gains less than one count from an event at full strength, so that single pairs are lost",
    "converter": "no loss: what the converter spans; what goes beyond reads as the end of the span",
}
"""Kind of a `Finding` -> what it means."""

_OF_A_TERM = frozenset({"lost", "frozen", "stalls", "drift", "chance", "coarse", "overflow"})
_LADDER = (*(m * 10**k for k in range(6) for m in (1, 2, 5)), 1_000_000)
_TRIES, _WIDTH = 8, 100

Changes = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a hardware loses.

    Attributes:
        path: placed name of the variable ("stc.h"). what: the term, level or threshold, as text. kind: one of `KINDS`.
        observed: the numbers. remedy: what helps, in words.
        changes: the same as fields of `Hardware`, one entry for each of the remedies, any of which is enough:
            ``dataclasses.replace(hardware, **finding.changes[0])``.
    """

    path: str
    what: str
    kind: str
    observed: str
    remedy: str = ""
    changes: tuple[Changes, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a hardware loses of a circuit. True if it loses nothing: what a converter spans is no loss."""

    circuit: str
    hardware: Hardware
    findings: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return all(f.kind == "converter" for f in self.findings)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """A finding without its remedies; `short` says how many times too small, or too wrong, something is, `spans` what a converter might span."""

    finding: Finding
    short: float = 1.0
    spans: tuple[tuple[Any, Any], ...] = ()


def report(circuit: Circuit, hardware: Hardware, *, weight: str = "", share: float = 0.01) -> Report:
    """What a hardware loses of a circuit, by name, before the run; see `KINDS`.

    Arguments:
        weight: as in `constrain`.
        share: relative error from which on a number or a chance counts as wrong.

    Errors:
        ConstrainError: as in `constrain`, or `share` is not between 0 and 1.
    """
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise ConstrainError(f"report.share: {share!r} is not allowed; give a number between 0 and 1, such as 0.01")
    found = functools.cache(lambda changes: tuple(_seen(circuit, dataclasses.replace(hardware, **_plain(dict(changes))), weight, share)))

    def helps(seen: _Seen, changes: Changes) -> bool:
        try:
            now = found(_key(changes))
        except (ConstrainError, TypeError):
            return False
        group = _OF_A_TERM if seen.finding.kind in _OF_A_TERM else {seen.finding.kind}
        same = (seen.finding.path, seen.finding.what)
        late = any(s.finding.kind == "period" for s in now) and "period" in changes
        return not late and all((s.finding.path, s.finding.what) != same or s.finding.kind not in group for s in now)

    findings = tuple(_with_remedy(s, hardware, weight, helps) for s in dict.fromkeys(found(())))
    return Report(circuit=circuit.name, hardware=hardware, findings=findings)


# --- what is lost -----------------------------------------------------------------------------------------------------


def _seen(circuit: Circuit, hardware: Hardware, weight: str, share: float) -> Iterator[_Seen]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the period, which is a finding here
        sheets = written(circuit, hardware, weight=weight)
    for projection in (p for p in circuit.projections if p.name in sheets):
        reading, sheet = sheets[projection.name]
        owner = projection.name
        for name, shortest in decays(projection, reading, sheet.values).items():
            if hardware.seconds > shortest:
                text = f"it decays in {shortest * 1e3:.4g} ms; an update comes every {hardware.seconds * 1e3:.4g} ms"
                yield _one(f"{owner}.{name}", "sampling", "period", text, hardware.seconds / shortest)
        yield from _of_converters(owner, sheet)
        yield from _of_thresholds(owner, sheet)
        for r in sheet.rounded:
            yield from _of_number(owner, r, reading, sheet, share)
        yield from _of_levels(owner, reading, sheet)
        yield from _of_sensors(owner, reading, sheet)


def _one(path: str, what: str, kind: str, observed: str, short: float = 1.0, spans: tuple[tuple[Any, Any], ...] = ()) -> _Seen:
    return _Seen(finding=Finding(path=path, what=what, kind=kind, observed=observed), short=short, spans=spans)


def _spans(name: str, counts: float, sheet: Sheet) -> tuple[tuple[Any, Any], ...]:
    """Narrower spans of a converter from 0 up: those that put what is `counts` above 0 on a whole count, then finer steps in general."""
    if name not in sheet.readers or float(np.mean(sheet.readers[name].base)) < sheet.readers[name].span[0] - 1:
        return ()
    reader, unit = sheet.readers[name], sheet.units[name]
    present = (reader.span[1] - reader.span[0]) * reader.unit
    ends = [present * counts / n for n in range(math.ceil(counts), math.ceil(counts) + 4)] if counts > 0 else []
    ends += [present * part for part in (0.9, 0.8, 0.7, 0.6)]
    return tuple((0.0, float(f"{end:.4g}")) if unit == "1" else (f"0 {unit}", f"{end:.4g} {unit}") for end in ends)


def _of_converters(owner: str, sheet: Sheet) -> Iterator[_Seen]:
    for name, reader in sheet.readers.items():
        low, high = ((end - float(np.mean(reader.base))) * reader.unit for end in reader.span)
        unit = sheet.units[name].replace("1", "")
        text = f"counts {reader.span[0]} to {reader.span[1]} are {low:.4g} to {high:.4g} {unit}, {reader.unit:.4g} {unit} each"
        yield _one(f"{owner}.{name}", "reading", "converter", " ".join(text.split()).replace(" ,", ","))


def _of_thresholds(owner: str, sheet: Sheet) -> Iterator[_Seen]:
    thresholds = {(r.variable, r.what): r for r in sheet.rounded if r.kind == "threshold"}
    for a, b in itertools.combinations(thresholds.values(), 2):
        if a.variable == b.variable and a.made == b.made and not math.isclose(a.exact, b.exact, rel_tol=1e-12):
            text = f"at {a.exact:.6g} and {b.exact:.6g} steps, both {a.made:.0f}"
            yield _one(f"{owner}.{a.variable}", f"{a.what} and {b.what}", "merged", text, 1 / abs(a.exact - b.exact), _spans(a.variable, 0, sheet))


def _of_number(owner: str, r: Rounded, reading: Reading, sheet: Sheet, share: float) -> Iterator[_Seen]:
    path = f"{owner}.{r.variable}"
    if r.kind in ("rate", "push", "noise"):
        lane, sensed = sheet.lanes[r.variable], any(s.name == r.variable for s in reading.sensed)
        for kind, text, short in _of_term(r, lane, sheet, sensed, share):
            yield _one(path, r.what, kind, text, short)
    base = sheet.readers[r.variable].span[0] if r.variable in sheet.readers else 0
    size = abs(r.exact - base)
    wrong = abs(r.made - r.exact) / size if size else 0.0
    if wrong > share and not (r.made == 0 and r.kind not in ("level", "threshold")):
        text = f"{r.exact:.5g} steps{' per update' if r.kind in ('rate', 'push', 'noise') else ''} became {r.made:.5g}, off by {wrong:.2%}"
        yield _one(path, r.what, "imprecise", text, wrong / share, _spans(r.variable, size, sheet))


def _of_term(r: Rounded, lane: Lane, sheet: Sheet, sensed: bool, share: float) -> Iterator[tuple[str, str, float]]:
    """Kinds, texts and what is missing, of what acts on a variable. A sensor counts with one count, for single pairs are what matters."""
    h, smallest = sheet.hardware, 2.0**-lane.fraction
    most = abs(r.exact) if sensed else r.most * (_reach(h) if r.kind == "noise" else 1.0)
    step = f"steps of {lane.unit:.4g} {sheet.units[r.variable]}".removesuffix(" 1")
    at_most = f"one count changes it by {most:.3g} {step}" if sensed else f"at most {most:.3g} {step} per update"
    if r.exact == 0:
        return
    if r.made == 0:
        one = r.exact / SPREAD if r.kind == "noise" else most  # noise is a whole number times the sum of some bytes
        each = f"one of the sum of bytes that make it is {one:.3g} steps" if r.kind == "noise" else at_most
        yield "lost", f"{each}; the smallest increment is {smallest:.3g} steps ({lane.fraction} bits)", 0.5 * smallest / abs(one)
        return
    if most > (lane.clip[1] - lane.clip[0] if lane.clip else lane.most) and r.kind != "noise":
        yield "overflow", f"{at_most}; the lane ends at {lane.most}", most / lane.most
    if h.rounding == "nearest" and most < 0.5:
        yield "frozen", f"{at_most}, less than half a step", 0.5 / most
    elif h.rounding == "nearest" and r.kind == "rate" and not sensed and 0.5 / most > share:
        yield "stalls", f"{at_most}, so it stops {0.5 / most:.2%} of the range short", 0.5 / most / share
    if h.rounding == "truncate" and most < 1:
        yield "drift", f"{at_most}, less than a step", 1 / most
    if r.kind == "noise":
        return
    half = most if sensed or r.kind == "push" else most / 2
    few = h.rounding == "stochastic" and lane.fraction > h.draw_bits
    wrong = 2.0**-h.draw_bits * (0.5 if h.centred else 1.0) / half if few else 0.0
    if wrong > share:
        text = f"{half:.3g} steps per update at half of the range; a draw of {h.draw_bits} bits goes up by chance in steps of {2.0**-h.draw_bits:.3g}"
        yield "chance", f"{text}: off by up to {wrong:.2%}", wrong / share
    wrong = smallest / 2 / half
    if wrong > share and lane.fraction:
        yield "coarse", f"{half:.3g} steps per update at half of the range, in steps of {smallest:.3g}: off by up to {wrong:.2%}", wrong / share


def _reach(h: Hardware) -> float:
    """How many standard deviations noise reaches: that of registers has an end."""
    return HEADROOM if h.draws == "ideal" else CENTRE / SPREAD


def _of_levels(owner: str, reading: Reading, sheet: Sheet) -> Iterator[_Seen]:
    """Differences that saturate: only where the hardware states a range."""
    for slow in reading.slow if sheet.lanes else ():
        for x in (x for t in slow.terms for x in t.levels if x.variable in sheet.lanes):
            lane = sheet.lanes[x.variable]
            n = next((r.made for r in sheet.rounded if r.kind == "level" and r.what == f"{x.variable} = {x.level}"), 0.0)
            apart = max(abs(end / lane.unit - n) for end in (lane.low, lane.high))
            if apart > lane.most + 1.5 and f"{owner}.{x.variable}" in sheet.hardware.ranges:
                text = f"up to {apart:.0f} steps from {x.level}, and a difference ends at {lane.most}"
                yield _one(f"{owner}.{x.variable}", f"{x.variable} - {x.level}", "overflow", text, apart / lane.most)


def _of_sensors(owner: str, reading: Reading, sheet: Sheet) -> Iterator[_Seen]:
    gain = sheet.hardware.amplitude
    for s in reading.sensed if sheet.lanes and gain < 1 else ():
        for c in s.changes:
            text = f"{gain:g} counts per event: {math.ceil(1 / gain)} events at full strength within {sheet.hardware.period} make a count"
            yield _one(f"{owner}.{s.name}", f"({c.coefficient})*{c.what}", "sensor", text, 1 / gain)


# --- what helps -------------------------------------------------------------------------------------------------------


def _key(changes: Changes) -> tuple[tuple[str, Any], ...]:
    return tuple(changes.items())


def _plain(changes: Changes) -> dict[str, Any]:
    """As fields of `Hardware`: what has to be hashed meanwhile has its mappings as tuples."""
    return {k: dict(v) if k in ("bits", "ranges") else v for k, v in changes.items()}


def _with_remedy(seen: _Seen, hardware: Hardware, weight: str, helps: Callable[[_Seen, Changes], bool]) -> Finding:
    """A finding with the first number of each family that makes it go away."""
    if seen.finding.kind == "converter":
        return dataclasses.replace(seen.finding, remedy=f"give hardware.ranges[{seen.finding.path!r}] if a protocol reaches further")
    families = _families(seen, hardware, weight)
    found = [c for family in families if (c := next((c for c in itertools.islice(family, _TRIES) if helps(seen, c)), None)) is not None]
    if not found:
        found = [c for c in _together(hardware) if helps(seen, c)][:1]
    plain = tuple(map(_plain, found))
    remedy = ", or ".join(" and ".join(_shown(k, v, seen.finding.path) for k, v in c.items()) for c in plain)
    return dataclasses.replace(seen.finding, remedy=remedy or "no one number of the hardware helps; compare with bits=None", changes=plain)


def _shown(field: str, value: Any, path: str) -> str:
    if isinstance(value, dict):
        return f"{field}[{path!r}]={value[path]!r}" if path in value else f"{field} without {path!r}"
    return f"{field}={value!r}"


def _families(seen: _Seen, h: Hardware, weight: str) -> Iterator[Iterator[Changes]]:
    """Numbers to try, each family from the smallest that can do."""
    path, kind, more = seen.finding.path, seen.finding.kind, max(seen.short, 1.0)
    bits = math.ceil(math.log2(more) - 1e-9)
    sizes: dict[str, list[Changes]] = {
        "rounding": [{"rounding": "stochastic"}],
        "draws": [{"draws": n} for n in (16, 24) if n > h.draw_bits],
        "centred": [{"centred": True}] if not h.centred else [],
        "fraction": [{"fraction": n} for n in range(h.below(path) + max(bits, 1), 29)],
        "bits": _widths(path, h, max(bits - (kind in ("imprecise", "merged")) * 2, 1), weight),
        "rarely": [{"rarely": n} for n in _LADDER if n > h.rarely and n >= h.rarely * more],
        "longer": [{"period": _ms(h.seconds * n)} for n in _LADDER[1:9] if n >= more],
        "shorter": [{"period": _ms(h.seconds / n)} for n in _LADDER[1:] if n >= more],
        "amplitude": [{"amplitude": n} for n in (1.0,)],
        "reading": [] if h.converter == (0, 255) else [{"converter": (0, 255)}],
        "spans": [{"ranges": tuple({**h.ranges, path: span}.items())} for span in seen.spans],
        "unstated": [{"ranges": tuple((k, v) for k, v in h.ranges.items() if k != path)}] if path in h.ranges else [],
    }
    return (iter(sizes[name]) for name in _TRIED[kind])


_TRIED: Mapping[str, Sequence[str]] = {
    "lost": ("fraction", "bits", "rarely", "longer"),
    "frozen": ("rounding", "bits", "rarely", "longer"),
    "stalls": ("rounding", "bits", "rarely", "longer"),
    "drift": ("rounding", "bits", "rarely", "longer"),
    "chance": ("draws", "centred", "rarely", "bits", "longer"),
    "coarse": ("fraction", "bits", "rarely", "longer"),
    "imprecise": ("bits", "fraction", "spans", "reading", "longer"),
    "merged": ("bits", "spans", "reading"),
    "overflow": ("unstated", "shorter"),
    "period": ("shorter",),
    "sensor": ("amplitude",),
}


def _widths(path: str, h: Hardware, more: int, weight: str) -> list[Changes]:
    """Wider lanes of one variable; of a weight, more bits of the weight itself."""
    if path == weight:
        return [{"weight_bits": n} for n in range(h.weight_bits + more, 17)]
    kept = dict(h.bits) if isinstance(h.bits, Mapping) else {"": h.bits}
    return [{"bits": tuple({**kept, path: n}.items())} for n in range(h.width(path) + more, WIDTHS.stop)]


def _together(h: Hardware) -> Iterator[Changes]:
    """Several numbers at once, where none alone is enough."""
    for draws, fraction in itertools.product((16, 24), (8, 12, 16, 20, 24, 28)):
        yield {"rounding": "stochastic", "draws": draws, "fraction": fraction}
    for rarely in (n for n in _LADDER if n > h.rarely):
        yield {"rounding": "stochastic", "draws": 16, "fraction": 16, "rarely": rarely}


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.4g} ms"


# --- as text ----------------------------------------------------------------------------------------------------------


def _lines(made: Report) -> Iterator[str]:
    losses = [f for f in made.findings if f.kind != "converter"]
    h = made.hardware
    shown = f"bits={dict(h.bits) if isinstance(h.bits, Mapping) else h.bits}, rounding={h.rounding}, draws={h.draws}, an update every {h.period}"
    yield from textwrap.wrap(f"{made.circuit} with {shown}: {len(losses) or 'no'} loss{'' if len(losses) == 1 else 'es'}", _WIDTH)
    for path in dict.fromkeys(f.path for f in made.findings):
        yield path
        for f in (f for f in made.findings if f.path == path):
            yield from textwrap.wrap(f"{f.kind:<10}{f.what}", _WIDTH, initial_indent="  ", subsequent_indent=" " * 12)
            for label, text in (("", f.observed), ("remedy: ", f.remedy)):
                yield from textwrap.wrap(label + text, _WIDTH, initial_indent=" " * 12, subsequent_indent=" " * (12 + len(label)))
    for kind in dict.fromkeys(f.kind for f in losses):
        yield from textwrap.wrap(f"{kind}: {KINDS[kind]}", _WIDTH, subsequent_indent=" " * (len(kind) + 2))
