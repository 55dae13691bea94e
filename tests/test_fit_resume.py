"""A fit that is stopped at any moment goes on and ends bit for bit as if it had not been."""

import dataclasses
import json
import os

import numpy as np
import pytest
import safetensors.torch
import torch
from membranes import distance, membrane, steps, trace

from bioneuro import Twin, parameter
from bioneuro import fit as fit_function
from bioneuro.fit import Fit, FitError, Stopped, adam, lbfgs, of_torch
from bioneuro.fit import checkpoint as disk
from bioneuro.fit.fingerprint import fingerprint

FREE = ("cell.C", "cell.g_L", "cell.E_L")
TODO = steps(50, -50)
STAGES = (adam(0.1, rates={"cell.C": "20 pF"}, steps=6), lbfgs(steps=4))
START = membrane().with_values({"cell.C": "400 pF", "cell.E_L": "-60 mV"})


class Killed(BaseException):
    """What no fit catches, as a killed process."""


class Loss:
    """The distance from the planted course; at its `fatal`-th call it raises `death`."""

    target = trace(membrane(), TODO)

    def __init__(self, fatal: int = 0, death: type[BaseException] = Killed) -> None:
        self.left, self.death = fatal, death

    def __call__(self, seen):
        self.left -= 1
        if self.left == 0:
            raise self.death
        return distance(self.target)(seen)


def run(loss: Loss | None = None, optimiser=STAGES, twin: Twin | None = None, **settings) -> Fit:
    return fit_function(twin or Twin(START, free=FREE), TODO, loss=loss or Loss(), optimiser=optimiser, **settings)


def equal(one: Fit, other: Fit) -> None:
    """Bit for bit."""
    assert one.circuit.digest == other.circuit.digest
    assert one.stopped is other.stopped
    for a, b in zip(one.starts, other.starts, strict=True):
        assert a.stopped is b.stopped
        for name in ("losses", "held_out", "gradients"):
            assert getattr(a, name).tobytes() == getattr(b, name).tobytes(), name
        for path, values in a.values.items():
            assert values.tobytes() == b.values[path].tobytes(), path


@pytest.fixture(scope="module")
def whole():
    return {starts: run(starts=starts, spread=1.0) for starts in (1, 3)}


DEATHS = [pytest.param(1, Killed, id="alone, killed"), pytest.param(3, KeyboardInterrupt, id="batch, Ctrl-C")]
OTHERS = [(1, KeyboardInterrupt, "alone, Ctrl-C"), (3, Killed, "batch, killed")]


@pytest.mark.parametrize(("starts", "death"), [*DEATHS, *(pytest.param(n, of, id=name, marks=pytest.mark.slow) for n, of, name in OTHERS)])
def test_goes_on_from_wherever_it_was_stopped(starts, death, whole, tmp_path):
    """In Adam, between the stages, and in the middle of a line search; by a kill with a file of every step, by Ctrl-C without any before it."""
    for fatal in (5, 8, 17):
        path = tmp_path / f"{fatal}.safetensors"
        settings = {"starts": starts, "spread": 1.0, "checkpoint": path, "every": 1 if death is Killed else "1000 s"}
        call = starts * min(fatal, 7) + max(fatal - 7, 0)  # in the batch every start has a loss of its own
        if death is Killed:
            with pytest.raises(Killed):
                run(Loss(call, death), **settings)
        else:
            assert run(Loss(call, death), **settings).stopped is Stopped.INTERRUPTED
        assert path.exists()
        equal(run(**settings), whole[starts])
        equal(run(Loss(1), **settings), whole[starts])  # a finished fit asks for no loss any more


def test_stopped_again_and_again(whole, tmp_path):
    """Every run makes one more step at most."""
    path, runs = tmp_path / "often.safetensors", 0
    while True:
        runs += 1
        try:
            found = run(Loss(12 if runs > 5 else 3), checkpoint=path, every=1)
            break
        except Killed:
            assert runs < 12
    assert runs > 4
    equal(found, whole[1])


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in (torch.optim.RMSprop, torch.optim.Rprop, torch.optim.SGD)]


@pytest.mark.parametrize("kind", [torch.optim.NAdam, *SLOW])
def test_other_optimisers_of_torch(kind, tmp_path):
    settings = {"optimiser": of_torch(kind, 1e-3, steps=5), "checkpoint": tmp_path / "fit", "every": 1}
    with pytest.raises(Killed):
        run(Loss(4), **settings)
    equal(run(**settings), run(optimiser=settings["optimiser"]))


def test_held_out_losses_go_on_too(tmp_path):
    other = steps(20)
    settings = {"validate": (other, distance(trace(membrane(), other))), "checkpoint": tmp_path / "fit", "every": 1}
    with pytest.raises(Killed):
        run(Loss(4), **settings)
    equal(run(**settings), run(validate=settings["validate"]))


