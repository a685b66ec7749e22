//! The writes of one cycle, each given to the instruction that makes it.

use spec::Format;
use spec::isa::{Field, Instr, Op};
use spec::trace::Store;

use super::check::TopChecker;
use super::fault::Fault;
use super::fields::{limbs, unsigned};
use super::state::{LOAD, MM, STORE, VEC};
use crate::check::{Pair, element};
use crate::error::Error;

/// Bits of a code in the words that a load instruction puts into the FIFO.
pub fn code_bits(instr: &Instr) -> u32 {
    if instr.op() == Op::Ldw { Format::ALL[instr.index(Field::Format)].weight().bits() } else { 8 }
}

type Found = Result<Option<Fault>, Error>;

impl TopChecker<'_> {
    /// All writes of a cycle.
    pub(super) fn writes(&mut self, pair: &Pair) -> Found {
        let f = &self.fields;
        let (frame, inputs) = (pair.step, pair.inputs);
        let is = |field: &sim::engine::frame::Field| field.get(frame) != 0;
        let weight = is(&f.weight_valid) && is(&f.weight_ready);
        let (acc, act, vector, params) = (is(&f.acc_write), is(&f.act_write), is(&f.vb_write), is(&f.pb_write));
        let (scalar, index) = (is(&f.s_write), is(&f.index_set));
        let out = is(&f.out_valid) && is(&f.out_ready);
        let address = is(&f.aw_valid) && f.aw_ready.get(inputs) != 0;
        let data = is(&f.w_valid) && f.w_ready.get(inputs) != 0;
        let mut found = None;
        if weight {
            found = self.weight_word(frame)?;
        }
        if acc && found.is_none() {
            found = self.acc_word(frame);
        }
        if (act || vector || scalar || index) && found.is_none() {
            found = self.vec_writes(frame, [act, vector, scalar, index]);
        }
        if params && found.is_none() {
            found = self.params(frame);
        }
        if out && found.is_none() {
            found = self.out_beat(frame)?;
        }
        if address {
            let f = &self.fields;
            self.memories.bursts.push_back((f.aw_addr.get(frame) as u32, f.aw_len.get(frame) as u32 + 1));
        }
        if data {
            let f = &self.fields;
            let mut beat = [0; sim::memory::MAX_BEAT_LIMBS];
            let mut one = [0];
            let words = limbs(frame, &f.w_data, &mut one);
            beat[..words.len()].copy_from_slice(words);
            self.memories.beats.push_back((beat, f.w_strb.get(frame)));
        }
        if (address || data) && found.is_none() {
            found = self.stored()?;
        }
        Ok(found)
    }

    fn nothing_runs(&self, queue: usize, point: &str) -> Option<Fault> {
        let at = self.progress.oldest_of(queue);
        Some(Fault::of(at, format!("{point}: a write while no instruction of its queue is under way")))
    }

    /// A word enters the weight FIFO: compared at once, since it is not seen again.
    fn weight_word(&mut self, frame: &[u64]) -> Found {
        let Some(at) = self.progress.under_way(LOAD) else { return Ok(self.nothing_runs(LOAD, "weight")) };
        let bits = code_bits(&self.program.instrs[at]);
        let per_word = (self.program.machine.preload_rows * self.program.machine.cols) as usize;
        let word = self.memories.words;
        let executed = self.golden.peek(LOAD, 0)?;
        let golden = executed.and_then(|e| e.written.iter().find(|w| w.store == Store::Fifo));
        let golden = golden.and_then(|w| w.values.get(word * per_word..(word + 1) * per_word));
        let Some(golden) = golden else {
            return Ok(Some(Fault::of(Some(at), format!("weight: golden has no word {word} of this instruction"))));
        };
        let mut one = [0];
        let limbs = limbs(frame, &self.fields.weight, &mut one);
        let wrong =
            golden.iter().enumerate().find(|&(i, &code)| unsigned(limbs, i, bits) as i64 != code & ((1 << bits) - 1));
        if let Some((i, &code)) = wrong {
            let place = format!("weight FIFO, word {word} of the instruction, code {i}");
            return Ok(Some(Fault::value(at, "weight", place, code, unsigned(limbs, i, bits) as i64)));
        }
        self.memories.words += 1;
        Ok(None)
    }

    fn acc_word(&mut self, frame: &[u64]) -> Option<Fault> {
        let Some(at) = self.progress.under_way(MM) else { return self.nothing_runs(MM, "acc_write") };
        let machine = &self.program.machine;
        let (cols, bits) = (machine.cols as usize, machine.acc_bits);
        let f = &self.fields;
        let (bank, word) = (f.acc_bank.get(frame) as usize, f.acc_addr.get(frame) as usize);
        let mut one = [0];
        let limbs = limbs(frame, &f.acc_data, &mut one);
        let first = (bank * machine.acc_words as usize + word) * cols;
        for col in 0..cols {
            match self.memories.acc.write(first + col, element(limbs, col, bits), at) {
                Some(is_new) => self.progress.places[MM] += u64::from(is_new),
                None => return Some(Fault::of(Some(at), format!("acc_addr: there is no word {word}"))),
            }
        }
        None
    }

    fn vec_writes(&mut self, frame: &[u64], [act, vector, scalar, index]: [bool; 4]) -> Option<Fault> {
        let Some(at) = self.progress.under_way(VEC) else {
            let point = if act {
                "act_write"
            } else if vector {
                "vb_write"
            } else {
                "s_write"
            };
            return self.nothing_runs(VEC, point);
        };
        let f = &self.fields;
        let machine = &self.program.machine;
        let mut one = [0];
        let mut written = 0;
        let mut note = |is_new: Option<bool>, what: &str, place: usize| match is_new {
            Some(is_new) => {
                written += u64::from(is_new);
                None
            }
            None => Some(Fault::of(Some(at), format!("{what}: there is no place {place}"))),
        };
        let mut fault = None;
        if act {
            let rows = machine.rows as usize;
            let word = f.act_addr.get(frame) as usize;
            let first = (f.act_half.get(frame) as usize * machine.act_words as usize + word) * (rows + 1);
            let (mut lane_one, codes) = ([0], limbs(frame, &f.act_codes, &mut one));
            let lanes = limbs(frame, &f.act_lanes, &mut lane_one);
            for lane in (0..rows).filter(|lane| lanes[lane / 64] >> (lane % 64) & 1 == 1) {
                fault = fault.or(note(
                    self.memories.act.write(first + lane, element(codes, lane, 8), at),
                    "act_addr",
                    word,
                ));
            }
            let scale = f.act_scale.get(frame) as i64;
            fault = fault.or(note(self.memories.act.write(first + rows, scale, at), "act_addr", word));
        }
        if vector {
            let (mask, addr) = (f.vb_write.get(frame), f.vb_addr.get(frame) as usize);
            let data = limbs(frame, &f.vb_data, &mut one);
            for lane in (0..data.len()).filter(|lane| mask >> lane & 1 == 1) {
                let place = addr + lane;
                fault = fault.or(note(self.memories.vector.write(place, data[lane] as i64, at), "vb_addr", place));
            }
        }
        if scalar {
            let (place, value) = (f.s_addr.get(frame) as usize, f.s_data.get(frame) as i64);
            fault = fault.or(note(self.memories.scalars.write(place, value, at), "s_addr", place));
        }
        if index {
            self.memories.index = Some(f.index.get(frame) as u32);
        }
        self.progress.places[VEC] += written;
        fault
    }

    fn params(&mut self, frame: &[u64]) -> Option<Fault> {
        let Some(at) = self.progress.under_way(LOAD) else { return self.nothing_runs(LOAD, "pb_write") };
        let f = &self.fields;
        let (mask, addr) = (f.pb_write.get(frame), f.pb_addr.get(frame) as usize);
        let mut one = [0];
        let data = limbs(frame, &f.pb_data, &mut one);
        for lane in (0..f.pb_write.width as usize).filter(|lane| mask >> lane & 1 == 1) {
            let place = addr + lane;
            match self.memories.params.write(place, element(data, lane, 32), at) {
                Some(is_new) => self.progress.places[LOAD] += u64::from(is_new),
                None => return Some(Fault::of(Some(at), format!("pb_addr: there is no place {place}"))),
            }
        }
        None
    }

    /// A beat of the out stream: compared at once.
    fn out_beat(&mut self, frame: &[u64]) -> Found {
        let Some(at) = self.progress.under_way(VEC) else { return Ok(self.nothing_runs(VEC, "out_valid")) };
        let from = self.memories.out_bytes;
        let executed = self.golden.peek(VEC, 0)?;
        let golden = executed.and_then(|e| e.written.iter().find(|w| w.store == Store::Out));
        let Some(golden) = golden.map(|w| &w.values[from.min(w.values.len())..]).filter(|g| !g.is_empty()) else {
            return Ok(Some(Fault::of(Some(at), format!("out_valid: golden has no byte {from} of this instruction"))));
        };
        let count = golden.len().min(self.program.machine.beat_bytes as usize);
        let mut one = [0];
        let limbs = limbs(frame, &self.fields.out_data, &mut one);
        for (i, &byte) in golden[..count].iter().enumerate() {
            let found = unsigned(limbs, i, 8) as i64;
            if found != byte {
                let place = format!("out stream, byte {} of the instruction", from + i);
                return Ok(Some(Fault::value(at, "out_data", place, byte, found)));
            }
        }
        self.memories.out_bytes += count;
        Ok(None)
    }

    /// Beats of writes whose address and data are here: compared byte by byte with what golden stores.
    fn stored(&mut self) -> Found {
        let beat_bytes = self.program.machine.beat_bytes as usize;
        while let Some(&(addr, beats)) = self.memories.bursts.front()
            && let Some((data, enables)) = self.memories.beats.pop_front()
        {
            for i in (0..beat_bytes).filter(|i| enables >> i & 1 == 1) {
                let (place, byte) = (addr as usize + i, (data[i / 8] >> (8 * (i % 8)) & 0xff) as i64);
                if let Some(fault) = self.stored_byte(place, byte)? {
                    return Ok(Some(fault));
                }
            }
            match beats {
                1 => drop(self.memories.bursts.pop_front()),
                _ => self.memories.bursts[0] = (addr.wrapping_add(beat_bytes as u32), beats - 1),
            }
        }
        Ok(None)
    }

    fn stored_byte(&mut self, place: usize, byte: i64) -> Found {
        let (store, next) = self.memories.store;
        let executed = self.golden.peek(STORE, store)?;
        let golden = executed.and_then(|e| Some((e.at, e.written.iter().find(|w| w.store == Store::Dram)?)));
        let Some((at, golden)) = golden else {
            return Ok(Some(Fault::of(None, format!("m_axi_wdata: golden never stores byte {place:#x}"))));
        };
        let (wanted, value) = (golden.at as usize + next, golden.values[next]);
        self.memories.store = if next + 1 == golden.values.len() { (store + 1, 0) } else { (store, next + 1) };
        if wanted != place {
            let hex = |addr: usize| Some(format!("{addr:#x}"));
            let which = Some(format!("address of byte {next} of the store"));
            let (golden, found) = (hex(wanted), hex(place));
            return Ok(Some(Fault { at: Some(at), point: "m_axi_awaddr".into(), place: which, golden, found }));
        }
        if value != byte {
            return Ok(Some(Fault::value(at, "m_axi_wdata", format!("DRAM {place:#x}"), value, byte)));
        }
        Ok(None)
    }
}
