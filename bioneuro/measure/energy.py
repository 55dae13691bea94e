"""What counted operations would cost in joules, at published prices of single operations.

Such a sum is a floor or a comparison, never a measurement: it leaves out whatever has no price, and prices of different chips were found in
different ways. `Energy.not_counted` names what is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioneuro.measure.curves import MeasureError
from bioneuro.measure.operations import LOOKUP, MULTIPLY_ADD, SPIKE, STEP, SYNAPTIC, UPDATE, VARIABLE, WRITE, Operations

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Technology:
    """Prices of single operations.

    Attributes:
        costs: kind of operation -> joules.
        within: kinds that another price contains already.
        source: where the numbers are printed, and how they were found.
        leaves_out: what they do not contain.
    """

    name: str
    costs: Mapping[str, float]
    within: tuple[str, ...] = ()
    source: str
    leaves_out: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "costs", MappingProxyType(dict(self.costs)))


_ADD, _MULTIPLY, _INTEGER = 0.9e-12, 3.7e-12, 0.1e-12

CMOS_45 = Technology(
    name="45 nm CMOS, arithmetic alone",
    costs={
        SYNAPTIC: _ADD, VARIABLE: _MULTIPLY + _ADD, MULTIPLY_ADD: _MULTIPLY + _ADD,
        STEP: 2 * _INTEGER, LOOKUP: _INTEGER, WRITE: _INTEGER,
    },
    within=(UPDATE,),
    source="Horowitz 2014, ISSCC, doi 10.1109/ISSCC.2014.6757323: 0.9 pJ for a 32-bit float addition, 3.7 pJ for a multiplication, 0.1 pJ for a "
    "32-bit integer addition, at 0.9 V; values as printed by a paper that cites it (PMC8934428, Table 3). A synaptic operation is taken as "
    "an addition, the step of a state variable as a multiplication and an addition, which is exact for a linear one; a symbol of a word as a "
    "comparison and an increment, a transition as a comparison.",
    leaves_out="memory (a 64-bit access to a cache of 8 kB costs about 10 pJ in the same table), control, routing of spikes, static power, and what "
    "non-linear equations need beyond a multiplication and an addition",
)  # fmt: skip

LOIHI = Technology(
    name="Loihi (14 nm)",
    costs={SYNAPTIC: 23.6e-12, UPDATE: 81e-12, SPIKE: 1.7e-12},
    within=(VARIABLE,),
    source="Davies et al. 2018, IEEE Micro 38(1):82, doi 10.1109/MM.2018.112130359, Table 2, from simulations before the chip was made, at 0.75 V: "
    "23.6 pJ per synaptic operation (the minimum), 81 pJ per update of an active neuron (52 pJ of an inactive one; all are counted as active), "
    "1.7 pJ per spike within a tile; values as printed by third parties, among them the table of Loihi in the simulator SANA-FE",
    leaves_out="hops between tiles (3.0 to 4.0 pJ each), static power, input and output, learning",
)

TRUENORTH = Technology(
    name="TrueNorth (28 nm)",
    costs={SYNAPTIC: 26e-12},
    within=(UPDATE, VARIABLE, SPIKE),
    source="Merolla et al. 2014, Science 345:668, doi 10.1126/science.1254642: 26 pJ per synaptic event, measured: all power of the chip, 72 mW at "
    "0.775 V, over its synaptic events, at 20 Hz and 128 active synapses per neuron; as quoted by third parties",
    leaves_out="input and output; it holds at that rate and that number of synapses alone, since the static power is shared among events",
)

TECHNOLOGIES = (CMOS_45, LOIHI, TRUENORTH)


@dataclass(frozen=True, kw_only=True, eq=False)
class Energy:
    """Joules per trial.

    Attributes:
        total: sum of `parts`, shape (trial,).
        parts: kind of operation -> joules, shape (trial,).
        not_counted: what the sum leaves out: operations without a price, and what the prices themselves do not contain.
    """

    technology: Technology
    total: Floats
    parts: Mapping[str, Floats]
    not_counted: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(f"{kind} {float(np.mean(joules)):.3g} J" for kind, joules in self.parts.items())
        return f"{self.technology.name}: {float(np.mean(self.total)):.3g} J per trial ({shown}); not counted: {'; '.join(self.not_counted)}"


def energy(done: Operations | Mapping[str, Any], technology: Technology) -> Energy:
    """What counted operations cost at the prices of a technology, per trial, with what is not counted.

    Arguments:
        done: of a run, or counts by kind, as `parsing_operations`, `linear_operations` and `dense_operations` give them.

    Raises `MeasureError` where the technology has no price for anything that was done, and for counts that are negative or no numbers.
    """
    counts = done.totals if isinstance(done, Operations) else {kind: np.asarray(n) for kind, n in done.items()}
    for kind, n in counts.items():
        if np.asarray(n).dtype.kind not in "iuf" or not np.all(np.isfinite(n)) or np.any(n < 0):
            raise MeasureError(f"energy: {kind!r}: {n!r:.80} are no counts; give numbers from 0, one or one for each trial")
    if len({n.shape for n in counts.values() if n.size != 1}) > 1:
        raise MeasureError(f"energy: counts of shapes {({kind: n.shape for kind, n in counts.items()})}; give one, or one for each trial")
    parts = {kind: np.asarray(n * technology.costs[kind]) for kind, n in counts.items() if kind in technology.costs}
    if not parts:
        priced = ", ".join(technology.costs)
        raise MeasureError(f"energy: {technology.name} has no price for {', '.join(counts) or 'nothing'}; give counts of one of: {priced}")
    unpriced = [kind for kind, n in counts.items() if kind not in technology.costs and kind not in technology.within and np.any(n)]
    missing = [f"{kind}: {float(np.mean(counts[kind])):.6g} per trial, without a price" for kind in unpriced]
    return Energy(
        technology=technology,
        total=np.sum(np.broadcast_arrays(*parts.values()), axis=0),
        parts=MappingProxyType(parts),
        not_counted=(*missing, technology.leaves_out),
    )
