"""Which learning rules the processor can take over, and what the others are told."""

import dataclasses

import pytest
from rules import ACCEPTED, SYNAPSES, rule

from bioneuro.bss2.terms import ConstrainError, read
from bioneuro.dynamics import Every
from bioneuro.equations import equations_of

# What it cannot, and what the message says.
REFUSED = {
    "bellec2018": "v_post of the neurons at its ends",
    "brette2005": "I_syn_post of the neurons at its ends",
    "clopath2010 published code": "u_last_post of the neurons at its ends",
    "clopath2010 ": "u_post of the neurons at its ends",
    "deperrois2020": r"calcium\.x: spikes change it, while its equation is dx/dt = \(1 - x\)/tau_rec",
    "guetig2003": r"stdp\.w: what a spike adds.*depends on the digital w",
    "guetig2006": "I_post, gate_post of the neurons at its ends",
    "hodgkin1952": "I_syn_post of the neurons at its ends",
    "izhikevich2003": "v_post of the neurons at its ends",
    "kobayashi2009": "v_post of the neurons at its ends",
    "luboeinski2021 neurons: pulse": "V_post of the neurons at its ends",
    "luboeinski2021 neurons: stc": r"it sums over synapses \(total_post\)",
    "luboeinski2021 pathways": r"it sums over synapses \(total_post\)",
    "pfister2006": r"triplet\.w: what a spike adds.*product of (o1 and r2|r1 and o2)",
    "song2000 onto one neuron": "g_e_post of the neurons at its ends",
    "tsodyks1998": r"release\.x: spikes change it",
    "vanrossum2000": r"stdp\.w: what a spike adds, '-c_d\*w\*apost', depends on the digital w",
    "vogels2005": "g_e_post of the neurons at its ends",
}


@pytest.mark.parametrize("name", SYNAPSES)
def test_catalogue(name: str) -> None:
    """Every circuit is either accepted or refused with the reason that is listed here."""
    if name.startswith(ACCEPTED):
        reading = read(SYNAPSES[name])
        hash(reading)
        declared = {e.name for e in equations_of(SYNAPSES[name].equations) if e.kind != "computed"}
        assert {*reading.analog, *(s.name for s in reading.slow), *(s.name for s in reading.sensed)} == declared
    else:
        reason = next(reason for beginning, reason in REFUSED.items() if name.startswith(beginning))
        with pytest.raises(ConstrainError, match=reason):
            read(SYNAPSES[name])


