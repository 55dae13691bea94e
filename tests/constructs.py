"""Every construct of Brian2 that the twin runs: neurons and synapses in one circuit on a clock, and one from event to event."""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from bioneuro import protocol
from bioneuro.imposed import Current, Phases
from bioneuro.model import Circuit, Every, Neuron, Parameter, Pathway, Population, Projection, Synapse, parameter

STEP = "0.1 ms"
MS = 1e-3

NUMBERS = {
    "tau": parameter(10, "ms", low=1, high=100),
    "tau_x": parameter(30, "ms", low=1, high=300),
    "E_L": parameter(-60, "mV", low=-100, high=0),
    "V_th": parameter(-50, "mV", low=-100, high=0),
    "V_r": parameter(-65, "mV", low=-100, high=0),
    "t_ref": parameter(2, "ms", low=0, high=10),
    "sigma": parameter(2, "mV", low=0, high=10),
    "Delta": parameter(2, "mV", low=0.1, high=10),
    "drive": parameter(18, "mV", low=0, high=100),
}


@dataclass(frozen=True, kw_only=True)
class Construct:
    """One line of the table: what is written in Brian2, and the object of the circuit that has it."""

    group: str
    says: str
    text: str


def _neuron(equations: str, **more: Any) -> Neuron:
    given: dict[str, Any] = {"threshold": "v > V_th", "reset": "v = V_r", "method": "euler", **more}
    written = set(re.findall(r"\w+", " ".join([equations, *map(str, given.values())])))
    numbers = {name: p for name, p in NUMBERS.items() if name in written}
    initial = {"v": parameter(-60, "mV")} if "v :" in equations or "dv/dt" in equations else {}
    return Neuron(name="cell", equations=equations, parameters=numbers, initial=initial, **given)


LEAK = "dv/dt = (E_L - v + drive)/tau : volt"
EXPONENTIAL = "dv/dt = (E_L - v + drive + Delta*exp(clip((v - V_th)/Delta, -20, 3)))/tau : volt"
NOISY = "dv/dt = (E_L - v + drive)/tau + sigma*sqrt(2/tau)*xi : volt"
TIMES_NOISE = "dv/dt = (E_L - v + drive)/tau + 0.1*(v - E_L)*xi/tau**0.5 : volt"

CELLS: dict[str, tuple[Construct, Neuron]] = {}


def _cell(name: str, group: str, says: str, text: str, neuron: Neuron) -> None:
    CELLS[name] = (Construct(group=group, says=says, text=text), neuron)


for _method, _equations in {
    "euler": EXPONENTIAL, "exponential_euler": LEAK, "exact": LEAK, "linear": LEAK, "independent": LEAK, "rk2": EXPONENTIAL, "rk4": EXPONENTIAL,
}.items():  # fmt: skip
    _cell(f"by_{_method}", "integrator", "", _method, _neuron(_equations, method=_method))
for _method in ("euler", "heun", "milstein"):
    _cell(f"noise_{_method}", "integrator", "additive noise, drawn by counter", f"{_method}, xi", _neuron(NOISY, method=_method))
for _method in ("heun", "milstein"):
    _cell(f"times_{_method}", "integrator", "multiplicative noise, drawn by counter", f"{_method}, v*xi", _neuron(TIMES_NOISE, method=_method))

_cell("two_noises", "equations", "noises of their own", "xi_1, xi_2",
      _neuron("dv/dt = (E_L - v + drive + x*sigma)/tau + sigma*sqrt(2/tau)*xi_1 : volt\ndx/dt = -x/tau_x + 0.01*xi_2/tau_x**0.5 : 1"))  # fmt: skip
_cell("subexpression", "equations", "subexpressions, also of one another", "x = ... : unit",
      _neuron("dv/dt = I_all/tau : volt\nI_all = I_leak + drive : volt\nI_leak = E_L - v : volt"))  # fmt: skip
