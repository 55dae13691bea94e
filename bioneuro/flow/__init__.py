"""The step from one event to the next, derived from a synapse's own equations.

Between events nothing arrives, so a decaying variable (calcium) is a known exponential, the thresholds it crosses split the step into
pieces of known length, and within a piece every other variable is affine with constant coefficients. `flow` finds that structure in the
equations and writes it as statements in Brian2's abstract code, which both engines read. All of that is exact. What has another form it
refuses by name, but for two: a **remainder**, a function of the variable itself and of parameters, such as -x*(1 - x)*(a - x)/tau, and
**slow variables**, which hang on thresholds of a variable that relaxes (`bioneuro.flow.slow`).

The lengths of the pieces are expressions of the parameters, not precomputed numbers: the gradient of the crossing times is right.

A remainder is stepped by numbers: Strang's splitting within each piece, the remainder by the classical method of Runge and Kutta (RK4).
Where there is one it holds all that the variable does by itself, constant and proportional terms included; the affine part keeps
thresholds, forcing variables and noise. With pieces of l1, l2, ... seconds

    x <- RK4(l1/2);  x <- affine piece 1;  x <- RK4(l1/2 + l2/2);  x <- affine piece 2;  ...  x <- RK4(l_last/2)

and a last piece in which nothing but the remainder acts (the quiet one) is plain RK4, at once with the half step before it. Noise is
drawn once per step, behind the last piece that has some, so that the remainder acts on the noisy value. Per piece the splitting errs by
the third power of its length, RK4 by the fifth power of what it steps over. As the grid becomes finer the error falls with its square,
in the quiet with its fourth power; with noise the law (mean, variance), not the path, converges so. Steps reach from event to event, so
``Events(grid=...)`` is what bounds them: `longest_step` says how long they may be, `refuse_long_steps` holds a protocol to it.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import sympy as sp

from bioneuro.flow.limit import longest_gap, longest_step, refuse_long_steps
from bioneuro.flow.read import FlowError, Rate, Threshold, parsed, rate_of, symbolic
from bioneuro.flow.slow import away, beside, fades, fading, is_slow, positive, relaxation, write_slow
from bioneuro.flow.write import Text, text_of, write

__all__ = ["FlowError", "Part", "away", "beside", "flow", "longest_gap", "longest_step", "parts", "parts_of_sums", "refuse_long_steps", "symbolic"]

_NONE: Mapping[str, str] = MappingProxyType({})


def flow(place: str, differential: Mapping[str, str], noise: Mapping[str, str], **how: Any) -> str:
    """Statements that advance every variable of an object by ``_h`` seconds, if it stands alone; arguments are those of `parts`."""
    return "".join(parts(place, differential, noise, **how))


def parts(
    place: str,
    differential: Mapping[str, str],
    noise: Mapping[str, str],
    *,
    length: str,
    moments: bool = False,
    varying: Callable[[set[str]], bool] = bool,
    foreign: frozenset[str] = frozenset(),
    sums: Mapping[str, str] = _NONE,
) -> tuple[str, str]:
    """Statements that advance every variable by ``_h`` seconds: the fast part, and the slow part that needs sums of its result.

    Arguments:
        place: name of the object, for messages.
        differential: variable -> right-hand side with subexpressions substituted, in SI.
        noise: noise symbol ("xi", "xi_1") -> the text of its standard normal draw.
        length: the text of the seconds in this step.
        varying: whether an expression of these parameters differs between elements.
        moments: carry mean and variance instead of drawing: variable x gains a partner ``x_variance``.
        foreign: variables in `differential` that belong to the neuron at an end and are stepped there.
        sums: variable that is a sum over synapses -> what is summed; "" seen from the neuron. Beside it stand the sums of `Part`.

    Raises:
        FlowError: naming the variable and the term that has no solution.
    """
    thresholds, rates = _read(place, differential, set(noise), set(sums))
    decaying = {n: -r.growth for n, r in rates.items() if r.decays}
    fast = [t for t in thresholds if t.level is not sp.nan and t.variable in decaying]
    slow = {n for n, r in rates.items() if is_slow(r, fast)}
    slow |= {rates[n].driver for n in slow if rates[n].driver}
    _check(place, rates, fast, decaying, slow)
    _check_slow(place, rates, fast, slow, moments)
    if moments:
        _check_moments(place, rates)
    quick = {n: r for n, r in rates.items() if n not in slow}
    noisy = {n for n, r in quick.items() if r.power != 0 and n not in foreign}
    hung = [t for t in thresholds if t not in fast]
    fallen = fades(place, hung, rates, set(sums), foreign, slow) if slow else []
    passed = {t.variable for t in hung} | {x for summed in sums.values() for x in _inside(summed, rates)} if slow else set()
    relaxing = {n: (away(n), *relaxation(place, n, rates[n])) for n in sorted(passed & set(quick) - foreign)}
    if not any(sums.values()):  # nobody else asks for the distance
        own = {sp.Symbol(far, real=True): sp.Symbol(f"_{far}", real=True) for far, _, _ in relaxing.values()}
        relaxing = {n: (f"_{far}", k, rest) for n, (far, k, rest) in relaxing.items()}
        fallen = [replace(fade, value=fade.value.subs(own)) for fade in fallen]
    first = Text(
        decaying={n: r for n, r in decaying.items() if n not in slow},
        thresholds=fast,
        moments=moments,
        noise=noise,
        noisy=noisy,
        foreign=foreign,
        relaxing=relaxing,
    )
    first.lines.append(f"_h = {length}")
    write(first, quick)
    if not slow:
        return first.whole(varying), ""
    second = Text(decaying={}, thresholds=[], moments=False, noise=noise, noisy=set(), foreign=foreign)
    if sums:
        second.lines.append(f"_h = {length}")
    write_slow(second, {n: rates[n] for n in sorted(slow)}, fallen, foreign)
    return first.whole(varying), second.whole(varying)


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one synapse adds to a sum: at the beginning of a step, and how fast that fades; texts in terms of `relaxing`'s distance.

    `alike` are the parameters in the rate: where synapses differ in them, their sum fades at no one rate.
    """

    begin: str
    pace: str
    relaxing: str
    alike: frozenset[str]


