"""How long a step of a remainder may be, and whether the steps of a protocol are short enough."""

import functools
import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from bioneuro.equations import equations_of
from bioneuro.flow.read import FlowError, rate_of

Floats = NDArray[np.float64]

SHARE = 0.25
"""Longest step of RK4 in units of the remainder's fastest time constant: errors near 1/4^4/120/e, a hundred-thousandth of a decay."""

_SAMPLES = 257


def longest_step(equations: str, values: Mapping[str, Floats]) -> float:
    """Seconds that one event step may last: `SHARE` of the fastest time constant of a remainder, infinity where there is none.

    The time constant is 1/|slope| of the remainder, the fastest between its outermost fixed points, initial values included. That needs
    fixed points: a remainder that is no polynomial sets no bound, so compare two grids there.

    Arguments:
        equations: Brian2 equations of a synapse.
        values: parameter or variable -> SI value (initial value of a variable), a scalar or one per element.
    """
    found = [_fastest(remainder, name, row) for name, remainder in _remainders(equations) for row in _rows(remainder, name, values)]
    return SHARE / max(found) if max(found, default=0.0) > 0 else np.inf


def refuse_long_steps(place: str, equations: str, values: Mapping[str, Floats], gap: Callable[[], float]) -> None:
    """Refuse steps that are too long for a remainder in these equations.

    Arguments:
        gap: the seconds of the longest step; asked for only if there is a bound.

    Raises:
        FlowError: naming the longest step, the bound and the grid to ask for.
    """
    longest = longest_step(equations, values)
    if np.isfinite(longest) and (lasts := gap()) > longest:
        raise FlowError(
            f"{place}: the equations have a remainder without exact solution, stepped by RK4 for {longest:.3g} s at most ({SHARE:g} of its "
            f"fastest time constant), but a step of this protocol lasts {lasts:.4g} s; give it stepping=Events(grid='{_round(longest)} s')"
        )


def longest_gap(arrivals: Iterable[tuple[NDArray[np.int64], Floats]], reads: Floats) -> float:
    """Seconds of the longest step of an event run, from its beginning to its last reading.

    Arguments:
        arrivals: stimulus and time of every event, per port and for the grid, in order of stimulus and time.
        reads: reading times, shape (stimulus, reads).
    """
    n, last = reads.shape[0], reads[:, -1]
    own = np.repeat(np.arange(n), reads.shape[1] + 1), np.column_stack([np.zeros(n), reads]).ravel()
    # Stimuli one behind the other: each port is in order then, which makes the sort a merge. A power of two, so that s*width is exact.
    width = 2.0 ** np.ceil(np.log2(float(last.max()) + 1.0))
    line = np.sort(np.concatenate([(s * width + t)[t <= last[s]] for s, t in (own, *arrivals)]), kind="stable")
    gaps = np.diff(line)[np.diff(line // width) == 0]
    return float(gaps.max(initial=0.0))


@functools.lru_cache(maxsize=64)
def _remainders(equations: str) -> tuple[tuple[str, sp.Expr], ...]:
    """Variables with a polynomial remainder. Equations that `flow` refuses have none here: it names what is wrong with them."""
    lines = equations_of(equations)
    computed = {rf"\b{e.name}\b": f"({e.right})" for e in lines if e.kind == "computed"}
    differential = {e.name: e.right for e in lines if e.kind == "differential"}
    for pattern, right in [*computed.items()] * len(computed):  # as often as one could stand in another
        differential = {name: re.sub(pattern, right, text) for name, text in differential.items()}
    noise = {n for right in differential.values() for n in re.findall(r"\bxi\w*", right)}
    found = []
    for name, right in sorted(differential.items()):
        try:
            remainder = rate_of("", name, right, set(differential), noise, []).remainder
        except FlowError:
            return ()
        if remainder != 0 and remainder.is_polynomial(sp.Symbol(name, real=True)):
            found.append((name, remainder))
    return tuple(found)


def _rows(remainder: sp.Expr, name: str, values: Mapping[str, Floats]) -> list[dict[str, float]]:
    """The distinct combinations of the values that a remainder needs."""
    names = sorted({name, *(str(s) for s in remainder.free_symbols)})
    columns = np.broadcast_arrays(*(np.ravel(values[n]) for n in names))
    return [dict(zip(names, row, strict=True)) for row in np.unique(np.stack(columns), axis=1).T.tolist()]


def _fastest(remainder: sp.Expr, name: str, row: Mapping[str, float]) -> float:
    """The largest |slope| of a polynomial between its outermost fixed points, initial value included, per second."""
    x = sp.Symbol(name, real=True)
    numbers = {s: row[str(s)] for s in remainder.free_symbols - {x}}
    coefficients = np.array(sp.Poly(remainder.subs(numbers), x).all_coeffs(), float)
    roots = np.roots(coefficients)
    ends = [row[name], *roots[np.abs(roots.imag) <= 1e-9 * (1 + np.abs(roots))].real]
    return float(np.abs(np.polyval(np.polyder(coefficients), np.linspace(min(ends), max(ends), _SAMPLES))).max())


def _round(seconds: float) -> str:
    """A length of one digit (1, 2 or 5) not above `seconds`."""
    power = 10.0 ** np.floor(np.log10(seconds))
    return f"{max(d for d in (1, 2, 5) if d * power <= seconds) * power:g}"
