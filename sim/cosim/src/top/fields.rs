//! The fields of frames that the checks read.

use sim::engine::bench::RESET;
use sim::engine::frame::{Field, Frame};

use super::probes::{RETIRES, STARTS};

/// Fields by what they say; see [`super::probes`].
#[derive(Debug)]
pub struct Fields {
    pub reset: Field,
    pub starts: [Field; 4],
    pub retires: [Field; 4],
    pub control_retires: Field,
    pub tag: Field,
    pub weight_valid: Field,
    pub weight_ready: Field,
    pub weight: Field,
    pub acc_write: Field,
    pub acc_bank: Field,
    pub acc_addr: Field,
    pub acc_data: Field,
    pub act_write: Field,
    pub act_half: Field,
    pub act_addr: Field,
    pub act_lanes: Field,
    pub act_codes: Field,
    pub act_scale: Field,
    pub vb_write: Field,
    pub vb_addr: Field,
    pub vb_data: Field,
    pub pb_write: Field,
    pub pb_addr: Field,
    pub pb_data: Field,
    pub s_write: Field,
    pub s_addr: Field,
    pub s_data: Field,
    pub index_set: Field,
    pub index: Field,
    pub out_valid: Field,
    pub out_ready: Field,
    pub out_data: Field,
    pub aw_valid: Field,
    pub aw_ready: Field,
    pub aw_addr: Field,
    pub aw_len: Field,
    pub w_valid: Field,
    pub w_ready: Field,
    pub w_data: Field,
    pub w_strb: Field,
}

impl Fields {
    /// The fields of those frames; nothing if one is missing.
    pub fn new(inputs: &Frame, outputs: &Frame) -> Option<Self> {
        let out = |name: &str| outputs.field(name).cloned();
        let four = |names: [&str; 4]| Some([out(names[0])?, out(names[1])?, out(names[2])?, out(names[3])?]);
        let input = |name: &str| inputs.field(name).cloned();
        Some(Self {
            reset: input(RESET)?,
            starts: four(STARTS)?,
            retires: four(RETIRES)?,
            control_retires: out("control_retires")?,
            tag: out("tag")?,
            weight_valid: out("weight_valid")?,
            weight_ready: out("weight_ready")?,
            weight: out("weight")?,
            acc_write: out("acc_write")?,
            acc_bank: out("acc_bank")?,
            acc_addr: out("acc_addr")?,
            acc_data: out("acc_data")?,
            act_write: out("act_write")?,
            act_half: out("act_half")?,
            act_addr: out("act_addr")?,
            act_lanes: out("act_lanes")?,
            act_codes: out("act_codes")?,
            act_scale: out("act_scale")?,
            vb_write: out("vb_write")?,
            vb_addr: out("vb_addr")?,
            vb_data: out("vb_data")?,
            pb_write: out("pb_write")?,
            pb_addr: out("pb_addr")?,
            pb_data: out("pb_data")?,
            s_write: out("s_write")?,
            s_addr: out("s_addr")?,
            s_data: out("s_data")?,
            index_set: out("index_set")?,
            index: out("index")?,
            out_valid: out("out_valid")?,
            out_ready: out("out_ready")?,
            out_data: out("out_data")?,
            aw_valid: out("m_axi_awvalid")?,
            aw_ready: input("m_axi_awready")?,
            aw_addr: out("m_axi_awaddr")?,
            aw_len: out("m_axi_awlen")?,
            w_valid: out("m_axi_wvalid")?,
            w_ready: input("m_axi_wready")?,
            w_data: out("m_axi_wdata")?,
            w_strb: out("m_axi_wstrb")?,
        })
    }
}

/// The limbs of a field: of a narrow one through `one`.
pub fn limbs<'f>(frame: &'f [u64], field: &Field, one: &'f mut [u64; 1]) -> &'f [u64] {
    if field.width <= 64 {
        *one = [field.get(frame)];
        one
    } else {
        &frame[field.word..field.word + field.words()]
    }
}

/// Unsigned element `index` of `bits` bits (1..=32, a divisor of 64 or not).
pub fn unsigned(limbs: &[u64], index: usize, bits: u32) -> u64 {
    crate::check::element(limbs, index, bits) as u64 & ((1 << bits) - 1)
}
