"""Builds the accelerator of a generated folder with Icarus and runs test_top.py on it, once a seed."""

import os
import sys
import tempfile
from pathlib import Path

from cocotb_tools.runner import get_results, get_runner

here = Path(__file__).resolve().parent
folder = Path(sys.argv[1]).resolve()
top = next(folder.glob("*_top.f")).stem
prefix = top.removesuffix("_top")
data_bits = 4 * len((folder / f"tb_{top}_memory.hex").read_text().splitlines()[1])
names = (folder / f"{top}.f").read_text().split()
sources = [folder / name for name in names] + [folder / f"{prefix}_axi_monitor.v", here / "bench.v"]
os.environ.update(SYSTOLE_FOLDER=str(folder), SYSTOLE_TOP=top)
failed = 0
with tempfile.TemporaryDirectory() as build:
    runner = get_runner("icarus")
    runner.build(
        sources=sources,
        hdl_toplevel="bench",
        build_dir=build,
        always=True,
        timescale=("1ns", "1ps"),
        build_args=["-g2005", f"-DTOP={top}", f"-DMONITOR={prefix}_axi_monitor", f"-DDATA_BITS={data_bits}"],
    )
    for seed in os.environ.get("SEEDS", "1").split():
        results = runner.test(
            hdl_toplevel="bench", test_module="test_top", test_dir=here, build_dir=build, seed=seed,
            results_xml=f"{build}/results{seed}.xml",
        )
        count, bad = get_results(results)
        failed += bad + (count == 0)
print(f"cocotb: {'FAIL' if failed else 'PASS'}")
sys.exit(1 if failed else 0)
