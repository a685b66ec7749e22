//! A tile engine inside a design written in rust-hdl: simulated with a small linear layer, then written as Verilog.
//!
//! ```text
//! cargo run --package hdl-rusthdl --example embed [FILE.v]
//! ```
//!
//! The rows that come out are compared with what the layer's definition says, computed here in plain integers. The
//! Verilog must pass Verilator's lint.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use hdl_rusthdl::Engine;
use rust_hdl::prelude::*;
use sim::lower::{EngineProgram, lower};
use spec::qmodel::{ALIGN_GUARD_BITS, QActs, QLinear, QRows, Requant};
use spec::{Config, Dyadic, Format, RequantMode, RowScale, Tensor};

/// The engine, a power-on reset, and a counter of finished rows.
#[derive(LogicBlock)]
struct Accelerator {
    clock: Signal<In, Clock>,
    s_axis_tvalid: Signal<In, Bit>,
    s_axis_tready: Signal<Out, Bit>,
    s_axis_tdata: Signal<In, Bits<32>>,
    m_axis_tvalid: Signal<Out, Bit>,
    m_axis_tready: Signal<In, Bit>,
    m_axis_tdata: Signal<Out, Bits<32>>,
    m_axis_tlast: Signal<Out, Bit>,
    error: Signal<Out, Bit>,
    busy: Signal<Out, Bit>,
    stall: Signal<Out, Bits<3>>,
    rows: Signal<Out, Bits<16>>,
    power_on: AutoReset,
    row_count: DFF<Bits<16>>,
    engine: Engine<32>,
}

impl Accelerator {
    fn new(config: &Config) -> Result<Self, hdl_rusthdl::Error> {
        Ok(Self {
            clock: Signal::default(),
            s_axis_tvalid: Signal::default(),
            s_axis_tready: Signal::default(),
            s_axis_tdata: Signal::default(),
            m_axis_tvalid: Signal::default(),
            m_axis_tready: Signal::default(),
            m_axis_tdata: Signal::default(),
            m_axis_tlast: Signal::default(),
            error: Signal::default(),
            busy: Signal::default(),
            stall: Signal::default(),
            rows: Signal::default(),
            power_on: AutoReset::default(),
            row_count: DFF::default(),
            engine: Engine::new(config)?,
        })
    }
}

impl Logic for Accelerator {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, row_count);
        self.power_on.clock.next = self.clock.val();
        self.engine.clock.next = self.clock.val();
        self.engine.rst_ni.next = !self.power_on.reset.val();
        self.engine.s_axis_tvalid.next = self.s_axis_tvalid.val() & !self.power_on.reset.val();
        self.s_axis_tready.next = self.engine.s_axis_tready.val() & !self.power_on.reset.val();
        self.engine.s_axis_tdata.next = self.s_axis_tdata.val();
        self.m_axis_tvalid.next = self.engine.m_axis_tvalid.val();
        self.engine.m_axis_tready.next = self.m_axis_tready.val();
        self.m_axis_tdata.next = self.engine.m_axis_tdata.val();
        self.m_axis_tlast.next = self.engine.m_axis_tlast.val();
        if self.engine.m_axis_tvalid.val() & self.m_axis_tready.val() & self.engine.m_axis_tlast.val() {
            self.row_count.d.next = self.row_count.q.val() + 1;
        }
        self.error.next = self.engine.error_o.val();
        self.busy.next = !self.engine.idle_o.val();
        self.stall.next = self.engine.stall_o.val();
        self.rows.next = self.row_count.q.val();
    }
}

/// A layer `[k] -> [n]` and `m` tokens, INT8 both, with operands over the whole range.
fn layer(m: usize, k: usize, n: usize) -> (QLinear, QActs) {
    let mut state = 1_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 as i8
    };
    let weight = Tensor::new(n, k, (0..n * k).map(|_| byte()).collect());
    let codes = Tensor::new(m, k, (0..m * k).map(|_| byte()).collect());
    let sum = (0..n).map(|row| weight.row(row).iter().map(|&w| i32::from(w)).sum()).collect();
    let align = (0..n).map(|row| 0x8000 - 2500 * row as u16).collect();
    let requant = Requant { mode: RequantMode::Dynamic, step: Dyadic { mult: 0x9C40, shift: 30 } };
    let scales = (0..m).map(|row| RowScale { step: Dyadic { mult: 0x8000 + 999 * row as u16, shift: 20 }, zp: 128 });
    let scales = scales.collect();
    (QLinear { name: "example".into(), format: Format::W8a8, weight, align, sum, requant }, QActs { codes, scales })
}

/// `num / den`, rounded half up.
fn rounded(num: i128, den: i128) -> i128 {
    (2 * num + den).div_euclid(2 * den)
}

