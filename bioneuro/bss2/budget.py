"""How many synapses a processor has time and memory for: `budget`, which counts the instructions of the program that `constrain` writes.

What is counted is an estimate of a program that nobody has compiled. Facts:

- two processors, each for 256 rows of 256 columns; vectors of 128 lanes of 8 bits or 64 of 16 bits; 250 cycles per us; 16 KiB of memory
  each, for the program too (``libnux/vx/time.h``; brainscales2-demos, fp_brainscales.rst);
- cycles of accesses of a vector, with a ``sync`` behind them, as the test of libnux measures and demands them
  (``tests/hw/libnux/vx/test_speed_memory.cpp``): `LOAD` 49 +- 5 and `STORE` 47 +- 5 in the processor's memory, `SYNRAM` 20 +- 2 of synaptic
  weights, `CONVERTED` 410 +- 41 for the two vectors of a row from the converters, the conversion included;
- a read of the random registers gives a vector of bytes, so a row takes two (``libnux/vx/parallel_rng.tcc``).

Assumptions, for no source was found: each arithmetic instruction takes 1 cycle (`ARITHMETIC`); a read of the registers takes as long as one of
weights, and so does clearing a sensor; nothing overlaps; the scalar unit works beside, for nothing; constants that are the same for all
synapses stay in vector registers, and others take 2 bytes; every reading is a conversion of its own; variables wider than 16 bits lie in two
lanes; a product of a and b lanes takes a*b instructions; the functions take as many instructions per lane as `INSTRUCTIONS` says; an update in
which rare rates act counts, not the average; ideal draws, which the chip does not have, count as four registers. Since nothing overlaps, what
is counted is rather too much than too little. A row is counted whole, even if few of its 256 synapses exist.
"""

import ast
import math
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bioneuro.bss2.constrain import written
from bioneuro.bss2.hardware import Hardware
from bioneuro.bss2.products import ConstrainError
from bioneuro.bss2.write import BYTES, Sheet
from bioneuro.model import Circuit

PROCESSORS, COLUMNS, ROWS, CYCLES_PER_US, MEMORY = 2, 256, 256, 250, 16 * 1024
LOAD, STORE, SYNRAM, CONVERTED, ARITHMETIC = 49, 47, 20, 410, 1

INSTRUCTIONS: Mapping[str, int] = MappingProxyType(
    {
        "ppu_add": 1, "ppu_subtract": 1, "ppu_saturate": 1, "ppu_clip": 2, "ppu_round": 3, "ppu_scale": 2, "ppu_byte": 0, "ppu_quantise": 0,
        "ppu_count": 0, "compare": 2, "operator": 1,
    }
)  # fmt: skip
"""Vector instructions per lane: a sum or difference saturates; within bounds is two; rounding adds an offset and a draw and shifts; scaling adds
half and shifts, beside its product; a comparison sets a condition and selects by it; a byte of a register, a state and a reading come by what is
read. Every other operator is one, but a product of a and b lanes a*b."""

_CONSTANT = 16  # bits of a number that differs from synapse to synapse

_ASSUMED = (
    "one cycle per arithmetic instruction, register reads as slow as weights, no overlap, conversions one by one, wide variables in several lanes, "
    "rare rates at their update"
)


