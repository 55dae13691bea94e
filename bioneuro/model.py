"""The first noun: a circuit, made of neurons and synapses written as Brian2 equations with numbers and units.

Records are frozen, validated when made and changed by `with_values` or `dataclasses.replace`. They compute nothing and compare by
their digest. Equation text passes the whitelist of `bioneuro.text` here, before any engine sees it.
"""

import dataclasses
import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro import text, units
from bioneuro.guard import brian2_may_load

SPECIAL = frozenset(
    {"t", "dt", "t_in_timesteps", "i", "j", "xi", "lastspike", "not_refractory", "pi", "e", "inf", "N"}
)
"""Names that every engine provides; no parameter or state may take one."""


class ModelError(ValueError):
    """A neuron, synapse, population, projection or circuit is not well formed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint such as " Did you mean 'tau_w'?", or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _canonical(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        plain = np.ascontiguousarray(value)
        if plain.size <= 64:
            return [str(plain.dtype), list(plain.shape), [_canonical(x) for x in plain.ravel().tolist()]]
        return [str(plain.dtype), list(plain.shape), hashlib.sha256(plain.tobytes()).hexdigest()]
    if dataclasses.is_dataclass(value):
        shown = {f.name: _canonical(getattr(value, f.name)) for f in dataclasses.fields(value) if f.repr}
        return {"": type(value).__name__, **shown}
    if isinstance(value, Mapping):
        return {str(k): _canonical(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(v) for v in value]
    if isinstance(value, float):
        return value.hex()
    if value is None or isinstance(value, str | int | bool):
        return value
    raise TypeError(f"a {type(value).__name__} has no canonical form")


def digest(record: Any) -> str:
    """SHA-256 of the canonical JSON of a record: equal records have equal digests, in every process."""
    return hashlib.sha256(json.dumps(_canonical(record), sort_keys=True).encode()).hexdigest()


def frozen(values: Any, dtype: Any = np.float64) -> NDArray[Any]:
    """A read-only copy."""
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, kw_only=True, eq=False)
class Parameter:
    """A number with a unit, bounds, a meaning and the place in the literature it comes from.

    Attributes:
        value: SI value, a read-only scalar or one value per unit of a population, float64.
        unit: the unit it is written and shown in, such as ``"ms"``.
        low, high: bounds in SI, inclusive.
        says: what it means.
        source: paper and place in it.
    """

    value: NDArray[np.float64]
    unit: str
    low: float = -np.inf
    high: float = np.inf
    says: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        units.unit(self.unit)
        object.__setattr__(self, "value", frozen(self.value))
        if not np.all(np.isfinite(self.value)):
            raise ModelError(f"parameter ({self.says or self.unit}): the value is not finite; give finite numbers")

    @property
    def quantity(self) -> Any:
        """The value as a Brian2 quantity."""
        brian2_may_load()
        from brian2.units.fundamentalunits import Dimension, Quantity  # Brian2 takes seconds to import

        value = np.array(self.value)
        return Quantity(value, dim=Dimension(units.unit(self.unit).dimensions))

    @property
    def shown(self) -> Any:
        """The value in `unit`, as a float or array."""
        shown = self.value / units.unit(self.unit).scale
        return float(shown) if shown.ndim == 0 else shown

    def __str__(self) -> str:
        number = f"{self.shown:.10g}" if self.value.ndim == 0 else f"[{self.value.size} values]"
        return number if self.unit == "1" else f"{number} {self.unit}"

    def with_value(self, value: Any, place: str) -> "Parameter":
        """The same parameter with another value; raises if its unit or bounds are violated."""
        array = value.value if isinstance(value, Parameter) else units.in_unit(value, self.unit, place)
        if isinstance(value, Parameter) and units.unit(value.unit).dimensions != units.unit(self.unit).dimensions:
            raise units.UnitError(f"{place}: expected a value in {self.unit!r} but got one in {value.unit!r}")
        slack = 1e-12 * np.abs(array)  # a bound written in ms and a value in s may differ by a rounding
        if np.any(array < self.low - slack) or np.any(array > self.high + slack):
            scale = units.unit(self.unit).scale
            worst = array.ravel()[np.argmax(np.maximum(self.low - array, array - self.high).ravel())]
            raise ModelError(
                f"{place}: {worst / scale:g} {self.unit} is outside its bounds "
                f"[{self.low / scale:g}, {self.high / scale:g}] {self.unit}; choose a value within them, or widen the bounds of the "
                "parameter where it is defined"
            )
        return dataclasses.replace(self, value=array)


def parameter(
    value: Any, unit: str = "1", *, low: float = -np.inf, high: float = np.inf, says: str = "", source: str = ""
) -> Parameter:
    """A `Parameter` from numbers written in `unit`.

    >>> str(parameter(20, "ms", low=1, high=200, says="membrane time constant"))
    '20 ms'
    """
    scale = units.unit(unit).scale
    blank = Parameter(value=np.zeros(()), unit=unit, low=low * scale, high=high * scale, says=says, source=source)
    numbers = np.asarray(value, dtype=np.float64)
    if not np.all(np.isfinite(numbers)):
        raise ModelError(f"parameter ({says or unit}): {value!r} is not finite; give finite numbers")
    return dataclasses.replace(blank.with_value(_raw(numbers * scale, unit), says or "parameter"))


def _raw(si: NDArray[np.float64], unit: str) -> Parameter:
    return Parameter(value=si, unit=unit)


def _mapping(values: Mapping[str, Parameter], place: str) -> Mapping[str, Parameter]:
    for name, value in values.items():
        text.check_name(name, f"{place}: name")
        if not isinstance(value, Parameter):
            raise ModelError(f"{place}: {name!r} is a {type(value).__name__}; write parameter(number, unit, says=..., source=...)")
    return MappingProxyType(dict(values))


def _equation_names(equations: str) -> tuple[dict[str, str], dict[str, str], dict[str, str], set[str]]:
    """(differential, computed, plain) declarations as name -> unit, and the names read."""
    differential, computed, plain, read = {}, {}, {}, set()
    for line in equations.splitlines():
        body, _, tail = line.partition(":")
        unit = re.sub(r"\(.*\)\s*$", "", tail).strip()
        left, equals, right = body.partition("=")
        if match := re.match(r"\s*d(\w+)\s*/\s*dt\s*$", left):
            differential[match[1]] = unit
        elif equals:
            computed[left.strip()] = unit
        else:
            plain[left.strip()] = unit
        if equals:
            read |= text.names(right.strip()).read
    return differential, computed, plain, read


def _statement_names(code: str) -> set[str]:
    found = text.check_statements(code, "statements")
    return {*found.read, *found.assigned}


@dataclass(frozen=True, kw_only=True, eq=False)
class Neuron:
    """Brian2 text plus numbers for a neuron; computes nothing.

    Attributes:
        name: short name, used for placed objects if nothing else is said.
        equations: Brian2 equations. Parameters and initial values are named in them and given below.
        threshold, reset: Brian2 condition and statements.
        refractory: the name of a parameter (a time), or "" for none.
        method: Brian2's integrator for clock-driven runs ("euler", "exponential_euler", "exact", "rk2", "rk4", "heun", ...).
        input: the variable that a protocol's injected current drives, or "".
        parameters, initial: name -> `Parameter`.
        reference: the paper.
    """

    name: str
    equations: str
    threshold: str
    reset: str
    refractory: str = ""
    method: str = "euler"
    input: str = ""
    parameters: Mapping[str, Parameter]
    initial: Mapping[str, Parameter] = field(default_factory=dict)
    reference: str = ""

    def __post_init__(self) -> None:
        _check_common(self)
        text.check_expression(self.threshold, f"{self.name}.threshold")
        text.check_statements(self.reset, f"{self.name}.reset")
        object.__setattr__(self, "reset", text.without_comments(self.reset, f"{self.name}.reset"))
        if self.refractory and self.refractory not in self.parameters:
            raise ModelError(
                f"{self.name}.refractory: {self.refractory!r} is not a parameter; allowed: one of {sorted(self.parameters)} or ''"
            )
        if self.input and self.input not in self.plain:
            raise ModelError(
                f"{self.name}.input: {self.input!r} must be declared in the equations as a plain variable such as 'I : amp'"
            )
        _check_known(self, [("threshold", set(text.names(self.threshold).read)), ("reset", _statement_names(self.reset))])

    @property
    def states(self) -> Mapping[str, str]:
        """State variables (differential and plain) with their units."""
        differential, _, plain, _ = _equation_names(self.equations)
        return {**differential, **plain}

    @property
    def plain(self) -> Mapping[str, str]:
        """Variables declared without an equation, with their units."""
        return _equation_names(self.equations)[2]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pathway:
    """What a spike does to a synapse: statements run when the spike of `event` arrives, `delay` after it was fired.

    Attributes:
        event: "pre" or "post".
        code: Brian2 statements.
        delay: the name of a parameter of the synapse (a time), or "" for none.
    """

    event: str
    code: str
    delay: str = ""

    def __post_init__(self) -> None:
        if self.event not in ("pre", "post"):
            raise ModelError(f"pathway.event: {self.event!r} is not an event; allowed: 'pre', 'post'")
        text.check_statements(self.code, f"pathway on {self.event}")
        object.__setattr__(self, "code", text.without_comments(self.code, f"pathway on {self.event}"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Synapse:
    """A synapse or learning rule: Brian2 equations, what arriving spikes do, and numbers.

    Attributes:
        equations: Brian2 equations of the synapse; ``name_pre`` and ``name_post`` are variables of the neurons it joins.
        pathways: several per synapse are allowed, such as transmission and a later calcium influx.
        method: Brian2's integrator for clock-driven runs. Event-driven runs solve the same equations exactly.
    """

    name: str
    equations: str
    pathways: tuple[Pathway, ...]
    method: str = "euler"
    parameters: Mapping[str, Parameter]
    initial: Mapping[str, Parameter] = field(default_factory=dict)
    reference: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pathways", tuple(self.pathways))
        _check_common(self)
        used = []
        for n, pathway in enumerate(self.pathways):
            if pathway.delay and pathway.delay not in self.parameters:
                raise ModelError(
                    f"{self.name}.pathways[{n}].delay: {pathway.delay!r} is not a parameter; allowed: {sorted(self.parameters)} or ''"
                )
            used.append((f"pathways[{n}].code", _statement_names(pathway.code)))
        _check_known(self, used)

    @property
    def states(self) -> Mapping[str, str]:
        """State variables with their units."""
        differential, _, plain, _ = _equation_names(self.equations)
        return {**differential, **plain}

    @property
    def plain(self) -> Mapping[str, str]:
        """Variables declared without an equation, with their units."""
        return _equation_names(self.equations)[2]


def _check_common(model: Neuron | Synapse) -> None:
    text.check_name(model.name, "name")
    text.check_equations(model.equations, f"{model.name}.equations")
    # Brian2 would carry comments into the sources that it generates.
    object.__setattr__(model, "equations", "\n".join((line for _, line in text._equations(model.equations, f"{model.name}.equations"))))
    for name in ("parameters", "initial"):
        object.__setattr__(model, name, _mapping(getattr(model, name), f"{model.name}.{name}"))
    differential, computed, plain, _ = _equation_names(model.equations)
    declared = {**differential, **computed, **plain}
    for name in (*declared, *model.parameters):
        if name.endswith(("_pre", "_post")):
            raise ModelError(
                f"{model.name}: {name!r} ends in '_pre' or '_post', which in a synapse means a variable of the neuron at that end; "
                f"rename it, for example to {name.replace('_p', 'p')!r}"
            )
    for name in model.parameters:
        if name in declared or name in SPECIAL:
            raise ModelError(f"{model.name}.parameters: {name!r} is already a variable; rename one of the two")
    for name, start in model.initial.items():
        if name not in differential and name not in plain:
            raise ModelError(
                f"{model.name}.initial: {name!r} is not a state variable; allowed: {sorted({**differential, **plain})}."
                + did_you_mean(name, [*differential, *plain])
            )
        wanted = {**differential, **plain}[name]
        if units.unit(wanted if wanted not in ("boolean", "integer") else "1").dimensions != units.unit(start.unit).dimensions:
            raise units.UnitError(f"{model.name}.initial: {name!r} is in {wanted!r} in the equations, but its value is in {start.unit!r}")


def _check_known(model: Neuron | Synapse, used: list[tuple[str, set[str]]]) -> None:
    differential, computed, plain, read = _equation_names(model.equations)
    known = {*differential, *computed, *plain, *model.parameters, *SPECIAL}
    for place, names in [("equations", read), *used]:
        for name in sorted(names - known):
            if name.startswith("xi_") or (isinstance(model, Synapse) and re.search(r"_(pre|post)$", name)):
                continue
            raise ModelError(
                f"{model.name}.{place}: {name!r} is neither a state nor a parameter. Known: {sorted(known - SPECIAL)}."
                + did_you_mean(name, known)
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Population:
    """`size` neurons of one kind; without a neuron, `size` ports whose spikes the protocol imposes."""

    name: str
    neuron: Neuron | None = None
    size: int = 1

    def __post_init__(self) -> None:
        text.check_name(self.name, "population.name")
        if not isinstance(self.size, int) or self.size < 1:
            raise ModelError(f"population {self.name!r}: size {self.size!r} is not a positive integer")


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
            # One order for every engine: sums over synapses then round alike.
            order = np.lexsort((post, pre))
            object.__setattr__(self, "pairs", (frozen(pre[order], np.int64), frozen(post[order], np.int64)))


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
        placed = [p.name for p in (*self.populations, *self.projections)]
        for name in placed:
            if placed.count(name) > 1:
                raise ModelError(f"circuit {self.name!r}: {name!r} names two objects; give each its own name")
        if not self.populations:
            raise ModelError(f"circuit {self.name!r} has no population; add at least one")
        complete = tuple(self._completed(p) for p in self.projections)
        object.__setattr__(self, "projections", complete)
        for population in self.populations:
            self._check_sizes(population.name, population.neuron, population.size)
        for projection in complete:
            assert_pairs = projection.pairs[0].size if projection.pairs else 0
            self._check_sizes(projection.name, projection.synapse, assert_pairs)

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
        synapse = projection.synapse
        read = _equation_names(synapse.equations)[3].union(*(_statement_names(p.code) for p in synapse.pathways))
        for name in sorted(read - set(synapse.parameters) - set(synapse.states)):
            match = re.match(r"(\w+)_(pre|post)$", name)
            if not match:
                continue
            end = pre if match[2] == "pre" else post
            known = {*end.neuron.states, *end.neuron.parameters} if end.neuron else set()
            if match[1] not in known:
                raise ModelError(
                    f"projection {projection.name!r}: {name!r} asks for {match[1]!r} of population {end.name!r}, which has {sorted(known)}."
                    + did_you_mean(match[1], known)
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
