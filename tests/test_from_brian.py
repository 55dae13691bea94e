"""from_brian and stimulus_of: a Brian2 script with live objects, run by its author and by our engines, spikes alike."""

from typing import Any

import brian2 as b2
import live_scripts
import numpy as np
import pytest
import torch
from brian2 import Hz, Network, NeuronGroup, PoissonGroup, SpikeGeneratorGroup, SpikeMonitor, StateMonitor, Synapses
from brian2.units import ms, mV
from live_scripts import DT, SCRIPTS, adex_1d, coba, stdp

from bioneuro.brian import simulate
from bioneuro.brian.imported import FromBrianError, from_brian
from bioneuro.brian.imported_inputs import stimulus_of
from bioneuro.protocol import Afferents, Poisson
from bioneuro.twin import Twin

pytestmark = pytest.mark.usefixtures("numpy_target")


def observed(objects: list[Any], around: dict[str, Any], watched: list[tuple[Any, str]], duration: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the author of the script sees: spikes (step, unit) in order and traces (time, unit) before every step."""
    counted = {g.name: SpikeMonitor(g) for g in objects if isinstance(g, NeuronGroup) and g.events}
    traced = {f"{o.name}.{v}": StateMonitor(o, v, record=True) for o, v in watched}
    network = Network(*objects, *counted.values(), *traced.values())
    network.run(duration, namespace=around)
    spikes = {name: sorted(zip(np.rint(m.t_ / DT).astype(int).tolist(), m.i[:].tolist(), strict=True)) for name, m in counted.items()}
    traces = {}
    for (o, v), (path, m) in zip(watched, traced.items(), strict=True):
        order = np.lexsort((o.j[:], o.i[:])) if isinstance(o, Synapses) else slice(None)
        traces[path] = getattr(m, f"{v}_").T[:, order]
    return spikes, traces


MARKED = [pytest.param(s, marks=pytest.mark.slow) if s.__name__ in ("hodgkin_huxley", "refractory_variable") else s for s in SCRIPTS]


@pytest.mark.parametrize("script", MARKED, ids=lambda script: script.__name__)
def test_engines_do_what_the_script_does(script, ledger):
    """Zero differing spikes and traces within 1e-12, by Brian2's NumPy and by the twin."""
    objects, local, watched = script()
    around = {**vars(live_scripts), **local}
    n, last = 500, 0.05
    circuit = from_brian(*objects, namespace=around)
    protocol = stimulus_of(*objects, duration=last * b2.second, reads=np.arange(1, n, 7) * DT * b2.second, namespace=around)
    spikes, traces = observed(objects, around, watched, last * b2.second)
    assert all(len(found) > 2 for found in spikes.values())
    with torch.no_grad():
        seen = [simulate(circuit, protocol, seed=0, target="numpy"), Twin(circuit)(protocol).detached()]
    for recording in seen:
        engine = recording.provenance.engine
        differing, worst = 0, 0.0
        for name, found in spikes.items():
            train = recording.spikes[name]
            ours = {(int(s), k) for k in range(train.size) for s in train.steps[train.offsets[k] : train.offsets[k + 1]]}
            differing += len(ours ^ set(found))
        for path, theirs in traces.items():
            trace = recording[path][0, :-1]
            worst = max(worst, float(np.abs(trace - theirs[1:n:7]).max() / np.abs(theirs).max()))
        ledger("imported Brian2 script", f"the script itself, {script.__name__}", f"{engine}: differing spikes", differing, 0.0)
        ledger("imported Brian2 script", f"the script itself, {script.__name__}", f"{engine}: traces, relative", worst, 1e-12)


def test_constants_come_from_around_the_call():
    """As in Brian2: the group's own namespace first, then the variables of the caller, and only names that stand in the text."""
    tau, unread = 20 * ms, object()
    group = NeuronGroup(1, "dv/dt = (E - v)/tau : volt", method="exact", namespace={"E": -65 * mV}, name="cells")
    circuit = from_brian(group)
    assert {path: str(p) for path, p in circuit.values.items()} == {"cells.E": "-65 mV", "cells.tau": "20 ms"}
    assert "from the namespace of cells" in circuit.values["cells.tau"].says
    assert unread
    assert tau == 20 * ms

    def inner() -> Any:
        return from_brian(group, level=1)

    assert inner().digest == circuit.digest
    assert from_brian(group, namespace={"tau": 5 * ms}).values["cells.tau"].shown == pytest.approx(5)
    with pytest.raises(FromBrianError, match="'tau' is no variable") as caught:
        from_brian(group, namespace={})
    assert caught.value.code == "name"


def test_what_becomes_of_names_and_numbers():
    """Parameters: what nothing writes. Quantities in the text have names and can be learned; names that a circuit lacks are changed."""
    w_post = 2 * mV
    group = NeuronGroup(
        3,
        """dv/dt = (I - v)/tau + sigma*xi*tau**-0.5 : volt
           I : volt (constant)
           tau : second (shared)
           sigma : volt
           steps : integer (constant)
           on : boolean
           seen : 1""",
        threshold="v > -50*mV and on",
        reset="v = -70*mV; seen += 1",
        method="euler",
        name="cells",
    )
    group.I, group.tau, group.steps, group.on, group.sigma = [1, 2, 3] * mV, 10 * ms, 7, [True, False, True], 1 * mV
    synapses = Synapses(group, group, "w : volt", on_pre={"up": "v += w*(seen < 10)", "pre": "v += w_post"}, on_post="w += 0.1*mV", name="net")
    synapses.connect(i=[2, 0, 0], j=[1, 2, 0])
    synapses.w = [20, 2, 1] * mV
    synapses.up.delay = 1 * ms
    circuit = from_brian(group, synapses)
    cells, net = circuit.models["cells"], circuit.models["net"]
    assert set(cells.states) == {"v", "seen", "on"}
    assert cells.parameters["I"].value.tolist() == pytest.approx([1e-3, 2e-3, 3e-3])
    assert (cells.parameters["steps"].unit, cells.parameters["tau"].value.ndim) == ("integer", 0)
    assert str(cells.parameters["q_m50_mV"]) == "-50 mV"
    assert cells.initial["on"].value.tolist() == [1, 0, 1]
    assert [(p.event, p.delay) for p in net.pathways] == [("pre", ""), ("pre", "up_delay"), ("post", "")]
    assert "v_post += w * (seen_post < 10)" in net.pathways[1].code
    assert str(net.parameters["wpost"]) == "2 mV"
    assert net.initial["w"].value.tolist() == pytest.approx([1e-3, 2e-3, 20e-3])
    assert [p.tolist() for p in circuit.projections[0].pairs] == [[0, 0, 2], [0, 2, 1]]
    assert w_post


@pytest.mark.parametrize(
    ("equations", "method"),
    [("dv/dt = -v/tau : 1", "exact"), ("dv/dt = -v**2/tau : 1", "euler"), ("dv/dt = -v/tau + v*xi*tau**-0.5 : 1", "heun")],
)
def test_the_integrator_is_the_one_that_brian2_takes(equations, method):
    group = NeuronGroup(1, equations, namespace={"tau": 10 * ms}, name="cells")
    assert from_brian(group).models["cells"].method == method
    again = NeuronGroup(1, equations, namespace={"tau": 10 * ms}, method=method)
    for one in (group, again):
        one.state_updater.update_abstract_code({})
    assert again.state_updater.abstract_code == group.state_updater.abstract_code


def test_after_a_run_the_circuit_goes_on_from_there():
    """No spike is on its way and the generator's period is over, so the rest of the script's run is that of the circuit."""
    objects, around, watched = coba()
    group = objects[0]
    network = Network(*objects)
    network.run(20 * ms, namespace=around)
    circuit = from_brian(*objects, namespace=around)
    np.testing.assert_array_equal(circuit.models["cells"].initial["v"].value, group.v_[:])
    spikes, traces = SpikeMonitor(group), StateMonitor(group, "v", record=True)
    network.add(spikes, traces)
    network.run(20 * ms, namespace=around)
    protocol = stimulus_of(*objects, duration=20 * ms, reads=np.arange(1, 200) * DT * b2.second, namespace=around)
    seen = simulate(circuit, protocol, seed=0, target="numpy")
    assert watched
    assert seen.spikes["cells"].counts[0].tolist() == np.bincount(spikes.i, minlength=6).tolist()
    assert seen.spikes["cells"].steps.size > 3
    np.testing.assert_allclose(seen["cells.v"][0, :-1], traces.v_.T[1:], rtol=1e-12)


def test_event_driven_variables_are_brought_to_the_present():
    objects, around, _ = stdp()
    synapses = objects[-1]
    Network(*objects).run(30 * ms, namespace=around)
    net, since = from_brian(*objects, namespace=around).models["plastic"], 0.03 - synapses.lastupdate_[:]
    order = np.lexsort((synapses.j[:], synapses.i[:]))
    for name, tau in (("Apre", 0.02), ("Apost", 0.015)):
        expected = (getattr(synapses, f"{name}_")[:] * np.exp(-since / tau))[order]
        np.testing.assert_allclose(np.broadcast_to(net.initial[name].value, order.shape), expected, rtol=1e-12)
    assert np.ptp(since) > 0


def test_parts_of_ports_and_pairs_that_come_twice():
    """Subgroups of ports count from the whole port; two synapses of one pair are two."""
    source, group = PoissonGroup(6, [0, 0, 0, 0, 4000, 0] * Hz, name="source"), NeuronGroup(3, "v : 1", name="cells")
    synapses = Synapses(source[3:], group[1:], "w : 1", on_pre="v += w", name="net")
    synapses.connect(i=[2, 1, 1], j=[0, 1, 1])
    synapses.w = [1, 2, 4]
    circuit = from_brian(source, group, synapses)
    assert [p.tolist() for p in circuit.projections[0].pairs] == [[4, 4, 5], [2, 2, 1]]
    assert circuit.models["net"].parameters["w"].value.tolist() == [2, 4, 1]
    seen = simulate(circuit, stimulus_of(source, group, synapses, duration=4 * ms), seed=0, target="numpy")["cells.v"][0, -1]
    assert seen[:2].tolist() == [0, 0]
    assert seen[2] > 0
    assert seen[2] % 6 == 0


def test_the_script_goes_on_as_if_nothing_had_been():
    """Importing changes neither the objects nor the device, and leaves no object of its own behind."""

    def run(*, importing: bool) -> Any:
        objects, around, watched = coba()
        if importing:
            from_brian(*objects, namespace=around)
            stimulus_of(*objects, duration=20 * ms, namespace=around)
        state = [(o.name, sorted(o.variables), len(o.contained_objects)) for o in objects]
        return state, observed(objects, around, watched, 20 * ms)

    device, preferences = b2.get_device(), dict(b2.prefs.items())
    (state, (spikes, traces)), (again, (other, others)) = run(importing=True), run(importing=False)
    assert state == again
    assert spikes == other
    assert all(np.array_equal(traces[k], others[k]) for k in traces)
    assert b2.get_device() is device
    assert dict(b2.prefs.items()) == preferences


def test_poisson_groups_become_sources_of_their_rate():
    alike, unlike = PoissonGroup(3, 20 * Hz, name="alike"), PoissonGroup(3, [1, 20, 0] * Hz, name="unlike")
    protocol = stimulus_of(alike, unlike, duration=1.00005 * b2.second)
    assert protocol.reads.tolist() == [[10001 * DT]]
    one, each = protocol.spikes["alike"], protocol.spikes["unlike"]
    assert isinstance(one, Poisson)
    assert isinstance(each, Afferents)
    assert one.rate.tolist() == [20]
    assert [s.rate.tolist() for s in each.sources] == [[1], [20], [0]]
    assert float(one.stop[0, 0]) == 10001 * DT
    assert [p.size for p in from_brian(alike, unlike).populations] == [3, 3]


def test_a_generator_fires_in_the_bins_that_brian2_cuts():
    """A time just below a step, one within a thousandth of it, and one half-way; the period goes on to the end of the run."""
    times = np.array([0.0, 0.25, 0.2999, 0.29995, 0.3, 1.0 - 1e-9]) * ms
    group = SpikeGeneratorGroup(6, np.arange(6), times, period=1.2 * ms, name="source")
    monitor = SpikeMonitor(group)
    Network(group, monitor).run(3.05 * ms)
    found = stimulus_of(group, duration=3.05 * ms).spikes["source"]
    theirs = sorted(zip(np.rint(monitor.t_ / DT).astype(int).tolist(), monitor.i[:].tolist(), strict=True))
    assert sorted(zip(np.rint(found.time / DT).astype(int).tolist(), found.unit.tolist(), strict=True)) == theirs
    assert len(theirs) == 17


def test_a_network_is_taken_with_its_objects_and_can_be_learned_from():
    """One line from script to twin, with a gradient in a quantity that was written into the text."""
    objects, around, _ = adex_1d()
    circuit = from_brian(Network(*objects, StateMonitor(objects[0], "v", record=True)), namespace=around)
    protocol = stimulus_of(objects, duration=20 * ms, reads=[5, 15] * ms, record=["adex.v"], namespace=around)
    assert protocol.reads.tolist() == [pytest.approx([0.005, 0.015, 0.02])]
    twin = Twin(circuit, free=["adex.g_L", "adex.b", "adex.q_m70p6_mV"], detach_reset=False)
    twin(protocol)["adex.v"].sum().backward()
    slopes = {path: twin.raw[path.replace(".", "__")].grad for path in twin.free}
    assert all(slope is not None and bool(torch.isfinite(slope).all()) for slope in slopes.values())
