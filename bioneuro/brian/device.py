"""Our C++ standalone device: Brian2's, with values, spikes and run length moved from the source into files."""

import shutil
from pathlib import Path
from typing import Any

import brian2
import numpy as np
from brian2.codegen.targets import codegen_targets
from brian2.devices.cpp_standalone.codeobject import CPPStandaloneCodeObject
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from numpy.typing import NDArray

from bioneuro.brian import functions
from bioneuro.plan import Plan
from bioneuro.statements import Assembly
from bioneuro.timing import EventTiming, multiples

TEMPLATES = Path(__file__).parent / "templates"
READINGS, EVERY = "bioneuro_readings", "every"

SHARED = ('"objects.h"', '"bioneuro.h"', '"brianlib/common_math.h"', "<algorithm>", "<climits>", "<cmath>", "<fstream>", "<iostream>")
"""Headers that the generated sources include anyway, compiled once for all of them."""

if not brian2.__version__.startswith("2.9."):
    raise ImportError(f"bioneuro's C++ templates are written for Brian2 2.9, found {brian2.__version__}; install 'brian2>=2.9,<2.10'")


class CodeObject(CPPStandaloneCodeObject):
    """Brian2's standalone code object with our templates in front of its own."""

    templater = CPPStandaloneCodeObject.templater.derive("bioneuro.brian")


codegen_targets.add(CodeObject)


class Standalone(CPPStandaloneDevice):
    """One run. Every number is written to a file, so that equal circuits give equal sources whatever their values."""

    def code_object_class(self, codeobj_class: Any = None, fallback_pref: Any = None) -> Any:
        return CodeObject

    def fill_with_array(self, var: Any, arr: Any) -> None:
        # Brian2 writes single values into the source; an array of two or more goes to a file.
        name = self.get_array_name(var, access_data=False)
        dynamic = name.startswith("_dynamic")
        arr = np.asarray(arr)
        if arr.size != 1:
            return super().fill_with_array(var, arr)
        size = var.size if not dynamic or var.size else 1
        self.array_cache[var] = None if dynamic else np.full(size, arr.item(), dtype=var.dtype)
        static = self.static_array(name, np.full(size, arr.item(), dtype=var.dtype))
        self.main_queue.append(("set_by_array", (name, static, dynamic)))

    def variableview_set_with_index_array(self, variableview: Any, item: Any, value: Any, check_units: bool) -> None:
        if variableview.variable.scalar and np.size(value) == 1:
            self.fill_with_array(variableview.variable, np.asarray(value))
        else:
            super().variableview_set_with_index_array(variableview, item, value, check_units)

    def copy_source_files(self, writer: Any, directory: str) -> None:
        super().copy_source_files(writer, directory)
        shutil.copy2(TEMPLATES / "bioneuro.h", Path(directory) / "bioneuro.h")
        (Path(directory) / "bioneuro_shared.h").write_text("".join(f"#include {name}\n" for name in SHARED))
        writer.header_files.update(("bioneuro.h", "bioneuro_shared.h"))