CHANGED = {
    "a value": ({"twin": Twin(START.with_values({"cell.C": "300 pF"}), free=FREE)}, r"circuit\.cell\.C: 400 pF in the checkpoint, 300 pF asked for"),
    "an equation": ({"twin": Twin(membrane("dv/dt = (I + g_L*(E_L - v))/C : volt").with_values(
        {"cell.C": "400 pF", "cell.E_L": "-60 mV"}), free=FREE)}, r"circuit\.digest"),
    "what is free": ({"twin": Twin(START, free=FREE[:2])}, r"free: \['cell.C', 'cell.g_L', 'cell.E_L'\] in the checkpoint, \['cell.C', 'cell.g_L'\]"),
    "the optimiser": ({"optimiser": (STAGES[0], lbfgs(steps=5))}, r"optimisers\[1\]\.steps: 4 in the checkpoint, 5 asked for"),
    "a rate": ({"optimiser": (adam(0.1, rates={"cell.C": "30 pF"}, steps=6), STAGES[1])}, r"optimisers\[0\]\.rates\.cell\.C: 20 pF"),
    "the seed": ({"seed": 1}, r"seed: 0 in the checkpoint, 1"),
    "the starts": ({"starts": 2}, r"starts: 1 in the checkpoint, 2"),
    "the loss": ({"loss": distance(Loss.target)}, r"tasks\[0\]\.loss: Loss"),
    "the type": ({"twin": Twin(START, free=FREE, dtype=torch.float32)}, r"dtype: torch\.float64 in the checkpoint, torch\.float32"),
    "what is held out": ({"validate": (TODO, Loss())}, "held out"),
}  # fmt: skip


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    path = tmp_path_factory.mktemp("fits") / "started.safetensors"
    with pytest.raises(Killed):
        run(Loss(4), checkpoint=path, every=1)
    return path


@pytest.mark.parametrize("what", CHANGED)
def test_a_changed_fit_does_not_go_on(what, started):
    changed, message = CHANGED[what]
    with pytest.raises(FitError, match=message) as refused:
        run(**changed, checkpoint=started)
    assert len(str(refused.value).splitlines()) <= 6  # the file, what differs, what to do


def test_damage_is_found(started, tmp_path):
    content = started.read_bytes()
    for k in np.linspace(0, len(content) - 1, 30, dtype=int):
        path = tmp_path / "damaged"
        path.write_bytes(content[:k] + bytes([content[k] ^ 16]) + content[k + 1 :])
        with pytest.raises(FitError, match="delete it"):
            run(checkpoint=path)
        path.write_bytes(content[:k])
        with pytest.raises(FitError, match="delete it"):
            run(checkpoint=path)


def test_a_kill_while_writing_leaves_the_old_file(started, tmp_path, monkeypatch):
    path = tmp_path / "fit.safetensors"
    path.write_bytes(started.read_bytes())

    def killed(*_):
        raise Killed

    for moment in ("replace", "fsync"):
        monkeypatch.setattr(os, moment, killed)
        with pytest.raises(Killed):
            run(checkpoint=path, every=1)
        monkeypatch.undo()
        assert path.read_bytes() == started.read_bytes()


def test_a_file_says_what_it_is(started):
    """Anyone can read it: tensors by name, one of them a text."""
    tree = json.loads(safetensors.torch.load(started.read_bytes())["tree"].numpy().tobytes())
    assert tree["recipe"]["free"] == list(FREE)
    assert tree["recipe"]["optimisers"][1]["kind"] == "LBFGS"


def test_a_file_that_fits_the_sum_but_no_fit_is_refused(started, tmp_path):
    """As from a program that was changed: no error of torch, and nothing is run."""
    made = disk.file(started, 1, json.loads(safetensors.torch.load(started.read_bytes())["tree"].numpy().tobytes())["recipe"])
    state = dict(disk.read(made))
    for name, value in {"optimiser": {"state": {}, "param_groups": []}, "raw": {"cell__C": torch.zeros(3)}, "trails": [], "number": "1"}.items():
        broken = dataclasses.replace(made, path=tmp_path / name)
        disk.write(broken, {**state, name: value})
        with pytest.raises(FitError, match="delete it"):
            run(checkpoint=broken.path)


def test_bad_questions_about_files_are_refused(tmp_path):
    with pytest.raises(FitError, match="is a folder"):
        run(checkpoint=tmp_path)
    for every in (0, -1, "-1 s"):
        with pytest.raises(FitError, match="positive time"):
            run(checkpoint=tmp_path / "fit", every=every)
    (tmp_path / "file").touch()
    with pytest.raises(FitError, match=r"not written|not a checkpoint"):
        run(checkpoint=tmp_path / "file" / "fit", every=1)


OFFSET = 1.0


def test_fingerprints_tell_losses_apart():
    def made(target: float, power: int = 2):
        return lambda seen: (seen - target - OFFSET) ** power

    assert fingerprint(made(1.0)) == fingerprint(made(1.0))
    assert fingerprint(made(1.0)) != fingerprint(made(2.0))
    assert fingerprint(made(1.0)) != fingerprint(made(1.0, 4))
    assert fingerprint(made(1.0)) != fingerprint(lambda seen: (seen - 1.0 - OFFSET) ** 2)
    before = fingerprint(made(1.0))
    globals()["OFFSET"] = 2.0
    assert fingerprint(made(1.0)) != before
    globals()["OFFSET"] = 1.0
    array = np.arange(3.0)
    assert fingerprint(array) != fingerprint(array + 1)
    assert fingerprint(parameter(1, "ms")) != fingerprint(parameter(1, "mV"))
    loop: list = [1]
    loop.append(loop)
    assert fingerprint(loop)


@pytest.mark.parametrize("bad", [{"rate": 0.0}, {"rate": -1.0}, {"steps": 0}, {"patience": 0}, {"gain": float("nan")}])
def test_an_optimiser_that_cannot_go_down_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(FitError, match=next(iter(bad))):
        adam(**bad)  # type: ignore[arg-type]