_cell("over_dt", "equations", "worked out once, ahead of the step", "(constant over dt)",
      _neuron(LEAK + "\ngain = 1 + 0.002*x : 1 (constant over dt)\ndx/dt = (1 - x)/tau_x : 1",
              threshold="v > V_th/gain", reset="v = V_r; x += 1"))  # fmt: skip
_cell(
    "constant",
    "equations",
    "a variable that no statement changes",
    "x : unit (constant)",
    _neuron(LEAK + "\nrise : volt (constant)", threshold="v > V_th + rise"),
)
_cell("shared", "equations", "what all units share, if nobody assigns to it; each unit has its own, of the same value", "(shared)",
      _neuron("dv/dt = (E_L - v + drive + wave)/tau : volt\nwave = sigma*sin(2*pi*t/tau_x) : volt (shared)\noffset : volt (shared)",
              threshold="v > V_th + offset"))  # fmt: skip
_cell("flags", "equations", "boolean and integer variables", "x : boolean, n : integer",
      _neuron(LEAK + "\nhot : boolean\nn : integer", threshold="v > V_th - 0.5*int(hot)*sigma", reset="v = V_r; n += 1; hot = n > 2"))  # fmt: skip
_cell("time", "equations", "the time and the length of a step", "t, dt, t_in_timesteps",
      _neuron("dv/dt = (E_L - v + drive*(1 + 0.2*sin(2*pi*t/tau_x)) + sigma*int(t_in_timesteps % 50 < 5)*100*dt/tau)/tau : volt"))  # fmt: skip

_cell("threshold", "threshold and reset", "conditions joined by and, or, not", "v > V_th and not x > 1",
      _neuron(LEAK + "\ndx/dt = -x/tau_x : 1", threshold="(v > V_th and not x > 1.5) or v > V_th + sigma", reset="v = V_r; x += 1"))  # fmt: skip
_cell("reset", "threshold and reset", "several statements, in place or not", "v -= ...; x += ...",
      _neuron(LEAK + "\ndx/dt = -x/tau_x : volt", threshold="v > V_th + x", reset="v -= 15*sigma/2; x += sigma; x *= 0.9"))  # fmt: skip
_cell("period", "refractory", "a time", "refractory=t_ref", _neuron(LEAK, refractory="t_ref"))
_cell("period_text", "refractory", "a time that hangs on states", "refractory=t_ref*(1 + x)",
      _neuron(LEAK + "\ndx/dt = -x/tau_x : 1", reset="v = V_r; x += 1", refractory="t_ref*(1 + x)"))  # fmt: skip
_cell("condition", "refractory", "a condition that keeps it refractory", "refractory='x > 0.5'",
      _neuron(LEAK + "\ndx/dt = -x/tau_x : 1", reset="v = V_r; x += 1", refractory="x > 0.5"))  # fmt: skip
_cell(
    "protected",
    "refractory",
    "write protection, also against synapses",
    "(unless refractory)",
    _neuron(LEAK + " (unless refractory)", refractory="t_ref"),
)
_cell("asked", "refractory", "the flag and the last spike, in equations", "not_refractory, lastspike",
      _neuron("dv/dt = (E_L - v + drive)*int(not_refractory)/tau + sigma*exp(-clip(t - lastspike, 0*tau, 50*tau)/tau)/tau : volt",
              refractory="t_ref"))  # fmt: skip

_cell(
    "driven",
    "input",
    "a current of the protocol, a TimedArray in Brian2",
    "I(t)",
    dataclasses.replace(_neuron("dv/dt = (E_L - v + I)/tau : volt\nI : volt"), input="I"),
)
_cell("per_unit", "input", "one current per unit", "I(t, i)", dataclasses.replace(_neuron("dv/dt = (E_L - v + I)/tau : volt\nI : volt"), input="I"))
_cell("momentary", "input", "spikes whose current lasts a step", "run_regularly('I = 0*volt')",
      dataclasses.replace(_neuron("dv/dt = (E_L - v + drive + I)/tau : volt\nI : volt"), momentary="I"))  # fmt: skip
