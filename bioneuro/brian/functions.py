"""What equations may call beyond Brian2's own functions: draws by counter, seconds per event step, injected currents, phases.

Each has one meaning and three bodies (C++, Cython, NumPy); the numbers behind them are data, never source.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
from brian2.codegen.generators.cython_generator import CythonCodeGenerator
from brian2.codegen.runtime.cython_rt import CythonCodeObject
from brian2.core.functions import Function
from numpy.typing import NDArray

from bioneuro import noise
from bioneuro.brian import processor
from bioneuro.bss2.functions import CPP_NAMES
from bioneuro.plan import Plan
from bioneuro.statements.periodic import UPDATE
from bioneuro.statements.read import signatures
from bioneuro.statements.step import LENGTH, NORMAL, PHASE, phase_name

SEED = "noise_seed"


def tables(plan: Plan) -> dict[str, NDArray[np.float64]]:
    """Name -> two-dimensional table that the run reads."""
    found = {f"drive_{name}": table for name, (_, table) in plan.currents.items()}
    found |= {phase_name(*path.split(".")): table for path, (_, table) in plan.phases.items()}
    if plan.circuit.period and plan.dt is not None:
        found[UPDATE] = np.array([[float(plan.timing.period)]])
    if plan.phases and plan.dt is not None:
        found[PHASE] = plan.timing.phase.astype(np.float64)
    return {**found, SEED: np.array([[plan.seed & 0xFFFFFFFF, plan.seed >> 32]], dtype=np.float64)}


def functions(plan: Plan, *, compiled: bool) -> Mapping[str, Function]:
    """Brian2 functions for the names in `tables`, for the normal draw and for the seconds of an event step.

    Arguments:
        compiled: for the standalone program, which works out event steps itself; else they are tabulated here.
    """
    known = signatures(plan)
    content = tables(plan)
    if plan.dt is None:
        if compiled:
            known[LENGTH].implementations.add_implementation(CPPCodeGenerator, _LENGTH_CPP, name=f"_{LENGTH}")
        elif plan.lengths is not None:
            content[LENGTH] = plan.lengths
    for name, function in known.items():
        if name == NORMAL:
            _implement_normal(function, plan.seed)
        elif name == UPDATE:
            _implement_update(function, None if compiled else plan.timing.updates, events=plan.dt is None)
        elif name.startswith(f"{PHASE}__"):
            # The compiled program knows in which phase a stimulus is while it merges events; on a clock it is a table.
            _implement_phase(function, name, content[name], None if compiled and plan.dt is None else plan.timing.phase)
        elif name in CPP_NAMES:
            processor.implement(function, name, seed=plan.seed, words=f"bioneuro::Table<bioneuro::{SEED}>::values")
        elif name in content:
            _implement_table(function, name, content[name])
    unlisted = {NORMAL, UPDATE, *CPP_NAMES, *([LENGTH] if plan.dt is None else [])}
    return {name: f for name, f in known.items() if name in content or name in unlisted}


_LENGTH_CPP = f"""
static inline double _{LENGTH}(const int64_t, const int64_t stimulus) {{ return bioneuro::Events::length[stimulus]; }}
"""


def _implement_table(function: Function, name: str, table: NDArray[np.float64]) -> None:
    def lookup(row: Any, column: Any) -> Any:
        return table[row, column]

    function.implementations.add_numpy_implementation(lookup, discard_units=True)
    tag = f"bioneuro::Table<bioneuro::{name}>"
    cpp = f"""
    static inline double _{name}(const int64_t row, const int64_t column) {{ return {tag}::values[row*{tag}::columns + column]; }}
    """
    function.implementations.add_implementation(CPPCodeGenerator, cpp, name=f"_{name}")
    cython = f"""
    cdef double {name}(int64_t row, int64_t column):
        global _namespace{name}_values
        return _namespace{name}_values[row*{table.shape[1]} + column]
    """
    function.implementations.add_implementation(CythonCodeGenerator, cython, namespace={f"{name}_values": np.ascontiguousarray(table).ravel()})


def _implement_phase(function: Function, name: str, table: NDArray[np.float64], rows: NDArray[np.int64] | None) -> None:
    """The row that holds at a step in a stimulus (one column for all stimuli on a clock), the column of an element."""
    tag = f"bioneuro::Table<bioneuro::{name}>"
    row = "bioneuro::Events::row[stimulus]" if rows is None else f"(int64_t)bioneuro::Table<bioneuro::{PHASE}>::values[step]"
    cpp = f"""
    static inline double _{name}(const int64_t step, const int64_t stimulus, const int64_t column) {{
        return {tag}::values[({row})*{tag}::columns + column];
    }}
    """
    function.implementations.add_implementation(CPPCodeGenerator, cpp, name=f"_{name}")
    if rows is None:
        return

    def lookup(step: Any, stimulus: Any, column: Any) -> Any:
        return table[rows[step, stimulus % rows.shape[1]], column]

    function.implementations.add_numpy_implementation(lookup, discard_units=True)
    cython = f"""
    cdef double {name}(int64_t step, int64_t stimulus, int64_t column):
        global _namespace{name}_values, _namespace{name}_rows
        return _namespace{name}_values[_namespace{name}_rows[step*{rows.shape[1]} + stimulus % {rows.shape[1]}]*{table.shape[1]} + column]
    """
    held = {f"{name}_values": np.ascontiguousarray(table).ravel(), f"{name}_rows": np.ascontiguousarray(rows, np.int64).ravel()}
    function.implementations.add_implementation(CythonCodeGenerator, cython, namespace=held)


def _implement_update(function: Function, number: NDArray[np.int64] | None, *, events: bool) -> None:
    """The number of the update in a step of a stimulus: counted by the compiled program, a table (step, stimulus) for the others."""
    counted = f"(int64_t)bioneuro::Table<bioneuro::{UPDATE}>::values[0]"
    body = "bioneuro::Events::update[stimulus]" if events else f"step % {counted} == 0 ? step/{counted} : 0"
    cpp = f"""
    static inline int64_t _{UPDATE}(const int64_t step, const int64_t stimulus) {{ return {body}; }}
    """
    function.implementations.add_implementation(CPPCodeGenerator, cpp, name=f"_{UPDATE}")
    if number is None:
        return

    def lookup(step: Any, stimulus: Any) -> Any:
        return number[step, stimulus]

    function.implementations.add_numpy_implementation(lookup, discard_units=True)
    cython = f"""
    cdef int64_t {UPDATE}(int64_t step, int64_t stimulus):
        global _namespace{UPDATE}_number
        return _namespace{UPDATE}_number[step*{number.shape[1]} + stimulus]
    """
    held = {f"{UPDATE}_number": np.ascontiguousarray(number, np.int64).ravel()}
    function.implementations.add_implementation(CythonCodeGenerator, cython, namespace=held)


def _implement_normal(function: Function, seed: int) -> None:
    def draw(stream: Any, trial: Any, unit: Any, step: Any) -> Any:
        return noise.normal(seed, stream, trial, unit, step)

    function.implementations.add_numpy_implementation(draw, discard_units=True)
    cpp = (
        noise.CPP
        + f"""
    static inline double _{NORMAL}(const int64_t stream, const int64_t trial, const int64_t unit, const int64_t step) {{
        const double* seed = bioneuro::Table<bioneuro::{SEED}>::values;
        return bioneuro_normal((int64_t)seed[0], (int64_t)seed[1], stream, trial, unit, step);
    }}
    """
    )
    function.implementations.add_implementation(CPPCodeGenerator, cpp, name=f"_{NORMAL}")
    cython = f'''
cdef extern from *:
    """
{noise.CPP}
    """
    double bioneuro_normal(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t)

cdef double {NORMAL}(int64_t stream, int64_t trial, int64_t unit, int64_t step):
    global _namespace{NORMAL}_seed
    return bioneuro_normal(_namespace{NORMAL}_seed[0], _namespace{NORMAL}_seed[1], stream, trial, unit, step)
'''
    words = np.array([seed & 0xFFFFFFFF, seed >> 32], dtype=np.int64)
    function.implementations.add_implementation(CythonCodeObject, cython, namespace={f"{NORMAL}_seed": words})
