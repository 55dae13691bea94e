"""Spikes from Neo's objects, and from files that Neo reads."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq

from bioneuro.classify import ReadError, labels_of, spikes_of
from bioneuro.recording import Recording


def times(recording: Recording) -> list[list[list[float]]]:
    """Rounded ms, by trial and unit."""
    spikes = recording.spikes["source"]
    return [[np.round(1e3 * spikes.times(t, u), 6).tolist() for u in range(spikes.size)] for t in range(recording.n_trials)]


def block(*, labels: Any = ("a", "b")) -> Any:
    """Two segments from 1 s to 1.005 s, two units; the second unit of the first is silent."""
    made = neo.Block()
    for k, rows in enumerate([[[1, 4], []], [[2], [3]]]):
        segment = neo.Segment()
        if labels[k] is not None:
            segment.annotate(label=labels[k])
        for row in rows:
            segment.spiketrains.append(neo.SpikeTrain([1000 + t for t in row] * pq.ms, t_start=1 * pq.s, t_stop=1005 * pq.ms))
        made.segments.append(segment)
    return made


def test_neo_objects() -> None:
    whole, expected = block(), [[[1.0, 4.0], []], [[2.0], [3.0]]]
    for source in (whole, whole.segments):
        found = spikes_of(source)
        assert times(found) == expected
        assert labels_of(found).tolist() == [0, 1]
        assert found.times.ravel() == pytest.approx(0.005)
    for source in (whole.segments[0], whole.segments[0].spiketrains, list(whole.segments[0].spiketrains)):
        assert times(spikes_of(source)) == expected[:1]
    assert times(spikes_of(whole.segments[1].spiketrains[0])) == [[[2.0]]]


def test_neo_files(tmp_path: Path) -> None:
    neo.io.NeoMatlabIO(str(tmp_path / "a.mat")).write_block(block())
    assert times(spikes_of(tmp_path / "a.mat")) == [[[1.0, 4.0], []], [[2.0], [3.0]]]
    (tmp_path / "a.mat").write_bytes((tmp_path / "a.mat").read_bytes()[:200])
    with pytest.raises(ReadError, match=r"neo\.io\.NeoMatlabIO cannot read it"):
        spikes_of(tmp_path / "a.mat")


def test_without_neo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.nix").write_bytes(b"whatever")
    monkeypatch.setitem(sys.modules, "neo.io", None)
    with pytest.raises(ReadError, match="read by Neo, which is not installed; pip install neo"):
        spikes_of(tmp_path / "a.nix")
    assert times(spikes_of([[[1.0]]], unit="ms")) == [[[1.0]]]


def test_neo_refused() -> None:
    uneven, shorter = block(), block()
    uneven.segments[0].spiketrains.pop()
    shorter.segments[0].spiketrains[0] = neo.SpikeTrain([1] * pq.ms, t_stop=2 * pq.ms)
    for source, says in (
        (uneven, r"trials have \[1, 2\] spike trains"),
        (shorter, "spike trains last from 0.002 s to 0.005 s"),
        (block(labels=("a", None)), "segment 1 has 'label' = None"),
        (neo.Segment(), r"trials have \[0\] spike trains"),
        (neo.AnalogSignal([1.0] * pq.mV, sampling_rate=1 * pq.Hz), "AnalogSignal; give a Block, Segments or SpikeTrains"),
        ([block().segments[0], block().segments[0].spiketrains[0]], "all of one kind"),
        (neo.Block(), "nothing; give a Block"),
    ):
        with pytest.raises(ReadError, match=says):
            spikes_of(source)


def test_neo_is_not_imported_without_need() -> None:
    ask = "import sys; from bioneuro.classify import spikes_of; spikes_of([[1.0]], unit='s'); print('neo' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "False"], done.stderr
