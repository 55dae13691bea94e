"""Experiments that repeat a motif of few imposed spikes: pairs, bursts, doublets, triplets, quadruplets.

A lag is postsynaptic minus presynaptic, so a positive one is "pre first". Motifs are repeated at a stated rate; the weight is read once,
after a rest. Every function returns one protocol with all conditions as trials, and the coordinates ``start`` and ``repetition`` besides
those that it names.
"""

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack, cast

import numpy as np

from bioneuro.imposed import Clock, Events, Floats, ProtocolError, Spikes
from bioneuro.protocol.record import Protocol
from bioneuro.protocol.table import Table, check_count, hertz, second, seconds, table


class Frame(TypedDict, total=False):
    """What all of these experiments take besides their own arguments; `pairing` says what each is."""

    initial: Mapping[str, Any] | None
    repetitions: int
    onset: Any
    rest: Any
    stepping: Clock | Events | None
    ports: tuple[str, str]
    record: tuple[str, ...]


_USUAL: Frame = {
    "initial": None, "repetitions": 1, "onset": "0.2 s", "rest": "1 s", "stepping": None, "ports": ("pre", "post"), "record": (),
}  # fmt: skip


def pairing(lag: Any, rate: Any = "1 Hz", pairs: int = 60, **frame: Unpack[Frame]) -> Protocol:
    """Pairs of one presynaptic and one postsynaptic spike, `lag` apart (positive: pre first), at `rate`.

    Arguments:
        lag: times, one or many.
        rate: rates, one or many; every combination with the lags is a trial.
        pairs: number of pairs.
        repetitions: independent repetitions of every trial (they differ in noise).
        initial: placed state name -> value or list of initial values, each a trial of its own.
        onset, rest: time before the first and after the last spike.
        stepping: `Events()` (default) or `clock(...)`. ports: the names of the two populations. record: placed states to read.

    Returns:
        a protocol with coordinates ``lag``, ``rate``, ``repetition`` and ``start``: the initial value if it is one number without unit, else
        the index of the initial state.

    Errors:
        UnitError: a unit is wrong; ProtocolError: no lag, no pair, or a rate that is not positive.
    """
    if np.size(lag) == 0 or np.size(rate) == 0:
        raise ProtocolError(f"pairing is empty: {np.size(lag)} lags, {np.size(rate)} rates; give at least one of each")
    check_count(pairs, "pairing: pairs")
    settled, made = _conditions("pairing", frame, {"lag": (seconds(lag, "pairing: lag"), "ms")}, rate)
    lags = made.each["lag"][:, None]
    return _repeated("pairing", settled, made, np.zeros_like(lags), lags, made.each["rate"], pairs)


def bursts(lag: Any, rate: Any, spikes: int = 5, repeats: int = 15, *, every: Any = "10 s", **frame: Unpack[Frame]) -> Protocol:
    """Bursts of `spikes` pairs at `rate`, `lag` apart, repeated `repeats` times, one burst `every` so often.

    The default is the experiment of Sjöström, Turrigiano & Nelson 2001: 15 bursts of 5 + 5 spikes at 0.1 Hz. A single pair per burst
    (`spikes` = 1) is `pairing` at the rate 1/`every`.

    Arguments:
        lag, rate: one or many; every combination is a trial. Others as for `pairing`.

    Returns:
        a protocol with coordinates ``lag`` and ``rate`` (of the spikes within a burst).

    Errors:
        ProtocolError: a burst is longer than the time to the next.
    """
    check_count(spikes, "bursts: spikes")
    period = second(every, "bursts: every")
    settled, made = _conditions("bursts", frame, {"lag": (seconds(lag, "bursts: lag"), "ms")}, rate)
    pre = np.arange(spikes) / made.each["rate"][:, None]
    post = pre + made.each["lag"][:, None]
    _check_fits("bursts", pre, post, np.full(pre.shape[0], period))
    return _repeated("bursts", settled, made, pre, post, np.full(pre.shape[0], 1 / period), repeats)


