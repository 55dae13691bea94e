"""The functions of the plasticity processor as Brian2 functions: the bodies of `bioneuro.bss2.functions` for C++, Cython and NumPy."""

from typing import Any

import numpy as np
from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
from brian2.codegen.runtime.cython_rt import CythonCodeObject
from brian2.core.functions import Function

from bioneuro import noise
from bioneuro.bss2 import functions
from bioneuro.statements.periodic import DRAWS
from bioneuro.text import HARDWARE

_TYPES = {"integer": "int64_t", "float": "double"}

TEXT = "bioneuro_bss2"
"""What the others depend on: the text that holds their C++ bodies, once in each generated source."""


def implement(function: Function, name: str, *, seed: int, words: str) -> None:
    """Give the function called `name` (of `functions.CPP_NAMES`) its bodies.

    Arguments:
        words: the C++ expression of an array with the two words of the seed, for the standalone program.
    """
    low, high = noise.split_seed(seed)
    body = functions.PLAIN.get(name)
    seeded = functions.SEEDED.get(name)

    def numpy_body(*arguments: Any) -> Any:
        return seeded(low, high, *arguments) if seeded else body(*arguments)  # type: ignore[misc]

    function.implementations.add_numpy_implementation(numpy_body, discard_units=True)
    needs = {TEXT: _text()}
    called = functions.CPP_NAMES[name]
    if not seeded:
        for target in (CPPCodeGenerator, CythonCodeObject):
            function.implementations.add_implementation(target, None, name=called, dependencies=needs)
        return
    types, result = [_TYPES[t] for t in DRAWS[name][:-1]], _TYPES[DRAWS[name][-1]]
    parameters, arguments = (", ".join(f"{t}a{k}" for k, t in enumerate(ts)) for ts in ([f"{t} " for t in types], [""] * len(types)))
    cpp = f"""
    static inline {result} _{name}({parameters}) {{
        const double* words = {words};
        return {called}((int64_t)words[0], (int64_t)words[1], {arguments});
    }}
    """
    function.implementations.add_implementation(CPPCodeGenerator, cpp, name=f"_{name}", dependencies=needs)
    cython = f"""
cdef {result} {name}({parameters}):
    global _namespace{name}_words
    return {called}(_namespace{name}_words[0], _namespace{name}_words[1], {arguments})
"""
    held = {f"{name}_words": np.array([low, high], dtype=np.int64)}
    function.implementations.add_implementation(CythonCodeObject, cython, namespace=held, dependencies=needs)


def _declared(name: str) -> str:
    """The declaration of a C++ body for Cython."""
    types = (*HARDWARE[name], "integer") if name in HARDWARE else (*["integer"] * 2 * (name in functions.SEEDED), *DRAWS[name])
    *given, result = (_TYPES[one] for one in types)
    return f"    {result} {functions.CPP_NAMES[name]}({', '.join(given)})"


def _text() -> Function:
    """No function, but text that functions need: Brian2 puts what they depend on into a source once."""
    declared = "\n".join(map(_declared, functions.CPP_NAMES))
    text = Function(np.add, arg_units=[1, 1], return_unit=1)
    text.implementations.add_implementation(CPPCodeGenerator, functions.CPP, name=TEXT)
    cython = f'cdef extern from *:\n    """\n{functions.CPP}\n    """\n{declared}\n'
    text.implementations.add_implementation(CythonCodeObject, cython, name=TEXT)
    return text