_cell("phases", "input", "a parameter that changes during the run", "during(...)", _neuron(LEAK))
_cell(
    "target",
    "",
    "",
    "",
    _neuron(
        "dv/dt = (E_L - v + g + h + s)/tau : volt (unless refractory)\ndg/dt = -g/tau : volt\ndh/dt = -h/tau_x : volt\ns : volt\nmark : 1",
        refractory="t_ref",
    ),
)
_cell("relay", "", "", "", _neuron(LEAK, refractory="t_ref"))

FUNCTIONS = {
    "exp": "exp(-x)", "expm1": "expm1(-x)", "exprel": "exprel(x - 1)", "log": "log(x)", "log10": "log10(x)", "log1p": "log1p(x)", "sqrt": "sqrt(x)",
    "sin": "sin(x)", "cos": "cos(x)", "tan": "tan(0.3*x)", "sinh": "sinh(x)", "cosh": "cosh(x)", "tanh": "tanh(x)", "arcsin": "arcsin(0.1*x)",
    "arccos": "arccos(0.1*x)", "arctan": "arctan(x)", "abs": "abs(x - 2)", "sign": "sign(x - 1.5)", "floor": "floor(3*x)", "ceil": "ceil(3*x)",
    "int": "int(3*x)", "clip": "clip(x, 0.8, 1.4)", "timestep": "0.001*timestep(t, dt)", "modulo": "(3*x) % 1", "division": "(30*x) // 7",
    "power": "x**1.5", "comparison": "int(x > 1.2) + int(x <= 1.3)",
}  # fmt: skip
"""A function -> an expression with it, of x between 0.5 and 2."""

_functions = "\n".join(
    ["dx/dt = (1.2 + 0.6*sin(2*pi*t/tau_x) - x)/tau : 1", *(f"df_{name}/dt = ({text} - f_{name})/tau : 1" for name, text in FUNCTIONS.items())]
)


def _weight(value: float, unit: str = "mV") -> Parameter:
    return parameter(value, unit, low=-1000, high=1000)


def _delays(n: int) -> Parameter:
    return Parameter(value=np.arange(n) % 7 * 3e-4, unit="ms")


def _on_pre(code: str, equations: str = "", *, delay: Parameter | None = None, **more: Any) -> Synapse:
    numbers = {"w": _weight(1.5)} | ({"d": delay} if delay else {})
    pathways = more.pop("pathways", (Pathway(event="pre", code=code, delay="d" if delay else ""),))
    written = " ".join([equations, *(p.code for p in pathways), more["every"].code if "every" in more else ""])
    taus = {name: NUMBERS[known] for name, known in (("tau_s", "tau_x"), ("scale", "sigma")) if name in written}
    return Synapse(name="syn", equations=equations, pathways=pathways, parameters={**numbers, **taus, **more.pop("numbers", {})}, **more)


TRACES = "dapre/dt = -apre/tau_s : 1 (event-driven)\ndapost/dt = -apost/tau_s : 1 (event-driven)\nq : volt"
STDP = (
    Pathway(event="pre", code="g_post += q; apre += 1; q = clip(q - 0.05*apost*scale, 0*scale, 3*scale)"),
    Pathway(event="post", code="apost += 1; q = clip(q + 0.05*apre*scale, 0*scale, 3*scale)"),
)
COUNTED = Every(period="updated", code="steps = ppu_quantise(q/scale*8, 6); steps = ppu_clip(steps - 1, 0, 31); q = steps*scale/8")

