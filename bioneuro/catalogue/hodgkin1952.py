"""The Hodgkin-Huxley membrane of the squid giant axon: sodium, potassium and leak currents, at one potential everywhere.

Hodgkin AL, Huxley AF (1952) A quantitative description of membrane current and its application to conduction and excitation in nerve.
J Physiol 117:500, doi 10.1113/jphysiol.1952.sp004764, eqs. 7 to 26 and Table 3 (at 6.3 degrees Celsius).

    v                 membrane potential, inside minus outside    C, area             capacitance per area, membrane area
    m, h, n           sodium activation, sodium inactivation, potassium activation
    g_Na, g_K, g_L    largest conductances per area               E_Na, E_K, E_L      reversal potentials
    A_m ... L_n       rates of opening (A) and closing (B): factor; V_: where along x; K_, L_: how steeply
    phi               factor of all rates, 3^((T - 6.3)/10) at T degrees Celsius; x  depolarization from E_rest
    V_th, t_ref       a spike is counted where v passes V_th, and none for t_ref after it; nothing is reset
    I_syn             synaptic current decaying with tau_syn (added here, so that spikes can drive the membrane)
    I                 injected current

Sign: the paper counts V outward and from rest; here v = E_rest - V with the usual E_rest of -65 mV. The rest of these equations lies 3.6 uV
higher, since the paper's leak potential, 10.613 mV, is rounded. The paper counts per cm2, which is why the area is 1 cm2: a current of
1 uA is then the paper's 1 uA/cm2. The 0/0 of alpha_m and alpha_n is gone: x/(exp(x) - 1) = 1/exprel(x).

Clock: exponential_euler is stable at 0.1 ms but of first order (at 10 uA/cm2 it fires at 65.4 Hz instead of 68.3 Hz); rk4 is unstable at
0.1 ms and exact to the step at 0.05 ms.
"""

from bioneuro.model import Circuit, Neuron, Parameter, Pathway, Population, Projection, Synapse, parameter

_TABLE = "Hodgkin & Huxley 1952, Table 3"
_RATES = "Hodgkin & Huxley 1952, eqs. 12, 13, 20, 21, 23 and 24"
_REST = "closed-form steady state where the membrane current vanishes"
_OURS = "chosen here"

EQUATIONS = """
dv/dt = (g_Na*m**3*h*(E_Na - v) + g_K*n**4*(E_K - v) + g_L*(E_L - v) + (I + I_syn)/area)/C : volt
dm/dt = phi*(alpha_m*(1 - m) - beta_m*m) : 1
dh/dt = phi*(alpha_h*(1 - h) - beta_h*h) : 1
dn/dt = phi*(alpha_n*(1 - n) - beta_n*n) : 1
dI_syn/dt = -I_syn/tau_syn : amp
x = v - E_rest : volt
alpha_m = A_m/exprel((V_m - x)/K_m) : hertz
beta_m = B_m*exp(-x/L_m) : hertz
alpha_h = A_h*exp(-x/K_h) : hertz
beta_h = B_h/(1 + exp((V_h - x)/L_h)) : hertz
alpha_n = A_n/exprel((V_n - x)/K_n) : hertz
beta_n = B_n*exp(-x/L_n) : hertz
I : amp
"""


def _rates() -> dict[str, Parameter]:
    def rate(value: float, says: str) -> Parameter:
        return parameter(value, "1/ms", low=1e-4, high=1000, says=says, source=_RATES)

    def potential(value: float, says: str) -> Parameter:
        return parameter(value, "mV", low=0.1, high=500, says=says, source=_RATES)

    return {
        "A_m": rate(1.0, "rate of sodium activation at V_m"),
        "V_m": potential(25.0, "depolarization at which alpha_m is A_m"),
        "K_m": potential(10.0, "steepness of alpha_m"),
        "B_m": rate(4.0, "rate of sodium deactivation at rest"),
        "L_m": potential(18.0, "steepness of beta_m"),
        "A_h": rate(0.07, "rate of sodium deinactivation at rest"),
        "K_h": potential(20.0, "steepness of alpha_h"),
        "B_h": rate(1.0, "largest rate of sodium inactivation"),
        "V_h": potential(30.0, "depolarization of half the largest beta_h"),
        "L_h": potential(10.0, "steepness of beta_h"),
        "A_n": rate(0.1, "rate of potassium activation at V_n"),
        "V_n": potential(10.0, "depolarization at which alpha_n is A_n"),
        "K_n": potential(10.0, "steepness of alpha_n"),
        "B_n": rate(0.125, "rate of potassium deactivation at rest"),
        "L_n": potential(80.0, "steepness of beta_n"),
    }