@dataclass(frozen=True, kw_only=True)
class Program:
    """What one update of one row of 256 synapses takes.

    Attributes:
        instructions: kind ("arithmetic", "load", "store", "synapse", "conversion", "random") -> vector instructions.
        cycles: kind -> cycles.
        memory: bytes of the processor's own memory, per synapse.
    """

    instructions: Mapping[str, int]
    cycles: Mapping[str, int]
    memory: int


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How many synapses fit. Where a circuit has several rules, all synapses are taken to have the slowest one.

    Attributes:
        programs: projection -> `Program`.
        period: cycles from one update to the next.
        rows: that a processor updates within a period, up to 256.
        synapses: on both processors, in these rows. in_memory: those whose variables fit the processors' own memories, programs left aside.
    """

    circuit: str
    hardware: Hardware
    programs: Mapping[str, Program]
    period: int
    rows: int
    synapses: int
    in_memory: int | None

    @property
    def cycles(self) -> int:
        """Of a row."""
        return max(sum(p.cycles.values()) for p in self.programs.values())

    def shortest(self, synapses: int) -> float:
        """The shortest period for so many synapses, biological, in seconds.

        Errors:
            ConstrainError: not 1 to 131072.
        """
        most = PROCESSORS * ROWS * COLUMNS
        if isinstance(synapses, bool) or not isinstance(synapses, int) or not 1 <= synapses <= most:
            raise ConstrainError(f"budget.synapses: {synapses!r} is not allowed; give a whole number from 1 to {most}, which the chip has")
        return math.ceil(synapses / (PROCESSORS * COLUMNS)) * self.cycles / (CYCLES_PER_US * 1e6) * self.hardware.speedup

    def __str__(self) -> str:
        return _text(self)


def budget(circuit: Circuit, hardware: Hardware, *, weight: str = "") -> Budget:
    """How many instructions an update takes, and so how many synapses fit a period: an estimate; facts and assumptions stand above.

    Errors:
        ConstrainError: as in `constrain`, or `hardware.bits` is None, so that there is no program of integers.
    """
    if hardware.bits is None:
        raise ConstrainError("hardware.bits: None is arithmetic in real numbers, which no processor does; give a width, such as 16")
    programs = {name: _program(name, sheet, weight) for name, (_, sheet) in written(circuit, hardware, weight=weight).items()}
    period = round(hardware.seconds / hardware.speedup * CYCLES_PER_US * 1e6)
    rows = min(ROWS, period // max(sum(p.cycles.values()) for p in programs.values()))
    most = max(p.memory for p in programs.values())
    return Budget(
        circuit=circuit.name,
        hardware=hardware,
        programs=MappingProxyType(programs),
        period=period,
        rows=rows,
        synapses=PROCESSORS * rows * COLUMNS,
        in_memory=min(PROCESSORS * (MEMORY // most), PROCESSORS * ROWS * COLUMNS) if most else None,
    )


def _vectors(bits: int) -> int:
    """Vectors for a row of values of so many bits."""
    return 2 if bits <= 8 else 4 * math.ceil(bits / 16)


def _program(owner: str, sheet: Sheet, weight: str) -> Program:
    """Count the lines of a program."""
    counted = _Counted(sheet)
    for line in sheet.lines:
        name, _, right = line.partition(" = ")
        counted.line(name, ast.parse(right, mode="eval").body)
    found = counted.found
    size = 0
    for name, lane in sheet.lanes.items():
        if f"{owner}.{name}" == weight:
            found["synapse"] += 4  # a load and a store of two vectors
        else:
            found["load"] += _vectors(lane.bits)
            found["store"] += _vectors(lane.bits)
            size += _vectors(lane.bits) // 2
    for _ in counted.varying:
        found["load"] += _vectors(_CONSTANT)
        size += _vectors(_CONSTANT) // 2
    price = {"arithmetic": ARITHMETIC, "load": LOAD, "store": STORE, "synapse": SYNRAM, "conversion": CONVERTED // 2, "random": SYNRAM}
    cycles = {kind: n * price[kind] for kind, n in found.items()}
    return Program(instructions=MappingProxyType(found), cycles=MappingProxyType(cycles), memory=size)


class _Counted:
    """Walks through lines; every name has a width in bits, and a constant that of what it acts on."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.found = dict.fromkeys(("arithmetic", "load", "store", "synapse", "conversion", "random"), 0)
        self.varying = dict[str, None]()
        self.widths = {f"{name}_n": lane.bits for name, lane in sheet.lanes.items()}
        self.scalars = {"rare", "updates"}
        self.owner: tuple[str, int] = "", 0

    def line(self, name: str, right: ast.expr) -> None:
        lane = self.sheet.lanes.get(name)
        if lane is not None or name in self.scalars:  # put back: a store; rare: the scalar unit
            return
        wide = next((n for n in sorted(self.sheet.lanes, key=len, reverse=True) if name.startswith(f"{n}_")), "")
        bits = self.sheet.lanes[wide].bits + self.sheet.lanes[wide].fraction if wide else 8
        self.owner = name, bits
        if name.startswith("draw_"):  # a wide lane reads several registers at once
            self.widths[name] = min(self.sheet.hardware.draw_bits, 8 * ast.unparse(right).count("ppu_byte"))
            return
        if isinstance(right, ast.Constant):  # a sensor is cleared
            self.found["synapse"] += 2
            return
        width = self.of(right)
        if not name.endswith("_n") or name not in self.widths:
            self.widths[name] = bits if wide and not name.endswith("_n") else width

    def count(self, what: str, bits: int, times: int = 1) -> int:
        self.found["arithmetic"] += INSTRUCTIONS[what] * _vectors(bits) * times
        return bits

    def of(self, node: ast.expr) -> int:
        """The width of an expression, its instructions counted."""
        match node:
            case ast.Constant():
                return 0
            case ast.Name(id=name):
                return self._name(name)
            case ast.UnaryOp(operand=inner):
                return self.of(inner)
            case ast.Compare(left=a, comparators=[b]):
                self.of(b)
                return self.count("compare", self.of(a))
            case ast.BinOp(left=a, op=op, right=b):
                return self._operator(a, op, b)
            case ast.Call(func=ast.Name(id=name), args=args):
                return self._call(name, args)
        raise AssertionError(ast.unparse(node))  # the programs of `write` hold nothing else

    def _name(self, name: str) -> int:
        p = self.sheet.parameters.get(name)
        if p is not None and p.unit == "integer":
            if p.value.size > 1:
                self.varying[name] = None
            return self._mantissa if re.search(r"_(m|a\d)$", name) else 0
        return self.widths.get(name, 0)

    @property
    def _mantissa(self) -> int:
        """Bits of a rate or an amplitude in the present line."""
        return next((lane.mantissa for n, lane in self.sheet.lanes.items() if self.owner[0].startswith(f"{n}_")), _CONSTANT)

    def _operator(self, a: ast.expr, op: ast.operator, b: ast.expr) -> int:
        if any(isinstance(x, ast.Name) and x.id in self.scalars for x in (a, b)):  # the scalar unit skips what is not due
            return self.of(b if isinstance(a, ast.Name) and a.id in self.scalars else a)
        return self.count("operator", max(self.of(a), self.of(b)))

    def _call(self, name: str, args: list[ast.expr]) -> int:
        if name == "int":
            return self.of(args[0])
        if name == "ppu_lfsr":
            self.found["random"] += 2 * self.sheet.hardware.reads
            return 16
        if name in ("ppu_uniform", "ppu_noise", "ppu_normal"):
            self.found["random"] += 2 * self.sheet.hardware.reads * BYTES
            return 32
        if name == "ppu_count":
            self.found["conversion"] += 2
            return 8
        if name == "ppu_byte":
            return 8
        if name == "ppu_quantise":
            self.of(args[0]) if "ppu_noise" in ast.unparse(args[0]) else None
            return self.owner[1] if "ppu_noise" in ast.unparse(args[0]) else self.widths[self.owner[0]]
        return self._arithmetic(name, args)

    def _arithmetic(self, name: str, args: list[ast.expr]) -> int:
        widths = [self.of(x) for x in args]
        if name == "ppu_scale":
            inner = self.owner[1]
            lanes = [math.ceil(w / 16) for w in widths[:2]]
            self.found["arithmetic"] += _vectors(min(max(*widths[:2], 1), 16)) * lanes[0] * lanes[1]
            return self.count(name, inner)
        if name == "ppu_round":
            self.count(name, self.owner[1])
            return self.widths[self.owner[0]]
        return self.count(name, max(widths[0], widths[1] if name in ("ppu_add", "ppu_subtract") else 0))


