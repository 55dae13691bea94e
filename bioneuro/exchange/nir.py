"""NIR, the Neuromorphic Intermediate Representation: circuits as graphs that other simulators and chips read, and back.

Pedersen JE et al. (2024) Neuromorphic intermediate representation: A unified instruction set for interoperable brain-inspired computing.
Nat Commun 15:8122, doi 10.1038/s41467-024-52259-9. The nodes are those of the Python package ``nir`` 1.0, which is not needed here:

    LIF      tau dv/dt = v_leak - v + r I; a spike where v > v_threshold, then v = v_reset       LI   the same without threshold
    IF       dv/dt = r I, likewise                                                               I    the same without threshold
    CubaLIF  LIF with tau_syn dI/dt = -I + w_in S                                                CubaLI  the same without threshold
    Linear   y = W x     Affine  y = W x + b     Scale  y = s x     Delay  y(t) = x(t - d)     Input, Output, Flatten, NIRGraph

Numbers are in SI units; the metadata of a node name them (``unit``), the state (``state``), its initial value (``start``) and the
integrator (``method``). Readers may ignore metadata: without them v begins at v_leak, units are 1 and names are those of nodes.

**What a spike is.** Time is continuous, so a spike is a Dirac pulse of area 1. A pulse that carries q into a LIF node makes v jump by
q r/tau, into IF by q r, and the current of CubaLIF by q w_in/tau_syn. So a synapse that adds w to v is a weight of w tau/r. Where nothing else
says what r is, `write` takes r = tau (and w_in = tau_syn), and weights are the jumps themselves; where r is the resistance for an
injected current, a Scale node with tau/r stands behind the weights. Either way every weight keeps its bits. Programs that count in
steps mean pulses of height 1 that last a step (0.1 ms in graphs of snnTorch): read those with ``steps=True``.

**What comes back.** The equations of a circuit that was read are made from the nodes: other text, the same mathematics. Numbers that
stand in the equations as they are come back bit for bit, quotients such as tau = C/g_L rounded once. A graph that was read is written with
the same numbers again.
"""

import os
from pathlib import Path

from bioneuro.dynamics import METHODS
from bioneuro.exchange.nir_file import MOST_BYTES, NirError, load, refuse, store
from bioneuro.exchange.nir_read import circuit_of
from bioneuro.exchange.nir_write import drawn, most_numbers
from bioneuro.model import Circuit

__all__ = ["NirError", "read", "write"]


def write(circuit: Circuit, path: str | os.PathLike[str], *, currents: bool = True) -> None:
    """Write a circuit as a NIR graph, completely or not at all.

    Ports become Input nodes. A neuron becomes a LIF, IF, LI or I node, with one LI node for each further variable that spikes add to
    (``<population>__<variable>``), or one CubaLIF or CubaLI node if it has a single current that decays; a population that sends nothing to
    another has an Output. Variables that begin at 0 and that nothing moves are left out. What a neuron is, is read off its equations, not off
    names. ``x >= level`` is written as ``x >`` the largest number below the level, which is the same.

    Arguments:
        currents: give every neuron that has an injected current an Input node for it, ``<population>__<input>``. False leaves them out, so that
            more neurons are a CubaLIF.

    Errors:
        NirError: something that NIR cannot say, such as a refractory period, adaptation, noise, conductances, plasticity; its ``code``,
            ``place``, ``construct``, ``why`` and ``remedy`` say what and where.
    """
    graph = drawn(circuit, currents=currents)
    if (size := most_numbers(graph)) > MOST_BYTES:
        refuse("size", circuit.name, f"{size} bytes of numbers", f"allowed: {MOST_BYTES}", "write a smaller circuit")
    store(graph, path)


def read(path: str | os.PathLike[str], *, method: str = "", steps: bool = False, currents: tuple[str, ...] = ()) -> Circuit:
    """The circuit in a NIR file.

    Input nodes become ports, nodes with a state become neurons (nodes that pass their potential on become one neuron with the node they feed),
    weights other than 0 become synapses. Biases are added to v_leak. Arrays of any shape are taken in the order of their numbers.
    Convolutions, pooling, Threshold nodes, and weights between an integrator or a current and a neuron are refused by name.

    Arguments:
        method: Brian2's integrator; by default the one in the metadata, or "exact" where there is a closed form, else
            "rk4".
        steps: a spike is a pulse of height 1 that lasts a step of the clock (`Neuron.momentary`), not a Dirac pulse of area 1. Run such a circuit
            with the step of the program that made the graph; the method is then "euler".
        currents: names of Input nodes that carry a current instead of spikes; those that say so in their metadata need not be named.

    Errors:
        NirError: the file is damaged, links elsewhere or is no NIR graph, a number is missing, not finite or out of range, or the graph
            has something that cannot be said here; the message names the file, the node and the field.
    """
    if method and method not in METHODS:
        refuse("method", "read", f"the method {method!r:.60}", f"allowed: {', '.join(METHODS)}", "give one of them, or none")
    graph = load(path)
    try:
        return circuit_of(graph, name=Path(os.fsdecode(path)).stem, method=method, steps=steps, currents=tuple(currents))
    except NirError as error:
        raise NirError(error.code, f"{os.fsdecode(path)}: {error.place}", error.construct, error.why, error.remedy) from None
