"""BrainScaleS-2: a circuit whose plasticity the processor of the chip computes, every period and in integers, is a circuit again.

`constrain` makes it, for a `Hardware`; `report` says before the run what the hardware loses, and `budget` how many synapses it has time for.
"""

from bioneuro.bss2.budget import Budget, budget
from bioneuro.bss2.constrain import constrain
from bioneuro.bss2.hardware import DRAWS, ROUNDINGS, Hardware
from bioneuro.bss2.products import ConstrainError
from bioneuro.bss2.report import Finding, Report, report

__all__ = ["DRAWS", "ROUNDINGS", "Budget", "ConstrainError", "Finding", "Hardware", "Report", "budget", "constrain", "report"]
