"""Engines agree: NumPy, Cython, C++ standalone and the twin give the same spikes and traces, in strict float64."""

import dataclasses

import numpy as np
import pytest
import torch

from bioneuro import protocol
from bioneuro.brian import simulate
from bioneuro.catalogue import brette2005, graupner2012, song2000, vogels2005
from bioneuro.model import Circuit, Neuron, Population, Projection, parameter
from bioneuro.twin import Twin
from bioneuro.verify import verify

INPUTS, SIZE = 50, 200
LIF = ("euler", "exponential_euler", "exact", "rk4")
ADEX = ("euler", "rk4")


def without_refractoriness(neuron: Neuron) -> Neuron:
    return dataclasses.replace(neuron, refractory="", equations=neuron.equations.replace(" (unless refractory)", ""))


def population(name: str, neuron: Neuron, rng: np.random.Generator, size: int) -> Population:
    """`size` neurons with parameters spread by a fifth around the published ones."""
    spread = ("tau_m", "tau_e") if "tau_m" in neuron.parameters else ("C", "tau_w", "tau_syn")
    varied = {
        key: dataclasses.replace(p, value=p.value * rng.uniform(0.8, 1.2, size)) if key in spread else p
        for key, p in neuron.parameters.items()
    }
    return Population(name=name, neuron=dataclasses.replace(neuron, parameters=varied), size=size)


def zoo(kinds: list[tuple[str, str, bool]], size: int = SIZE) -> Circuit:
    """Populations of (model, method, refractory?) under one set of Poisson inputs, wired at random."""
    rng = np.random.default_rng(2)
    populations, projections = [Population(name="input", size=INPUTS)], []
    for model, method, refractory in kinds:
        name = f"{model}_{method}_{'on' if refractory else 'off'}"
        neuron = vogels2005.neuron(method) if model == "lif" else brette2005.neuron(method)
        neuron = neuron if refractory else without_refractoriness(neuron)
        populations.append(population(name, neuron, rng, size))
        synapse = vogels2005.synapse() if model == "lif" else brette2005.current_synapse(400)
        pairs = np.nonzero(rng.random((INPUTS, size)) < 0.3)
        weight = synapse.parameters["weight"]
        spread = dataclasses.replace(weight, value=weight.value * rng.uniform(0, 1, pairs[0].size))
        synapse = dataclasses.replace(synapse, parameters={"weight": spread})
        projections.append(Projection(name=f"to_{name}", synapse=synapse, pre="input", post=name, pairs=pairs))
    return Circuit(name="zoo", populations=tuple(populations), projections=tuple(projections))


def drive(duration: str) -> protocol.Protocol:
    times = np.linspace(0, 1, 11)[1:] * float(duration.split()[0])
    return protocol.poisson({"input": "20 Hz"}, duration, reads=times * 1e-3, stepping=protocol.clock("0.1 ms"))
