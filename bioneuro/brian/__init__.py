"""The reference engine: Brian2, with C++ code generation as its performance core."""

from bioneuro.guard import brian2_may_load

brian2_may_load()

from bioneuro.brian.programs import Cache, cache  # noqa: E402 (the guard comes before Brian2)
from bioneuro.brian.script import script  # noqa: E402
from bioneuro.brian.simulate import simulate  # noqa: E402

__all__ = ["Cache", "cache", "script", "simulate"]
