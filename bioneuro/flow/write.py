"""Writing: the statements of one step, piece by piece."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sympy as sp
from sympy.printing.str import StrPrinter

from bioneuro.flow.read import Rate, Threshold, is_flag

TINY = "1e-300"


@dataclass
class Text:
    """The text in the making: constants of the step first (Brian2 computes those of shared parameters once), then the lines.

    Variables of `foreign` objects are read, never written. Of those in `relaxing`, (name of how far away it is, k, rest), the step also
    tells how far each would have been from its rest at the beginning, had it relaxed from there to where it was left.
    """

    decaying: Mapping[str, sp.Expr]
    thresholds: list[Threshold]
    moments: bool
    noise: Mapping[str, str]
    noisy: set[str]
    foreign: frozenset[str] = frozenset()
    relaxing: Mapping[str, tuple[str, sp.Expr, sp.Expr]] = field(default_factory=dict)
    constants: dict[str, sp.Expr] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def value(self, name: str, expression: sp.Expr) -> str:
        """Text for an expression: itself if it changes within the step or is a single symbol, else a constant of that name."""
        if expression.is_Symbol or expression.is_Number:
            return text_of(expression)
        if any(is_flag(s) for s in expression.free_symbols):
            return f"({text_of(expression)})"
        self.constants[name] = expression
        return name

    def whole(self, varying: Callable[[set[str]], bool]) -> str:
        """All lines, the constants common to all elements before those that differ."""
        order = sorted(self.constants, key=lambda n: varying({str(s) for s in self.constants[n].free_symbols}))
        return "\n".join([f"{n} = {text_of(self.constants[n])}" for n in order] + self.lines) + "\n"


def write(out: Text, rates: Mapping[str, Rate]) -> None:
    """The lines of one step of ``_h`` seconds."""
    split = {n: r for n, r in rates.items() if r.flags}
    whole = {n: r for n, r in rates.items() if n not in split and n not in out.decaying}
    last = 0
    if split:
        _cuts(out)
        sources = sorted({y for r in split.values() for y in r.forced})
        out.lines += [f"_at_{y}_1 = {y}" for y in sources]
        for piece in range(1, len(out.thresholds) + 2):
            last = _piece(out, piece, last, split, sources)
    for name, rate in whole.items():
        if name in out.foreign:
            continue
        if name in out.relaxing:
            far, _, rest = out.relaxing[name]
            out.lines.append(f"{far} = {name} - {out.value(f'_rest_{name}', rest)}")
        _alone(out, name, rate, "before", name, "0.5*_h", f"_begin_{name}_1")
        _advance(out, name, rate, 1, 0, "_h", {y: y for y in rate.forced})
        _finish(out, name, rate, 1, "0.5*_h")
    for name, rate in split.items():
        quiet = f" + (_h - _end_{last})" if last <= len(out.thresholds) else ""
        _finish(out, name, rate, last, f"(0.5*_length_{last}{quiet})")
    for n, rate in out.decaying.items():
        if n in out.foreign:
            continue
        out.lines.append(f"{n} = {n}*exp({out.value(f'_growth_{n}', -rate)}*_h)")


def _cuts(out: Text) -> None:
    """Crossing times, and the ends of the pieces: the crossing times in increasing order."""
    for k, t in enumerate(out.thresholds, 1):
        lifetime = out.value(f"_lifetime_{t.variable}", 1 / out.decaying[t.variable])
        level = out.value(f"_level_{k}", t.level)
        out.lines.append(f"_cut_{k} = clip(log(clip({t.variable}, {TINY}, inf)/{level})*{lifetime}, 0, _h)")
    ends = [f"_cut_{k}" for k in range(1, len(out.thresholds) + 1)]
    # A sorting network of minima and maxima keeps each end differentiable in the crossing that makes it.
    for i, j in itertools.combinations(range(len(ends)), 2):
        low, high = f"_low_{i + 1}_{j + 1}", f"_high_{i + 1}_{j + 1}"
        out.lines += [f"{low} = clip({ends[i]}, 0, {ends[j]})", f"{high} = clip({ends[i]}, {ends[j]}, inf)"]
        ends[i], ends[j] = low, high
    out.lines += [f"_end_{k} = {e}" for k, e in enumerate(ends, 1)]


def _known(out: Text, piece: int) -> dict[sp.Symbol, sp.Expr]:
    """The thresholds in a piece: in the first all are exceeded, in the last none is, between them it depends."""
    if piece == 1:
        return {t.flag: sp.Integer(1) for t in out.thresholds}
    if piece == len(out.thresholds) + 1:
        return {t.flag: sp.Integer(0) for t in out.thresholds}
    return {t.flag: sp.Symbol(f"_above_{k}_{piece}", real=True) for k, t in enumerate(out.thresholds, 1)}


def _piece(out: Text, piece: int, before: int, rates: Mapping[str, Rate], sources: list[str]) -> int:
    """Advance the split variables through one piece.

    Returns the number of the last piece in which something changed.
    """
    count = len(out.thresholds)
    here = {n: _substituted(r, _known(out, piece)) for n, r in rates.items()}
    if piece == count + 1 and all(r.still for r in here.values()):
        return before
    begin, end, length = f"_end_{piece - 1}", f"_end_{piece}" if piece <= count else "_h", f"_length_{piece}"
    out.lines.append(f"{length} = {end} - {begin}" if piece > 1 else f"{length} = {end}")
    if 1 < piece <= count:
        out.lines += [f"_above_{k}_{piece} = int(_cut_{k} >= _end_{piece})" for k in range(1, count + 1)]
    for name, rate in here.items():
        halves, start = (f"0.5*(_length_{before} + {length})", f"_mean_{name}_{before}") if before else (f"0.5*{length}", name)
        _alone(out, name, rate, str(piece), start, halves, f"_begin_{name}_{piece}")
        _advance(out, name, rate, piece, before, length, {y: f"_at_{y}_{piece}" for y in sources})
        if rate.remainder != 0 and piece == _last_noisy(out, rates[name]):
            _draw(out, name, rate, piece)
    for y in sources:
        rate_y = out.value(f"_growth_{y}", -out.decaying[y])
        out.lines.append(f"_at_{y}_{piece + 1} = _at_{y}_{piece}*exp({rate_y}*{length})")
    return piece


def _substituted(rate: Rate, known: Mapping[sp.Symbol, sp.Expr]) -> Rate:
    return Rate(
        growth=rate.growth.subs(known),
        forcing=rate.forcing.subs(known),
        forced={y: e.subs(known) for y, e in rate.forced.items() if e.subs(known) != 0},
        power=rate.power.subs(known),
        noises=rate.noises,
        remainder=rate.remainder,
    )


def _last_noisy(out: Text, rate: Rate) -> int:
    """The last piece in which a variable is noisy, 0 if none: only what comes behind it acts on the noisy value."""
    pieces = range(len(out.thresholds) + 1, 0, -1)
    return next((p for p in pieces if _substituted(rate, _known(out, p)).power != 0), 0)


def _alone(out: Text, name: str, rate: Rate, part: str, start: str, length: str, end: str) -> None:
    """The remainder by itself, if there is one: Strang's halves before and behind a piece, those between two pieces at once."""
    if rate.remainder != 0:
        runge_kutta(out, name, rate.remainder, part, start, length, end)