def neuron(method: str = "exponential_euler") -> Neuron:
    """The membrane at rest; `method` is exponential_euler, euler, rk2 or rk4."""
    return Neuron(
        name="axon",
        equations=EQUATIONS,
        threshold="v > V_th",
        reset="",
        refractory="t_ref",
        method=method,
        input="I",
        parameters={
            "area": parameter(1, "cm**2", low=1e-9, high=100, says="membrane area", source=f"{_TABLE}: per cm2"),
            "C": parameter(1, "uF/cm**2", low=0.01, high=100, says="membrane capacitance per area", source=_TABLE),
            "g_Na": parameter(120, "mS/cm**2", low=0, high=10000, says="largest sodium conductance per area", source=_TABLE),
            "g_K": parameter(36, "mS/cm**2", low=0, high=10000, says="largest potassium conductance per area", source=_TABLE),
            "g_L": parameter(0.3, "mS/cm**2", low=0, high=1000, says="leak conductance per area", source=_TABLE),
            "E_rest": parameter(-65, "mV", low=-150, high=50, says="potential from which x counts", source="usual choice, e.g. NEURON hh.mod"),
            "E_Na": parameter(50, "mV", low=-150, high=200, says="sodium reversal potential, E_rest + 115 mV", source=_TABLE),
            "E_K": parameter(-77, "mV", low=-200, high=100, says="potassium reversal potential, E_rest - 12 mV", source=_TABLE),
            "E_L": parameter(-54.387, "mV", low=-150, high=100, says="leak reversal potential, E_rest + 10.613 mV", source=_TABLE),
            **_rates(),
            "phi": parameter(1, low=0.01, high=100, says="temperature factor of the rates", source="Hodgkin & Huxley 1952, 6.3 degrees C"),
            "V_th": parameter(0, "mV", low=-100, high=100, says="spike detection", source=_OURS),
            "t_ref": parameter(3, "ms", low=0, high=100, says="no second detection, longer than the spike", source=_OURS),
            "tau_syn": parameter(5, "ms", low=0.1, high=1000, says="decay time of the synaptic current", source=_OURS),
        },
        initial={
            "v": parameter(-64.99637933119206, "mV", says="resting potential", source=_REST),
            "m": parameter(0.052955086813008125, says="sodium activation at rest", source=_REST),
            "h": parameter(0.5959941247398638, says="sodium inactivation at rest", source=_REST),
            "n": parameter(0.31773239976086576, says="potassium activation at rest", source=_REST),
            "I_syn": parameter(0, "uA"),
            "I": parameter(0, "uA"),
        },
        reference="Hodgkin & Huxley 1952, J Physiol 117:500, eq. 26 and Table 3",
    )


def current_synapse(weight: float = 10.0) -> Synapse:
    """A synapse whose spikes add `weight` uA to the exponentially decaying current ``I_syn`` of its target."""
    return Synapse(
        name="drive",
        equations="",
        pathways=(Pathway(event="pre", code="I_syn_post += weight"),),
        parameters={"weight": parameter(weight, "uA", low=-1e5, high=1e5, says="current of one spike into 1 cm2", source=_OURS)},
        reference="exponential current synapse",
    )


def driven(size: int = 1, inputs: int = 1, method: str = "exponential_euler") -> Circuit:
    """`size` membranes driven by `inputs` ports, all to all."""
    return Circuit(
        name="hodgkin1952",
        populations=(Population(name="input", size=inputs), Population(name="axon", neuron=neuron(method), size=size)),
        projections=(Projection(name="drive", synapse=current_synapse(), pre="input", post="axon"),),
    )


CIRCUITS = {"hodgkin1952 squid axon": driven}

DRIVE = {"hodgkin1952 squid axon": "10 uA"}
"""An injected current at which it fires: 10 uA/cm2."""
