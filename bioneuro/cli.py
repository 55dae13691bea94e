"""The command `bioneuro`: look at models, run protocol scripts, look at what they wrote.

Everything slow to import (Brian2, h5netcdf) is imported by the one command that needs it.
"""

import argparse
import ast
import contextlib
import datetime
import importlib.util
import os
import sys
import textwrap
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import bioneuro
from bioneuro import catalogue, protocol, script, sheet
from bioneuro.guard import brian2_may_load
from bioneuro.model import Circuit, did_you_mean


class CommandError(ValueError):
    """A command was asked for something that is not there."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (by default that of the process).

    Returns:
        the exit code: 0, 1 if what was compared differs, 2 for an error that has a message, 130 after Ctrl-C. Errors that are not ours keep
        their traceback.
    """
    try:
        given = _parser().parse_args(argv)
        code = given.command(given) or 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        ours = _ours(error)
        if ours is None:
            raise
        print(f"error: {ours}", file=sys.stderr)
        return 2
    return int(code)


def _ours(error: BaseException | None) -> BaseException | None:
    """The error of this package in a chain of causes (Brian2 wraps what is raised while it prepares a run), or None."""
    while error is not None and type(error).__module__.partition(".")[0] != "bioneuro":
        error = error.__cause__
    return error


def _parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="bioneuro", description=(bioneuro.__doc__ or "").partition("\n")[0], allow_abbrev=False)
    whole.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, command: Callable[[argparse.Namespace], None], says: str, **more: Any) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=says, description=says, allow_abbrev=False, **more)
        made.set_defaults(command=command)
        return made

    add("list", _list, "models of the catalogue, and protocol scripts in ./protocols")
    show = add("show", _show, "equations, events and parameters of a model")
    show.add_argument("model", nargs="+", metavar="MODEL", help="a name that `bioneuro list` shows, or its beginning")
    run = add("run", _run, "run protocol and figure scripts: their main(options), with these options", parents=[script.parser()])
    run.add_argument("path", type=Path, nargs="+", metavar="PATH.py", help="the scripts; they are run as they are, so run only what you trust")
    info = add("info", _info, "what a recording holds and where it comes from")
    info.add_argument("path", type=Path, metavar="FILE.nc")
    cache = add("cache", _cache, "compiled programs kept on this machine")
    cache.add_argument("--clear", action="store_true", help="remove them all")
    plain = add("script", _script, "the plain Brian2 script of a model under its classic protocol")
    plain.add_argument("model", nargs="+", metavar="MODEL", help="a name that `bioneuro list` shows, or its beginning")
    _add_files(add)
    _add_reading(add)
    return whole


