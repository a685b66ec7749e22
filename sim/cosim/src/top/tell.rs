//! How a difference is told: places, instructions, marks.

use spec::isa::{Field, Machine, Mark, Op, Program, disasm};
use spec::trace::{Store, Written};
use spec::verdict::Mismatch;

use super::check::TopChecker;
use super::fault::Fault;
use super::fields::{limbs, unsigned};
use super::state::{LOAD, MM, STORE, VEC};
use super::writes::code_bits;
use crate::check::{Pair, after_reset, element};
use crate::error::Error;

/// Names of the queues.
pub const QUEUES: [&str; 5] = ["load", "mm", "vec", "store", "control"];

/// A place of a memory, counted from the memory's first as [`super::state::Memories`] does.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub store: Store,
    pub at: usize,
}

impl Place {
    /// The first place of what golden wrote at `at`.
    pub fn first(machine: &Machine, store: Store, at: u64) -> usize {
        let at = at as usize;
        match store {
            Store::Acc { bank } => (usize::from(bank) * machine.acc_words as usize + at) * machine.cols as usize,
            Store::Act { half } => (usize::from(half) * machine.act_words as usize + at) * (machine.rows as usize + 1),
            _ => at,
        }
    }

    /// The probe that shows what is written there.
    pub fn probe(store: Store) -> &'static str {
        match store {
            Store::Acc { .. } => "acc_data",
            Store::Act { .. } => "act_codes",
            Store::Param => "pb_data",
            Store::Vector => "vb_data",
            Store::Scalar => "s_data",
            Store::Fifo => "weight",
            Store::Out => "out_data",
            Store::Dram => "m_axi_wdata",
            Store::Index => "index",
        }
    }

    /// In words.
    pub fn text(self, machine: &Machine) -> String {
        let at = self.at;
        match self.store {
            Store::Acc { .. } => {
                let (word, col) = (at / machine.cols as usize, at % machine.cols as usize);
                let (bank, word) = (word / machine.acc_words as usize, word % machine.acc_words as usize);
                format!("acc bank {bank}, word {word}, column {col}")
            }
            Store::Act { .. } => {
                let lanes = machine.rows as usize + 1;
                let (word, lane) = (at / lanes, at % lanes);
                let (half, word) = (word / machine.act_words as usize, word % machine.act_words as usize);
                let lane = if lane + 1 == lanes { "scale byte".into() } else { format!("row {lane}") };
                format!("act half {half}, word {word}, {lane}")
            }
            Store::Param => format!("PB[{at}]"),
            Store::Vector => format!("VB[{at}]"),
            Store::Scalar => format!("S[{at}]"),
            Store::Fifo => format!("weight FIFO, code {at} of the instruction"),
            Store::Out => format!("out stream, byte {at} of the instruction"),
            Store::Dram => format!("DRAM {at:#x}"),
            Store::Index => "IDX".into(),
        }
    }
}

