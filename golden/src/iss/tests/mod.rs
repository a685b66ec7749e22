mod faults;
mod fuzz;
mod layer;
mod memories;

use spec::isa::{Program, assemble};

use super::*;

/// A machine of 3 x 2 PEs with beats of 4 bytes, two rows of weights a word.
pub(crate) const SMALL: &str = ".machine rows=3 cols=2 preload_rows=2 chunk_rows=4 lanes=1 beat_bytes=4 weight_words=16 \
    act_words=16 acc_words=16 acc_bits=32 elements=64 params=64 formats=w8a8,w4a8";

/// A program for it: segments and instructions; `data` holds what is in the segments, in their order.
pub(crate) fn small(text: &str, data: &[&[u8]]) -> Program {
    let mut program = assemble(&format!("{SMALL}\n{text}\nHALT\n")).unwrap_or_else(|e| panic!("{e}"));
    for (segment, data) in program.segments.iter_mut().zip(data) {
        segment.data = data.to_vec();
    }
    program
}