/// What the layer is defined to give: exact sums, aligned, each row scaled so that its largest magnitude is 127.
fn expected(layer: &QLinear, acts: &QActs) -> QRows {
    let (m, n) = (acts.codes.rows, layer.weight.rows);
    let mut rows = QRows { codes: Tensor::filled(m, n, 0), scales: Vec::new() };
    for row in 0..m {
        let aligned: Vec<i128> = (0..n)
            .map(|channel| {
                let products = acts.codes.row(row).iter().zip(layer.weight.row(channel));
                let sum: i128 = products.map(|(&a, &w)| i128::from(a) * i128::from(w)).sum();
                rounded(sum * i128::from(layer.align[channel]), 1 << (15 - ALIGN_GUARD_BITS))
            })
            .collect();
        let largest = aligned.iter().map(|a| a.abs()).max().unwrap_or(0).max(1);
        for (channel, &a) in aligned.iter().enumerate() {
            rows.codes.data[row * n + channel] = rounded(127 * a, largest) as i8;
        }
        // The row's new step: largest · m1 · m2 / (127 · 2^(k1 + k2)), as a mantissa of 16 bits over a power of two.
        let (own, by) = (acts.scales[row].step, layer.requant.step);
        let numerator = largest * i128::from(own.mult) * i128::from(by.mult);
        let mut shift = own.shift + by.shift;
        let (mut num, mut den) = (numerator, 127);
        while num >= den << 16 {
            den <<= 1;
            shift -= 1;
        }
        while num < den << 15 {
            num <<= 1;
            shift += 1;
        }
        let step = match rounded(num, den) {
            0x1_0000 => Dyadic { mult: 0x8000, shift: shift - 1 },
            mult => Dyadic { mult: mult as u16, shift },
        };
        rows.scales.push(RowScale { step, zp: 128 });
    }
    rows
}

/// Sends the layer through the design in rust-hdl's simulator; the rows, and the clock cycles from the first beat on.
fn simulated(config: &Config, program: EngineProgram) -> Result<(QRows, u64), Box<dyn std::error::Error>> {
    let (send_result, result) = mpsc::channel();
    let layout = program.results;
    let beats: Vec<u64> = program.beats().map(|limbs| limbs[0]).collect();
    let mut simulation = Simulation::new();
    simulation.add_clock(5_000, |x: &mut Box<Accelerator>| x.clock.next = !x.clock.val());
    simulation.add_testbench(move |mut sim: Sim<Accelerator>| {
        let mut x = sim.init()?;
        let mut rows = layout.empty_rows();
        let (mut sent, mut received, mut first, mut now) = (0, 0, None, 0_u64);
        while received < layout.beats() {
            // Inputs change while the clock is low; what the engine answers holds for the coming edge.
            wait_clock_false!(sim, clock, x);
            x.s_axis_tvalid.next = sent < beats.len();
            x.s_axis_tdata.next = beats.get(sent).copied().unwrap_or(0).into();
            // Back-pressure: the sink takes a beat in three cycles of four.
            x.m_axis_tready.next = now % 4 != 0;
            x = sim.wait(1_000, x)?;
            if x.s_axis_tvalid.val() && x.s_axis_tready.val() {
                first.get_or_insert(now);
                sent += 1;
            }
            if x.m_axis_tvalid.val() && x.m_axis_tready.val() {
                layout.decode(received, &[x.m_axis_tdata.val().to_u64()], &mut rows);
                received += 1;
            }
            sim_assert!(sim, !x.error.val(), x);
            wait_clock_true!(sim, clock, x);
            now += 1;
        }
        wait_clock_false!(sim, clock, x);
        sim_assert_eq!(sim, x.rows.val().to_u64(), rows.scales.len() as u64, x);
        let _ = send_result.send((rows, now - first.unwrap_or(0)));
        sim.done(x)
    });
    let done = simulation.run(Box::new(Accelerator::new(config)?), 10 * sim_time::ONE_MILLISECOND);
    done.map_err(|error| format!("rust-hdl's simulation ended early: {error:?}"))?;
    Ok(result.recv()?)
}

/// rust-hdl writes literals with 32 bits (`row_count$q + 32'h1`), and all modules into one file. The engine's own modules
/// need no waiver.
const WAIVERS: [&str; 2] = ["-Wno-WIDTH", "-Wno-DECLFILENAME"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::from_toml(hdl::presets::preset("tiny").ok_or("no preset tiny")?)?;
    // Neither 9 nor 6 is a multiple of the array's 4 rows and columns; 10 tokens are two chunks.
    let (layer, acts) = layer(10, 9, 6);
    let (rows, cycles) = simulated(&config, lower(&config, &layer, &acts)?)?;
    if rows != expected(&layer, &acts) {
        return Err(format!("rows differ\nfound    {rows:?}\nexpected {:?}", expected(&layer, &acts)).into());
    }
    println!("10 x 9 x 6 linear layer in rust-hdl's simulator: {cycles} cycles, all rows as defined");

    let default = std::env::temp_dir().join("systole_rusthdl_embed.v");
    let path = std::env::args_os().nth(1).map_or(default, PathBuf::from);
    let mut design = Accelerator::new(&config)?;
    design.connect_all();
    tool::write_atomic(&path, generate_verilog(&design).as_bytes())?;
    let lint = tool::Command::tool(&tool::VERILATOR)?.args(["--lint-only", "-Wall", "--top-module", "top"]);
    lint.args(WAIVERS).arg(&path).timeout(Duration::from_secs(120)).run()?;
    println!("{}: passes verilator --lint-only -Wall {}", path.display(), WAIVERS.join(" "));
    Ok(())
}
