"""A program through the accelerator: cocotbext-axi's memory and AXI-Lite master, pauses on all channels."""

import logging
import os
import random
import re
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, First, RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

FOLDER = Path(os.environ["SYSTOLE_FOLDER"])
TOP = os.environ["SYSTOLE_TOP"]
MEMORY_BYTES = 1 << 20


def defined(name):
    """A constant of the generated C header."""
    header = (FOLDER / "systole.h").read_text()
    return int(re.search(rf"#define SYSTOLE_{name} (\w+?)u?\b", header).group(1).rstrip("u"), 0)


def pauses(seed, most):
    """Never, often, or nearly always: another share of pauses every few cycles."""
    rng = random.Random(seed)
    while True:
        share = rng.choice([0.0, 0.3, most])
        for _ in range(rng.randrange(1, 60)):
            yield rng.random() < share


def pause_everything(ram, master):
    channels = [ram.write_if.aw_channel, ram.write_if.w_channel, ram.write_if.b_channel]
    channels += [ram.read_if.ar_channel, ram.read_if.r_channel]
    channels += [master.write_if.aw_channel, master.write_if.w_channel, master.write_if.b_channel]
    channels += [master.read_if.ar_channel, master.read_if.r_channel]
    for channel in channels:
        channel.set_pause_generator(pauses(random.getrandbits(32), 0.8))


async def start(dut):
    cocotb.start_soon(Clock(dut.clk_i, 10, unit="ns").start())
    dut.rst_ni.value = 0
    ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk_i, dut.rst_ni, reset_active_level=False, size=MEMORY_BYTES)
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk_i, dut.rst_ni, reset_active_level=False)
    for name in ["m_axi", "s_axil"]:
        logging.getLogger(f"cocotb.bench.{name}").setLevel(logging.WARNING)
    await ClockCycles(dut.clk_i, 5)
    dut.rst_ni.value = 1
    await ClockCycles(dut.clk_i, 2)
    return ram, master


async def start_program(ram, master):
    """Loads and starts the test bench's program."""
    first, *lines = (FOLDER / f"tb_{TOP}_memory.hex").read_text().splitlines()
    addr, length = re.match(r"// program at (\w+), (\d+) instructions", first).groups()
    ram.write(0, b"".join(bytes.fromhex(line)[::-1] for line in lines))
    await master.write_dword(defined("PROGRAM_ADDR_OFFSET"), int(addr, 16))
    await master.write_dword(defined("PROGRAM_LENGTH_OFFSET"), int(length))
    await master.write_dword(defined("IRQ_ENABLE_OFFSET"), 3)
    await master.write_dword(defined("CONTROL_OFFSET"), defined("CONTROL_START_MASK"))


async def run_program(dut, ram, master):
    """Loads and runs the test bench's program; how many values in memory were as expected."""
    await start_program(ram, master)
    if not dut.irq_o.value:
        await First(RisingEdge(dut.irq_o), Timer(40, "ms"))
    assert dut.irq_o.value == 1, "the program does not end"
    status = await master.read_dword(defined("STATUS_OFFSET"))
    assert status == defined("STATUS_DONE_MASK"), f"STATUS {status:#x}"
    checked = 0
    for line in (FOLDER / f"tb_{TOP}_results.hex").read_text().split():
        place, count, value = int(line[:8], 16), int(line[8:10], 16), int(line[10:], 16)
        found = int.from_bytes(ram.read(place, count), "little")
        assert found == value, f"at {place:#x}: {found:#x}, expected {value:#x}"
        checked += 1
    await master.write_dword(defined("IRQ_STATUS_OFFSET"), 3)
    await ClockCycles(dut.clk_i, 3)
    assert dut.irq_o.value == 0
    return checked


@cocotb.test()
async def registers_answer_with_and_without_errors(dut):
    ram, master = await start(dut)
    pause_everything(ram, master)
    assert await master.read_dword(defined("ID_OFFSET")) == defined("ID_RESET")
    for value in [0x1234_5678, 0xFFFF_FFFF, 0]:
        await master.write_dword(defined("PROGRAM_ADDR_OFFSET"), value)
        assert await master.read_dword(defined("PROGRAM_ADDR_OFFSET")) == value
    answer = await master.read(defined("WINDOW_BYTES") - 4, 4)
    assert answer.resp == 2, "no register is there"
    assert (await master.write(defined("ID_OFFSET"), b"\1\2\3\4")).resp == 2, "ID is only read"
    assert dut.breaches.value == 0


@cocotb.test()
async def a_program_runs_twice_with_pauses_on_all_channels(dut):
    ram, master = await start(dut)
    pause_everything(ram, master)
    for _ in range(2):
        checked = await run_program(dut, ram, master)
        assert checked > 0
        dut._log.info("%d values as the integer model has them", checked)
    assert dut.breaches.value == 0, "the protocol monitor saw a breach of AXI4"


@cocotb.test()
@cocotb.parametrize(fault=[1, 2, 3, 4])
async def the_monitor_sees_a_planted_breach(dut, fault):
    ram, master = await start(dut)
    pause_everything(ram, master)
    await start_program(ram, master)
    await ClockCycles(dut.clk_i, 20)
    before = int(dut.breaches.value)
    dut.fault.value = fault
    for _ in range(20000):
        await RisingEdge(dut.clk_i)
        if int(dut.breaches.value) != before:
            break
    seen = int(dut.breaches.value) - before
    dut.fault.value = 0
    assert seen > 0, "the monitor missed it"
