"""The first noun: a circuit, made of neurons and synapses written as Brian2 equations with numbers and units.

Records are frozen, validated when made and changed by `with_values` or `dataclasses.replace`. They compute nothing and compare by
their digest. Equation text passes the whitelist of `bioneuro.text` here, before any engine sees it.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import text, units
from bioneuro.dynamics import Every, Neuron, Pathway, Synapse, check_dynamics, known_dimensions, read_from_ends
from bioneuro.equations import equations_of
from bioneuro.records import ModelError, Parameter, did_you_mean, digest, frozen, parameter

__all__ = [
    "Circuit", "Every", "ModelError", "Neuron", "Parameter", "Pathway", "Population", "Projection", "Synapse", "delayed",
    "did_you_mean", "digest", "frozen", "parameter", "side_by_side",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Population:
    """`size` neurons of one kind; without a neuron, `size` ports whose spikes the protocol imposes."""

    name: str
    neuron: Neuron | None = None
    size: int = 1

    def __post_init__(self) -> None:
        text.check_name(self.name, "population.name")
        size: Any = self.size
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ModelError(f"population {self.name!r}: size {size!r} is not a positive integer; give the number of units")
        object.__setattr__(self, "size", int(size))

    @property
    def fires(self) -> bool:
        """Whether spikes can come from here: from a port, or a neuron that has a threshold."""
        return self.neuron is None or bool(self.neuron.threshold)


@dataclass(frozen=True, kw_only=True, eq=False)
class Projection:
    """A synapse from one population to another along explicit pairs.

    Attributes:
        pairs: (pre, post), two int64 arrays of one length in the order of `pre`, then `post`; by default all to all.
    """

    name: str
    synapse: Synapse
    pre: str
    post: str
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def __post_init__(self) -> None:
        text.check_name(self.name, "projection.name")
        if self.pairs is not None:
            pre, post = (np.asarray(p) for p in self.pairs)
            if pre.shape != post.shape or pre.ndim != 1 or pre.dtype.kind not in "iu" or post.dtype.kind not in "iu":
                raise ModelError(f"projection {self.name!r}: pairs are two integer arrays of one length")
            if not pre.size:
                raise ModelError(f"projection {self.name!r} has no pairs; leave the projection out, or give at least one pair")
            # One order for every engine: sums over synapses then round alike. Values given pair by pair go along.
            order = np.lexsort((post, pre))
            object.__setattr__(self, "pairs", (frozen(pre[order], np.int64), frozen(post[order], np.int64)))
            if np.any(np.diff(order) < 0):
                object.__setattr__(self, "synapse", _reordered(self.synapse, order))


def _reordered(synapse: Synapse, order: NDArray[np.int64]) -> Synapse:
    def moved(values: Mapping[str, Parameter]) -> dict[str, Parameter]:
        return {k: dataclasses.replace(p, value=p.value[order]) if p.value.shape == order.shape else p for k, p in values.items()}

    return dataclasses.replace(synapse, parameters=moved(synapse.parameters), initial=moved(synapse.initial))


@dataclass(frozen=True, kw_only=True, eq=False)
class Circuit:
    """Populations and projections: the thing that is simulated.

    Attributes:
        values: flat read-only view ``{"calcium.gamma_p": Parameter}`` by placed name.
        digest: SHA-256 of everything in it.
    """

    name: str
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...] = ()

    def __post_init__(self) -> None:
        text.check_name(self.name, "circuit.name")
        object.__setattr__(self, "populations", tuple(self.populations))
        object.__setattr__(self, "projections", tuple(self.projections))
        placed = [p.name for p in self.populations] + [p.name for p in self.projections]
        for name in placed:
            if placed.count(name) > 1:
                raise ModelError(f"circuit {self.name!r}: {name!r} names two objects; give each its own name")
            if name.startswith("bioneuro_") or (name.endswith("_spikes") and name.removesuffix("_spikes") in placed):
                raise ModelError(f"circuit {self.name!r}: {name!r} is a name that the engines use themselves; rename the object")
        if not self.populations:
            raise ModelError(f"circuit {self.name!r} has no population; add at least one")
        complete = tuple(self._completed(p) for p in self.projections)
        summed = [f"{getattr(p, end)}.{local}" for p in complete for local, _, end in (name.rpartition("_") for name in p.synapse.sums)]
        for path in summed:
            if summed.count(path) > 1:
                raise ModelError(f"circuit {self.name!r}: two projections sum into {path!r}; give each a variable of its own and add them there")
        object.__setattr__(self, "projections", complete)
        if any(p.synapse.every and p.synapse.parameters[p.synapse.every.period].value != self.period for p in complete):
            raise ModelError(f"circuit {self.name!r}: its synapses are updated with several periods; a processor has one: give all of them that")
        for population in self.populations:
            self._check_sizes(population.name, population.neuron, population.size)
        for projection in complete:
            self._check_sizes(projection.name, projection.synapse, projection.pairs[0].size if projection.pairs else 0)

    def _completed(self, projection: Projection) -> Projection:
        sizes = {p.name: p for p in self.populations}
        for end in (projection.pre, projection.post):
            if end not in sizes:
                raise ModelError(
                    f"projection {projection.name!r}: {end!r} is not a population; allowed: {sorted(sizes)}." + did_you_mean(end, sizes)
                )
        pre, post = sizes[projection.pre], sizes[projection.post]
        self._check_ends(projection, pre, post)
        if projection.pairs is None:
            i, j = np.divmod(np.arange(pre.size * post.size), post.size)
            return dataclasses.replace(projection, pairs=(i, j))
        i, j = projection.pairs
        if i.size and (i.min() < 0 or j.min() < 0 or i.max() >= pre.size or j.max() >= post.size):
            raise ModelError(f"projection {projection.name!r}: a pair lies outside {pre.size} x {post.size} units")
        return projection

    def _check_ends(self, projection: Projection, pre: Population, post: Population) -> None:
        for pathway in projection.synapse.pathways:
            _refuse_mixed(pathway, projection.name)
        ends = {}
        for name in sorted(read_from_ends(projection.synapse)):
            local, _, which = name.rpartition("_")
            end = pre if which == "pre" else post
            known = known_dimensions(end.neuron) if end.neuron else {}
            if end.neuron is None or local not in {*end.neuron.states, *end.neuron.parameters}:
                able = sorted({*end.neuron.states, *end.neuron.parameters}) if end.neuron else []
                raise ModelError(
                    f"projection {projection.name!r}: {name!r} asks for {local!r} of population {end.name!r}, which has {able}."
                    + did_you_mean(local, able)
                )
            if name in projection.synapse.sums and local not in (end.neuron.plain if end.neuron else {}):
                raise ModelError(
                    f"projection {projection.name!r}: {name!r} is a sum over synapses, so population {end.name!r} must declare {local!r} without "
                    f"an equation, such as '{local} : {projection.synapse.sums[name].unit}'"
                )
            written = any(name in text.check_statements(p.code, name).assigned for p in projection.synapse.pathways)
            if written and local in end.neuron.parameters:
                raise ModelError(
                    f"projection {projection.name!r}: {local!r} is a parameter of {end.name!r}, which stays as it is during a run; "
                    f"states that can be changed: {sorted(end.neuron.states)}"
                )
            if written and end.neuron and "constant" in next(e.flags for e in equations_of(end.neuron.equations) if e.name == local):
                raise ModelError(f"projection {projection.name!r}: {local!r} of {end.name!r} is (constant) or (shared); leave the flag out")
            ends[name] = known[local]
        check_dynamics(projection.synapse, projection.name, ends)
        theirs = {*post.neuron.states, *post.neuron.parameters} if post.neuron else set()
        if both := sorted(theirs & {*projection.synapse.states, *projection.synapse.parameters}):
            raise ModelError(
                f"projection {projection.name!r}: {both} are names of its synapse and of its postsynaptic neuron {post.name!r}; rename one of them, "
                f"for example to {both[0] + '_syn'!r} in the synapse"
            )

    def _check_sizes(self, name: str, model: Neuron | Synapse | None, size: int) -> None:
        if model is None:
            return
        for key, value in {**model.parameters, **model.initial}.items():
            if value.value.ndim and value.value.shape != (size,):
                raise ModelError(f"{name}.{key}: {value.value.shape} values for {size} units; give one value or {size}")

    @property
    def values(self) -> Mapping[str, Parameter]:
        return MappingProxyType(
            {f"{name}.{key}": p for name, model in self.models.items() for key, p in model.parameters.items()}
        )

    @property
    def models(self) -> Mapping[str, Neuron | Synapse]:
        """Placed name -> neuron or synapse; ports have none."""
        neurons = {p.name: p.neuron for p in self.populations if p.neuron is not None}
        return {**neurons, **{p.name: p.synapse for p in self.projections}}

    @property
    def period(self) -> float:
        """Seconds between the updates by a processor, 0 if no synapse has any."""
        return max((float(p.synapse.parameters[p.synapse.every.period].value) for p in self.projections if p.synapse.every), default=0.0)

    @property
    def digest(self) -> str:
        return digest(self)

    def with_values(self, values: Mapping[str, Any]) -> "Circuit":
        """The same circuit with other parameter or initial values, given by placed name with units.

        Raises:
            ModelError: unknown name, or value outside its bounds.
            UnitError: wrong or missing unit.
        """
        by_object: dict[str, dict[str, Any]] = {}
        for path, value in values.items():
            owner, _, name = self.resolve(path).partition(".")
            by_object.setdefault(owner, {})[name] = value
        changed = {owner: _with_values(self.models[owner], owner, new) for owner, new in by_object.items()}
        return dataclasses.replace(
            self,
            populations=tuple(dataclasses.replace(p, neuron=changed.get(p.name, p.neuron)) for p in self.populations),
            projections=tuple(dataclasses.replace(p, synapse=changed.get(p.name, p.synapse)) for p in self.projections),
        )

    def resolve(self, path: str) -> str:
        """`path` itself if it names a parameter or state of this circuit; raises `ModelError` with a suggestion if not."""
        known = [f"{owner}.{key}" for owner, model in self.models.items() for key in (*model.parameters, *model.states)]
        if path not in known:
            raise ModelError(f"circuit {self.name!r} has no {path!r}; known: {', '.join(sorted(known))}." + did_you_mean(path, known))
        return path


def _refuse_mixed(pathway: Pathway, place: str) -> None:
    """Brian2's targets disagree on a neuron's variable that is changed in place by different operations, where several spikes meet."""
    found: dict[str, list[str]] = {}
    for name, operator in re.findall(r"\b(\w+_(?:pre|post))\s*(\*\*|//|[-+*/%])=", pathway.code):
        found.setdefault(name, []).append(operator)
    for name, operators in found.items():
        if len(operators) > 1 and not {"+", "-"} >= set(operators):
            raise ModelError(
                f"projection {place!r}: {name!r} is changed in place by {' and '.join(f'{o}=' for o in operators)} in one pathway, whose result "
                f"would hang on the engine where several spikes meet; write one statement, such as {name} = ...{name}..."
            )


def _with_values(model: Any, owner: str, new: Mapping[str, Any]) -> Any:
    parameters, initial = dict(model.parameters), dict(model.initial)
    for name, value in new.items():
        place = f"{owner}.{name}"
        if name in parameters:
            parameters[name] = parameters[name].with_value(value, place)
        else:
            unit = model.states[name]
            blank = initial.get(name, Parameter(value=np.zeros(()), unit="1" if unit in ("boolean", "integer") else unit))
            initial[name] = blank.with_value(value, place)
    return dataclasses.replace(model, parameters=parameters, initial=initial)


def side_by_side(neurons: Sequence[Neuron]) -> Population:
    """A population with one unit per neuron, for neurons that differ in numbers alone, such as the parameter sets of one model.

    Raises:
        ModelError: two of them have different text.
    """
    first = neurons[0]
    text_of = {(n.equations, n.threshold, n.reset, n.refractory, n.method, n.input, n.momentary) for n in neurons}
    if len(text_of) > 1 or any(set(n.parameters) != set(first.parameters) or set(n.initial) != set(first.initial) for n in neurons):
        raise ModelError(f"side_by_side: {[n.name for n in neurons]} differ in more than numbers; put them into populations of their own")
    numbers: dict[str, Any] = {
        kind: {name: dataclasses.replace(p, value=np.array([float(getattr(n, kind)[name].value) for n in neurons])) for name, p in known.items()}
        for kind, known in (("parameters", first.parameters), ("initial", first.initial))
    }
    return Population(name=first.name, neuron=dataclasses.replace(first, **numbers), size=len(neurons))


def delayed(synapse: Synapse, *, axonal: Any = None, dendritic: Any = None) -> Synapse:
    """`synapse` where spikes arrive late: presynaptic ones by the `axonal` delay, postsynaptic ones by the `dendritic` delay.

    Without it both arrive at once, so that lags of a protocol are lags at the synapse. An axonal delay moves a window to positive lags, a
    dendritic one to negative lags.

    Arguments:
        axonal, dendritic: times, such as ``"1 ms"``; they become the parameters ``d_axonal`` and ``d_dendritic``.

    Raises:
        ModelError: a pathway has a delay of its own; change that parameter instead.
    """
    given = {"pre": ("d_axonal", axonal, "from soma to synapse"), "post": ("d_dendritic", dendritic, "from soma back to the synapse")}
    added = {event: (name, time, says) for event, (name, time, says) in given.items() if time is not None}
    for pathway in synapse.pathways:
        if pathway.delay and pathway.event in added:
            raise ModelError(
                f"{synapse.name}: spikes of {pathway.event!r} arrive after {pathway.delay!r} already; set that parameter with with_values"
            )
    late = {}
    for name, time, says in added.values():
        milliseconds = float(units.in_unit(time, "second", f"{synapse.name}.{name}")) * 1e3
        late[name] = parameter(milliseconds, "ms", low=0, high=1000, says=f"delay of a spike {says}", source="chosen by the user")
    pathways = tuple(dataclasses.replace(p, delay=added[p.event][0]) if p.event in added else p for p in synapse.pathways)
    return dataclasses.replace(synapse, pathways=pathways, parameters={**synapse.parameters, **late})