def _add_files(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The commands that make and read parameter files."""
    says = "fit a model to a measured cell, and replay it in Brian2"
    fit = add("fit", lambda given: _commands().fit(given, circuit(" ".join(given.model))), says)
    fit.add_argument("model", nargs="+", metavar="MODEL", help="a name that `bioneuro list` shows, or its beginning")
    fit.add_argument("--data", type=Path, required=True, metavar="FILE.csv", help="samples: time (ms), I (nA), v (mV), spikes")
    fit.add_argument("--free", required=True, metavar="A.B,...", help="placed names of the parameters to fit")
    fit.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors", help="where the fitted parameters go")
    fit.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="another value, to start from or to keep")
    fit.add_argument("--steps", type=int, default=300, help="of the optimiser (default: %(default)s)")
    fit.add_argument("--rate", type=float, default=0.05, help="of the optimiser (default: %(default)s)")
    fit.add_argument("--starts", type=int, default=1, help="points to start from, as one batch (default: %(default)s)")
    fit.add_argument("--seed", type=int, default=0, help="of the starts and of noise (default: %(default)s)")
    fit.add_argument("--keep", type=Path, metavar="FILE", help="keep the fit there while it runs; called again, it goes on")
    says = "do two recordings agree, or Brian2 and the twin with a parameter file?"
    verify = add("verify", lambda given: _commands().verify(given, classic), says)
    verify.add_argument("path", type=Path, nargs="+", metavar="FILE", help="two recordings (.nc), or one parameter file (.safetensors)")
    verify.add_argument("--tolerance", type=float, default=1e-9, help="largest relative difference of a trace (default: %(default)s)")
    export = add("export", lambda given: _commands().export(given), "write the model of a parameter file for others to run")
    export.add_argument("path", type=Path, metavar="FILE.safetensors")
    export.add_argument("--to", choices=("brian2", "nir"), default="brian2", help="a short Brian2 script, or a NIR graph (default: %(default)s)")
    export.add_argument("--out", type=Path, metavar="FILE", help="where it goes (default: a script to standard output, a graph beside FILE)")


def _add_reading(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The commands that read spikes by their complexity."""
    lzc = add("lzc", lambda given: _reading().lzc(given), "Lempel-Ziv complexity and entropy of the spike trains in a file")
    says = "do the spike trains in a file tell their labels? Complexity beside counts and chance, cross-validated"
    classify = add("classify", lambda given: _reading().classify(given), says)
    for one in (lzc, classify):
        says = "times and neurons (.csv, .tsv), a train per line (.txt), arrays (.npy, .npz), a recording (.nc), or what neo reads"
        one.add_argument("path", type=Path, metavar="FILE", help=says)
        one.add_argument("--bin", default="1 ms", help="width of a bin; it holds a spike or not (default: %(default)s)")
        one.add_argument("--unit", help="of the times, where the file does not say it, such as ms")
        one.add_argument("--dt", default="0.1 ms", help="step to which times are rounded (default: %(default)s)")
        one.add_argument("--stop", help="end of the observation (default: as the file says, or its last spike)")
        one.add_argument("--population", help="of a recording with several")
        one.add_argument("--seed", type=int, default=0, help="of surrogates, folds and shuffled labels (default: %(default)s)")
    lzc.add_argument("--surrogates", type=int, default=20, help="shuffled words per word (default: %(default)s)")
    classify.add_argument("--label", default="label", metavar="COLUMN", help="column, array or coordinate of the labels (default: %(default)s)")
    classify.add_argument("--folds", type=int, default=5, help="of the cross-validation (default: %(default)s)")
    classify.add_argument("--out", type=Path, metavar="FILE.csv", help="write the accuracies there too")


def _commands() -> types.ModuleType:
    from bioneuro import commands

    return commands


def _reading() -> types.ModuleType:
    from bioneuro import commands_lzc

    return commands_lzc


class _Version(argparse.Action):
    """The version is looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *given: Any, **more: Any) -> None:
        print(f"bioneuro {bioneuro.__version__}")
        parser.exit()


def circuit(asked: str) -> tuple[str, Circuit]:
    """The model of the catalogue with this name, whatever its case, or the only one that begins so.

    Raises:
        CommandError: there is none, or there are several.
    """
    known = catalogue.circuits()
    low = asked.casefold()
    begun = [n for n in known if n.casefold().startswith(low)]
    found = next((names for names in ([n for n in begun if n == asked], [n for n in begun if n.casefold() == low]) if names), begun)
    if len(found) > 1:
        raise CommandError(f"model {asked!r} may be any of: {', '.join(found)}; write one of them")
    if not found:
        hint = did_you_mean(asked, [*(n.partition(" ")[0] for n in known), *known])
        raise CommandError(f"model {asked!r} is not in the catalogue: {', '.join(known)}.{hint}")
    return found[0], known[found[0]]()


def _list(given: argparse.Namespace) -> None:
    print("models (bioneuro show MODEL)")
    for paper in catalogue.papers():
        names = list(getattr(paper, "CIRCUITS", {}))
        if names:
            print(textwrap.fill(sheet.first_line(paper.__doc__), sheet.WIDTH, initial_indent="  ", subsequent_indent="  "))
            print("\n".join(f"    {name}" for name in names))
            for name, missing in getattr(paper, "INCOMPLETE", {}).items():
                said = f"({paper.__name__.rpartition('.')[2]} {name} is incomplete: {missing})"
                print(textwrap.fill(said, sheet.WIDTH, initial_indent="    ", subsequent_indent="      "))
    scripts = sorted(Path("protocols").glob("*.py"))
    if scripts:
        print("\nprotocols (bioneuro run PATH)")
        rows = [[str(path), _says(path)] for path in scripts]
        print("\n".join(sheet.table(rows, indent=2)))


def _says(path: Path) -> str:
    """The first line of a script's docstring, read without running it."""
    try:
        return sheet.first_line(ast.get_docstring(ast.parse(path.read_bytes())))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return "(cannot be read as Python)"


def _show(given: argparse.Namespace) -> None:
    name, found = circuit(" ".join(given.model))
    print("\n".join(sheet.of_circuit(name, found)))


def _run(given: argparse.Namespace) -> None:
    if given.out is not None and len(given.path) > 1:
        raise CommandError(f"--out: {given.out} for {len(given.path)} scripts; run one at a time with --out, or leave it out")
    for path in given.path:
        if path.suffix != ".py" or not path.is_file():
            near = did_you_mean(str(path), [str(p) for p in path.parent.glob("*.py")])
            raise CommandError(f"{path} is not an existing .py file; give the path of a protocol or figure script.{near}")
    brian2_may_load()
    unread = set(given.data)
    for path in given.path:
        if len(given.path) > 1:
            print(f"== {path}", flush=True)
        options = script.from_arguments(path.stem, given)
        _run_one(path, options)
        unread &= set(script.unread(options))
    if unread:
        raise CommandError(f"--data: no script took notice of {', '.join(map(str, sorted(unread)))}; figure scripts show tables, see script.data")


def _run_one(path: Path, options: script.Options) -> None:
    with _module(path) as module:
        if not callable(getattr(module, "main", None)):
            raise CommandError(f"{path} has no function main(options: Options) -> Path; add one, see bioneuro.script")
        written = module.main(options)
    if left := script.left_over(options):
        raise CommandError(
            f"--set: no circuit of {path} took {', '.join(left)}; what was written is without it. Correct the name, or let the script "
            "call script.apply(options, circuit)"
        )
    if written is not None:
        print(written)


@contextlib.contextmanager
def _module(path: Path) -> Iterator[types.ModuleType]:
    """The script as a module; its own folder is searched first for what it imports, as Python does for a script."""
    name, folder = f"bioneuro_script_{path.stem}", str(path.resolve().parent)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CommandError(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(folder)
        del sys.modules[name]


def _info(given: argparse.Namespace) -> None:
    from bioneuro.files import load

    print("\n".join(sheet.of_recording(str(given.path), load(given.path))))


def _cache(given: argparse.Namespace) -> None:
    from bioneuro.brian import cache

    store = cache()
    if given.clear:
        print(f"removed {store.clear()} programs from {store.folder}")
        return
    rows = store.describe()
    total = sum(int(str(row["bytes"])) for row in rows)
    print(f"{store.folder}: {len(rows)} programs, {total / 1e6:.1f} MB")
    shown = [[_day(row["used"]), f"{int(str(row['bytes'])) / 1e3:.0f} kB", sheet.line(str(row["title"]))] for row in rows]
    print("\n".join(sheet.table([["last use", "size", "made for"], *shown], indent=2)) if rows else "", end="\n" if rows else "")


def _day(stamp: Any) -> str:
    return datetime.datetime.fromtimestamp(float(stamp)).strftime("%Y-%m-%d %H:%M")


def _script(given: argparse.Namespace) -> None:
    from bioneuro.brian import script as plain

    _, found = circuit(" ".join(given.model))
    print(plain(found, classic(found)), end="")


def classic(model: Circuit) -> protocol.Protocol:
    """What is usually done to a circuit: 60 spike pairs at 1 Hz to a plastic synapse, Poisson input to a neuron.

    Raises:
        CommandError: the circuit has neither ports nor an input for current.
    """
    ports = [p.name for p in model.populations if p.neuron is None]
    driven = {p.name: p.neuron for p in model.populations if p.neuron is not None}
    if not driven and len(ports) == 2 and len(model.projections) == 1:
        end = model.projections[0]
        return protocol.pairing(lag=_both(), pairs=60, ports=(end.pre, end.post))
    stepping = protocol.clock("0.1 ms") if any(neuron.threshold for neuron in driven.values()) else protocol.Events()
    if ports:
        return protocol.poisson(dict.fromkeys(ports, "50 Hz"), "1 s", stepping=stepping)
    levels = {"amp": "0.5 nA", "volt": "15 mV", "1": 1.0}
    for name, neuron in driven.items():
        if neuron.input and (level := levels.get(neuron.plain[neuron.input])):
            return protocol.step_current({name: level}, "0.5 s", start="0.1 s", every="0.5 s")
    raise CommandError(f"circuit {model.name!r} has neither ports nor an input: write bioneuro.brian.script(circuit, protocol) in Python")


def _both() -> Any:
    """A lag of 10 ms either way."""
    brian2_may_load()
    from brian2.units import ms

    return np.array([-10.0, 10.0]) * ms