def runge_kutta(out: Text, name: str, remainder: sp.Expr, part: str, start: str, length: str, end: str) -> None:
    """One step of the classical method of Runge and Kutta for dx/dt = remainder; a step of no length changes nothing."""
    x = sp.Symbol(name, real=True)
    scale, shape = remainder.as_independent(x, as_Add=False)
    tag = f"{name}_{part}"
    pace = f"_pace_{tag}"
    out.lines.append(f"{pace} = {out.value(f'_scale_{name}', scale)}*{length}")
    for k, reach in enumerate((None, "0.5*", "0.5*", ""), 1):
        if reach is not None:
            out.lines.append(f"_stage_{tag}_{k} = {start} + {reach}{pace}*_slope_{tag}_{k - 1}")
        at = sp.Symbol(f"_stage_{tag}_{k}" if reach is not None else start, real=True)
        out.lines.append(f"_slope_{tag}_{k} = {text_of(shape.subs(x, at))}")
    s = [f"_slope_{tag}_{k}" for k in (1, 2, 3, 4)]
    out.lines.append(f"{end} = {start} + {pace}/6*({s[0]} + 2*({s[1]} + {s[2]}) + {s[3]})")


def _advance(out: Text, name: str, rate: Rate, piece: int, before: int, length: str, at: Mapping[str, str]) -> None:
    """x <- x*gain + forcing*h*exprel(growth*h) + the response to each decaying source; the variance gained likewise."""
    tag = f"{name}_{piece}"
    mean, gain, variance = f"_mean_{tag}", f"_gain_{tag}", f"_variance_{tag}"
    still = rate.growth == 0
    if not still:
        # One exponential per piece: gain = exp(g*h) and the integral of its square follow from exprel(g*h).
        out.lines += [
            f"_exponent_{tag} = {out.value(f'_growth_{tag}', rate.growth)}*{length}",
            f"_relative_{tag} = exprel(_exponent_{tag})",
            f"{gain} = 1 + _exponent_{tag}*_relative_{tag}",
        ]
    start = f"_begin_{name}_{piece}" if rate.remainder != 0 else f"_mean_{name}_{before}" if before else name
    terms = [start if still else f"{start}*{gain}"]
    if rate.forcing != 0:
        terms.append(f"{out.value(f'_forcing_{tag}', rate.forcing)}*{length}" + ("" if still else f"*_relative_{tag}"))
    for y, strength in rate.forced.items():
        # Both exponents are at most zero where the variable decays, so that long gaps neither overflow nor divide by zero.
        fast = f"abs({out.value(f'_sum_{tag}_{y}', rate.growth + out.decaying[y])})"
        slow = f"0.5*({out.value(f'_difference_{tag}_{y}', out.decaying[y] - rate.growth)} - {fast})"
        strong = out.value(f"_strength_{tag}_{y}", strength)
        terms.append(f"{strong}*{at[y]}*exp(-{slow}*{length})*{length}*exprel(-{fast}*{length})")
    out.lines.append(f"{mean} = " + " + ".join(terms))
    if name in out.noisy:
        kept = f"_variance_{name}_{before}" + ("" if still else f"*{gain}**2") if before else ""
        gained = ""
        if rate.power != 0:
            gained = f"{out.value(f'_power_{tag}', rate.power)}*{length}" + ("" if still else f"*_relative_{tag}*0.5*(1 + {gain})")
        out.lines.append(f"{variance} = " + (" + ".join(part for part in (kept, gained) if part) or "0*_h"))
    if out.moments and rate.remainder == 0:
        total = f"_total_{name}_{before}" if before else "1"
        out.lines.append(f"_total_{tag} = {total}" + ("" if still else f"*{gain}"))


