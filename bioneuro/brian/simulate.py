"""simulate: circuit + protocol + seed -> recording, by Brian2 on C++ standalone, Cython or NumPy."""

import contextlib
import os
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import brian2
import numpy as np
from brian2.core.base import BrianObjectException
from brian2.devices.device import runtime_device
from numpy.typing import NDArray

from bioneuro.brian import programs
from bioneuro.brian.device import READINGS, Standalone, generate
from bioneuro.brian.functions import functions
from bioneuro.brian.progress import Progress, bar
from bioneuro.flow import FlowError
from bioneuro.model import Circuit, ModelError
from bioneuro.plan import Plan, plan, recording
from bioneuro.protocol import Protocol
from bioneuro.recording import Recording
from bioneuro.statements import assemble
from bioneuro.statements.context import borrowed

TARGETS = ("cpp", "cython", "numpy")


class SimulationError(RuntimeError):
    """A run ended without a result that can be trusted."""


def simulate(
    circuit: Circuit, protocol: Protocol, *, seed: int, target: str = "cpp", strict: bool = True, progress: bool | None = None
) -> Recording:
    """Run `protocol` on `circuit` in Brian2.

    Arguments:
        seed: of Poisson stimuli and of noise; the same seed gives the same numbers on every target and in the twin.
        target: "cpp" (compiled standalone program, kept in a cache), "cython" or "numpy".
        strict: IEEE arithmetic in the order written. False allows fast-math and Brian2's rewriting: faster, no longer the same bits.
        progress: show progress bars; by default on a terminal.

    Returns:
        a `Recording` with traces (trial, time, unit) and spikes.

    Errors:
        ProtocolError: the protocol does not fit the circuit.
        FlowError: an event run needs a term that has no exact solution. ModelError: the integrator does not take the equations.
        SimulationError: a variable became NaN or infinite, or the compiled program failed.
        CompileError: the generated C++ did not compile.

    Without a C++ compiler "cpp" falls back to "numpy" with a warning.
    """
    if target not in TARGETS:
        raise ValueError(f"simulate: target {target!r} is unknown; allowed: {', '.join(TARGETS)}")
    engine = _usable(target)
    todo = plan(circuit, protocol, seed=seed)
    with bar(progress) as shown, _own_errors():
        traces, spikes = (_standalone if engine == "cpp" else _runtime)(todo, engine, strict, shown)
    _refuse_nonfinite(todo, traces)
    versions = {"brian2": brian2.__version__, "numpy": np.__version__}
    return recording(todo, traces, spikes, engine=engine, strict=strict, versions=versions)


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    """Brian2 wraps what happens while it prepares an object; our own refusals come out as they are."""
    try:
        yield
    except BrianObjectException as error:
        if isinstance(error.__cause__, FlowError | ModelError):
            raise error.__cause__ from None
        raise


def _usable(target: str) -> str:
    missing = programs.available() if target != "numpy" else ""
    if missing:
        warnings.warn(
            f"target {target!r} needs {missing}, which was not found: running with NumPy instead, the same numbers but typically 20 to "
            "100 times slower; install a C++ compiler (for example: apt install g++ make)",
            stacklevel=3,
        )
        return "numpy"
    return target


Result = tuple[Mapping[str, NDArray[Any]], Mapping[str, tuple[NDArray[Any], NDArray[Any]]]]


def _standalone(todo: Plan, engine: str, strict: bool, shown: Progress) -> Result:
    device = Standalone()
    with tempfile.TemporaryDirectory(prefix="bioneuro-") as name, borrowed(device, target="auto", strict=strict):
        folder = Path(name)
        device.build_options = {}
        assembly = assemble(todo, functions(todo, compiled=True), generators=False)
        layout = generate(device, assembly, todo, folder)
        title = f"{todo.circuit.name}, {todo.protocol.stepping}, {todo.n_trials} trials"
        program = programs.cache().program(folder, title, shown.stage("compile", "files"))
        _run(program, folder, shown)
        results = folder / "results"
        readings = np.fromfile(results / READINGS, dtype=layout)
        if readings.size != todo.timing.n_snapshots:
            raise SimulationError(f"the compiled program wrote {readings.size} readings of {todo.timing.n_snapshots}; is the disk full?")
        spikes = {
            population: tuple(np.fromfile(results / device.get_array_filename(m.variables[v]), m.variables[v].dtype) for v in ("t", "i"))
            for population, m in assembly.monitors.items()
        }
    steps = {p: (np.rint(t / float(assembly.clock.dt)).astype(np.int64), i.astype(np.int64)) for p, (t, i) in spikes.items()}
    return {path: readings[path] for path in todo.record}, steps


def _run(program: Path, folder: Path, shown: Progress) -> None:
    tell = shown.stage("simulate", "steps")
    command = [str(program), "--results_dir", str(folder / "results") + os.sep]
    # A core that waits for another sleeps: other processes may have use for it.
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as run:
        try:
            for line in run.stdout or ():
                words = line.split()
                if len(words) == 2 and all(word.isdigit() for word in words):
                    tell(int(words[0]), int(words[1]))
            errors = run.stderr.read() if run.stderr else ""
        except BaseException:
            run.kill()
            raise
    if run.returncode:
        raise SimulationError(f"the compiled program ended with status {run.returncode}: {errors.strip()[-500:]}")


def _runtime(todo: Plan, engine: str, strict: bool, shown: Progress) -> Result:
    with borrowed(runtime_device, target=engine, strict=strict):
        assembly = assemble(todo, functions(todo, compiled=False), generators=True)
        wanted = set(todo.timing.snapshots.tolist())
        kept: dict[str, list[NDArray[Any]]] = {path: [] for path in todo.record}
        tell = shown.stage("simulate", "steps")
        step = 0

        def read() -> None:
            nonlocal step
            if step in wanted:
                for path in todo.record:
                    owner, _, name = path.partition(".")
                    kept[path].append(np.array(assembly.objects[owner].variables[name].get_value()))
            if step % 64 == 0:
                tell(step, todo.n_steps)
            step += 1

        assembly.network.add(brian2.NetworkOperation(read, clock=assembly.clock, when="start", order=-1))
        assembly.network.run(todo.n_steps * assembly.clock.dt, namespace={})
        read()
        tell(todo.n_steps, todo.n_steps)
        dt = float(assembly.clock.dt)
        spikes = {p: (np.rint(np.asarray(m.t) / dt).astype(np.int64), np.array(m.i, np.int64)) for p, m in assembly.monitors.items()}
    return {path: np.stack(values) for path, values in kept.items()}, spikes


def _refuse_nonfinite(todo: Plan, traces: Mapping[str, NDArray[Any]]) -> None:
    for path, values in traces.items():
        if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
            when, element = (int(k[0]) for k in np.nonzero(~np.isfinite(values)))
            flat = todo.flat[path.partition(".")[0]]
            raise SimulationError(
                f"{path} became {values[when, element]} by step {todo.timing.snapshots[when]} (trial {flat.trial[element]}, unit "
                f"{flat.unit[element]}); choose a smaller dt, another method, or check the parameters"
            )
