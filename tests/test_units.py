"""Units by name agree with Brian2's, and a wrong, missing or scaled unit is refused with place, value, expectation and remedy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioneuro import text, units
from bioneuro.units import NAMES, UnitError, in_unit, si, unit

brian2_units = pytest.importorskip("brian2.units.allunits")
fundamental = pytest.importorskip("brian2.units.fundamentalunits")

names = st.sampled_from(sorted(NAMES))
numbers = st.floats(-1e6, 1e6, allow_nan=False)


def brian2(name: str) -> Any:
    """The unit of that name in Brian2, or None."""
    found = getattr(brian2_units, name, None)
    if found is None:
        found = getattr(pytest.importorskip("brian2.units.stdunits"), name, None)
    return found if isinstance(found, fundamental.Quantity) else None


def test_names_mean_what_they_mean_in_brian2() -> None:
    compared = 0
    for name, (scale, dimensions) in NAMES.items():
        if (theirs := brian2(name)) is not None:
            compared += 1
            assert float(theirs) == pytest.approx(scale, rel=1e-14), name
            assert tuple(float(d) for d in theirs.dim._dims) == dimensions, name
    assert compared > 150


def test_units_of_equations_are_known() -> None:
    for name in text.UNITS:
        assert unit(name).scale == 1.0, name  # equations are in SI: no scale


@given(names, names, st.integers(-3, 3))
def test_products_and_powers(one: str, two: str, power: int) -> None:
    made = unit(f"{one}*{two}**{power}")
    assert made.scale == pytest.approx(unit(one).scale * unit(two).scale ** power)
    assert made.dimensions == tuple(a + power * b for a, b in zip(unit(one).dimensions, unit(two).dimensions, strict=True))
    assert unit(f"{one}/{two}").dimensions == tuple(a - b for a, b in zip(unit(one).dimensions, unit(two).dimensions, strict=True))


@given(numbers, names)
def test_text_goes_round(number: float, name: str) -> None:
    for spelled in (f"{number!r} {name}", f"{number!r}*{name}", f"  {number!r}{' ' if name == '1' else ''}{name} "):
        values, dimensions = si(spelled, "here")
        assert values == number * unit(name).scale
        assert dimensions == unit(name).dimensions
    assert in_unit(f"{number!r} {name}", name, "here") == number * unit(name).scale


@given(numbers, st.sampled_from(["ms", "mV", "nS", "pA", "Hz", "nS/ms", "uM", "pF"]))
def test_quantities_go_round(number: float, name: str) -> None:
    known = unit(name)
    quantity = fundamental.Quantity(number * known.scale, dim=fundamental.get_or_create_dimension(known.dimensions))
    assert in_unit(quantity, name, "here") == number * known.scale
    assert in_unit([quantity, quantity], name, "here").tolist() == [number * known.scale] * 2


def test_scale_is_part_of_the_value() -> None:
    assert in_unit("1.5 ms", "second", "here") == in_unit("0.0015 second", "ms", "here") == 0.0015
    assert in_unit(["1 ms", "2 second"], "ms", "here").tolist() == [0.001, 2.0]


WRONG = [
    ("5 mV", "ms", "volt"),
    (5, "ms", "no unit"),
    (0, "ms", "no unit"),
    ("5", "ms", "no unit"),
    ("5 ms", "1", "second"),
    ("5 ms", "Hz", "second"),
    ("5 pA", "nS", "amp"),
    (np.array([1.0, 2.0]), "mV", "no unit"),
]


@pytest.mark.parametrize(("value", "expected", "got"), WRONG, ids=str)
def test_wrong_or_missing_unit(value: object, expected: str, got: str) -> None:
    with pytest.raises(UnitError) as error:
        in_unit(value, expected, "lif.tau_m")
    message = str(error.value)
    assert message.startswith("lif.tau_m: ")
    assert repr(expected) in message
    assert f"({got})" in message
    assert "write" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, [1.0, np.nan], "1e999", "1e999 1"])
def test_not_finite(value: object) -> None:
    with pytest.raises(UnitError, match=r"^here: the value .* is not finite; give finite numbers"):
        in_unit(value, "1", "here")


NOTHING = [None, "", "ms", "five ms", "0x10", {}, object(), [[1, 2], [3]], 1j, True, "1" + " " * 10_000 + "\n?", b"1 ms"]


@pytest.mark.parametrize("value", NOTHING, ids=lambda value: repr(value)[:20])
def test_no_number(value: object) -> None:
    with pytest.raises(UnitError, match=r"^here: .* a number|^unit "):
        in_unit(value, "ms", "here")


def test_list_of_several_units() -> None:
    with pytest.raises(UnitError, match="different units"):
        si(["1 ms", "1 mV"], "here")


def test_unknown_unit_suggests() -> None:
    with pytest.raises(UnitError, match=r"'mvolts' is not a unit name.*Did you mean 'mvolt'"):
        unit("mvolts")


HOSTILE: list[Any] = ["", " ", "ms*", "ms**99", "ms**x", "2*ms", "ms+ms", "__import__('os')", "ms.real", "[ms]", "ms" * 60, "ms\0", "m s"]
HOSTILE += [5, "(" * 90 + ")" * 90]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name)[:20])
def test_text_that_is_no_unit(name: Any) -> None:
    with pytest.raises(UnitError, match="unit"):
        unit(name)


def test_descriptions() -> None:
    assert units.describe(unit("mV").dimensions) == "volt"
    assert units.describe(unit("1").dimensions) == "no unit"
    assert units.describe(unit("nS/pF").dimensions) == "hertz"
    assert units.describe(unit("mV/ms").dimensions) == "volt/second"
    assert units.describe(unit("volt**2").dimensions) == "metre^4 kilogram^2 second^-6 amp^-2"