def doublets(lag: Any, rate: Any = "5 Hz", repeats: int = 100, *, between: Any = "11.5 ms", spikes: int = 2, **frame: Unpack[Frame]) -> Protocol:
    """One presynaptic spike and a burst of `spikes` postsynaptic ones, `between` apart; `lag` is to the **last** of them.

    The default is the experiment of Wittenberg & Wang 2006 in hippocampal slices as modelled by Graupner & Brunel 2012 (Fig. 3): 100 (or
    30) repetitions of 1 + 2 spikes, 11.5 ms apart, at 5 Hz. Arguments and coordinates (``lag``, ``rate`` of the motif) as for `pairing`.
    """
    check_count(spikes, "doublets: spikes")
    gap = second(between, "doublets: between")
    if gap <= 0:
        raise ProtocolError(f"doublets: between {gap} s is not positive; give the time between two postsynaptic spikes")
    settled, made = _conditions("doublets", frame, {"lag": (seconds(lag, "doublets: lag"), "ms")}, rate)
    post = made.each["lag"][:, None] + gap * np.arange(1 - spikes, 1)
    return _repeated("doublets", settled, made, np.zeros((post.shape[0], 1)), post, made.each["rate"], repeats)


def pre_post_pre(timing: Any, rate: Any = "1 Hz", repeats: int = 60, **frame: Unpack[Frame]) -> Protocol:
    """Triplets of two presynaptic spikes and a postsynaptic one between them.

    Arguments:
        timing: times, shape (trials, 2) or (2,): for each trial the lag of the postsynaptic spike from the first (positive) and from the
            second (negative) presynaptic spike, such as ``[(5, -5), (10, -10)] * ms`` (Wang, Gerkin, Nauen & Bi 2005).

    Returns:
        a protocol with coordinates ``first`` and ``second`` (the two lags) and ``rate``. Others as for `pairing`.
    """
    return _triplets("pre_post_pre", timing, rate, repeats, frame, (1, -1))


def post_pre_post(timing: Any, rate: Any = "1 Hz", repeats: int = 60, **frame: Unpack[Frame]) -> Protocol:
    """Triplets of two postsynaptic spikes and a presynaptic one between them.

    Arguments:
        timing: for each trial the lag of the first (negative) and of the second (positive) postsynaptic spike from the presynaptic
            one, such as ``[(-5, 5), (-10, 10)] * ms``. Others, and the coordinates, as for `pre_post_pre`.
    """
    return _triplets("post_pre_post", timing, rate, repeats, frame, (-1, 1))


def quadruplets(interval: Any, rate: Any = "1 Hz", repeats: int = 60, *, inner: Any = "5 ms", **frame: Unpack[Frame]) -> Protocol:
    """Two pairs of opposite order: post-pre and then pre-post if `interval` is positive, the other way round if it is negative.

    The size of `interval` is the time from the middle of the first pair to the middle of the second, `inner` the time within a pair
    (Wang, Gerkin, Nauen & Bi 2005; Pfister & Gerstner 2006, Fig. 1D).

    Returns:
        a protocol with coordinates ``interval`` and ``rate``. Others as for `pairing`.

    Errors:
        ProtocolError: the pairs overlap, that is, an interval is not longer than `inner`.
    """
    gap, within = seconds(interval, "quadruplets: interval"), second(inner, "quadruplets: inner")
    if within <= 0 or np.any(np.abs(gap) <= within):
        raise ProtocolError(
            f"quadruplets: intervals down to {np.abs(gap).min():g} s with {within:g} s within a pair; pairs must not overlap: give "
            "intervals longer than a positive inner time"
        )
    settled, made = _conditions("quadruplets", frame, {"interval": (gap, "ms")}, rate)
    middle, sign = np.abs(made.each["interval"])[:, None], np.sign(made.each["interval"])[:, None]
    half = 0.5 * within * sign
    pre = np.concatenate([half, middle - half], axis=1)  # positive: the first pair is post-pre, the second pre-post
    return _repeated("quadruplets", settled, made, pre, np.concatenate([-half, middle + half], axis=1), made.each["rate"], repeats)