def _text(made: Budget) -> str:
    h = made.hardware
    lines = [f"{made.circuit}, an update every {h.period}: {made.period} cycles of the processor at {h.speedup:g} times the speed of biology"]
    for name, p in made.programs.items():
        lines.append(f"{name}: a row of {COLUMNS} synapses takes {sum(p.cycles.values())} cycles")
        shown = [(kind, n, p.cycles[kind]) for kind, n in p.instructions.items() if n]
        lines += [f"    {kind:<12}{n:>6} vector instructions  {cycles:>7} cycles" for kind, n, cycles in shown]
    lines.append(f"{made.rows} of {ROWS} rows fit: {made.synapses} synapses on {PROCESSORS} processors")
    most = PROCESSORS * ROWS * COLUMNS
    lines.append(f"shortest period: {made.shortest(1) * 1e3:.4g} ms for one row, {made.shortest(most) * 1e3:.4g} ms for all {most} synapses")
    if made.in_memory is not None:
        size = max(p.memory for p in made.programs.values())
        lines.append(f"memory: {size} bytes a synapse, so {made.in_memory} synapses in {PROCESSORS} x {MEMORY // 1024} KiB, programs left aside")
    lines.append(f"known: memory {LOAD} and {STORE}, weights {SYNRAM}, conversion {CONVERTED} cycles (a row), measured by libnux with a sync behind")
    lines.append(f"assumed: {_ASSUMED}")
    return "\n".join(part for line in lines for part in textwrap.wrap(line, 100, subsequent_indent="    "))
