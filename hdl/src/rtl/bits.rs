//! Constant bit vectors of any width.

/// A bit vector: `limbs[0]` holds bits 63..=0; bits at and above `width` are zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bits {
    width: u32,
    limbs: Vec<u64>,
}

impl Bits {
    /// All zeros.
    pub fn zero(width: u32) -> Self {
        Self { width, limbs: vec![0; (width as usize).div_ceil(64)] }
    }

    /// From limbs, lowest first; bits at and above `width` are dropped, missing limbs are zero.
    pub fn from_limbs(width: u32, limbs: &[u64]) -> Self {
        let mut bits = Self::zero(width);
        for (to, from) in bits.limbs.iter_mut().zip(limbs) {
            *to = *from;
        }
        bits.mask();
        bits
    }

    /// The low `width` bits of a two's complement integer.
    pub fn from_i128(width: u32, value: i128) -> Self {
        let mut bits = Self::zero(width);
        let fill = if value < 0 { u64::MAX } else { 0 };
        for (i, limb) in bits.limbs.iter_mut().enumerate() {
            *limb = match i {
                0 => value as u64,
                1 => (value >> 64) as u64,
                _ => fill,
            };
        }
        bits.mask();
        bits
    }

    fn mask(&mut self) {
        let used = self.width % 64;
        if used != 0
            && let Some(top) = self.limbs.last_mut()
        {
            *top &= (1 << used) - 1;
        }
    }

    /// Width in bits.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Limbs, lowest first.
    pub fn limbs(&self) -> &[u64] {
        &self.limbs
    }

    /// Bit `i`; false at and above the width.
    pub fn bit(&self, i: u32) -> bool {
        self.limbs.get(i as usize / 64).is_some_and(|l| l >> (i % 64) & 1 == 1)
    }
}
