"""What a twin refuses, each by a code of its own, with the remedy."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn

CODES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "T01": ("a state among the free names", "only parameters can be learned; make it a parameter, or set its initial value by the protocol"),
        "T02": ("a delay among the free names", "it moves events, which has no gradient; scan it instead"),
        "T03": ("a refractory period among the free names", "it counts steps, which has no gradient; scan it instead"),
        "T04": ("a free parameter that the protocol sets too", "drop it from one of the two"),
        "T05": ("mean and variance on a clock", "they are carried from event to event; give the protocol stepping=Events()"),
        "T06": ("copies or segments that do not exist", "give copies from 0 on, segments from 1 on, 'auto' or None, and ask for one there is"),
        "T07": ("a statement without a translation", "write it with + - * / // % **, comparisons, and, or, not, and the functions of the whitelist"),
        "T08": ("a function without a translation", "use one of the whitelist; write noise as xi in the equations"),
        "T09": ("an integer or boolean parameter among the free names", "it has no neighbours to descend to; scan it instead"),
        "T10": ("a number of a processor's updates among the free names", "its period counts steps, which has no gradient; scan it instead"),
    }
)
"""Code -> (what is refused, what to do)."""


class TwinError(ValueError):
    """A twin cannot be made or run as asked; `code` is a key of `CODES`."""

    def __init__(self, code: str, said: str) -> None:
        what, remedy = CODES[code]
        super().__init__(f"{code}, {what}: {said}; {remedy}")
        self.code = code


def refuse(code: str, said: str) -> NoReturn:
    """Raise `TwinError`: `said` names the object and the text in question."""
    raise TwinError(code, said)
