//! The signals of an AXI4 master's channels in the frames of a design.

use crate::engine::frame::{Field, Frame};

/// Limbs of the widest beat.
pub const MAX_BEAT_LIMBS: usize = 8;

/// All channels in one cycle. Channels that a design does not have stay at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "AMBA's names")]
pub struct Sample {
    pub ar_valid: bool,
    pub ar_ready: bool,
    pub ar_addr: u32,
    pub ar_len: u8,
    pub r_valid: bool,
    pub r_ready: bool,
    pub r_data: [u64; MAX_BEAT_LIMBS],
    pub r_resp: u8,
    pub r_last: bool,
    pub aw_valid: bool,
    pub aw_ready: bool,
    pub aw_addr: u32,
    pub aw_len: u8,
    pub w_valid: bool,
    pub w_ready: bool,
    pub w_data: [u64; MAX_BEAT_LIMBS],
    pub w_strb: u64,
    pub w_last: bool,
    pub b_valid: bool,
    pub b_ready: bool,
    pub b_resp: u8,
}

/// Where the channels stand in a design's frames.
#[derive(Clone, Debug)]
pub struct AxiPorts {
    /// Bytes of a beat.
    pub beat_bytes: u32,
    ar_ready: Option<Field>,
    r_valid: Option<Field>,
    r_data: Option<Field>,
    r_resp: Option<Field>,
    r_last: Option<Field>,
    aw_ready: Option<Field>,
    w_ready: Option<Field>,
    b_valid: Option<Field>,
    b_resp: Option<Field>,
    ar_valid: Option<Field>,
    ar_addr: Option<Field>,
    ar_len: Option<Field>,
    r_ready: Option<Field>,
    aw_valid: Option<Field>,
    aw_addr: Option<Field>,
    aw_len: Option<Field>,
    w_valid: Option<Field>,
    w_data: Option<Field>,
    w_strb: Option<Field>,
    w_last: Option<Field>,
    b_ready: Option<Field>,
}

impl AxiPorts {
    /// Channels under plain names: `ar_valid_o`, `r_data_i`, ...
    pub fn plain(inputs: &Frame, outputs: &Frame) -> Self {
        Self::named(inputs, outputs, |channel, signal, end| format!("{channel}_{signal}_{end}"))
    }

    /// Channels under AMBA's names behind a prefix: `m_axi_arvalid`, `m_axi_rdata`, ...
    pub fn amba(inputs: &Frame, outputs: &Frame, prefix: &str) -> Self {
        Self::named(inputs, outputs, |channel, signal, _| format!("{prefix}_{channel}{signal}"))
    }

    fn named(inputs: &Frame, outputs: &Frame, name: impl Fn(&str, &str, &str) -> String) -> Self {
        let input = |channel: &str, signal: &str| inputs.field(&name(channel, signal, "i")).cloned();
        let output = |channel: &str, signal: &str| outputs.field(&name(channel, signal, "o")).cloned();
        let r_data = input("r", "data");
        let w_data = output("w", "data");
        let beat_bytes = r_data.as_ref().or(w_data.as_ref()).map_or(4, |f| f.width / 8);
        Self {
            beat_bytes,
            ar_ready: input("ar", "ready"),
            r_valid: input("r", "valid"),
            r_data,
            r_resp: input("r", "resp"),
            r_last: input("r", "last"),
            aw_ready: input("aw", "ready"),
            w_ready: input("w", "ready"),
            b_valid: input("b", "valid"),
            b_resp: input("b", "resp"),
            ar_valid: output("ar", "valid"),
            ar_addr: output("ar", "addr"),
            ar_len: output("ar", "len"),
            r_ready: output("r", "ready"),
            aw_valid: output("aw", "valid"),
            aw_addr: output("aw", "addr"),
            aw_len: output("aw", "len"),
            w_valid: output("w", "valid"),
            w_data,
            w_strb: output("w", "strb"),
            w_last: output("w", "last"),
            b_ready: output("b", "ready"),
        }
    }

    /// Puts what the memory drives into an input frame, whose fields of these ports are zero.
    pub fn put(&self, sample: &Sample, inputs: &mut [u64]) {
        let mut put = |field: &Option<Field>, value: &[u64]| {
            if let Some(field) = field {
                field.put(inputs, value);
            }
        };
        put(&self.ar_ready, &[sample.ar_ready.into()]);
        put(&self.r_valid, &[sample.r_valid.into()]);
        put(&self.r_data, &sample.r_data);
        put(&self.r_resp, &[sample.r_resp.into()]);
        put(&self.r_last, &[sample.r_last.into()]);
        put(&self.aw_ready, &[sample.aw_ready.into()]);
        put(&self.w_ready, &[sample.w_ready.into()]);
        put(&self.b_valid, &[sample.b_valid.into()]);
        put(&self.b_resp, &[sample.b_resp.into()]);
    }

    /// Adds what the master drives, from an output frame.
    pub fn take(&self, outputs: &[u64], sample: &mut Sample) {
        let get = |field: &Option<Field>| field.as_ref().map_or(0, |f| f.get(outputs));
        sample.ar_valid = get(&self.ar_valid) == 1;
        sample.ar_addr = get(&self.ar_addr) as u32;
        sample.ar_len = get(&self.ar_len) as u8;
        sample.r_ready = get(&self.r_ready) == 1;
        sample.aw_valid = get(&self.aw_valid) == 1;
        sample.aw_addr = get(&self.aw_addr) as u32;
        sample.aw_len = get(&self.aw_len) as u8;
        sample.w_valid = get(&self.w_valid) == 1;
        if let Some(field) = &self.w_data {
            let words = field.words();
            if field.width <= 64 {
                sample.w_data[0] = field.get(outputs);
            } else {
                sample.w_data[..words].copy_from_slice(&outputs[field.word..field.word + words]);
            }
        }
        sample.w_strb = get(&self.w_strb);
        sample.w_last = get(&self.w_last) == 1;
        sample.b_ready = get(&self.b_ready) == 1;
    }
}
