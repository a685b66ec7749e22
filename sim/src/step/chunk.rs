//! Chunks: runs of instructions of one template that are skipped while nothing they read has changed. Idle units cost a
//! comparison, busy ones are not even compared.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::compile::Compiler;
use super::exec::{Instr, State};
use super::flatten::Flat;
use super::level::Batch;
use super::template::{Class, class};
use super::wide::{Tables, limbs};

/// Most batches of a chunk.
const CHUNK_BATCHES: usize = 64;
/// After so many changes in a row a chunk is evaluated without comparing ...
const PATIENCE: u8 = 6;
/// ... for so many cycles.
const SLEEP: u8 = 50;

/// Places of one arena that a chunk reads, and what stood there at its last evaluation.
#[derive(Clone, Debug, Default)]
struct Watch<T> {
    /// First place, places.
    ranges: Vec<(u32, u32)>,
    seen: Vec<T>,
}

impl<T: Copy + PartialEq + Default> Watch<T> {
    fn new(mut places: Vec<(u32, u32)>) -> Self {
        places.sort_unstable();
        places.dedup();
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for (off, n) in places {
            match ranges.last_mut() {
                Some((first, count)) if *first + *count >= off => *count = (*count).max(off + n - *first),
                _ => ranges.push((off, n)),
            }
        }
        let total: u32 = ranges.iter().map(|r| r.1).sum();
        Self { ranges, seen: vec![T::default(); total as usize] }
    }

    #[inline]
    fn same(&self, arena: &[T]) -> bool {
        let mut at = 0;
        for &(off, n) in &self.ranges {
            let (off, n) = (off as usize, n as usize);
            let same = match n {
                1 => arena[off] == self.seen[at],
                _ => arena[off..off + n] == self.seen[at..at + n],
            };
            if !same {
                return false;
            }
            at += n;
        }
        true
    }

    fn remember(&mut self, arena: &[T]) {
        let mut at = 0;
        for &(off, n) in &self.ranges {
            let n = n as usize;
            self.seen[at..at + n].copy_from_slice(&arena[off as usize..][..n]);
            at += n;
        }
    }
}

/// Instructions to evaluate together.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    code: Range<usize>,
    half: Watch<u32>,
    full: Watch<u64>,
    /// Whether the watches hold what the last evaluation read.
    valid: bool,
    misses: u8,
    sleep: u8,
}

impl Chunk {
    /// Evaluates the chunk unless what it reads is as it was.
    #[inline]
    pub fn settle(&mut self, code: &[Instr], state: &mut State, tables: &Tables) {
        if self.sleep > 0 {
            self.sleep -= 1;
        } else {
            if self.valid && self.half.same(&state.half) && self.full.same(&state.full) {
                self.misses = 0;
                return;
            }
            self.misses += 1;
            self.valid = self.misses < PATIENCE;
            if self.valid {
                self.half.remember(&state.half);
                self.full.remember(&state.full);
            } else {
                self.misses = PATIENCE - 2;
                self.sleep = SLEEP;
            }
        }
        for instr in &code[self.code.clone()] {
            (instr.run)(state, tables, instr);
        }
    }
}

/// An order in which operands come first and batches of one template follow each other as far as possible.
pub(super) fn order(flat: &Flat, batches: &[Batch]) -> Vec<usize> {
    let mut made_by: HashMap<u32, usize> = HashMap::new();
    for (b, batch) in batches.iter().enumerate() {
        values(flat, batch).for_each(|v| {
            made_by.insert(v, b);
        });
    }
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); batches.len()];
    let mut waits = vec![0u32; batches.len()];
    for (b, batch) in batches.iter().enumerate() {
        let mut on: Vec<usize> = reads(flat, batch).filter_map(|(v, _)| made_by.get(&v).copied()).collect();
        on.sort_unstable();
        on.dedup();
        waits[b] = on.len() as u32;
        on.into_iter().for_each(|o| readers[o].push(b));
    }
    let template = |b: usize| flat.first_group.partition_point(|first| *first <= batches[b].group);
    let mut ready: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); flat.templates.len() + 1];
    for b in (0..batches.len()).filter(|b| waits[*b] == 0) {
        ready[template(b)].insert(b);
    }
    let mut order = Vec::with_capacity(batches.len());
    let mut now = 0;
    while order.len() < batches.len() {
        if ready[now].is_empty() {
            now = (0..ready.len()).max_by_key(|t| ready[*t].len()).unwrap_or(0);
        }
        let Some(b) = ready[now].pop_first() else { break };
        order.push(b);
        for r in &readers[b] {
            waits[*r] -= 1;
            if waits[*r] == 0 {
                ready[template(*r)].insert(*r);
            }
        }
    }
    order
}

fn lanes(flat: &Flat, batch: &Batch) -> Vec<u32> {
    batch.lanes.clone().unwrap_or_else(|| (0..flat.groups[batch.group as usize].instances).collect())
}

/// The values that a batch computes.
fn values<'a>(flat: &'a Flat, batch: &Batch) -> impl Iterator<Item = u32> + use<'a> {
    let group = &flat.groups[batch.group as usize];
    lanes(flat, batch).into_iter().flat_map(|l| group.first + l * group.per..group.first + (l + 1) * group.per)
}

/// The values that a batch reads, with the width it reads them at.
fn reads<'a>(flat: &'a Flat, batch: &Batch) -> impl Iterator<Item = (u32, u32)> + use<'a> {
    let group = &flat.groups[batch.group as usize];
    let lanes = lanes(flat, batch);
    group.args.iter().zip(&group.arg_tys).flat_map(move |(args, ty)| {
        let width = ty.width;
        lanes.clone().into_iter().map(move |l| (args[l as usize], width))
    })
}

/// Compiles batches in the order given and cuts them into chunks.
pub(super) fn compile(to: &mut Compiler, batches: &[Batch], order: &[usize]) -> Vec<Chunk> {
    let flat = to.flat;
    let template = |b: &usize| flat.first_group.partition_point(|first| *first <= batches[*b].group);
    let mut chunks = Vec::new();
    for run in order.chunk_by(|a, b| template(a) == template(b)).flat_map(|run| run.chunks(CHUNK_BATCHES)) {
        let start = to.code.len();
        run.iter().for_each(|b| to.batch(&batches[*b]));
        let made: std::collections::HashSet<u32> = run.iter().flat_map(|b| values(flat, &batches[*b])).collect();
        let (mut half, mut full) = (Vec::new(), Vec::new());
        for (value, width) in run.iter().flat_map(|b| reads(flat, &batches[*b])) {
            if flat.is_const(value) || made.contains(&value) {
                continue;
            }
            let off = to.loc[value as usize];
            match class(width) {
                Class::Half => half.push((off, 1)),
                Class::Full => full.push((off, 1)),
                Class::Wide => full.push((off, limbs(width))),
            }
        }
        let (half, full) = (Watch::new(half), Watch::new(full));
        chunks.push(Chunk { code: start..to.code.len(), half, full, valid: false, misses: 0, sleep: 0 });
    }
    chunks
}
