//! Software's side of AXI4-Lite: one access after the other.

use crate::engine::frame::{Field, Frame};
use crate::error::Error;

/// What is asked, and how far it has come.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    addr: Option<u32>,
    data: Option<u32>,
    is_read: bool,
    answer: Option<(u32, u32)>,
}

/// The channels' fields and the access under way.
#[derive(Debug)]
pub(super) struct Lite {
    inputs: [Field; 9],
    outputs: [Field; 8],
    asked: Asked,
}

const INPUTS: [&str; 9] = ["awvalid", "awaddr", "wvalid", "wdata", "wstrb", "bready", "arvalid", "araddr", "rready"];
const OUTPUTS: [&str; 8] = ["awready", "wready", "bvalid", "bresp", "arready", "rvalid", "rdata", "rresp"];

/// A port, whatever its direction.
pub(super) fn field(inputs: &Frame, outputs: &Frame, name: &str) -> Result<Field, Error> {
    let found = inputs.field(name).or_else(|| outputs.field(name));
    found.cloned().ok_or_else(|| Error::Run(format!("the design has no port {name}: give it the accelerator's top")))
}

impl Lite {
    pub fn new(inputs: &Frame, outputs: &Frame) -> Result<Self, Error> {
        let missing = |_| Error::Run("ports of AXI4-Lite: too few".into());
        let fields = |names: &[&str]| -> Result<Vec<Field>, Error> {
            names.iter().map(|name| field(inputs, outputs, &format!("s_axil_{name}"))).collect()
        };
        let (inputs, outputs) = (fields(&INPUTS)?.try_into(), fields(&OUTPUTS)?.try_into());
        Ok(Self { inputs: inputs.map_err(missing)?, outputs: outputs.map_err(missing)?, asked: Asked::default() })
    }

    pub fn write(&mut self, addr: u32, data: u32) {
        self.asked = Asked { addr: Some(addr), data: Some(data), ..Asked::default() };
    }

    pub fn read(&mut self, addr: u32) {
        self.asked = Asked { addr: Some(addr), is_read: true, ..Asked::default() };
    }

    /// Response and data of the access, once.
    pub fn answer(&mut self) -> Option<(u32, u32)> {
        self.asked.answer.take()
    }

    /// What is driven in this cycle, into a frame of zeros. Answers are always taken.
    pub fn put(&self, frame: &mut [u64]) {
        let [aw_valid, aw_addr, w_valid, w_data, w_strb, b_ready, ar_valid, ar_addr, r_ready] = &self.inputs;
        b_ready.put(frame, &[1]);
        r_ready.put(frame, &[1]);
        if let Some(addr) = self.asked.addr {
            let (valid, field) = if self.asked.is_read { (ar_valid, ar_addr) } else { (aw_valid, aw_addr) };
            valid.put(frame, &[1]);
            field.put(frame, &[addr.into()]);
        }
        if let Some(data) = self.asked.data {
            w_valid.put(frame, &[1]);
            w_data.put(frame, &[data.into()]);
            w_strb.put(frame, &[0xf]);
        }
    }

    /// What the design drives in this cycle.
    pub fn take(&mut self, frame: &[u64]) {
        let [aw_ready, w_ready, b_valid, b_resp, ar_ready, r_valid, r_data, r_resp] =
            self.outputs.each_ref().map(|field| field.get(frame) as u32);
        let asked = &mut self.asked;
        if (if asked.is_read { ar_ready } else { aw_ready }) == 1 {
            asked.addr = None;
        }
        if w_ready == 1 {
            asked.data = None;
        }
        if b_valid == 1 {
            asked.answer = Some((b_resp, 0));
        } else if r_valid == 1 {
            asked.answer = Some((r_resp, r_data));
        }
    }
}
