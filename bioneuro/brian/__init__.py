"""The reference engine: Brian2, with C++ code generation as its performance core."""

from bioneuro.guard import brian2_may_load

brian2_may_load()

from bioneuro.brian.imported import from_brian  # noqa: E402 (the guard comes before Brian2)
from bioneuro.brian.imported_inputs import stimulus_of  # noqa: E402
from bioneuro.brian.imported_text import FromBrianError  # noqa: E402
from bioneuro.brian.programs import Cache, cache  # noqa: E402 (the guard comes before Brian2)
from bioneuro.brian.script import script  # noqa: E402
from bioneuro.brian.simulate import simulate  # noqa: E402

__all__ = ["Cache", "FromBrianError", "cache", "from_brian", "script", "simulate", "stimulus_of"]