/// An instruction by number and in assembly, on one line without columns.
pub fn instruction(program: &Program, at: usize) -> String {
    let line = disasm::line(&program.instrs[at], Some(program));
    format!("{at}: {}", line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What is done, and for which tokens.
pub fn mark_text(mark: &Mark) -> String {
    let tokens = match mark.tokens {
        0 | 1 => format!("token {}", mark.token),
        n => format!("tokens {} to {}", mark.token, mark.token.saturating_add(n - 1)),
    };
    match mark.layer {
        Some(layer) => format!("{tokens}, layer {layer}: {}", mark.operator),
        None => format!("{tokens}: {}", mark.operator),
    }
}

impl TopChecker<'_> {
    /// The mark under which an instruction stands.
    pub(super) fn mark_of(&self, at: usize) -> Option<&Mark> {
        let info = self.progress.info_before(at)?;
        self.program.mark(self.program.instrs[info].find(Field::Tag)? as u32)
    }

    /// A mismatch at an instruction.
    fn mismatch(&self, cycle: u64, at: Option<usize>) -> Mismatch {
        Mismatch {
            cycle: after_reset(cycle),
            layer: at.and_then(|at| self.mark_of(at)).map(mark_text).unwrap_or_default(),
            instruction: at.map(|at| instruction(self.program, at)),
            ..Mismatch::default()
        }
    }

    /// A difference from golden.
    pub(super) fn tell(&self, cycle: u64, fault: Fault) -> Mismatch {
        let Fault { at, point, place, golden, found } = fault;
        let rtl = found.clone().filter(|_| self.has_probes);
        Mismatch { point, place, golden, step: found, rtl, ..self.mismatch(cycle, at) }
    }

    /// What ended a run in which both models agreed.
    pub(super) fn tell_end(&self, cycle: u64, why: &str) -> Mismatch {
        let mut lines = vec![why.to_string()];
        for queue in 0..4 {
            let state = match (self.progress.under_way(queue), self.progress.oldest_of(queue)) {
                (Some(at), _) => format!("has not retired {}", instruction(self.program, at)),
                (None, Some(at)) => format!("has not started {}", instruction(self.program, at)),
                (None, None) => continue,
            };
            lines.push(format!("{} {state}", QUEUES[queue]));
        }
        Mismatch { point: lines.join("; "), ..self.mismatch(cycle, self.progress.oldest()) }
    }

    /// Where `step` and Verilator differ: the first probe that does, or else the first output.
    pub(super) fn difference(&mut self, pair: &Pair) -> Result<Mismatch, Error> {
        let probes = self.outputs.fields.len() - self.ports;
        let fields = self.outputs.fields.iter().skip(self.ports).chain(self.outputs.fields.iter().take(self.ports));
        debug_assert!(probes > 0);
        let found = fields.into_iter().find(|f| self.mask.differs(f, pair.step, pair.rtl)).cloned();
        let Some(field) = found else { return Ok(self.mismatch(pair.cycle, self.progress.oldest())) };
        let queue = queue_of(&field.name);
        let at = match queue {
            // What starts has not been counted yet.
            Some(queue) if field.name.ends_with("starts") => {
                self.progress.lists[queue].get(self.progress.started[queue]).map(|&at| at as usize)
            }
            Some(queue) => self.progress.oldest_of(queue),
            None => self.progress.oldest(),
        };
        let base = Mismatch { point: field.name.clone(), ..self.mismatch(pair.cycle, at) };
        if let (Some(queue), Some(at)) = (queue, at)
            && let Some((place, step, rtl)) = self.element_that_differs(&field.name, pair, at)
        {
            let golden = self.golden_at(queue, at, place)?;
            let text = |value: i64| Some(value.to_string());
            let place = Some(place.text(&self.program.machine));
            return Ok(Mismatch { place, golden: golden.and_then(text), step: text(step), rtl: text(rtl), ..base });
        }
        Ok(Mismatch { step: Some(field.hex(pair.step)), rtl: Some(field.hex(pair.rtl)), ..base })
    }

    /// The first element of a payload that differs: its place, and both values.
    fn element_that_differs(&self, name: &str, pair: &Pair, at: usize) -> Option<(Place, i64, i64)> {
        let (f, machine) = (&self.fields, &self.program.machine);
        let get = |field: &sim::engine::frame::Field| field.get(pair.step) as usize;
        let (store, first, bits, field) = match name {
            "acc_data" => (Store::Acc { bank: get(&f.acc_bank) == 1 }, get(&f.acc_addr), machine.acc_bits, &f.acc_data),
            "act_codes" => (Store::Act { half: get(&f.act_half) == 1 }, get(&f.act_addr), 8, &f.act_codes),
            "vb_data" => (Store::Vector, get(&f.vb_addr), 64, &f.vb_data),
            "pb_data" => (Store::Param, get(&f.pb_addr), 32, &f.pb_data),
            "s_data" => (Store::Scalar, get(&f.s_addr), 64, &f.s_data),
            "weight" => {
                let per_word = (machine.preload_rows * machine.cols) as usize;
                (Store::Fifo, self.memories.words * per_word, code_bits(&self.program.instrs[at]), &f.weight)
            }
            "out_data" => (Store::Out, self.memories.out_bytes, 8, &f.out_data),
            _ => return None,
        };
        let (mut one, mut two) = ([0], [0]);
        let (step, rtl) = (limbs(pair.step, field, &mut one), limbs(pair.rtl, field, &mut two));
        let is_unsigned = matches!(store, Store::Fifo | Store::Out);
        let value = |limbs: &[u64], i: usize| {
            if is_unsigned { unsigned(limbs, i, bits) as i64 } else { element(limbs, i, bits) }
        };
        let i = (0..(field.width / bits) as usize).find(|&i| value(step, i) != value(rtl, i))?;
        Some((Place { store, at: Place::first(machine, store, first as u64) + i }, value(step, i), value(rtl, i)))
    }

    /// What golden's instruction leaves at a place, unless what is written there is not yet the end of a sum.
    fn golden_at(&mut self, queue: usize, at: usize, place: Place) -> Result<Option<i64>, Error> {
        let (machine, instr) = (&self.program.machine, &self.program.instrs[at]);
        if instr.op() == Op::Mm && instr.get(Field::KTiles) > 1 {
            return Ok(None);
        }
        let Some(executed) = self.golden.peek(queue, 0)?.filter(|e| e.at == at) else { return Ok(None) };
        let value = |w: &Written| {
            let relative = matches!(w.store, Store::Fifo | Store::Out);
            let first = if relative { 0 } else { Place::first(machine, w.store, w.at) };
            w.values.get(place.at.checked_sub(first)?).copied()
        };
        Ok(executed.written.iter().filter(|w| w.store == place.store).find_map(value))
    }
}

/// The queue whose instruction a probe or an output belongs to.
fn queue_of(name: &str) -> Option<usize> {
    let starts = [
        ("load", LOAD),
        ("weight", LOAD),
        ("pb_", LOAD),
        ("mm_", MM),
        ("acc_", MM),
        ("vec", VEC),
        ("act_", VEC),
        ("vb_", VEC),
        ("s_a", VEC),
        ("s_d", VEC),
        ("s_w", VEC),
        ("index", VEC),
        ("out_", VEC),
        ("store", STORE),
        ("m_axi_aw", STORE),
        ("m_axi_w", STORE),
        ("m_axi_b", STORE),
    ];
    starts.into_iter().find(|(start, _)| name.starts_with(start) && !name.starts_with("s_axil")).map(|(_, queue)| queue)
}
