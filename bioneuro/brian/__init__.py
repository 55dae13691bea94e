"""The reference engine: Brian2, with C++ code generation as its performance core."""

from bioneuro.brian.programs import Cache, cache
from bioneuro.brian.simulate import simulate