SYNAPSES: dict[str, tuple[Construct, Synapse, str, str]] = {
    "several": (Construct(group="projections", says="several onto one population", text="two Synapses"), _on_pre("g_post += w"), "port", "target"),
    "other": (Construct(group="projections", says="", text=""), _on_pre("h_post -= 0.5*w"), "port", "target"),
    "delayed": (Construct(group="projections", says="one delay", text="delay=3 ms"),
        _on_pre("g_post += w", delay=parameter(3, "ms")), "port", "target"),
    "delays": (
        Construct(group="projections", says="one delay per synapse, from ports and from neurons", text="S.delay = [...]"),
        _on_pre("g_post += w", delay=_delays(4)), "relay", "target",
    ),
    "port_delays": (Construct(group="projections", says="", text=""), _on_pre("h_post += w", delay=_delays(6)), "port", "target"),
    "recurrent": (Construct(group="projections", says="recurrent", text="Synapses(G, G)"),
        _on_pre("h_post -= w", delay=parameter(0.2, "ms")), "target", "target"),
    "event_driven": (Construct(group="pathways", says="traces between spikes, pre and post", text="(event-driven)"),
        _on_pre("", TRACES, pathways=STDP), "port", "target"),
    "clock_driven": (
        Construct(group="pathways", says="states on the clock, by any integrator", text="(clock-driven)"),
        _on_pre("r += 1; g_post += w*r", "dr/dt = -r/tau_s : 1 (clock-driven)", method="rk4"), "port", "target",
    ),
    "in_order": (
        Construct(group="pathways", says="what hangs on the order of synapses: one after the other", text="v_post += w*(E - v_post)"),
        _on_pre("x = v_post; v_post = v_post + 0.1*(x - v_post) + 0.1*w; mark_post *= 0.5", "x : volt"), "port", "target",
    ),
    "both_ends": (Construct(group="pathways", says="writes to the neurons at both ends", text="v_pre -= ..., v_post += ..."),
        _on_pre("g_post += w; v_pre -= 0.1*w"), "relay", "target"),
    "summed": (
        Construct(group="pathways", says="a sum over the synapses of a neuron", text="(summed)"),
        _on_pre("c += w", "dc/dt = -c/tau_s : volt (clock-driven)\ns_post = 0.2*c : volt (summed)"), "port", "target",
    ),
    "into_momentary": (Construct(group="pathways", says="", text=""), _on_pre("I_post += 8*w"), "port", "momentary"),
    "every": (
        Construct(group="pathways", says="periodic code of a processor, its integers exact and straight-through slopes", text="every"),
        _on_pre("g_post += q; q += 0.2*scale", "q : volt", every=COUNTED, numbers={"updated": parameter(1, "ms")}), "port", "target",
    ),
}  # fmt: skip


def circuit() -> Circuit:
    """All constructs on a clock, two units of each neuron."""
    cells = [Population(name=name, neuron=neuron, size=2) for name, (_, neuron) in CELLS.items()]
    functions = Population(name="functions", neuron=Neuron(name="functions", equations=_functions,
        parameters={k: NUMBERS[k] for k in ("tau", "tau_x")},
                                                           initial={"x": parameter(1, "1")}))  # fmt: skip
    joined = [Projection(name=name, synapse=s, pre=pre, post=post) for name, (_, s, pre, post) in SYNAPSES.items()]
    return Circuit(name="constructs", populations=(Population(name="port", size=3), *cells, functions), projections=tuple(joined))


def on_clock(seconds: float = 0.06) -> protocol.Protocol:
    """Poisson spikes, currents per trial and per unit, a phase, two trials."""
    made = protocol.poisson({"port": "150 Hz"}, f"{seconds} s", repetitions=2, stepping=protocol.clock(STEP))
    start = np.arange(0, seconds, 5 * MS)
    rng = np.random.default_rng(5)
    currents = {
        "driven": Current(start=start, value=rng.uniform(5e-3, 30e-3, (start.size, 2)), unit="volt"),
        "per_unit": Current(start=start, value=rng.uniform(5e-3, 30e-3, (start.size, 2, 2)), unit="volt"),
    }
    phases = {"phases.drive": Phases(start=np.array([0, seconds / 2]), value=np.array([[np.nan, np.nan], [14e-3, 25e-3]]), unit="volt")}
    return dataclasses.replace(made, currents=currents, phases=phases)
