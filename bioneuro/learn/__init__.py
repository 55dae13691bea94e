"""Learning tasks of spike trains: sources, tasks, and samples of them as recordings or as protocols.

Order of the files: `sources` (what fires, and its entropy), `drawing` (samples from a seed), `tasks` (which source fired?), `presented`
(samples imposed on a circuit).
"""

from bioneuro.learn.drawing import drawn, template
from bioneuro.learn.presented import presented
from bioneuro.learn.sources import (
    Source,
    SourceError,
    bernoulli,
    correlated,
    entropy,
    entropy_rate,
    inhomogeneous,
    jittered,
    markov,
    poisson,
    sinusoid,
)  # fmt: skip
from bioneuro.learn.tasks import FAMILIES, Task, coincidence, order, rates, rhythm, task, templates

__all__ = [
    "FAMILIES", "Source", "SourceError", "Task", "bernoulli", "coincidence", "correlated", "drawn", "entropy", "entropy_rate", "inhomogeneous",
    "jittered", "markov", "order", "poisson", "presented", "rates", "rhythm", "sinusoid", "task", "template", "templates",
]  # fmt: skip
