"""replay: the fitted circuit runs in Brian2 and must agree with the twin that was fitted."""

from collections.abc import Mapping, Sequence

import torch

from bioneuro import brian
from bioneuro.fit.record import Fit
from bioneuro.protocol import Protocol
from bioneuro.verify import Verdict, verify


def replay(
    fitted: Fit, protocol: Protocol, *, seed: int, targets: Sequence[str] = ("cpp", "cython", "numpy"), tolerance: float = 1e-9
) -> Mapping[str, Verdict]:
    """Run the fitted circuit in Brian2 and compare with the fitted twin, draw for draw: one verdict per target."""
    with torch.no_grad():
        twin = fitted.twin(protocol, seed=seed).detached()
    return {t: verify(brian.simulate(fitted.circuit, protocol, seed=seed, target=t), twin, tolerance) for t in targets}
