"""Learning tasks of spike trains: sources, tasks, and samples of them as recordings or as protocols.

Order of the files: `sources` (what fires, and its entropy), `drawing` (samples from a seed), `tasks` (which source fired?), `presented`
(samples imposed on a circuit), `populations` (neurons behind random weights and delays). `bioneuro.learn.tempotron` and
`bioneuro.learn.latency` are imported by name: a neuron that learns from labelled samples, read off a run of Brian2.
"""

from bioneuro.learn.drawing import drawn, template
from bioneuro.learn.populations import feedforward, operating_point
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
    "FAMILIES", "Source", "SourceError", "Task", "bernoulli", "coincidence", "correlated", "drawn", "entropy", "entropy_rate", "feedforward",
    "inhomogeneous", "jittered", "markov", "operating_point", "order", "poisson", "presented", "rates", "rhythm", "sinusoid", "task",
    "template", "templates",
]  # fmt: skip
