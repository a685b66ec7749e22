//! Inner signals of the accelerator that are observed beside its ports: what starts, what retires, every write port.
//!
//! A payload counts only while it is valid; otherwise a probe reads zero, in both models, so that frames can be compared
//! whole.

use hdl::rtl::Design;
use sim::engine::Probe;
use sim::engine::frame::{Field, Frame};
use sim::step::{Port, Stepper};

use crate::error::Error;

/// When a probe shows its signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// Always.
    Always,
    /// While the probe of that name is not zero.
    While(&'static str),
    /// Elements of so many bits, each while its bit of the probe of that name is set.
    Lanes(&'static str, u32),
}

/// One probe.
#[derive(Clone, Debug)]
pub struct TopProbe {
    probe: Probe,
    gate: Gate,
}

const QUEUES: &str = "u_core.u_front.u_sequencer.u_queues";
const VECTOR: &str = "u_core.u_vector";
const MM: &str = "u_core.u_mm";

/// Probes of queue `q` (0 load, 1 mm, 2 vec, 3 store): an instruction starts.
pub const STARTS: [&str; 4] = ["load_starts", "mm_starts", "vec_starts", "store_starts"];
/// Probes of queue `q`: its oldest instruction retires.
pub const RETIRES: [&str; 4] = ["load_retires", "mm_retires", "vec_retires", "store_retires"];

/// The probes of an accelerator; it names their paths, the design knows their widths.
///
/// # Errors
/// [`Error::Sim`] for a path that is not in the design (a bug, not bad input).
pub fn top_probes(stepper: &Stepper) -> Result<Vec<TopProbe>, Error> {
    let mut list: Vec<(&str, String, Gate)> = Vec::new();
    for (i, queue) in ["load", "mm", "vec", "store"].into_iter().enumerate() {
        list.push((STARTS[i], format!("{QUEUES}.u_{queue}.started"), Gate::Always));
        list.push((RETIRES[i], format!("{QUEUES}.{queue}_retire_i"), Gate::Always));
    }
    list.extend([
        ("control_retires", "u_core.u_front.u_sequencer.control_retires".into(), Gate::Always),
        ("tag", "u_core.tag_o".into(), Gate::Always),
        ("weight_valid", format!("{MM}.weight_valid_i"), Gate::Always),
        ("weight_ready", format!("{MM}.weight_ready_o"), Gate::Always),
        ("weight", format!("{MM}.weight_data_i"), Gate::While("weight_valid")),
        ("acc_write", format!("{MM}.u_acc.write_i"), Gate::Always),
        ("acc_bank", format!("{MM}.u_acc.wbank_i"), Gate::While("acc_write")),
        ("acc_addr", format!("{MM}.u_acc.waddr_i"), Gate::While("acc_write")),
        ("acc_data", format!("{MM}.u_acc.wdata_i"), Gate::While("acc_write")),
        ("act_write", format!("{MM}.act_write_i"), Gate::Always),
        ("act_half", format!("{MM}.act_half_i"), Gate::While("act_write")),
        ("act_addr", format!("{MM}.act_addr_i"), Gate::While("act_write")),
        ("act_lanes", format!("{MM}.act_lanes_i"), Gate::While("act_write")),
        ("act_codes", format!("{MM}.act_codes_i"), Gate::While("act_write")),
        ("act_scale", format!("{MM}.act_scale_i"), Gate::While("act_write")),
        ("vb_write", format!("{VECTOR}.value_write"), Gate::Always),
        ("vb_addr", format!("{VECTOR}.value_waddr"), Gate::While("vb_write")),
        ("vb_data", format!("{VECTOR}.result_data"), Gate::Lanes("vb_write", 64)),
        ("pb_write", format!("{VECTOR}.param_write_i"), Gate::Always),
        ("pb_addr", format!("{VECTOR}.param_waddr_i"), Gate::While("pb_write")),
        ("pb_data", format!("{VECTOR}.param_wdata_i"), Gate::Lanes("pb_write", 32)),
        ("s_write", format!("{VECTOR}.u_scalars.write_i"), Gate::Always),
        ("s_addr", format!("{VECTOR}.u_scalars.write_addr_i"), Gate::While("s_write")),
        ("s_data", format!("{VECTOR}.u_scalars.data"), Gate::While("s_write")),
        ("index_set", format!("{VECTOR}.u_sequence.set_index_o"), Gate::Always),
        ("index", format!("{VECTOR}.u_scalars.entry0_o"), Gate::While("index_set")),
        ("out_valid", format!("{VECTOR}.out_valid_o"), Gate::Always),
        ("out_ready", format!("{VECTOR}.out_ready_i"), Gate::Always),
        ("out_data", format!("{VECTOR}.out_data_o"), Gate::While("out_valid")),
    ]);
    let probe = |(name, path, gate): (&str, String, Gate)| {
        let width = stepper.signal(&path)?.width();
        Ok(TopProbe { probe: Probe { name: name.into(), path, width }, gate })
    };
    list.into_iter().map(probe).collect()
}

/// The probes without their gates, as frames are made of them.
pub fn plain(probes: &[TopProbe]) -> Vec<Probe> {
    probes.iter().map(|p| p.probe.clone()).collect()
}

fn path_of<'p>(probes: &'p [TopProbe], name: &str) -> &'p str {
    probes.iter().find(|p| p.probe.name == name).map_or("", |p| &p.probe.path)
}

