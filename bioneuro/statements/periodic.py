"""Periodic code as statements of every step: what it computes is kept in the steps that hold an update."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bioneuro import noise
from bioneuro.dynamics import UPDATES, Synapse
from bioneuro.records import ModelError
from bioneuro.statements.step import IN_SYNAPSE, NORMAL

UPDATE = "update_number"
"""Name, inside statements, of the number of the update in this step (0: none) of a stimulus."""

ADDRESSED: Mapping[str, str] = {"ppu_lfsr": "ppu_lfsr_at", "ppu_uniform": "ppu_uniform_at", "ppu_noise": "ppu_noise_at", "ppu_normal": NORMAL}
"""What draws random numbers in periodic code -> the engines' function, which is told for which element and update."""


DRAWS: Mapping[str, tuple[str, ...]] = {
    "ppu_lfsr_at": ("integer",) * 5,
    "ppu_seed_at": ("integer",) * 4,
    "ppu_uniform_at": ("integer",) * 6,
    "ppu_noise_at": ("float", *("integer",) * 4, "float"),
}
"""Brian2's types of the arguments of draws, once they are told for which element, and of the result."""


REGISTERS = 4
"""Shift registers per synapse: the last argument of ``ppu_lfsr`` is below it."""

PERIODIC = ("draws", "updates")
"""The two loops over the synapses: what draws and divides, and the rest."""

KEPT = "ppu_kept"
"""Variables that carry what one loop over the synapses has worked out to the next."""


@dataclass(frozen=True)
class Periodic:
    """Statements of every step: `first` seeds registers, divides and draws normal numbers, which takes branches; `then` can use vector units.

    `kept` are the variables in which the one leaves what the other takes.
    """

    first: str
    then: str
    kept: tuple[str, ...]


def periodic(owner: str, synapse: Synapse, *, events: bool) -> Periodic | None:
    """The statements of a synapse's periodic code, for every step; None if it has none.

    Each assignment makes a name of its own: in NumPy two names can be one array, and Brian2 adds in place where it can.
    """
    if synapse.every is None:
        return None
    rewritten = _Rewritten(owner)
    lines = [f"{UPDATES} = {UPDATE}(t_in_timesteps, {IN_SYNAPSE[2] if events else 0})"]
    for piece in filter(None, (piece.strip() for line in synapse.every.code.splitlines() for piece in line.split(";"))):
        lines.append(rewritten.statement(ast.parse(piece).body[0]))
    wanted = [f"{name} = {call}" for name, call in rewritten.early.items()]
    first = _needed(lines, wanted)
    for name in sorted(set(rewritten.versions) & set(synapse.states)):
        lines.append(f"{name} = int({UPDATES} > 0)*{rewritten.now(name)} + int({UPDATES} == 0)*{name}")
    seeded = [f"{name} = ppu_seed_at({name}, {place})" for name, place in rewritten.registers.items()]
    return Periodic(first="\n".join([*seeded, *first, *wanted]), then="\n".join(lines), kept=tuple(rewritten.early))


def _needed(lines: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Those of the lines without which the wanted ones have no meaning."""
    names = {name for line in wanted for name in re.findall(r"\w+", line.partition("=")[2])}
    found: list[str] = []
    for line in reversed(lines):
        left, _, right = line.partition("=")
        if left.strip() in names:
            found.insert(0, line)
            names |= set(re.findall(r"\w+", right))
    return found


def draws(synapse: Synapse) -> bool:
    """Whether the periodic code of a synapse draws random numbers."""
    return synapse.every is not None and any(f"{name}(" in synapse.every.code.replace(" ", "") for name in ADDRESSED)


class _Rewritten(ast.NodeTransformer):
    """Names go by their latest version, and draws are told whose they are."""

    def __init__(self, owner: str) -> None:
        self.owner, self.versions = owner, dict[str, int]()
        self.early, self.registers = dict[str, str](), dict[str, str]()

    def now(self, name: str) -> str:
        """A name as it is after the statements so far."""
        return f"{name}__{self.versions[name]}" if name in self.versions else name

    def statement(self, node: ast.stmt) -> str:
        """A statement as one that assigns to a new name."""
        if isinstance(node, ast.AugAssign):
            target, value = node.target, ast.BinOp(left=ast.Name(id=ast.unparse(node.target)), op=node.op, right=node.value)
        else:
            target, value = node.targets[0], node.value  # type: ignore[attr-defined]
        right, name = ast.unparse(self.visit(value)), ast.unparse(target)
        self.versions[name] = self.versions.get(name, 0) + 1
        return f"{self.now(name)} = {right}"

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        return self._keep(ast.unparse(node)) if isinstance(node.op, ast.Mod | ast.FloorDiv) else node  # divisions of integers take branches

    def _keep(self, text: str) -> ast.Name:
        kept = f"{KEPT}_{len(self.early) + 1}"
        self.early[kept] = text
        return ast.Name(id=kept)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(id=self.now(node.id))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name, last = ast.unparse(node.func), ast.unparse(node.args[-1]) if node.args else ""
        self.generic_visit(node)
        if name not in ADDRESSED:
            return node
        trial, unit, _ = IN_SYNAPSE
        before = list(map(ast.unparse, node.args[:-1]))
        stream = noise.stream(f"{self.owner}.{name if name == 'ppu_uniform' else f'ppu_normal {last}'}")
        # Registers of one synapse are neighbours, and those of another projection lie elsewhere.
        place = f"{REGISTERS}*{unit} + {last} + {REGISTERS * 1024 * (noise.stream(self.owner) % 65536)}"
        if name == "ppu_lfsr" and last not in map(str, range(REGISTERS)):
            raise ModelError(f"{self.owner}.every: ppu_lfsr(..., {last}) names no register; allowed: 0 to {REGISTERS - 1}, written as a number")
        if name == "ppu_lfsr" and isinstance(node.args[0], ast.Name):
            self.registers.setdefault(node.args[0].id.partition("__")[0], f"{trial}, {place}")
        arguments = {
            "ppu_lfsr": f"{', '.join(before)}, {trial}, {place}",
            "ppu_uniform": f"{stream}, {trial}, {unit}, {UPDATES}, {last}",
            "ppu_noise": f"{', '.join(before)}, {stream}, {trial}, {unit}, {UPDATES}",
            "ppu_normal": f"{stream}, {trial}, {unit}, {UPDATES}",
        }[name]
        call = f"{ADDRESSED[name]}({arguments})"
        if name in ("ppu_normal", "ppu_noise"):
            return self._keep(call)
        return ast.parse(call, mode="eval").body