C = "dc/dt = -c/tau : 1\n"
ENTRIES = {
    "functions": (C + "dx/dt = exp(x)/tau : 1", r"rule\.x: the term 'exp\(x\)'; allowed: sums and products"),
    "abs": (C + "dx/dt = abs(x)/tau : 1", r"the term 'abs\(x\)'"),
    "logarithm": (C + "dx/dt = log(a)*x/tau : 1", r"the term 'log\(a\)'; allowed: clip, abs, int, sqrt, exp of parameters"),
    "division": (C + "dx/dt = a/(x*tau) : 1", r"the term 'a/\(x\*tau\)'; allowed: division by expressions of parameters"),
    "division by 0": (C + "dx/dt = x/(tau*0) : 1", "allowed: division by what is not 0"),
    "power": (C + "dx/dt = x**4/tau : 1", r"the term 'x\*\*4'; allowed: the powers 1, 2 and 3"),
    "root": (C + "dx/dt = x**a/tau : 1", r"the term 'x\*\*a'"),
    "time": (C + "dx/dt = x*t/tau**2 : 1", "it uses 't'"),
    "not": (C + "dx/dt = int(not c >= a)/tau : 1", r"the term 'not c >= a'.*1 - int\(\)"),
    "and": (C + "dx/dt = int(c >= a and c <= b)/tau : 1", "the term 'c >= a and c <= b'"),
    "equal": (C + "dx/dt = int(c == a)/tau : 1", "the term 'c == a'"),
    "modulo": (C + "dx/dt = (x % a)/tau : 1", "the term 'x % a'"),
    "int of a variable": (C + "dx/dt = int(c)/tau : 1", r"the term 'int\(c\)'.*compare a variable with a level"),
    "two variables": (C + "dx/dt = int(c >= x)/tau : 1", r"the term 'int\(c >= x\)'.*compare the variable with an expression of parameters"),
    "slope": (C + "dx/dt = int(a*c >= b)/tau : 1", r"the term 'int\(a\*c >= b\)'"),
    "within": (C + "dx/dt = int(abs(c - a) <= b)/tau : 1", r"write 1 - int\(abs\(x - a\) > b\)"),
    "noise times variable": (C + "dx/dt = x*xi/sqrt(tau) : 1", r"the noise xi is multiplied by x/sqrt\(tau\)"),
    "noise and level": (C + "dx/dt = sqrt(abs(c)/tau)*xi : 1", "the noise xi is multiplied by"),
    "noise squared": (C + "dx/dt = a*xi*xi : 1", "allowed: one noise in a product"),
    "noise without value": (C + "dx/dt = xi/sqrt(tau)/int(c >= a) : 1", "has no value for the thresholds 0"),
    "imaginary noise": (C + "dx/dt = sqrt((int(c >= a) - int(c >= b))/tau)*xi : 1", "has no value for the thresholds 10"),
    "many thresholds": (
        C + "dx/dt = (int(c >= a) + int(c >= b) + int(c >= k) + int(c >= 2))/sqrt(tau)*xi : 1", "the noise xi has 4 thresholds; allowed: up to 3",
    ),
    "many terms": (C + "dx/dt = ((x - y)**3)**3/tau : 1\ndy/dt = -y/tau : 1", "allowed: 64 terms when multiplied out"),
    "idle": (C + "dx/dt = u*x/tau : 1\nu : 1", r"rule\.u: it has no equation and no spike changes it.*make it a parameter"),
    "grows": ("dc/dt = c/tau : 1", r"rule\.c: spikes change it, while its equation is dc/dt = c/tau"),
    "noisy calcium": ("dc/dt = -c/tau + a*xi/sqrt(tau) : 1", r"rule\.c: spikes change it"),
    "neuron": (C + "dx/dt = v_post*x/tau : 1", "rule: it uses v_post of the neurons at its ends"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENTRIES)
def test_refused_equations(name: str) -> None:
    equations, message = ENTRIES[name]
    with pytest.raises(ConstrainError, match=message):
        read(rule(equations))


@pytest.mark.parametrize(
    ("pre", "message"),
    [
        ("w *= a", r"rule\.w: 'w \*= a'; allowed: w = clip\(w \+ change, low, high\)"),
        ("w = c", "rule.w: 'w = c'; allowed"),
        ("w = a - w", "rule.w: 'w = a - w'; allowed"),
        ("w += a*w", r"rule\.w: what a spike adds, 'a\*w', depends on the digital w"),
        ("w += a*y", "depends on the digital y"),
        ("w += c**2", "product of c and c"),
        ("w += c*int(c >= a)", r"product of c and int\(\.\.\.\)"),
        ("w += exp(c)", r"the term 'exp\(c\)'"),
        ("w += c/0", "division by what is not 0"),
        ("w = clip(w + c, 0, y)", "the bounds in .* depend on variables"),
        ("w = clip(w + c, 0, a); w = clip(w + c, 0, b)", r"its bounds differ: \('0', 'a'\) and \('0', 'b'\)"),
        ("w = clip(w + c, 0, a); w = clip(w - 1, 0, a)", "a spike changes it twice"),
        ("w = clip(w + c, 0, a)\nw += 1", "its bounds differ"),
        ("c += 1; w += c", "it reads c, which the same spike has changed before"),
        ("w += 1; c += y", r"rule\.c: what a spike adds, 'y', depends on the digital y"),
        ("w += 1; y += 1", r"rule\.y: spikes change it"),
        ("w += 1; v_post += w", "v_post of the neurons at its ends"),
    ],
)
def test_refused_statements(pre: str, message: str) -> None:
    with pytest.raises(ConstrainError, match=message):
        read(rule("w : 1\ndy/dt = (1 - y)/tau : 1\n" + C, pre=pre))


def test_periodic_code_is_refused() -> None:
    made = dataclasses.replace(rule(C + "n : integer"), every=Every(period="tau", code="n = 1"))
    with pytest.raises(ConstrainError, match="rule: it has periodic code"):
        read(made)
