"""Lempel-Ziv complexity against two libraries, how its cost grows, and how long the class of one sample takes to find.

``python bench/lzc.py PART CORES`` is a part in a process of its own, which may use so many cores, with one thread for linear algebra. `rows` is
what `bench/run.py` asks for. The two libraries serve as baselines alone: ``pip install antropy==0.2.3 lzcomplexity==2.0.0``.
"""

import functools
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from bioneuro import brian, classify, complexity, learn, measure
from bioneuro.catalogue import vogels2005
from bioneuro.measure.energy import CMOS_45, TECHNOLOGIES, Technology
from bioneuro.model import Circuit, Population, Projection
from bioneuro.recording import Recording, pieces

Row = tuple[str, float, float]

PEERS = {"antropy": "antropy==0.2.3", "lzcomplexity": "lzcomplexity==2.0.0"}
RATES = (0.02, 0.05, 0.2, 0.5)
REPEATS = 5
NEURONS, BINS = 64, (256, 1024)
LIMIT = 1e-3
"""Seconds that one sample may take."""


def seconds(do: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    begin = clock()
    do()
    return clock() - begin


def processor(do: Callable[[], Any]) -> float:
    """Seconds of processor time of all threads: on one core that is the time that passes, unless other work takes the core away."""
    return seconds(do, time.process_time)


def trains(p: float, n: int, length: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return (np.random.default_rng(seed).random((n, length)) < p).astype(np.uint8)


def forms(peer: str, words: Any) -> tuple[Callable[[Any], Any], dict[str, list[Any]]]:
    """What counts the phrases of one word, and the words in every form that it takes; the fastest counts."""
    module = importlib.import_module(peer)
    digits = [bytes(word + 48) for word in words]
    text = [word.decode() for word in digits]
    if peer == "antropy":
        kinds = {"int64 arrays": list(words.astype(np.int64)), "bool arrays": list(words.astype(bool)), "text": text, "lists": words.tolist()}
        return module.lziv_complexity, kinds
    return lambda word: module.factorization(word)[0], {"text": text, "bytes": digits}


def fastest(count: Callable[[Any], Any], kinds: Mapping[str, Sequence[Any]]) -> str:
    """The form of words that is read fastest, from the beginnings of a few."""
    few = {kind: [word[:5000] for word in words[:20]] for kind, words in kinds.items()}
    return min(few, key=lambda kind: min(processor(lambda: [count(word) for word in few[kind]]) for _ in range(3)))


def against(peer: str, n: int, length: int, repeats: int) -> dict[str, Any]:
    """Median times per word of ours and of a loop over the peer, turn by turn, for every density of spikes; all counts must be equal."""
    found = {}
    for p in RATES:
        words = trains(p, n, length)
        count, kinds = forms(peer, words)
        best = fastest(count, kinds)
        # lzcomplexity leaves a last phrase out that the end of the word cuts off.
        ours, theirs = complexity.lz76(words, unfinished=peer == "antropy", workers=1), np.zeros(n)
        times: list[tuple[float, float]] = []
        for _ in range(repeats):
            mine = processor(lambda words=words: complexity.lz76(words, workers=1))
            begin = time.process_time()
            theirs = np.array([count(word) for word in kinds[best]])
            times.append((mine, time.process_time() - begin))
        if not np.array_equal(ours, theirs):
            raise RuntimeError(f"{peer}: other counts than ours for p = {p}, n = {length}")
        found[str(p)] = {"ours": np.median(times, axis=0)[0] / n, "theirs": np.median(times, axis=0)[1] / n, "form": best}
    return found


def speed() -> dict[str, Any]:
    """Both sizes against every peer that is there."""
    there = [peer for peer in PEERS if importlib.util.find_spec(peer)]
    few = {"antropy": (1, 1), "lzcomplexity": (3, 3 * REPEATS)}
    return {peer: {"1000": against(peer, 1000, 1000, REPEATS), "100000": against(peer, few[peer][0], 100_000, few[peer][1])} for peer in there}


def workers() -> dict[str, float]:
    """Seconds for 1000 words of 1000 and 10,000 symbols by one and by two threads, in turn."""
    found: dict[str, list[float]] = {f"{length} {k}": [] for length in (1000, 10_000) for k in (1, 2)}
    for length in (1000, 10_000):
        words = trains(0.2, 1000, length)
        for _ in range(2 * REPEATS):
            for k in (1, 2):
                found[f"{length} {k}"].append(seconds(functools.partial(complexity.lz76, words, workers=k)))
    return {key: float(np.median(times)) for key, times in found.items()}


def growth() -> dict[str, Any]:
    """Nanoseconds of processor time per symbol along the length of a word, and the exponent of the time."""
    lengths, found = (1000, 10_000, 100_000, 1_000_000), {}
    for p in RATES:
        taken = []
        for length in lengths:
            words = trains(p, max(1, 300_000 // length), length)
            taken.append(np.median([processor(lambda words=words: complexity.lz76(words, workers=1)) for _ in range(REPEATS)]) / len(words))
        found[str(p)] = grown(lengths, taken)
    if importlib.util.find_spec("lzcomplexity"):
        words = [trains(0.2, 1, length) for length in lengths]
        count = [functools.partial(f, kinds["bytes"][0]) for f, kinds in (forms("lzcomplexity", word) for word in words)]
        found["0.2, by lzcomplexity"] = grown(lengths, [np.median([processor(f) for _ in range(REPEATS)]) for f in count])
    return found


def grown(lengths: Sequence[int], taken: Sequence[float]) -> dict[str, Any]:
    """Nanoseconds per symbol, and the exponent of the power law through the times, and through all but the last."""
    exponents = [float(np.polyfit(np.log(lengths[:k]), np.log(taken[:k]), 1)[0]) for k in (len(lengths), len(lengths) - 1)]
    return {"ns": [1e9 * t / n for t, n in zip(taken, lengths, strict=True)], "exponents": exponents}


def model(bins: int) -> tuple[Any, list[Recording]]:
    """A classifier of two rates of 64 neurons, and samples that it has not seen, each a recording of one trial."""
    task = learn.rates("20 Hz", "40 Hz", channels=NEURONS, duration=f"{bins} ms", dt="1 ms")
    known, fresh = task.samples(200, 1), task.samples(100, 2)
    fitted = classify.LZCClassifier().fit(classify.words_of(known, "source", bin="1 ms"), classify.labels_of(known))
    return fitted, pieces(fresh, 100)


def inference() -> dict[str, Any]:
    """Percentiles of the time from the spikes of one sample to its class, and of its parts."""
    found: dict[str, Any] = {}
    for bins in BINS:
        fitted, samples = model(bins)
        read = functools.partial(classify.words_of, population="source", bin="1 ms")
        words = [read(sample)[0] for sample in samples]
        calls = {
            "spikes to class": (lambda sample, fitted=fitted, read=read: fitted.decide(read(sample)[0]), samples, 100),
            "spikes to words": (read, samples, 20),
            "words to class": (fitted.decide, words, 20),
            "words to class by scikit-learn's predict": (lambda w, fitted=fitted: fitted.predict(w[None]), words, 10),
        }
        each = {name: measure.latency(f, given, repeats=n) for name, (f, given, n) in calls.items()}
        whole = calls["spikes to class"]
        each["spikes to class, processor time"] = measure.latency(whole[0], whole[1], repeats=whole[2], clock=time.thread_time_ns)
        found[str(bins)] = {name: {q: getattr(t, q) for q in ("p50", "p90", "p99", "largest", "n", "machine")} for name, t in each.items()}
        found[str(bins)]["agree"] = all(fitted.decide(w) == fitted.predict(w[None])[0] for w in words)
    return found


def population(bins: int) -> tuple[Circuit, Recording]:
    """64 LIF neurons, each under 8 of 64 inputs, and the samples that drive them."""
    rng = np.random.default_rng(1)
    pairs = (np.concatenate([rng.choice(NEURONS, 8, replace=False) for _ in range(NEURONS)]), np.repeat(np.arange(NEURONS), 8))
    cells = Population(name="lif", neuron=vogels2005.neuron(), size=NEURONS)
    wires = Projection(name="excitation", synapse=vogels2005.synapse(), pre="source", post="lif", pairs=pairs)
    circuit = Circuit(name="population", populations=(Population(name="source", size=NEURONS), cells), projections=(wires,))
    task = learn.rates("20 Hz", "40 Hz", channels=NEURONS, duration=f"{bins} ms", dt="1 ms")
    return circuit, task.samples(100, 1)


def network() -> dict[str, Any]:
    """Seconds of one trial of a population in compiled Brian2 and in the twin, of 100 trials in one run, and its operations."""
    from bioneuro import Twin  # torch takes seconds to import

    module, run, own = sys.modules["bioneuro.brian.simulate"], sys.modules["bioneuro.brian.simulate"]._run, [0.0]

    def timed(*arguments: Any) -> None:
        own[0] = seconds(lambda: run(*arguments))

    found: dict[str, Any] = {}
    for bins in BINS:
        circuit, samples = population(bins)
        one, many = (learn.presented(r, record=("lif.v",)) for r in (pieces(samples, 100)[0], samples))
        twin = Twin(circuit)
        engines = {
            "Brian2, C++": lambda todo, circuit=circuit: brian.simulate(circuit, todo, seed=1),
            "twin": lambda todo, twin=twin: twin(todo, seed=1).detached(),
        }
        for name, simulate in engines.items():
            for todo, how in ((one, "one trial"), (many, "100 trials")):
                simulate(todo)  # compiles
                with mock.patch.object(module, "_run", timed):
                    taken = [(seconds(functools.partial(simulate, todo)), own[0]) for _ in range(REPEATS)]
                found[f"{name}, {how}, {bins} steps"] = [float(x) for x in np.median(taken, axis=0)]
        found[f"cost {bins}"] = cost(circuit, engines["Brian2, C++"](many), many)
    return found


def cost(circuit: Circuit, seen: Recording, done: Any) -> list[str]:
    """Operations and energies per sample, of the population, of reading its spikes, and of a dense network."""
    counted = measure.operations(seen, circuit, imposed=done)
    words = classify.words_of(seen, "lif", bin="1 ms")[:20]
    reading = measure.parsing_operations(words) | measure.linear_operations(NEURONS)
    dense = measure.dense_operations(circuit, int(counted.steps[0]))

    def line(name: str, operations: Mapping[str, Any], technologies: Sequence[Technology]) -> str:
        prices = (f"{t.name}: {1e9 * float(np.mean(measure.energy(operations, t).total)):.3g} nJ" for t in technologies)
        return f"{name}: " + ", ".join(f"{np.mean(n):.4g} x {kind}" for kind, n in operations.items()) + "; " + "; ".join(prices)

    told = [line("population", counted.totals, TECHNOLOGIES), line("reading its spikes", reading, [CMOS_45])]
    return [*told, line("dense network of that shape, once a step", dense, [CMOS_45])]


PARTS = {"speed": speed, "workers": workers, "growth": growth, "inference": inference, "network": network}


def process(part: str, cores: int) -> Any:
    """What `main` printed in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, __file__, part, str(cores)], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"bench/lzc.py {part}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def say(text: str) -> None:
    print(f"           {text}", flush=True)


def speed_rows() -> list[Row]:
    """The least ratio over the densities counts; all of them are printed."""
    found, rows = process("speed", 1), []
    for peer, package in PEERS.items():
        if peer not in found:
            say(f"{peer} is not installed, so ours is not compared with it: pip install {package}")
            continue
        goals = {"antropy": {"1000": 10, "100000": 10}, "lzcomplexity": {"1000": 1, "100000": 2}}[peer]
        for length, goal in goals.items():
            each = found[peer][length]
            for p, t in each.items():
                told = f"ours {1e6 * t['ours']:.4g} us, {peer} ({t['form']}) {1e6 * t['theirs']:.4g} us, {t['theirs'] / t['ours']:.3g} x"
                say(f"words of {length} symbols, p = {p}: {told} (per word, processor time, counts equal)")
            worst = min(t["theirs"] / t["ours"] for t in each.values())
            many = {"1000": "1000 trains x 1000 bins", "100000": "trains of 100,000 bins"}[length]
            rows.append((f"LZ76 of {many} on one core, the least of p = {', '.join(map(str, RATES))}, against {peer} in a loop", worst, goal))
    return rows


def growth_lines() -> None:
    for p, t in process("growth", 1).items():
        whole, part = t["exponents"]
        each = ", ".join(f"{x:.3g}" for x in t["ns"])
        say(f"words of 1e3, 1e4, 1e5, 1e6 symbols, p = {p}: {each} ns per symbol, exponent {whole:.2f} ({part:.2f} up to 1e5)")


def inference_rows() -> list[Row]:
    rows = []
    for bins, calls in process("inference", 1).items():
        if not calls.pop("agree"):
            raise RuntimeError("decide and predict differ")
        for name, t in calls.items():
            times = ", ".join(f"{q} {1e6 * t[q]:.0f}" for q in ("p50", "p90", "p99", "largest"))
            say(f"{NEURONS} neurons x {bins} bins, {name}: {times} us of {t['n']} calls ({t['machine']})")
        p99 = calls["spikes to class"]["p99"]
        own = calls["spikes to class, processor time"]["p99"]
        what = f"one sample of {NEURONS} neurons x {bins} bins on one core, spikes to class, p99 {1e6 * p99:.0f} us"
        rows.append((f"{what} ({1e6 * own:.0f} us of processor time; {_load()}), against 1 ms", LIMIT / p99, 1))
    return rows


def _load() -> str:
    """Whatever else runs may take the core away within a call."""
    return f"load of the machine {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load of the machine unknown"


def rows(folder: Path) -> list[Row]:
    """Against the peers; how the cost grows; one sample against a millisecond; what the network before the reader costs."""
    found = speed_rows()
    both = process("workers", 2)
    say("two threads against one, 1000 words: " + "; ".join(f"{n} symbols {both[f'{n} 1'] / both[f'{n} 2']:.2f} x" for n in (1000, 10_000)))
    growth_lines()
    found += inference_rows()
    for name, told in process("network", 1).items():
        if name.startswith("cost"):
            for line in told:
                say(f"{name.removeprefix('cost ')} steps, {line}")
        else:
            whole, program = told
            say(f"{name}: {whole:.4f} s" + (f", compiled program {program:.4f} s" if "C++" in name else ""))
    return found


def main(arguments: Sequence[str]) -> None:
    if len(arguments) != 2:
        for row in rows(Path()):
            print(f"{row[1]:8.2f} x  (goal {row[2]:g})  {row[0]}", flush=True)
        return
    part, cores = arguments[0], int(arguments[1])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])
    print(json.dumps(PARTS[part]()))


if __name__ == "__main__":
    main(sys.argv[1:])
