"""Biological neurons and plastic synapses: one text of equations, run by Brian2 and trained in torch.

A circuit under a protocol yields a recording, whichever engine runs it. Names load on first use, so that importing this package
starts neither Brian2 nor torch.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bioneuro import brian, bss2, catalogue, classify, complexity, evidence, exchange, learn, measure, plot, protocol, study, theory, twin
    from bioneuro.brian.imported import from_brian
    from bioneuro.brian.imported_inputs import stimulus_of
    from bioneuro.files import load, save
    from bioneuro.fit import fit, identify, replay
    from bioneuro.model import Circuit, Neuron, Parameter, Pathway, Population, Projection, Synapse, delayed, parameter, side_by_side
    from bioneuro.protocol import Clock, Events, Protocol, clock
    from bioneuro.recording import Recording
    from bioneuro.twin import Layer, Twin
    from bioneuro.verify import verify

_HOME = {
    **dict.fromkeys("Circuit Neuron Parameter Pathway Population Projection Synapse delayed parameter side_by_side".split(), "bioneuro.model"),
    **dict.fromkeys("Clock Events Protocol clock".split(), "bioneuro.protocol"),
    **dict.fromkeys("fit identify replay".split(), "bioneuro.fit"),
    "from_brian": "bioneuro.brian.imported",
    "stimulus_of": "bioneuro.brian.imported_inputs",
    **dict.fromkeys("load save".split(), "bioneuro.files"),
    "Recording": "bioneuro.recording",
    **dict.fromkeys("Layer Twin".split(), "bioneuro.twin"),
    "verify": "bioneuro.verify",
}
_ROOMS = tuple("brian bss2 catalogue classify complexity evidence exchange learn measure plot protocol study theory twin".split())

__all__ = [
    "Circuit", "Clock", "Events", "Layer", "Neuron", "Parameter", "Pathway", "Population", "Projection", "Protocol", "Recording", "Synapse",
    "Twin", "brian", "bss2", "catalogue", "classify", "clock", "complexity", "delayed", "evidence", "exchange", "fit", "from_brian", "identify",
    "learn", "load", "measure", "parameter", "plot", "protocol", "replay", "save", "side_by_side", "stimulus_of", "study", "theory", "twin", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("bioneuro")
        except PackageNotFoundError:  # a source tree that was never installed
            return "0+unknown"
    if name in _ROOMS:
        return import_module(f"bioneuro.{name}")
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'bioneuro' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


class _Package(ModuleType):
    """Importing a submodule binds it to its package; where it shares its name with its function, the package keeps the function.

    So `bioneuro.fit` is the function whatever was imported before, and `from bioneuro.fit import ...` reaches the submodule.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType) and _HOME.get(name) == value.__name__:
            value = getattr(value, name, value)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