def _triplets(name: str, timing: Any, rate: Any, repeats: int, frame: Frame, signs: tuple[int, int]) -> Protocol:
    rows = [seconds(row, f"{name}: timing") for row in timing]
    lags = np.stack(rows) if len({row.size for row in rows}) == 1 else np.empty((0, 2))
    lags = lags.T if lags.shape == (2, 1) else lags  # one trial, given without a list around it
    if lags.shape[1:] != (2,) or lags.shape[0] == 0 or np.any(lags * np.array(signs) <= 0):
        form = f"({'positive' if signs[0] > 0 else 'negative'}, {'positive' if signs[1] > 0 else 'negative'})"
        raise ProtocolError(f"{name}: timing {np.asarray(timing)!s:.60} is not a list of {form} times; give the two lags of each trial")
    settled, made = _conditions(name, frame, {"first": (lags[:, 0], "ms"), "second": (lags[:, 1], "ms")}, rate)
    two, one = np.stack([made.each["first"], made.each["second"]], axis=1), np.zeros((made.each["first"].size, 1))
    pre, post = (-two, one) if signs[0] > 0 else (one, two)
    return _repeated(name, settled, made, pre, post, made.each["rate"], repeats)


def _conditions(name: str, frame: Frame, axis: Mapping[str, tuple[Floats, str]], rate: Any) -> tuple[Frame, Table]:
    if unknown := sorted(set(frame) - set(_USUAL)):
        raise TypeError(f"{name}() got unexpected arguments {unknown}; allowed besides its own: {', '.join(_USUAL)}")
    settled = cast(Frame, {**_USUAL, **frame})
    return settled, table([axis, {"rate": (hertz(rate, f"{name}: rate"), "Hz")}], settled["initial"], settled["repetitions"])


def _check_fits(name: str, pre: Floats, post: Floats, period: Floats) -> None:
    both = np.concatenate([pre, post], axis=1)
    length = both.max(axis=1) - both.min(axis=1)
    if np.any(length >= period):
        k = int((length - period).argmax())
        raise ProtocolError(f"{name}: one repeat lasts {length[k]:g} s, the next starts after {period[k]:g} s; repeat less often")


def _repeated(name: str, frame: Frame, made: Table, pre: Floats, post: Floats, rate: Floats, repeats: int) -> Protocol:
    """A motif per stimulus, shapes (stimulus, spikes), repeated at `rate` (stimulus,) and shifted so that nothing lies before the onset."""
    check_count(repeats, f"{name}: repeats")
    before, after = second(frame["onset"], f"{name}: onset"), second(frame["rest"], f"{name}: rest")
    if before < 0 or after < 0:
        raise ProtocolError(f"{name}: onset {before} s and rest {after} s cannot be negative; give the time before and after the spikes")
    first = before + max(0.0, -pre.min(), -post.min())
    starts = first + np.arange(repeats) / rate[:, None]
    times = [starts[:, :, None] + motif[:, None, :] for motif in (pre, post)]
    reads = np.maximum(*(t.max(axis=(1, 2)) for t in times))[:, None] + after
    return Protocol(
        name=name,
        stepping=frame["stepping"] or Events(),
        trials=made.trials,
        stimulus=made.combination,
        reads=reads,
        **made.given,
        spikes={port: one_unit(t.reshape(t.shape[0], -1)) for port, t in zip(frame["ports"], times, strict=True)},
        record=frame["record"],
    )


def one_unit(times: Floats) -> Spikes:
    """Spikes of a port of one unit, shape (stimulus, spikes)."""
    stimulus = np.repeat(np.arange(times.shape[0]), times.shape[1])
    return Spikes(stimulus=stimulus, unit=np.zeros_like(stimulus), time=times.ravel())
