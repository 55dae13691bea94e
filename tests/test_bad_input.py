"""Bad input is refused before anything runs, by a message that names the place, the value, what is allowed and the remedy."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import pytest

from bioneuro import brian, protocol
from bioneuro.brian.simulate import SimulationError
from bioneuro.catalogue import brette2005, graupner2012, song2000, vogels2005
from bioneuro.dynamics import METHODS
from bioneuro.equations import FLAT, SPECIAL
from bioneuro.flow import FlowError
from bioneuro.model import Circuit, ModelError, Neuron, Parameter, Pathway, Population, Projection, Synapse, parameter
from bioneuro.plan import plan
from bioneuro.protocol import Current, Events, Poisson, Protocol, ProtocolError, Spikes
from bioneuro.sizes import TextError
from bioneuro.statements import read
from bioneuro.twin import Twin
from bioneuro.units import UnitError

REFUSED = (ModelError, TextError, UnitError, ProtocolError)
PAIR = graupner2012.pair("DP")
WINDOW = protocol.pairing(lag="5 ms", pairs=2)


def numbers() -> dict[str, Parameter]:
    return {"tau": parameter(10, "ms"), "th": parameter(1, "mV"), "E": parameter(0, "mV"), "k": parameter(1), "rate": parameter(1, "Hz")}


def neuron(**changed: Any) -> Neuron:
    text = {"name": "cell", "equations": "dv/dt = (E - v)/tau : volt", "threshold": "v > th", "reset": "v = E", "parameters": numbers()}
    return Neuron(**{**text, **changed})


def synapse(equations: str = "dc/dt = -c/tau : 1", code: str = "c += k", delay: str = "", **changed: Any) -> Synapse:
    pathways = (Pathway(event="pre", code=code, delay=delay),)
    return Synapse(**{"name": "rule", "equations": equations, "pathways": pathways, "parameters": numbers(), **changed})


def between(rule: Synapse, post: Neuron | None = None) -> Circuit:
    ends = (Population(name="a"), Population(name="b", neuron=post))
    return Circuit(name="net", populations=ends, projections=(Projection(name="ab", synapse=rule, pre="a", post="b"),))


def twice(circuit: Circuit) -> Circuit:
    (one,) = circuit.projections
    return dataclasses.replace(circuit, projections=(one, dataclasses.replace(one, name="again")))


def equations(text: str) -> Any:
    return lambda: neuron(equations=text)


NEURONS: list[tuple[Any, str]] = [
    (equations("dv/dt = (E - vv)/tau : volt"), "cell.equations: 'vv' is neither a state nor a parameter.*Did you mean 'v'?"),
    (equations("dv/dt = (E - v)/taum : volt"), "'taum' is neither .* Did you mean 'tau'?"),
    (equations("dv/dt = (E - v)/th : volt"), r"dv/dt: '.*' is in no unit, expected volt/second"),
    (equations("dv/dt = (E - v + k)/tau : volt"), "cell.equations, dv/dt: 'E - v' is in volt but 'k' in no unit"),
    (equations("dv/dt = exp(v)/tau : volt"), "exp.. takes a value in no unit, but 'v' is in volt"),
    (equations("dv/dt = (E - v)/tau + xi*E : volt"), "must have one unit"),
    (equations("dv/dt = (E - v)/tau : volt\nx = v*k + k : volt"), "cell.equations, x: 'v . k' is in volt but 'k' in no unit"),
    (equations("dv/dt = v**k/tau : volt"), "exponent in .* must be a plain number"),
    (equations("dv/dt = (E - v)/tau : mV"), "unit"),
    (equations("dv/dt = (E - v)/tau : volt (shared)"), r"is \(shared\), which would join the trials"),
    (equations("dv/dt = (E - v)/tau + i*E/tau : volt"), "'i' runs over all trials"),
    (equations("dv/dt = (E - v)/tau : volt\ndu/dt = -u/tau + xi*tau**-0.5 : 1\ndx/dt = -x/tau + xi*tau**-0.5 : 1"), "share the noise 'xi'"),
    (equations("dv_pre/dt = (E - v_pre)/tau : volt"), "'v_pre' ends in '_pre' or '_post'.*rename it, for example to 'vpre'"),
    (equations("dlastspike/dt = 1 : second"), "'lastspike' is a name that the engines use themselves; rename"),
    (equations("dv/dt = (E - v)/tau : volt\nnew : 1"), "'new' is a name that the engines use"),
    (equations("dv/dt = (E - v)/tau : volt\nsecond : 1"), "'second' is the name of a unit"),
    (equations("dv/dt = (E - v)/tau : volt\nmV : 1"), "'mV' is the name of a unit"),
    (lambda: neuron(threshold="v > tau"), "cell.threshold: 'v' is in volt but 'tau' in second"),
    (lambda: neuron(threshold="v"), "cell.threshold: 'v' is neither true nor false; write a comparison"),
    (lambda: neuron(threshold="v > threshold"), "'threshold' is neither a state nor a parameter"),
    (lambda: neuron(threshold="v > E + xi"), "noise 'xi' has a meaning in differential equations only"),
    (lambda: neuron(reset="v = tau"), "cell.reset, 'v = tau': 'tau' is in second, expected volt"),
    (lambda: neuron(reset="v += k"), "must have one unit"),
    (lambda: neuron(reset="w = E"), "'w' is neither a state"),
    (lambda: neuron(reset="E = v"), "'E' is a parameter, which stays as it is during a run; states that can be changed: .'v'."),
    (lambda: neuron(reset="v = E*rand()"), r"rand\(\) draws numbers that no seed reaches"),
    (lambda: neuron(refractory="taur"), "cell.refractory: 'taur' is neither a state nor a parameter.* Did you mean 'tau'?"),
    (lambda: neuron(refractory="E"), "cell.refractory: 'E' is in volt, expected second"),
    (lambda: neuron(method="eular"), f"'eular' is unknown; allowed: {', '.join(METHODS)}. Did you mean 'euler'?"),
    (lambda: neuron(input="I"), "cell.input: 'I' must be declared"),
    (lambda: neuron(initial={"v": parameter(1, "ms")}), "cell.initial: 'v' is in 'volt' in the equations, but its value is in 'ms'"),
    (lambda: neuron(initial={"u": parameter(1)}), "'u' is not a state variable; allowed: .'v'."),
    (lambda: neuron(parameters={**numbers(), "v": parameter(1)}), "'v' is already a variable"),
    (lambda: neuron(parameters={**numbers(), "tau": 0.01}), "'tau' is a float; write parameter"),
    *[(lambda name=name: neuron(parameters={**numbers(), name: parameter(1)}), name) for name in sorted(SPECIAL | FLAT)],
    *[(lambda name=name: neuron(parameters={**numbers(), name: parameter(1)}), name) for name in ("double", "order", "xi_1", "EOF")],
    (lambda: synapse("dg_post/dt = -g_post/tau : 1"), "'g_post' ends in '_pre' or '_post'"),
    (lambda: synapse(code="c += kk"), r"rule.pathways\[0\].code: 'kk' is neither .* Did you mean 'k'"),
    (lambda: synapse(code="c += E"), "'c' is in no unit but 'E' in volt"),
    (lambda: synapse(delay="D"), r"pathways\[0\].delay: 'D' is not a parameter; allowed: one of \['tau'\]"),
    (lambda: synapse(delay="E"), "'E' is no time"),
    (equations("dv/dt = (E - v)/tau : volt\ntotal_post = v : volt (summed)"), "a sum over synapses goes to a plain variable of the neuron"),
    (lambda: synapse("c : 1\ntotal = c : 1 (summed)"), "'total' is .summed.; a sum over synapses .* such as total_post = expression : unit"),
    (lambda: neuron(threshold="", reset="v = E"), "never fires has neither reset nor refractory period; give a threshold"),
    (lambda: Pathway(event="spike", code=""), "'spike' is not an event; allowed: 'pre', 'post'"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), NEURONS, ids=[f"{n}-{m[:24]}" for n, (_, m) in enumerate(NEURONS)])
def test_models(make: Any, message: str) -> None:
    with pytest.raises(REFUSED, match=message):
        make()


CELL = neuron()
SUMMING = synapse("c : 1\ntotal_post = c : 1 (summed)", parameters={"k": parameter(1)})
OWN = Neuron(name="cell", equations="total : 1", parameters={})
CIRCUITS: list[tuple[Any, str]] = [
    (lambda: between(synapse(code="u_post += k"), CELL), "'u_post' asks for 'u' of population 'b', which has .*'v'"),
    (lambda: between(synapse(code="v_post += E")), r"asks for 'v' of population 'b', which has \[\]"),
    (lambda: between(synapse(code="v_post += k"), CELL), r"ab.pathways\[0\].code, 'v_post \+= k': 'v_post' is in volt but 'k' in no unit"),
    (lambda: between(synapse(code="E_post = E"), CELL), "'E' is a parameter of 'b', which stays as it is"),
    (lambda: between(synapse(), CELL), r"'tau', 'th'\] are names of its synapse and of its postsynaptic neuron 'b'; rename one .* 'E_syn' in the"),
    (lambda: between(SUMMING, CELL), "'total_post' asks for 'total' of population 'b', which has"),
    (lambda: between(SUMMING), r"'total_post' asks for 'total' of population 'b', which has \[\]"),
    (lambda: twice(between(SUMMING, OWN)), "two projections sum into 'b.total'; give each a variable"),
    (lambda: Circuit(name="net", populations=()), "has no population; add"),
    (lambda: Circuit(name="net", populations=(Population(name="a"), Population(name="a"))), "'a' names two objects"),
    (lambda: Circuit(name="net", populations=(Population(name="a"), Population(name="a_spikes"))), "engines use themselves"),
    (lambda: dataclasses.replace(PAIR, projections=(dataclasses.replace(PAIR.projections[0], pre="prae"),)), "'prae' is not a population.*'pre'"),
    (lambda: Projection(name="p", synapse=synapse(), pre="a", post="b", pairs=([0.5], [0])), "two integer arrays"),  # type: ignore[arg-type]
    (lambda: Projection(name="p", synapse=synapse(), pre="a", post="b", pairs=(np.zeros(0, int), np.zeros(0, int))), "has no pairs"),
    (lambda: dataclasses.replace(PAIR, projections=(dataclasses.replace(PAIR.projections[0], pairs=(np.array([0]), np.array([3]))),)), "1 x 1"),
    (lambda: PAIR.with_values({"calcium.gamma_q": 1}), "has no 'calcium.gamma_q'; known: .*Did you mean 'calcium.gamma_[pd]'"),
    (lambda: PAIR.with_values({"gamma_p": 1}), "has no 'gamma_p'"),
    (lambda: PAIR.with_values({"calcium.tau_Ca": "25 mV"}), r"calcium.tau_Ca: expected a value in 'ms' \(second\) but got '25 mV' \(volt\)"),
    (lambda: PAIR.with_values({"calcium.tau_Ca": 25}), r"but got 25 \(no unit\); write for example 1\*ms"),
    (lambda: PAIR.with_values({"calcium.tau_Ca": "25 second"}), r"25000 ms is outside its bounds \[1, 500\] ms; choose a value within"),
    (lambda: PAIR.with_values({"calcium.gamma_p": -1}), r"calcium.gamma_p: -1 1 is outside its bounds \[0, 100000\]|-1 is outside"),
    (lambda: PAIR.with_values({"calcium.gamma_p": np.nan}), "calcium.gamma_p: the value nan is not finite; give finite numbers"),
    (lambda: PAIR.with_values({"calcium.gamma_p": [1, 2]}), r"calcium.gamma_p: \(2,\) values for 1 units; give one value or 1"),
    (lambda: PAIR.with_values({"calcium.rho": "1 ms"}), "calcium.rho: expected a value in '1'"),
    (lambda: parameter(np.inf), "inf is not finite; give finite"),
    (lambda: parameter([1, np.nan], "ms"), "not finite"),
    (lambda: parameter(1, "msec"), "'msec' is not a unit name"),
    (lambda: parameter("1 mV", "ms"), "expected a value in 'ms'"),
    (lambda: parameter("x", "ms"), "'x' is not a number"),
    (lambda: parameter(5, low=6, high=9, says="gain"), r"gain.*5 1? ?is outside its bounds \[6, 9\]"),
    (lambda: parameter(5, low=np.nan), "hold no number; give low <= high"),
    (lambda: parameter(5, low=9, high=6), "give low <= high"),
    (lambda: parameter([[1, 2]]), "give one number, or one per unit"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), CIRCUITS, ids=[f"{n}-{m[:24]}" for n, (_, m) in enumerate(CIRCUITS)])
def test_circuits_and_values(make: Any, message: str) -> None:
    with pytest.raises(REFUSED, match=message):
        make()


def bare(**changed: Any) -> Protocol:
    spikes = {"pre": Spikes(stimulus=[0], unit=[0], time=[0.1]), "post": Spikes(stimulus=[0], unit=[0], time=[0.1])}
    whole = {"name": "bare", "stepping": Events(), "trials": {}, "stimulus": [0], "reads": [[1.0]], "spikes": spikes}
    return Protocol(**{**whole, **changed})


def on_pre(stimulus: list[int], unit: list[int], time: list[float], **changed: Any) -> Protocol:
    return bare(spikes={"pre": Spikes(stimulus=stimulus, unit=unit, time=time), "post": Spikes(stimulus=[], unit=[], time=[])}, **changed)


LIF, DRIVE = vogels2005.driven(), protocol.poisson({"input": "1 Hz"}, "1 s", stepping=protocol.clock())
CLOCK = protocol.clock("1 ms")
MV = Current(start=[0], value=[[0.001]], unit="volt")
TWO_DELAYS = dataclasses.replace(
    synapse(), pathways=(Pathway(event="pre", code="c += k"), Pathway(event="pre", code="c += k", delay="tau")), name="two"
)
PLANS: list[tuple[Any, Protocol, str]] = [
    (PAIR, bare(spikes={"pree": MV, **WINDOW.spikes}), "imposes spikes on 'pree'; ports of 'graupner2012': .*Did you mean 'pre'"),
    (LIF, bare(spikes={"lif": WINDOW.spikes["pre"]}, stepping=CLOCK), "imposes spikes on 'lif'"),
    (PAIR, bare(spikes={"pre": WINDOW.spikes["pre"]}), "gives no spikes for port 'post' of .*; add them to `spikes`"),
    (PAIR, on_pre([0], [1], [0.1]), r"spikes of 'pre' name a unit outside 0\.\.0"),
    (PAIR, on_pre([0, 0], [0, 0], [0.1, 0.1]), "unit 0 fires twice at 0.1 s in stimulus 0; remove the duplicate"),
    (PAIR, on_pre([0, 0], [0, 0], [0.1, 0.1 + 5e-13]), "unit 0 fires twice at 0.1 s"),
    (PAIR, on_pre([0, 0], [0, 0], [0.10005, 0.09995], stepping=CLOCK), r"'pre': two spikes of one unit in one bin of 1 ms at 0.1 s.*choose a finer"),
    (PAIR, on_pre([0], [0], [0.1004], stepping=CLOCK), "0.1004 s is 400 us off the grid of 1 ms, more than the tolerance of 100 us"),
    (PAIR, bare(reads=[[1.0004]], stepping=CLOCK), "reading times: 1.0004 s is 400 us off the grid"),
    (PAIR.with_values({"calcium.D": "1.4 ms"}), bare(stepping=CLOCK), "delays of calcium: 0.0014 s is 400 us off the grid"),
    (between(synapse(delay="tau", parameters={**numbers(), "tau": parameter(-1, "ms")})),
     bare(spikes={"a": WINDOW.spikes["pre"], "b": WINDOW.spikes["post"]}), "ab.tau: a delay of -0.001 s is negative"),
    (between(TWO_DELAYS), bare(spikes={"a": WINDOW.spikes["pre"], "b": WINDOW.spikes["post"]}), "arrive with several delays .0.0, 0.01. s; use one"),
    (PAIR, bare(settings={"calcium.gamma_q": [1.0]}), "has no 'calcium.gamma_q'; known: "),
    (PAIR, bare(settings={"calcium.gamma_p": [-1.0]}), "setting calcium.gamma_p: -1 1? ?is outside its bounds"),
    (PAIR, bare(settings={"calcium.D": [0.01]}), "calcium.D is a delay, which is common to all trials; run one protocol per delay"),
    (PAIR, bare(settings={"calcium.D": [0.01]}, stepping=CLOCK), "calcium.D is a delay"),
    (PAIR, bare(settings={"calcium.tau_Ca": ["25 mV"]}), r"setting calcium.tau_Ca: expected values in 'ms' \(second\) but got volt"),
    (PAIR, protocol.pairing(lag="5 ms", initial={"calcium.rho": ["1 ms"]}), "setting calcium.rho: expected values in '1'"),
    (LIF, protocol.poisson({"input": "1 Hz"}, "1 s", stepping=CLOCK, initial={"lif.v": -60}), r"but got no unit; write for example 1\*volt"),
    (PAIR, bare(record=("calcium.tau_Ca",)), "record: 'calcium.tau_Ca' is a parameter, which stays as it is during a run; states: "),
    (PAIR, bare(record=("calcium.rhoo",)), "has no 'calcium.rhoo'.*Did you mean 'calcium.rho'"),
    (LIF, dataclasses.replace(DRIVE, stepping=Events()), "has neurons .lif. that decide when to spike.*use stepping=clock"),
    (LIF, dataclasses.replace(DRIVE, currents={"input": MV}), r"injects current into 'input'; populations with an input: \['lif'\]"),
    (between(SUMMING, OWN), bare(spikes={"a": WINDOW.spikes["pre"]}, currents={"b": MV}), "injects current into 'b'; populations with an input"),
    (brette2005.driven(), dataclasses.replace(DRIVE, currents={"adex": MV}), "current into 'adex': it is in 'volt', but its input is in 'amp'"),
]  # fmt: skip


@pytest.mark.parametrize(("circuit", "made", "message"), PLANS, ids=[f"{n}-{m[:24]}" for n, (*_, m) in enumerate(PLANS)])
def test_protocols_that_do_not_fit(circuit: Circuit, made: Protocol, message: str) -> None:
    with pytest.raises(REFUSED, match=message):
        plan(circuit, made, seed=1)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, "1", None, True, np.float64(1), [1]], ids=str)
def test_seeds(seed: Any) -> None:
    with pytest.raises(ProtocolError, match=r"seed: .* is not an integer from 0 to 2\*\*63 - 1; give one"):
        plan(PAIR, WINDOW, seed=seed)
    assert plan(PAIR, WINDOW, seed=np.int64(2**62)).seed == 2**62  # type: ignore[arg-type]


FLOWS = [
    ("dc/dt = -c/tau + sin(t*rate)*rate : 1", "'t' has no meaning between events"),
    ("dc/dt = -c**3/tau : 1", "the term -c..3/tau is neither constant nor proportional to c"),
    ("dc/dt = -c/tau : 1\ndx/dt = c*x/tau + 1/tau : 1", "dx/dt cannot be stepped from event to event: the term c.x/tau"),
    ("dc/dt = (1 - c)/tau : 1\ndx/dt = int(c > k)/tau : 1", "the threshold c - k >= 0 must compare what fades in the quiet with a level"),
    ("dc/dt = c/tau : 1\ndx/dt = int(c > k)/tau : 1", "both must be positive for positive parameters"),
    ("dc/dt = -c/tau : 1\ndx/dt = int(c > 0)/tau : 1", "both must be positive"),
    ("dc/dt = -c/tau : 1\ndx/dt = int(c > x)/tau : 1", "changes during the step"),
    ("dc/dt = (1 - c)/tau : 1\ndx/dt = (c - x)/tau : 1", "depends on 'c', which does not decay exponentially"),
    ("dc/dt = -c/tau + c*xi*tau**-0.5 : 1", "the noise xi is multiplied by a state variable"),
    ("dc/dt = -c/tau + xi_a*tau**-0.5 : 1\ndx/dt = -x/tau + xi_a*tau**-0.5 : 1", "'c' and 'x' share the noise .'xi_a'."),
    ("dc/dt = -clip(c, 0, 1)/tau : 1", r"'clip\(c, 0, 1\)' is not an expression that can be solved exactly"),
]


@pytest.mark.parametrize(("text", "message"), FLOWS, ids=[message[:30] for _, message in FLOWS])
def test_what_events_cannot_solve(text: str, message: str) -> None:
    circuit = between(synapse(text))
    ends = {"a": WINDOW.spikes["pre"], "b": WINDOW.spikes["post"]}
    with pytest.raises(FlowError, match=rf"^ab: .*{message}.*; (rewrite (them|it) so, or )?(use stepping=clock|give each its own)"):
        read(plan(circuit, bare(spikes=ends), seed=1))


def test_unknown_target() -> None:
    with pytest.raises(ValueError, match=r"target 'gpu' is unknown; allowed: cpp, cython, numpy"):
        brian.simulate(PAIR, WINDOW, seed=1, target="gpu")


def test_without_a_compiler_numpy_gives_the_same_numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = brian.simulate(PAIR, WINDOW, seed=1, target="numpy")
    monkeypatch.setenv("PATH", str(tmp_path))
    for target in ("cpp", "cython"):
        with pytest.warns(UserWarning, match=r"needs g\+\+, make, which was not found.*the same numbers.*times slower; install"):
            found = brian.simulate(PAIR, WINDOW, seed=1, target=target)
        assert found.provenance.engine == "numpy"
        assert all(np.array_equal(found[path], expected[path]) for path in expected.traces)


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")
def test_a_blow_up_names_variable_step_trial_and_unit() -> None:
    explosive = between(synapse("dc/dt = c**3/tau : 1", code="c += 1", method="euler"))
    spikes = {"a": Spikes(stimulus=[1], unit=[0], time=[0.01]), "b": Spikes(stimulus=[], unit=[], time=[])}
    made = bare(stimulus=[0, 1], reads=[[0.1]] * 2, spikes=spikes, stepping=CLOCK)
    with pytest.raises(SimulationError, match=r"^ab.c became (inf|nan) by step 100 \(trial 1, unit 0\); choose a smaller dt"):
        brian.simulate(explosive, made, seed=1, target="numpy")


def test_names_that_brian2_would_set_aside() -> None:
    """Brian2 stores a value of these names as an attribute of its object, and the variable would keep its zero without a word."""
    group = brian2.NeuronGroup(1, "v : 1", threshold="v > 1", reset="v = 0", refractory=1 * brian2.ms)
    synapses = brian2.Synapses(group, group, "w : 1", on_pre="w += 1", on_post="w += 1")
    own = {name for o in (group, synapses) for name in (*vars(o), *vars(type(o))) if re.fullmatch(r"[A-Za-z]\w*", name)}
    assert {"pre", "post", "delay", "order", "equations"} <= own
    group._network = synapses._network = "none"  # never to be run
    for name in sorted(own - {"w", "v"}):
        with pytest.raises(REFUSED):
            synapse(parameters={**numbers(), name: parameter(1)})


def payloads(marker: Path) -> list[str]:
    return [f"exp('__import__(\"os\").system(\"touch {marker}\")')", f"__import__('os').system('touch {marker}')", "a\nb", "../x", "a;b", "ä", ""]


FIELDS: dict[str, Any] = {
    "neuron.name": lambda t: neuron(name=t),
    "neuron.equations": lambda t: neuron(equations=f"dv/dt = {t} : volt"),
    "neuron.unit": lambda t: neuron(equations=f"dv/dt = (E - v)/tau : {t}"),
    "neuron.flag": lambda t: neuron(equations=f"dv/dt = (E - v)/tau : volt ({t})") if t else neuron(name=t),
    "neuron.threshold": lambda t: neuron(threshold=t),
    "neuron.reset": lambda t: neuron(reset=f"v = {t}"),
    "neuron.refractory": lambda t: neuron(refractory=t or "x"),
    "neuron.method": lambda t: neuron(method=t),
    "neuron.input": lambda t: neuron(input=t or "x"),
    "neuron.parameters": lambda t: neuron(parameters={**numbers(), t: parameter(1)}),
    "neuron.initial": lambda t: neuron(initial={t: parameter(1)}),
    "parameter.unit": lambda t: parameter(1, t),
    "parameter.value": lambda t: parameter(t, "ms"),
    "synapse.name": lambda t: synapse(name=t),
    "synapse.equations": lambda t: synapse(f"dc/dt = {t} : 1"),
    "pathway.code": lambda t: synapse(code=f"c += {t}"),
    "pathway.event": lambda t: Pathway(event=t, code=""),
    "pathway.delay": lambda t: synapse(delay=t or "x"),
    "population.name": lambda t: Population(name=t),
    "projection.name": lambda t: Projection(name=t, synapse=synapse(), pre="a", post="b"),
    "projection.pre": lambda t: dataclasses.replace(PAIR, projections=(dataclasses.replace(PAIR.projections[0], pre=t),)),
    "circuit.name": lambda t: dataclasses.replace(PAIR, name=t),
    "circuit.with_values path": lambda t: PAIR.with_values({t: 1}),
    "circuit.with_values value": lambda t: PAIR.with_values({"calcium.tau_Ca": t}),
    "protocol.name": lambda t: bare(name=t),
    "protocol.lag": lambda t: protocol.pairing(lag=t),
    "protocol.ports": lambda t: plan(PAIR, protocol.pairing(lag="5 ms", ports=(t, "post")), seed=1),
    "protocol.settings": lambda t: plan(PAIR, bare(settings={t: [1.0]}), seed=1),
    "protocol.record": lambda t: plan(PAIR, bare(record=(t,)), seed=1),
    "protocol.currents": lambda t: plan(LIF, dataclasses.replace(DRIVE, currents={t: MV}), seed=1),
    "protocol.poisson": lambda t: plan(PAIR, bare(spikes={t: Poisson(rate=[1], start=0, stop=1, grid=1e-4)}), seed=1),
    "current.unit": lambda t: Current(start=[0], value=[[1.0]], unit=t),
}


@pytest.mark.parametrize("field", FIELDS)
def test_no_text_is_run(field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in payloads(tmp_path / "marker"):
        with pytest.raises(REFUSED) as error:
            FIELDS[field](text)
        assert re.search(r"[;:,.] ", str(error.value))
        assert len(str(error.value)) < 2000
    assert not list(tmp_path.iterdir())


def test_free_text_stays_text(tmp_path: Path) -> None:
    """What is said about a parameter or a model may be anything; nothing of it reaches an engine as code."""
    payload = payloads(tmp_path / "marker")[1] + '\n*/ "); system("x"); //'
    rule = dataclasses.replace(song2000.rule(), reference=payload)
    rule = dataclasses.replace(rule, parameters={k: dataclasses.replace(p, says=payload, source=payload) for k, p in rule.parameters.items()})
    circuit = dataclasses.replace(song2000.pair(), projections=(Projection(name="stdp", synapse=rule, pre="pre", post="post"),))
    assert brian.simulate(circuit, WINDOW, seed=1, target="numpy")["stdp.w"].shape == (1, 1, 1)
    assert not list(tmp_path.iterdir())


def test_an_integrator_that_does_not_take_the_equations_is_named() -> None:
    """Brian2, or sympy beneath it, fails in several ways; the message says which object, which integrator, and what to do."""
    curved = neuron(equations="dv/dt = (E - v*v/E)/tau : volt", method="exact")
    circuit = Circuit(name="one", populations=(Population(name="cell", neuron=curved),))
    run = Protocol(name="run", stepping=protocol.clock("0.1 ms"), trials={}, stimulus=np.zeros(1, int), reads=np.array([[1e-3]]))
    for engine in (lambda: brian.simulate(circuit, run, seed=0, target="numpy"), lambda: Twin(circuit)(run)):
        with pytest.raises(ModelError, match="cell: the integrator 'exact' does not take its equations"):
            engine()
