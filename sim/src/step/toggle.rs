//! Toggle counts of registers.

use super::exec::State;
use super::template::Class;
use super::wide::{Opd, limbs};

/// Bit flips of every place of the two arenas that holds a register.
#[derive(Clone, Debug)]
pub(super) struct Toggles {
    half: Counts<u32>,
    full: Counts<u64>,
}

#[derive(Clone, Debug)]
struct Counts<T> {
    /// First place.
    first: usize,
    before: Vec<T>,
    /// Bits that exist: a sign extension does not toggle.
    mask: Vec<T>,
    flips: Vec<u64>,
}

macro_rules! update {
    ($counts:expr, $arena:expr) => {
        let counts = &mut $counts;
        let now = &$arena[counts.first..][..counts.before.len()];
        for (((now, before), mask), flips) in
            now.iter().zip(&mut counts.before).zip(&counts.mask).zip(&mut counts.flips)
        {
            *flips += u64::from(((now ^ *before) & mask).count_ones());
            *before = *now;
        }
    };
}

impl Toggles {
    /// Counts from now on.
    pub fn new(states: &[Opd], state: &State) -> Self {
        let place = |o: &Opd| if o.class == Class::Wide { limbs(o.ty.width) as usize } else { 1 };
        let range = |half: bool| {
            let places = states.iter().filter(|o| (o.class == Class::Half) == half);
            let first = places.clone().map(|o| o.off as usize).min().unwrap_or(0);
            (first, places.map(|o| o.off as usize + place(o)).max().unwrap_or(first))
        };
        let ((h0, h1), (f0, f1)) = (range(true), range(false));
        let mut half =
            Counts { first: h0, before: state.half[h0..h1].to_vec(), mask: vec![0; h1 - h0], flips: vec![0; h1 - h0] };
        let mut full =
            Counts { first: f0, before: state.full[f0..f1].to_vec(), mask: vec![0; f1 - f0], flips: vec![0; f1 - f0] };
        for o in states {
            let at = o.off as usize;
            match o.class {
                Class::Half => half.mask[at - h0] = u32::MAX >> (32 - o.ty.width),
                Class::Full => full.mask[at - f0] = u64::MAX >> (64 - o.ty.width),
                Class::Wide => full.mask[at - f0..][..place(o)].fill(u64::MAX),
            }
        }
        Self { half, full }
    }

    /// Adds the flips since the last call.
    pub fn update(&mut self, state: &State) {
        update!(self.half, state.half);
        update!(self.full, state.full);
    }

    /// Takes the present values as they are, without counting.
    pub fn rebase(&mut self, state: &State) {
        let n = self.half.before.len();
        self.half.before.copy_from_slice(&state.half[self.half.first..][..n]);
        let n = self.full.before.len();
        self.full.before.copy_from_slice(&state.full[self.full.first..][..n]);
    }

    /// Flips of one register.
    pub fn of(&self, o: Opd) -> u64 {
        let at = o.off as usize;
        match o.class {
            Class::Half => self.half.flips[at - self.half.first],
            Class::Full => self.full.flips[at - self.full.first],
            Class::Wide => self.full.flips[at - self.full.first..][..limbs(o.ty.width) as usize].iter().sum(),
        }
    }
}
