//! Bit flips of places of an arena: idle blocks cost a comparison.

use std::ops::{BitAnd, BitXor};

/// Places that are compared at once.
const BLOCK: usize = 32;

/// A word of an arena.
pub(super) trait Word: Copy + Default + PartialEq + BitXor<Output = Self> + BitAnd<Output = Self> {
    fn ones(self) -> u64;
    /// The low `bits` bits.
    fn mask(bits: u32) -> Self;
}

macro_rules! word {
    ($($t:ty),*) => {$(
        impl Word for $t {
            #[inline(always)]
            fn ones(self) -> u64 {
                u64::from(self.count_ones())
            }
            fn mask(bits: u32) -> Self {
                <$t>::MAX >> (<$t>::BITS - bits)
            }
        }
    )*};
}
word!(u32, u64);

/// Flips of the places of one arena, from `first` on.
#[derive(Clone, Debug)]
pub(super) struct Flips<T> {
    first: usize,
    before: Vec<T>,
    /// Bits that exist; zero where no one asked.
    mask: Vec<T>,
    flips: Vec<u64>,
    /// Places that another signal sees at another width, by place: mask, flips.
    others: Vec<(u32, T, u64)>,
    /// Blocks with a mask: number, range in `others`.
    blocks: Vec<(u32, u32, u32)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    Main(u32),
    Other(u32),
}

impl<T: Word> Flips<T> {
    /// For places with that many bits each; a place may stand there more than once.
    pub(super) fn new(mut places: Vec<(u32, u32)>, arena: &[T]) -> Self {
        places.sort_unstable();
        places.dedup();
        let first = places.first().map_or(0, |p| p.0 as usize / BLOCK * BLOCK);
        let last = places.last().map_or(first, |p| (p.0 as usize + 1).next_multiple_of(BLOCK));
        let n = last - first;
        let mut flips = Self {
            first,
            before: vec![T::default(); n],
            mask: vec![T::default(); n],
            flips: vec![0; n],
            others: Vec::new(),
            blocks: Vec::new(),
        };
        for run in places.chunk_by(|a, b| a.0 as usize / BLOCK == b.0 as usize / BLOCK) {
            let from = flips.others.len() as u32;
            for &(place, bits) in run {
                let mask = &mut flips.mask[place as usize - first];
                if *mask == T::default() {
                    *mask = T::mask(bits);
                } else {
                    flips.others.push((place - first as u32, T::mask(bits), 0));
                }
            }
            let block = (run[0].0 as usize - first) / BLOCK;
            flips.blocks.push((block as u32, from, flips.others.len() as u32));
        }
        flips.rebase(arena);
        flips
    }

    pub(super) fn rebase(&mut self, arena: &[T]) {
        let n = self.before.len().min(arena.len() - self.first.min(arena.len()));
        self.before[..n].copy_from_slice(&arena[self.first..][..n]);
    }

    #[inline]
    pub(super) fn update(&mut self, arena: &[T]) {
        for &(block, from, to) in &self.blocks {
            let at = block as usize * BLOCK;
            let now = &arena[self.first + at..];
            let now = &now[..now.len().min(BLOCK)];
            let before = &mut self.before[at..][..now.len()];
            if *before == *now {
                continue;
            }
            for (place, mask, flips) in &mut self.others[from as usize..to as usize] {
                let p = *place as usize - at;
                *flips += ((now[p] ^ before[p]) & *mask).ones();
            }
            let mask = &self.mask[at..][..now.len()];
            let flips = &mut self.flips[at..][..now.len()];
            for (((now, before), mask), flips) in now.iter().zip(before).zip(mask).zip(flips) {
                *flips += ((*now ^ *before) & *mask).ones();
                *before = *now;
            }
        }
    }

    pub(super) fn slot(&self, place: u32, bits: u32) -> Slot {
        let at = place - self.first as u32;
        let other = || self.others.iter().position(|o| o.0 == at && o.1 == T::mask(bits));
        match self.mask[at as usize] == T::mask(bits) {
            true => Slot::Main(at),
            false => other().map_or(Slot::Main(at), |o| Slot::Other(o as u32)),
        }
    }

    /// All flips of a place.
    pub(super) fn at(&self, place: u32) -> u64 {
        self.flips[place as usize - self.first]
    }

    pub(super) fn of(&self, slot: Slot) -> u64 {
        match slot {
            Slot::Main(at) => self.flips[at as usize],
            Slot::Other(o) => self.others[o as usize].2,
        }
    }
}
