"""fit: a twin learns its free parameters from recordings, on a copy; identify: what the data tell; replay: Brian2 must agree.

Order of the files: `record` (what a fit finds), `optimisers` (ways down), `fingerprint` (what a loss is, in a few letters), `starts` (where
fits begin), `walk` (one way down, for one start or a batch), `checkpoint` (a fit on disk), `learn` (the fit itself), `replaying`,
`directions` (what a matrix of curvatures says, in words), `profiling`, `identifying`, `course` (a fit as a recording).
"""

from bioneuro.fit.course import history
from bioneuro.fit.identifying import Identified, identify
from bioneuro.fit.layered import replay_stack
from bioneuro.fit.learn import fit
from bioneuro.fit.optimisers import Optimiser, adam, lbfgs, of_torch
from bioneuro.fit.record import Fit, Start, Stopped
from bioneuro.fit.replaying import replay
from bioneuro.measure import FitError, Loss, curve_error

__all__ = [
    "Fit", "FitError", "Identified", "Loss", "Optimiser", "Start", "Stopped", "adam", "curve_error", "fit", "history", "identify", "lbfgs",
    "of_torch", "replay", "replay_stack",
]  # fmt: skip