def _finish(out: Text, name: str, rate: Rate, piece: int, rest: str) -> None:
    """The variable at the end of the step; `rest` is the seconds for which its remainder has yet to act."""
    mean, variance = f"_mean_{name}_{piece}", f"_variance_{name}_{piece}"
    if rate.remainder != 0:
        if not rate.flags and rate.power != 0:
            _draw(out, name, rate, piece)
        _alone(out, name, rate, "rest", mean, rest, name)
    elif rate.power == 0:
        out.lines.append(f"{name} = {mean}")
    elif out.moments:
        partner = f"{name}_variance"
        out.lines += [f"{partner} = {partner}*_total_{name}_{piece}**2 + {variance}", f"{name} = {mean}"]
    elif name in out.relaxing:
        out.lines += [f"_drawn_{name} = {out.noise[rate.noises[0]]}", f"{name} = {mean} + sqrt({variance})*_drawn_{name}"]
    else:
        out.lines.append(f"{name} = {mean} + {_drawn(out, name, rate, piece)}")
    if name in out.relaxing and rate.flags:
        far, k, rest = out.relaxing[name]
        count = len(out.thresholds)  # the piece after that is the quiet one
        left = f"_mean_{name}_{count}" + (f" + sqrt(_variance_{name}_{count})*_drawn_{name}" if rate.power != 0 else "")
        rested = out.value(f"_rest_{name}", rest)
        out.lines.append(f"{far} = ({left} - {rested})*exp({out.value(f'_fades_{name}', k)}*_end_{count})")


def _drawn(out: Text, name: str, rate: Rate, piece: int) -> str:
    # Independent white noises of one variable add up to one of their summed power.
    return f"sqrt(_variance_{name}_{piece})*{out.noise[rate.noises[0]]}"


def _draw(out: Text, name: str, rate: Rate, piece: int) -> None:
    """Add the noise where it stands, so that the remainder acts on the noisy value from there on."""
    out.lines.append(f"_mean_{name}_{piece} = _mean_{name}_{piece} + {_drawn(out, name, rate, piece)}")
    out.noisy.discard(name)


class _Printer(StrPrinter):
    """Brian2's abstract code: every digit of a number, and no name that only sympy knows."""

    def _print_Float(self, expr: sp.Float) -> str:
        return repr(float(expr))

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return "exp(1)"

    def _print_Abs(self, expr: sp.Expr) -> str:
        return f"abs({self._print(expr.args[0])})"


def text_of(expression: sp.Expr) -> str:
    """An expression as abstract code."""
    return str(_Printer().doprint(expression))
