"""replay_stack: what torch has trained runs in Brian2 and must fire alike."""

from torch import Tensor, nn

from bioneuro import brian
from bioneuro.twin.stack import circuit_of, protocol_of, recorded
from bioneuro.verify import Verdict, verify


def replay_stack(stack: nn.Module, x: Tensor, *, spikes: bool = False, seed: int = 0, target: str = "cpp", tolerance: float = 1e-9) -> Verdict:
    """Run the circuit of `stack` in Brian2 on `x` and compare its spikes with those of the layers, in float64.

    Arguments:
        x: (time, batch, ...), or (batch, time, ...) if the layers have the batch first; every element of the batch is a trial.
        spikes: x holds spikes, 0 or 1; otherwise it becomes a current.
        seed: of noise in the equations.
        tolerance: for the state that the last layer reads out, if it does.

    Layer l of the circuit is l-1 steps late, one more if spikes come in: `bioneuro.twin.stack` says why, and what its first steps are.

    Errors:
        LayerError: the stack holds what has no place in a circuit.
    """
    mine = recorded(stack, x, spikes=spikes, seed=seed)
    circuit = circuit_of(stack, shape=tuple(x.shape[2:]), spikes=spikes)
    return verify(brian.simulate(circuit, protocol_of(stack, x, spikes=spikes), seed=seed, target=target), mine, tolerance)
