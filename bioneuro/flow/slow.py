"""Slow variables: what hangs on thresholds of a variable that relaxes, and what goes by the dose of another.

In synaptic tagging and capture the early phase h is noisy while calcium is high and otherwise relaxes to h0 at one rate k. Tag and
protein synthesis hang on ``h - h0 >= level`` and on the sum of ``abs(h - h0)`` over the synapses of a neuron. In the quiet all of these
fade in proportion to exp(-k*t), so each falls below its level once, at a time in closed form; there protein is exponential, and the late
phase, whose rate is proportional to the protein, is exponential in the dose of protein.

    fade of E      from E(0) it takes log(E(0)/level)/k seconds to the fall
    protein p      dp/dt = -p/tau + a*flag: pieces between falls, each a closed exponential
    late phase z   dz/dt = p*(A - B*z): between falls z moves by the dose, the integral of p, as an affine variable moves by time

E(0) is what E would have been at the beginning of the step, had it relaxed from there to where the noise left it (`away`). So the quiet
is exact wherever in the step it begins, however long it lasts. While the noise acts (a part of the step that lasts as long as a
threshold of calcium is exceeded) the slow variables see E as if it had been relaxing all along: their falls are off by no more than
that part, and ``Events(grid=...)`` bounds it further. Nothing is ever off in a step without noise.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from bioneuro.flow.read import FlowError, Rate, Threshold
from bioneuro.flow.write import TINY, Text, text_of

_LEAST_SUM = "1e-290"
_NEAR = "0.01"
_SERIES = (
    "0.5 + {x}*(0.16666666666666666 + {x}*(0.041666666666666664 + {x}*(0.008333333333333333 + {x}*(0.001388888888888889 "
    "+ {x}*0.0001984126984126984))))"
)


@dataclass(frozen=True, kw_only=True)
class Fade:
    """A threshold on something that falls exponentially in the quiet: `value` at the beginning of the step, `level`, `lifetime` 1/k."""

    flag: sp.Symbol
    value: sp.Expr
    level: sp.Expr
    lifetime: str | sp.Expr


def beside(total: str, what: str) -> str:
    """The name of a variable beside a sum over synapses: ``total_post`` and "pace" -> ``total_pace_post``.

    "begin" holds the sum as it was at the beginning of the step, "pace" how fast it faded there.
    """
    stem, mark, end = total.rpartition("_")
    return f"{stem}_{what}_{end}" if mark and end in ("pre", "post") else f"{total}_{what}"


def away(name: str) -> str:
    """The name of how far a relaxing variable is from its rest, at the beginning of the step: ``h`` -> ``h_away``."""
    return f"{name}_away"


def relaxation(place: str, name: str, rate: Rate) -> tuple[sp.Expr, sp.Expr]:
    """(k, x_inf) of a variable that relaxes to x_inf at the rate k while no threshold is exceeded.

    Raises:
        FlowError: it does something else then.
    """
    quiet = {s: sp.Integer(0) for s in rate.flags}
    growth, power = rate.growth.subs(quiet), rate.power.subs(quiet)
    forced = [y for y, e in rate.forced.items() if e.subs(quiet) != 0]
    if rate.driver or forced or power != 0 or rate.remainder != 0 or growth == 0:
        raise FlowError(
            f"{place}: the threshold on {name!r} needs d{name}/dt = -{name}/tau, or a {name!r} that relaxes to a level at one rate while "
            "nothing else acts on it; use stepping=clock(...)"
        )
    return -growth, sp.simplify(-rate.forcing.subs(quiet) / growth)


def fading(expression: sp.Expr, x: sp.Symbol, x_inf: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """(value, rest): an expression as what fades, in terms of how far x is away from x_inf, and what stays; None if it has another form."""
    far = sp.Symbol(away(str(x)), real=True)
    sizes = [term for term in sp.Add.make_args(expression) if term.has(sp.Abs) and x in term.free_symbols]
    rest = sp.expand(expression - sp.Add(*sizes))
    if sizes:
        (size,) = sizes if len(sizes) == 1 else (sp.nan,)
        factor, within = size.as_independent(x, as_Add=False)
        good = isinstance(within, sp.Abs) and _vanishes(within.args[0], x, x_inf) and x not in rest.free_symbols
        return (factor * sp.Abs(sp.expand(within.args[0]).coeff(x, 1) * far), rest) if good else None
    slope = rest.coeff(x, 1)
    if slope == 0 or x in sp.expand(rest - slope * x).free_symbols or x in slope.free_symbols:
        return None
    return slope * far, sp.simplify(rest - slope * (x - x_inf))


def _vanishes(expression: sp.Expr, x: sp.Symbol, x_inf: sp.Expr) -> bool:
    """Whether an expression is affine in x and zero at x_inf."""
    whole = sp.expand(expression)
    slope = whole.coeff(x, 1)
    affine = slope != 0 and x not in slope.free_symbols and x not in sp.expand(whole - slope * x).free_symbols
    return affine and sp.simplify(whole.subs(x, x_inf)) == 0


def fades(
    place: str, thresholds: list[Threshold], rates: Mapping[str, Rate], sums: set[str], foreign: frozenset[str], slow: set[str]
) -> list[Fade]:
    """The thresholds of slow variables.

    Raises:
        FlowError: one hangs on what does not fade, or its level is not positive.
    """
    found = []
    for t in thresholds:
        x = sp.Symbol(t.variable, real=True)
        if t.variable in sums:
            rest, lifetime = sp.expand(t.excess - x), _lifetime(t.variable)
            form = (sp.Symbol(beside(t.variable, "begin"), real=True), rest) if x not in rest.free_symbols else None
        elif t.variable in slow and t.variable not in foreign:
            raise FlowError(f"{place}: the threshold on {t.variable!r} is on a slow variable, which does not fade; use stepping=clock(...)")
        elif t.variable in foreign:
            raise FlowError(f"{place}: the threshold on {t.variable!r} is on a variable of a neuron; only its sums over synapses may have one")
        else:
            k, x_inf = relaxation(place, t.variable, rates[t.variable])
            form, lifetime = fading(t.excess, x, x_inf), 1 / k
            if not positive(k):
                raise FlowError(f"{place}: {t.variable!r} relaxes at the rate {k}, which must be positive for positive parameters")
        if form is None or not positive(-form[1]):
            raise FlowError(
                f"{place}: the threshold {text_of(t.excess)} >= 0 must compare what fades in the quiet with a level that is positive for positive "
                f"parameters, such as int(abs({t.variable} - rest) >= level); rewrite it so, or use stepping=clock(...)"
            )
        found.append(Fade(flag=t.flag, value=form[0], level=-form[1], lifetime=lifetime))
    return found


def positive(expression: sp.Expr) -> bool:
    """Whether an expression is positive wherever its symbols are."""
    return bool(expression.subs({s: sp.Symbol(str(s), positive=True) for s in expression.free_symbols}).is_positive)


def _lifetime(total: str) -> str:
    """Of a sum: it falls at its pace, the sum over synapses of k*E. A sum of nothing has no pace, and never reaches a level."""
    return f"clip({beside(total, 'begin')}, {_LEAST_SUM}, inf)/clip({beside(total, 'pace')}, {TINY}, inf)"


def write_slow(out: Text, rates: Mapping[str, Rate], fades: list[Fade], foreign: frozenset[str]) -> None:
    """The lines that advance slow variables through one step of ``_h`` seconds; those of `foreign` objects are read, not written."""
    for k, fade in enumerate(fades, 1):
        lifetime = fade.lifetime if isinstance(fade.lifetime, str) else out.value(f"_lasts_{k}", fade.lifetime)
        ratio = f"clip({text_of(fade.value)}, {TINY}, inf)/{out.value(f'_least_{k}', fade.level)}"
        out.lines.append(f"_fall_{k} = clip(log({ratio})*({lifetime}), 0, _h)")
    own = {n: r for n, r in rates.items() if not r.driver}
    for name, rate in own.items():
        _course(out, name, rate, fades)
    driven = {n: r for n, r in rates.items() if r.driver}
    for name, rate in driven.items():
        _by_dose(out, name, rate, own[rate.driver], fades)
    out.lines += [f"{n} = _course_{n}_{_pieces(r, fades)}" for n, r in own.items() if n not in foreign]


def _mine(rate: Rate, fades: list[Fade]) -> list[int]:
    """The numbers of the thresholds that a rate hangs on."""
    return [k for k, fade in enumerate(fades, 1) if fade.flag in rate.flags]


def _pieces(rate: Rate, fades: list[Fade]) -> int:
    return len(_mine(rate, fades)) + 1


def _ends(out: Text, name: str, rate: Rate, fades: list[Fade]) -> list[str]:
    """The falls in increasing order, then the end of the step."""
    mine = _mine(rate, fades)
    ends = [f"_fall_{k}" for k in mine]
    for i, j in itertools.combinations(range(len(ends)), 2):
        low, high = f"_early_{name}_{i + 1}_{j + 1}", f"_late_{name}_{i + 1}_{j + 1}"
        out.lines += [f"{low} = clip({ends[i]}, 0, {ends[j]})", f"{high} = clip({ends[i]}, {ends[j]}, inf)"]
        ends[i], ends[j] = low, high
    return [*ends, "_h"]


def _here(name: str, rate: Rate, piece: int, fades: list[Fade]) -> tuple[sp.Expr, sp.Expr]:
    """(forcing, growth) in a piece: in the first all thresholds are exceeded, in the last none, between them it depends."""
    mine = _mine(rate, fades)
    between = 1 < piece <= len(mine)
    known = {fades[k - 1].flag: sp.Symbol(_flag(name, k, piece), real=True) if between else sp.Integer(int(piece == 1)) for k in mine}
    return rate.forcing.subs(known), rate.growth.subs(known)


def _flag(name: str, k: int, piece: int) -> str:
    return f"_above_{name}_{k}_{piece}"


def _flags(out: Text, name: str, rate: Rate, piece: int, end: str, fades: list[Fade]) -> None:
    """Which thresholds are exceeded in a piece between two falls."""
    mine = _mine(rate, fades)
    if 1 < piece <= len(mine):
        out.lines += [f"{_flag(name, k, piece)} = int(_fall_{k} >= {end})" for k in mine]


def _course(out: Text, name: str, rate: Rate, fades: list[Fade]) -> None:
    """A variable that is affine between falls: ``_course_x_j`` at the end of piece j."""
    begin, at = "0", name
    for piece, end in enumerate(_ends(out, name, rate, fades), 1):
        _flags(out, name, rate, piece, end, fades)
        forcing, growth = _here(name, rate, piece, fades)
        length = f"_span_{name}_{piece}"
        out.lines.append(f"{length} = {end}" + (f" - {begin}" if piece > 1 else ""))
        at = _affine(out, f"{name}_{piece}", forcing, growth, length, at)
        begin = end


def _affine(out: Text, tag: str, forcing: sp.Expr, growth: sp.Expr, length: str, at: str) -> str:
    """Move from `at` by `length` with the rate forcing + growth*x; returns the name of the result."""
    terms, gain = [at], ""
    if growth != 0:
        out.lines += [f"_power_{tag} = {out.value(f'_bend_{tag}', growth)}*{length}", f"_share_{tag} = exprel(_power_{tag})"]
        terms, gain = [f"{at}*(1 + _power_{tag}*_share_{tag})"], f"*_share_{tag}"
    if forcing != 0:
        terms.append(f"{out.value(f'_push_{tag}', forcing)}*{length}{gain}")
    out.lines.append(f"_course_{tag} = " + " + ".join(terms))
    return f"_course_{tag}"


def _by_dose(out: Text, name: str, rate: Rate, driver: Rate, fades: list[Fade]) -> None:
    """A variable whose rate is proportional to another: between its falls it moves by the dose of that other."""
    before, at = "", name
    for piece, end in enumerate(_ends(out, name, rate, fades), 1):
        forcing, growth = _here(name, rate, piece, fades)
        if forcing == 0 and growth == 0:
            continue
        _flags(out, name, rate, piece, end, fades)
        dose = f"_dose_{name}_{piece}"
        out.lines.append(f"{dose} = " + " + ".join(_doses(out, f"{name}_{piece}", rate.driver, driver, end, fades)))
        span = f"_span_{name}_{piece}"
        out.lines.append(f"{span} = {dose}" + (f" - {before}" if before else ""))
        at = _affine(out, f"{name}_{piece}", forcing, growth, span, at)
        before = dose
    out.lines.append(f"{name} = {at}")


def _doses(out: Text, tag: str, name: str, rate: Rate, until: str, fades: list[Fade]) -> list[str]:
    """The integral of a variable over each of its pieces, from the beginning of the step to `until`."""
    parts = []
    for piece in range(1, _pieces(rate, fades) + 1):
        length, start = f"_part_{tag}_{piece}", f"_course_{name}_{piece - 1}" if piece > 1 else name
        x, share = f"_bent_{tag}_{piece}", f"_bulge_{tag}_{piece}"
        begin = " + ".join(f"_span_{name}_{j}" for j in range(1, piece))
        shifted = f"{until} - ({begin})" if begin else until
        out.lines.append(f"{length} = clip({shifted}, 0, _span_{name}_{piece})")
        forcing, growth = _here(name, rate, piece, fades)
        if growth == 0:
            parts.append(f"{start}*{length}" + (f" + 0.5*{out.value(f'_push_{name}_{piece}', forcing)}*{length}**2" if forcing != 0 else ""))
            continue
        out.lines += [f"{x} = {out.value(f'_bend_{name}_{piece}', growth)}*{length}", f"{share} = exprel({x})"]
        parts.append(f"{start}*{length}*{share}")
        if forcing != 0:
            # (exprel(x) - 1)/x, by its series near 0, where it would be divided by a rate that may vanish.
            near, second = f"_near_{tag}_{piece}", f"_second_{tag}_{piece}"
            out.lines += [
                f"{near} = int(abs({x}) < {_NEAR})",
                f"{second} = {near}*({_SERIES.format(x=x)}) + (1 - {near})*({share} - 1)/({x} + {near})",
            ]
            parts.append(f"{out.value(f'_push_{name}_{piece}', forcing)}*{length}**2*{second}")
    return parts


def is_slow(rate: Rate, fast: list[Threshold]) -> bool:
    """Whether a rate hangs on a threshold that is not one of the `fast` ones, or on the dose of another variable."""
    return bool(rate.driver) or bool(rate.flags - {t.flag for t in fast})
