"""Writes docs/twin_support.md from what the tests run: ``python tests/support.py``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from constructs import CELLS, FUNCTIONS, SYNAPSES, circuit, on_clock
from test_from_brian_refused import CASES

from bioneuro import Twin
from bioneuro.catalogue import graupner2012
from bioneuro.ledger import write
from bioneuro.model import Neuron, Pathway, Synapse
from bioneuro.twin import CODES
from bioneuro.twin.translate import _expression

PAGE = Path(__file__).parent.parent / "docs" / "twin_support.md"


def _free(path: str) -> Callable[[], Any]:
    return lambda: Twin(circuit(), free=[path])


def _neuron(equations: str) -> Neuron:
    return Neuron(name="odd", equations=equations, parameters={})


def _untranslated(text: str) -> None:
    import ast

    from bioneuro.statements import Phase, Program
    from bioneuro.twin.translate import _Scope

    nothing: Any = {"odd": {}}
    scope = _Scope(Phase(owner="odd", kind="update", code=""), Program(phases=(), computed=nothing, guarded=nothing, flags=nothing), circuit(), False)
    _expression(ast.parse(text, mode="eval").body, scope)


REFUSED: dict[str, tuple[str, Callable[[], Any], str]] = {
    "T01": ("free=['cells.v']", _free("target.v"), "target.v"),
    "T02": ("free=['delayed.d']", _free("delayed.d"), "delayed.d"),
    "T03": ("free=['cells.t_ref']", _free("period.t_ref"), "period.t_ref"),
    "T04": ("free and in settings or phases", lambda: Twin(circuit(), free=["phases.drive"])(on_clock()), "phases.drive"),
    "T05": ("twin.moments on a clock", lambda: Twin(circuit()).moments(on_clock()), "clock, dt 0.1 ms"),
    "T06": ("copies=-1, segments=0, twin.copy(7)", lambda: Twin(circuit(), copies=2).copy(7), "copy 7 of 2"),
    "T07": ("text that Brian2 or an integrator might write and no rule translates", lambda: _untranslated("x[0]"), "odd"),
    "T08": ("a function that no rule translates", lambda: _untranslated("unheard_of(1)"), "unheard_of"),
    "T09": ("free=['stdp.w_bits']", lambda: Twin(_integers(), free=["calcium.rho_bits"]), "rho_bits"),
    "T10": ("free=['every.updated']", _free("every.updated"), "every.updated"),
    "rand()": ("a draw that no seed reaches", lambda: _neuron("dx/dt = rand() : hertz"), "rand"),
    "i, j, N": ("indices and counts, which run over all trials", lambda: _neuron("dx/dt = i : hertz"), "'i'"),
    "(linked)": ("a variable of another group", lambda: _neuron("x : 1 (linked)"), "linked"),
    "(shared) and assigned": (
        "a shared variable that a reset changes for all units",
        lambda: Neuron(name="odd", equations="v : 1\nx : 1 (shared)", threshold="v > 1", reset="x += 1", parameters={}),
        "shared",
    ),
    "f(...)": ("a function of the user's", lambda: _neuron("dx/dt = my_function(x) : hertz"), "my_function"),
    "'...'": ("a text within a text, which Brian2 would evaluate", lambda: _neuron("dx/dt = f('x') : hertz"), "character"),
    "on_pre: i = j": (
        "a name that is none of the synapse's",
        lambda: Synapse(name="odd", equations="", pathways=(Pathway(event="pre", code="i = 1"),), parameters={}),
        "'i'",
    ),
}
"""Code, or what is written -> (what it is, what raises, what the message names)."""


def _integers() -> Any:
    from bioneuro.bss2 import Hardware, constrain

    return constrain(graupner2012.pair("DP"), Hardware())


HEAD = """# What the twin runs

Written by `python tests/support.py` from what `tests/test_constructs.py` runs; do not edit by hand. Each line of the first table is
part of one network that Brian2 (C++ and NumPy) and the twin run side by side: no spike differs, and traces agree to 1e-10 of their
size. The noise is the same draw for draw. The fidelity ledger has the numbers, [tests/test_laws.py](../tests/test_laws.py) the same for
the catalogue, also from event to event.

| | in Brian2 | |
| --- | --- | --- |
"""


def page() -> str:
    """The page, from the constructs and refusals that the tests go through."""
    rows = [c for c, *_ in [*CELLS.values(), *SYNAPSES.values()] if c.text]
    lines = [f"| {c.group} | `{c.text}` | {c.says} |\n" for c in sorted(rows, key=lambda c: _GROUPS.index(c.group))]
    called = ", ".join(f"`{name}`" for name in FUNCTIONS)
    text = HEAD + "".join(lines) + f"| functions | {called} | |\n"
    text += "\nA twin goes from event to event too (`stepping=Events()`): exact steps derived from the same equations, moments, slow variables,\n"
    text += "phases, periodic code.\n\n## What it refuses\n\nBy a code, with the object, the text and what to do (`bioneuro.twin.CODES`):\n\n"
    text += "| code | what | for example | remedy |\n| --- | --- | --- | --- |\n"
    text += "".join(f"| {code} | {what} | {REFUSED[code][0]} | {remedy} |\n" for code, (what, remedy) in CODES.items())
    text += "\nEarlier, when the record is made, for every engine alike:\n\n| written | what it is |\n| --- | --- |\n"
    text += "".join(f"| `{code}` | {what} |\n" for code, (what, *_) in REFUSED.items() if code not in CODES)
    words: dict[str, list[str]] = {}
    for case, (word, *_) in CASES.items():
        words.setdefault(word, []).append(case)
    text += "\nLive objects of Brian2 (`from_brian`, `stimulus_of`), by a word:\n\n| word | constructs |\n| --- | --- |\n"
    return text + "".join(f"| {word} | {', '.join(words[word])} |\n" for word in sorted(words)) + KNOWN


_GROUPS = ["integrator", "equations", "threshold and reset", "refractory", "input", "projections", "pathways", ""]

KNOWN = """
## What differs, and is known to

- The slope of a step is the surrogate's. Integer functions (`int`, `floor`, `ceil`, `timestep`) have none; the integers of a processor have the slope
  of what they round and saturate (the straight-through estimator).
- A spike that did not arrive has no slope where a pathway assigns to a neuron (`v_post = ...`) instead of adding to it.
- Integers are kept as floating-point numbers, exact up to 2**53; Brian2's wrap at 2**31.
- Spikes that arrive in one step after different delays are added in the order of the synapses; Brian2 adds those fired earlier first. The
  sums differ in their last bit.
- A condition of several comparisons notes the margin of the closest.
"""

if __name__ == "__main__":
    write(PAGE, page())
    print(PAGE)