def generate(device: Standalone, assembly: Assembly, plan: Plan, folder: Path) -> np.dtype[Any]:
    """Write sources and data of a run into `folder`; returns the layout of one reading."""
    device.headers = ['"bioneuro.h"']
    ports = [p.name for p in plan.circuit.populations if p.neuron is None]
    names = [*_tables(plan)]
    tags = "".join(f"struct {n}; " for n in names) + "".join(f"struct train_{p}; " for p in ports)
    # The generators' own files name the tags too: declare them all in the one header that every file includes.
    loads = [f'bioneuro::load_table<bioneuro::{n}>("static_arrays/bioneuro_{n}");' for n in names]
    if isinstance(plan.timing, EventTiming):
        for p in plan.timing.arrivals:
            fired = f"&bioneuro::Train<bioneuro::train_{p}>::fired" if p in ports else "0"
            loads.append(f'bioneuro::Events::add("static_arrays/bioneuro_train_{p}", {fired});')
        if plan.timing.period:
            every = f"bioneuro::Table<bioneuro::{EVERY}>::values"
            loads.append(f"bioneuro::Events::every({every}[0], {every}[1]);")
        reads = "bioneuro::Table<bioneuro::reads>"
        loads.append(f"bioneuro::Events::prepare({reads}::values, {reads}::rows, {reads}::columns);")
    else:
        loads += [f'bioneuro::load_train<bioneuro::train_{p}>("static_arrays/bioneuro_train_{p}");' for p in ports]
    device.insert_code("before_start", "\n".join(loads))
    assembly.network.run(0 * brian2.second, namespace={})
    layout, body = _readings(device, assembly, plan)
    device.insert_code("main", body)
    device.build(directory=str(folder), compile=False, run=False)
    header = folder / "bioneuro.h"
    header.write_text(header.read_text().replace("namespace bioneuro {\n", f"namespace bioneuro {{\n{tags}\n", 1))
    # This file only keeps and writes arrays: optimising it takes a tenth of the build and wins nothing.
    objects = folder / "objects.cpp"
    objects.write_text('#pragma GCC optimize ("O0")\n' + objects.read_text())
    _write_data(plan, folder / "static_arrays")
    return layout


def _readings(device: Standalone, assembly: Assembly, plan: Plan) -> tuple[np.dtype[Any], str]:
    fields, writes = [], []
    for path in plan.record:
        owner, _, name = path.partition(".")
        group = assembly.objects[owner]
        variable = group.variables[name]
        n = plan.flat[owner].trial.size
        array = device.get_array_name(variable, access_data=False)
        start = f"{array}.data()" if array.startswith("_dynamic") else array
        fields.append((path, np.dtype(variable.dtype), (n,)))
        writes.append(f"out.write(reinterpret_cast<const char*>({start}), {n}*sizeof(*{start}));")
    lines = "\n        ".join(writes)
    network = assembly.network.name
    until = "bioneuro::Table<bioneuro::reads>"
    body = f"""
{{
    std::vector<int64_t> until({until}::values, {until}::values + {until}::rows*{until}::columns);
    if (bioneuro::Events::stimuli) until.assign(bioneuro::Events::start.begin() + 1, bioneuro::Events::start.end());
    std::ofstream out(brian::results_dir + "{READINGS}", std::ios::binary);
    {network}.total = until.back();
    for (size_t r = 0; r < until.size(); r++) {{
        {network}.advance(until[r] - {network}.done);
        {lines}
    }}
}}"""
    return np.dtype(fields), body


def _tables(plan: Plan) -> dict[str, NDArray[np.float64]]:
    """What the program reads as tables: those of functions, reading times and, from event to event, period and number of updates."""
    timing, found = plan.timing, functions.tables(plan)
    if isinstance(timing, EventTiming):
        every = {EVERY: np.array([[timing.period, float(multiples(timing.period, float(timing.readings.max())).size)]])} if timing.period else {}
        return {**found, "reads": timing.readings, **every}
    return {**found, "reads": timing.snapshots.astype(np.float64)[:, None]}


def _write_data(plan: Plan, folder: Path) -> None:
    timing = plan.timing
    for name, table in _tables(plan).items():
        with open(folder / f"bioneuro_{name}", "wb") as file:
            np.array(table.shape, dtype=np.int64).tofile(file)
            np.ascontiguousarray(table, dtype=np.float64).tofile(file)
    if isinstance(timing, EventTiming):
        for port, arrivals in timing.arrivals.items():
            with open(folder / f"bioneuro_train_{port}", "wb") as file:
                offsets = np.searchsorted(arrivals.stimulus, np.arange(plan.n_stimuli + 1))
                np.array([plan.n_stimuli, arrivals.time.size], dtype=np.int64).tofile(file)
                offsets.astype(np.int64).tofile(file)
                arrivals.time.tofile(file)
                arrivals.index.astype(np.int32).tofile(file)
    else:
        for port, spikes in timing.spikes.items():
            with open(folder / f"bioneuro_train_{port}", "wb") as file:
                np.array([spikes.step.size], dtype=np.int64).tofile(file)
                spikes.step.astype(np.int32).tofile(file)
                spikes.index.astype(np.int32).tofile(file)
