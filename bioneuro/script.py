"""Options shared by all protocol scripts.

A protocol script has ``def main(options: Options) -> Path`` and ends in::

    if __name__ == "__main__":
        main(script.options(Path(__file__).stem))

so that ``python protocols/x.py --quick`` and ``bioneuro run protocols/x.py --quick`` do the same.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from bioneuro import units
from bioneuro.evidence.points import Points
from bioneuro.evidence.table import read_csv, unit_in
from bioneuro.model import Circuit, ModelError, did_you_mean
from bioneuro.recording import Recording

ENGINES = ("cpp", "cython", "numpy")


class OptionError(ValueError):
    """An option of a script does not make sense."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a protocol script is asked to do.

    Attributes:
        quick: a smaller version of the study, for a look and for tests.
        seed: of stimuli and noise.
        engine: "cpp", "cython" or "numpy": the `target` of `bioneuro.brian.simulate`.
        set: placed name -> value with unit as text, such as ``{"calcium.tau_Ca": "25 ms"}``.
        out: the file to write.
        progress: show progress bars; None means only on a terminal.
        data: CSV files with measurements to show or to fit; `data` reads them.
        applied: the paths of `set` that some circuit took; `apply` fills it.
        read: the files of `data` that were read; `data` fills it.
    """

    quick: bool = False
    seed: int = 0
    engine: str = "cpp"
    set: Mapping[str, str] = field(default_factory=dict)
    out: Path
    progress: bool | None = None
    data: tuple[Path, ...] = ()
    applied: list[str] = field(default_factory=list, compare=False, repr=False)
    read: list[Path] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "set", MappingProxyType(dict(self.set)))
        object.__setattr__(self, "data", tuple(self.data))
        if self.engine not in ENGINES:
            raise OptionError(f"--engine: {self.engine!r} is unknown; allowed: {', '.join(ENGINES)}")
        if not 0 <= self.seed < 2**63:
            raise OptionError(f"--seed: {self.seed} is outside 0 to 2**63 - 1; choose a seed within")


def parser() -> argparse.ArgumentParser:
    """The options alone, without --help: a parent for the parser of a script or command."""
    made = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    made.add_argument("--quick", action="store_true", help="a smaller version, written to results/quick/")
    made.add_argument("--seed", type=int, default=0, metavar="N", help="seed of stimuli and noise (default: 0)")
    made.add_argument("--engine", choices=ENGINES, default="cpp", help="what Brian2 runs on (default: cpp)")
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help='a parameter or initial value, such as calcium.tau_Ca="25 ms"'
    )
    made.add_argument(
        "--data", action="append", default=[], type=Path, metavar="FILE.csv", help="own measurements: condition (unit),mean,sem,n"
    )
    made.add_argument("--out", type=Path, metavar="PATH", help="the file to write (default: results/<script>.nc)")
    made.add_argument("--no-progress", action="store_true", help="no progress bars (default: on a terminal)")
    return made


def options(stem: str, argv: Sequence[str] | None = None) -> Options:
    """The options of the script called `stem`, from `argv` or the command line.

    >>> options("stdp_window", ["--quick", "--set", "calcium.tau_Ca=25 ms"]).out.as_posix()
    'results/quick/stdp_window.nc'
    """
    whole = argparse.ArgumentParser(prog=f"{stem}.py", parents=[parser()], allow_abbrev=False)
    given = whole.parse_args(argv)
    try:
        return from_arguments(stem, given)
    except OptionError as error:
        whole.error(str(error))


def assignments(entries: Iterable[str]) -> dict[str, str]:
    """Placed name -> value of texts such as ``calcium.tau_Ca=25 ms``; raises `OptionError` if one is none, or comes twice."""
    values: dict[str, str] = {}
    for entry in entries:
        path, equals, value = (part.strip() for part in entry.partition("="))
        if not equals or not value or path.count(".") != 1 or not all(path.split(".")):
            raise OptionError(f'--set: {entry!r} is not NAME=VALUE with the names of an object and a value, as in calcium.tau_Ca="25 ms"')
        if path in values:
            raise OptionError(f"--set: {path!r} is given twice, {values[path]!r} and {value!r}; give it once")
        values[path] = value
    return values


def from_arguments(stem: str, given: argparse.Namespace) -> Options:
    """The options that `parser` found.

    Raises:
        OptionError: an entry of --set is no NAME=VALUE or comes twice; a file of --data is missing or comes twice; an unknown engine; a
            seed out of range.
    """
    for path in given.data:
        if not path.is_file() or given.data.count(path) > 1:
            what = "is given twice; give it once" if path.is_file() else "is not a file; give the path of a CSV file"
            raise OptionError(f"--data: {path} {what}")
    return Options(
        quick=given.quick,
        seed=given.seed,
        engine=given.engine,
        set=assignments(given.set),
        out=given.out or Path("results", *["quick"] * given.quick, f"{stem}.nc"),
        progress=False if given.no_progress else None,
        data=tuple(given.data),
    )


def apply(options: Options, circuit: Circuit) -> Circuit:
    """`circuit` with those values of ``--set`` that name one of its objects.

    A script calls it for each of its circuits and then `unused`, so that no value is silently left out.

    Raises:
        ModelError: an object of this circuit has no such value, or the value is outside its bounds. UnitError: a wrong unit.
    """
    mine = {path: value for path, value in options.set.items() if path.partition(".")[0] in circuit.models}
    changed = circuit.with_values(mine)
    options.applied.extend(path for path in mine if path not in options.applied)
    return changed


def unused(options: Options, circuits: Sequence[Circuit]) -> None:
    """Refuse values of ``--set`` that fit none of `circuits`.

    Raises:
        ModelError: naming the value and the closest name there is.
    """
    known = [f"{owner}.{name}" for c in circuits for owner, model in c.models.items() for name in (*model.parameters, *model.states)]
    for path in options.set:
        if path not in known:
            objects = sorted({owner for c in circuits for owner in c.models})
            hint = did_you_mean(path, known)
            raise ModelError(f"--set: {path!r} fits no circuit of this script; its objects: {', '.join(objects)}.{hint}")


def left_over(options: Options) -> tuple[str, ...]:
    """The paths of ``--set`` that `apply` has put into no circuit so far."""
    return tuple(path for path in options.set if path not in options.applied)


def data(options: Options, unit: str, among: Sequence[str] = ()) -> tuple[Points, ...]:
    """The tables of ``--data`` for an axis in `unit`, in which conditions are where a table does not name their unit itself.

    A figure draws them with ``plot.overlay(ax, script.data(options, "ms"))``. If its axes are of several kinds, it says so with `among`,
    such as ``among=("ms", "Hz")``: each axis gets its tables, and every table must name its unit.

    Raises:
        OptionError: a table fits no axis, or might fit several. TableError: a file is not a table of measurements.
    """
    kinds = {units.unit(name).dimensions: name for name in (*among, unit)}
    axes = " and ".join(kinds.values())
    mine: list[Points] = []
    for path in options.data:
        own = unit_in(path)
        if not own and len(kinds) > 1:
            raise OptionError(f"--data: {path} has conditions without a unit, but the axes are in {axes}; write it as in 'condition ({unit})'")
        if own and units.unit(own).dimensions not in kinds:
            raise OptionError(f"--data: {path} has conditions in {own!r}, but the axes are in {axes}; give data along these")
        if not own or units.unit(own).dimensions == units.unit(unit).dimensions:
            mine.append(read_csv(path, unit=unit))
            options.read.append(path)
    return tuple(mine)


def recorded(options: Options, name: str, circuit: Circuit) -> Recording:
    """The recording ``<name>.nc`` of an experiment, for a figure; it must be of `circuit`, or the laws drawn beside it would not be its own.

    Raises:
        OptionError: it is of another circuit. FileError: there is no such recording, or it is damaged.
    """
    from bioneuro.files import load  # what reads files takes a while to import

    path = options.out.with_suffix("") / f"{name}.nc"
    seen = load(path)
    if seen.provenance.circuit != circuit.digest:
        raise OptionError(f"{path} is of other values; run the protocol script again, or give the --set, --seed and --out that it was given")
    return seen


def is_full(options: Options, stem: str) -> bool:
    """Whether a figure shows the study `stem` as published: nothing set, nothing laid over it, its results where they usually are."""
    return not options.set and not options.data and options.out == Path("results", f"{stem}.nc")


def unread(options: Options) -> tuple[Path, ...]:
    """The files of ``--data`` that `data` has not read so far."""
    return tuple(path for path in options.data if path not in options.read)
