"""The step from one event to the next, derived from a synapse's own equations.

Between events nothing arrives, so a decaying variable (calcium) is a known exponential, the thresholds it crosses split the step into
pieces of known length, and within a piece every other variable is affine with constant coefficients. `flow` finds that structure in the
equations and writes it as statements in Brian2's abstract code, which both engines read. All of that is exact. What has another form it
refuses by name, but for one: a **remainder**, a function of the variable itself and of parameters, such as -x*(1 - x)*(a - x)/tau.

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

import sympy as sp

from bioneuro.flow.limit import longest_gap, longest_step, refuse_long_steps
from bioneuro.flow.read import FlowError, Rate, Threshold, rate_of, symbolic
from bioneuro.flow.write import Text, write

__all__ = ["FlowError", "flow", "longest_gap", "longest_step", "refuse_long_steps", "symbolic"]


def flow(
    place: str,
    differential: Mapping[str, str],
    noise: Mapping[str, str],
    *,
    length: str,
    moments: bool = False,
    varying: Callable[[set[str]], bool] = bool,
) -> str:
    """Statements that advance every variable by ``_h`` seconds.

    Arguments:
        place: name of the object, for messages.
        differential: variable -> right-hand side with subexpressions substituted, in SI.
        noise: noise symbol ("xi", "xi_1") -> the text of its standard normal draw.
        length: the text of the seconds in this step.
        varying: whether an expression of these parameters differs between elements.
        moments: carry mean and variance instead of drawing: variable x gains a partner ``x_variance``.

    Raises:
        FlowError: naming the variable and the term that has no solution.
    """
    thresholds, rates = list[Threshold](), dict[str, Rate]()
    for name, right in sorted(differential.items()):  # Brian2 gives them in another order in every process
        try:
            rates[name] = rate_of(place, name, right, set(differential), set(noise), thresholds)
        except FlowError as error:
            raise FlowError(f"{place}: d{name}/dt cannot be stepped from event to event: {error}; use stepping=clock(...)") from None
    decaying = {n: -r.growth for n, r in rates.items() if r.decays}
    _check(place, rates, thresholds, decaying)
    if moments:
        _check_moments(place, rates)
    noisy = {n for n, r in rates.items() if r.power != 0}
    out = Text(decaying=decaying, thresholds=thresholds, moments=moments, noise=noise, noisy=noisy)
    out.lines.append(f"_h = {length}")
    write(out, rates)
    return out.whole(varying)


def _check(place: str, rates: Mapping[str, Rate], thresholds: list[Threshold], decaying: Mapping[str, sp.Expr]) -> None:
    """Refuse what hangs on a variable that is no exponential, and noises that two variables share."""
    for name, r in rates.items():
        for source in r.forced:
            if source not in decaying:
                raise FlowError(f"{place}: d{name}/dt depends on {source!r}, which does not decay exponentially; use stepping=clock(...)")
    for t in thresholds:
        if t.variable not in decaying:
            raise FlowError(f"{place}: the threshold on {t.variable!r} needs d{t.variable}/dt = -{t.variable}/tau; use stepping=clock(...)")
        if not _positive(decaying[t.variable]) or not _positive(t.level):
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


def _positive(expression: sp.Expr) -> bool:
    """Whether an expression is positive wherever its symbols are."""
    return bool(expression.subs({s: sp.Symbol(str(s), positive=True) for s in expression.free_symbols}).is_positive)