/// What a probe shows, in Verilog.
pub fn verilog(probes: &[TopProbe], place: usize) -> String {
    let TopProbe { probe, gate } = &probes[place];
    let (path, width) = (&probe.path, probe.width);
    match gate {
        Gate::Always => format!("u_dut.{path}"),
        Gate::While(name) => format!("{{{width}{{|u_dut.{}}}}} & u_dut.{path}", path_of(probes, name)),
        Gate::Lanes(name, bits) => {
            let mask = path_of(probes, name);
            let lanes: Vec<String> = match width / bits {
                1 => vec![format!("{{{bits}{{u_dut.{mask}}}}}")],
                count => (0..count).rev().map(|lane| format!("{{{bits}{{u_dut.{mask}[{lane}]}}}}")).collect(),
            };
            format!("{{{}}} & u_dut.{path}", lanes.join(", "))
        }
    }
}

/// The probes of a stepped accelerator.
pub struct StepProbes {
    entries: Vec<Entry>,
    limbs: Vec<u64>,
}

struct Entry {
    field: Field,
    port: Port,
    gate: Option<Port>,
    lane_limbs: Option<u32>,
}

impl StepProbes {
    /// The probes in frames of outputs.
    ///
    /// # Errors
    /// [`Error::Sim`] for a probe that is not in the design (a bug, not bad input).
    pub fn new(probes: &[TopProbe], stepper: &Stepper, outputs: &Frame, design: &Design) -> Result<Self, Error> {
        let mut entries = Vec::new();
        for TopProbe { probe, gate } in probes {
            let missing = || sim::Error::Run(format!("{} has no probe {}", design.top.name, probe.name));
            let field = outputs.field(&probe.name).ok_or_else(missing)?.clone();
            let (name, lane_limbs) = match gate {
                Gate::Always => (None, None),
                Gate::While(name) => (Some(name), None),
                Gate::Lanes(name, bits) => (Some(name), Some(*bits)),
            };
            let gate = name.map(|name| stepper.signal(path_of(probes, name))).transpose()?;
            entries.push(Entry { field, port: stepper.signal(&probe.path)?, gate, lane_limbs });
        }
        let widest = entries.iter().map(|e| e.field.words()).max().unwrap_or(1);
        Ok(Self { entries, limbs: vec![0; widest] })
    }

    /// Adds what the probes show to a frame in which they are zero.
    pub fn put(&mut self, stepper: &Stepper, frame: &mut [u64]) {
        for Entry { field, port, gate, lane_limbs } in &self.entries {
            let open = gate.map_or(u64::MAX, |gate| stepper.get(gate));
            if open == 0 {
                continue;
            }
            if field.width <= 64 {
                field.put(frame, &[stepper.get(*port)]);
                continue;
            }
            let limbs = &mut self.limbs[..field.words()];
            stepper.get_limbs(*port, limbs);
            match lane_limbs {
                Some(64) => limbs.iter_mut().enumerate().for_each(|(i, limb)| *limb *= open >> i & 1),
                Some(_) => limbs.iter_mut().enumerate().for_each(|(i, limb)| {
                    let (low, high) = (open >> (2 * i) & 1, open >> (2 * i + 1) & 1);
                    *limb &= (low * 0xffff_ffff) | (high * 0xffff_ffff_0000_0000);
                }),
                None => {}
            }
            field.put(frame, limbs);
        }
    }
}
