//! Memories: words as limbs; a read during a write of the same word gives the old word, a read beyond the depth
//! gives 0, a write there is ignored.

use super::exec::{Instr, State};
use super::wide::{Opd, Tables, limbs};

/// A memory and its ports.
#[derive(Clone, Debug)]
pub(super) struct Mem {
    pub words: Vec<u64>,
    pub width: u32,
    pub depth: u32,
    pub write_enable: u32,
    pub write_addr: u32,
    pub data: Opd,
    pub lanes: Option<Opd>,
    pub read_enable: u32,
    pub read_addr: u32,
    pub out: Opd,
    /// The word read, until the write is done.
    pub scratch: Vec<u64>,
}

/// Clock edge of memory number `a`.
pub(super) fn clock(s: &mut State, _: &Tables, i: &Instr) {
    let number = i.a as usize;
    let reads = s.half[s.mems[number].read_enable as usize] != 0;
    let writes = s.half[s.mems[number].write_enable as usize] != 0;
    if !reads && !writes {
        return;
    }
    let mut mems = std::mem::take(&mut s.mems);
    let mem = &mut mems[number];
    let n = limbs(mem.width) as usize;
    if reads {
        let addr = s.half[mem.read_addr as usize] as usize;
        match mem.words.get(addr * n..(addr + 1) * n) {
            Some(word) => mem.scratch.copy_from_slice(word),
            None => mem.scratch.fill(0),
        }
    }
    if writes {
        let addr = s.half[mem.write_addr as usize] as usize;
        if let Some(word) = mem.words.get_mut(addr * n..(addr + 1) * n) {
            write(s, mem.data, mem.lanes, mem.width, word);
        }
    }
    if reads {
        s.store(mem.out, |k| mem.scratch[k]);
    }
    s.mems = mems;
}

fn write(s: &State, data: Opd, lanes: Option<Opd>, width: u32, word: &mut [u64]) {
    let Some(lanes) = lanes else {
        for (k, limb) in word.iter_mut().enumerate() {
            *limb = s.limb(data, k as u32);
        }
        return;
    };
    let lane_bits = width / lanes.ty.width;
    for (k, limb) in word.iter_mut().enumerate() {
        let first = 64 * k as u32;
        let last = (first + 63).min(width - 1);
        let mut enabled = 0;
        for lane in first / lane_bits..=last / lane_bits {
            if s.limb(lanes, lane / 64) >> (lane % 64) & 1 == 1 {
                let from = (lane * lane_bits).max(first) - first;
                let to = ((lane + 1) * lane_bits).min(first + 64) - first;
                let ones = if to - from == 64 { u64::MAX } else { (1 << (to - from)) - 1 };
                enabled |= ones << from;
            }
        }
        *limb = *limb & !enabled | s.limb(data, k as u32) & enabled;
    }
}