def parts_of_sums(place: str, differential: Mapping[str, str], noise: set[str], sums: Mapping[str, str]) -> dict[str, Part]:
    """Sum over synapses -> what one synapse adds to it, for sums that have a threshold.

    Raises:
        FlowError: a sum is not proportional to what relaxes.
    """
    thresholds, rates = _read(place, differential, noise, set(sums))
    fast = [t for t in thresholds if t.level is not sp.nan and t.variable in rates and rates[t.variable].decays]
    found = {}
    for name, summed in sums.items():
        inside = [x for x in _inside(summed, rates) if not is_slow(rates[x], fast)]
        form = None
        if len(inside) == 1:
            k, x_inf = relaxation(place, inside[0], rates[inside[0]])
            form = fading(parsed(summed), sp.Symbol(inside[0], real=True), x_inf)
        if form is None or form[1] != 0:
            raise FlowError(
                f"{place}: the sum {name} = {summed} has a threshold, so it must be proportional to what fades in the quiet, such as "
                "abs(x - rest); use stepping=clock(...)"
            )
        alike = frozenset(str(s) for s in k.free_symbols)
        found[name] = Part(begin=text_of(form[0]), pace=text_of(k * form[0]), relaxing=inside[0], alike=alike)
    return found


def _inside(summed: str, rates: Mapping[str, Rate]) -> list[str]:
    """The variables in what is summed."""
    return sorted({str(s) for s in parsed(summed).free_symbols} & set(rates)) if summed else []


def _read(place: str, differential: Mapping[str, str], noise: set[str], sums: set[str]) -> tuple[list[Threshold], dict[str, Rate]]:
    thresholds, rates = list[Threshold](), dict[str, Rate]()
    for name, right in sorted(differential.items()):  # Brian2 gives them in another order in every process
        try:
            rates[name] = rate_of(place, name, right, {*differential, *sums}, noise, thresholds)
        except FlowError as error:
            raise FlowError(f"{place}: d{name}/dt cannot be stepped from event to event: {error}; use stepping=clock(...)") from None
    return thresholds, rates


def _check_slow(place: str, rates: Mapping[str, Rate], fast: list[Threshold], slow: set[str], moments: bool) -> None:
    """Refuse slow variables that do more than fall piece by piece or go by a dose."""
    quick = {t.flag for t in fast}
    for name in sorted(slow):
        r, driver = rates[name], rates.get(rates[name].driver)
        what = ""
        if r.flags & quick or any(t.variable == name for t in fast):
            what = f"{name!r} also has to do with a threshold of a decaying variable"
        elif r.power != 0 or r.remainder != 0 or r.forced:
            what = f"d{name}/dt has noise, another variable or a term beyond affine besides a threshold of what relaxes"
        elif r.driver and (driver is None or driver.driver):
            what = f"d{name}/dt goes by the dose of {r.driver!r}, which is not affine itself"
        elif moments:
            what = f"{name!r} hangs on thresholds of a variable whose mean and variance alone do not tell when they are passed"
        if what:
            remedy = "draw the noise instead (fit(..., moments=False))" if moments and "alone" in what else "use stepping=clock(...)"
            raise FlowError(f"{place}: {what}; {remedy}")


def _check(place: str, rates: Mapping[str, Rate], thresholds: list[Threshold], decaying: Mapping[str, sp.Expr], slow: set[str]) -> None:
    """Refuse what hangs on a variable that is no exponential, and noises that two variables share."""
    for name, r in rates.items():
        for source in r.forced:
            if source not in decaying or source in slow:
                raise FlowError(f"{place}: d{name}/dt depends on {source!r}, which does not decay exponentially; use stepping=clock(...)")
    for t in thresholds:
        if not positive(decaying[t.variable]) or not positive(t.level):
            raise FlowError(
                f"{place}: the threshold {t.level} on {t.variable!r}, which decays at the rate {decaying[t.variable]}: both must be positive "
                "for positive parameters; rewrite them so, or use stepping=clock(...)"
            )
    for a, b in itertools.combinations(rates, 2):
        if shared := set(rates[a].noises) & set(rates[b].noises):
            raise FlowError(f"{place}: {a!r} and {b!r} share the noise {sorted(shared)}; give each its own, such as xi_{a} and xi_{b}")


def _check_moments(place: str, rates: Mapping[str, Rate]) -> None:
    for name, r in rates.items():
        if r.power != 0 and r.remainder != 0:
            raise FlowError(
                f"{place}: {name!r} is noisy and has the remainder {r.remainder}, through which mean and variance alone cannot be carried; "
                "draw the noise (many repetitions), or take the rule without that term"
            )

