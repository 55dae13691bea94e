"""What a loss is, in a few letters: its code and the numbers it holds, so that a stopped fit goes on only with the same one.

A loss is a function that the user wrote, so no record tells what it is. Looked at: the instructions of the function, its constants,
defaults, attributes, what it closes over and the globals that it names, through everything of these kinds: functions, numbers, texts, arrays,
tensors, containers and records. Of other objects only the type is looked at, and of functions of installed packages only the name, since
versions are compared by themselves. A loss that carries a text `digest` is taken at its word.
"""

import dataclasses
import hashlib
import sysconfig
import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})

Put = Callable[[bytes], Any]


def describe(loss: Any) -> str:
    """Name and fingerprint of a function; the same in every process of one version of Python."""
    name = getattr(loss, "__qualname__", type(loss).__qualname__)
    said = getattr(loss, "digest", None)
    return f"{name} {said if isinstance(said, str) else fingerprint(loss)}"


def fingerprint(thing: Any) -> str:
    """Sixteen hexadecimal digits."""
    whole = hashlib.sha256()
    _feed(whole.update, thing, {}, ())
    return whole.hexdigest()[:16]


def _feed(put: Put, thing: Any, functions: dict[types.FunctionType, int], inside: tuple[int, ...]) -> None:
    """Put what `thing` is; `functions` are those met before, `inside` the containers around it."""
    if thing is None or isinstance(thing, bool | int | float | complex | str | bytes):
        put(f"{type(thing).__name__}:{thing!r};".encode())
    elif isinstance(thing, Tensor | np.ndarray | np.generic):
        _array(put, thing)
    elif isinstance(thing, types.FunctionType):
        _function(put, thing, functions, inside)
    elif id(thing) in inside:
        put(b"itself;")
    elif (parts := _parts(thing)) is not None:
        put(f"{type(thing).__qualname__} of {len(parts)}:".encode())
        for part in parts:
            _feed(put, part, functions, (*inside, id(thing)))
    else:
        name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None) or type(thing).__qualname__
        put(f"{getattr(thing, '__module__', None) or type(thing).__module__}.{name};".encode())


def _array(put: Put, thing: Any) -> None:
    array = np.asarray(thing.detach().cpu().numpy() if isinstance(thing, Tensor) else thing)
    put(f"array {array.dtype} {array.shape};".encode())
    put(repr(array.tolist()).encode() if array.dtype.hasobject else np.ascontiguousarray(array).tobytes())


def _parts(thing: Any) -> list[Any] | None:
    """What a container or record holds, in an order that does not hang on the process; None for other things."""
    if isinstance(thing, types.CodeType):
        return [thing.co_code, thing.co_names, thing.co_varnames, thing.co_consts]
    if isinstance(thing, partial):
        return [thing.func, thing.args, thing.keywords]
    if isinstance(thing, types.MethodType):
        return [thing.__func__, thing.__self__]
    if isinstance(thing, Mapping):
        return [part for key in sorted(thing, key=str) for part in (str(key), thing[key])]
    if isinstance(thing, set | frozenset):
        return sorted(map(repr, thing))
    if isinstance(thing, list | tuple):
        return list(thing)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return [getattr(thing, field.name) for field in dataclasses.fields(thing)]
    return None


def _function(put: Put, function: types.FunctionType, functions: dict[types.FunctionType, int], inside: tuple[int, ...]) -> None:
    put(f"function {function.__module__}.{function.__qualname__};".encode())
    if function in functions:
        put(f"number {functions[function]};".encode())
        return
    functions[function] = len(functions)
    installed = function.__code__.co_filename.startswith(_INSTALLED) and function.__module__.partition(".")[0] != "bioneuro"
    if installed:
        return
    held = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    used = {name: function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__}
    parts = [function.__code__, held, function.__defaults__, function.__kwdefaults__, vars(function), used]
    for part in parts:
        _feed(put, part, functions, inside)


def _filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 (asking is what tells)
    except ValueError:
        return False
    return True


def _names(code: types.CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return {*code.co_names}.union(*(_names(c) for c in inner))
