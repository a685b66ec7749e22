//! Integer square root, digit by digit.

/// `floor(sqrt(x))`: 32 steps, each giving one bit, highest first.
///
/// Exact for every `x`; remainder and trial stay within 64 bits.
///
/// **Source**: NUMERICS 2, DI-Norm: `rms = floor(sqrt(..))`, one bit a step.
pub fn isqrt(x: u64) -> u32 {
    let (mut rest, mut root) = (x, 0_u64);
    for bit in (0..32).rev() {
        // root holds the bits found so far in place: (root + 2^bit)^2 - root^2 = 2^bit · (2·root + 2^bit).
        let trial = ((root << 1) + (1 << bit)) << bit;
        if rest >= trial {
            rest -= trial;
            root += 1 << bit;
        }
    }
    root as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_numbers_squares_and_their_neighbours() {
        assert!((0..1_u64 << 20).all(|x| u64::from(isqrt(x)) == x.isqrt()));
        for log in 0..64 {
            for x in [(1_u64 << log) - 1, 1 << log, (1 << log) + 1] {
                assert_eq!(u64::from(isqrt(x)), x.isqrt(), "{x}");
            }
        }
        assert_eq!(isqrt(u64::MAX), u32::MAX);
        assert_eq!(isqrt(u64::from(u32::MAX).pow(2)), u32::MAX);
        assert_eq!(isqrt(u64::from(u32::MAX).pow(2) - 1), u32::MAX - 1);
    }

    proptest! {
        #[test]
        fn is_the_floor_of_the_root(bits in 0..64_u32, x in any::<u64>()) {
            let x = x >> bits;
            let root = u128::from(isqrt(x));
            prop_assert!(root * root <= u128::from(x) && u128::from(x) < (root + 1) * (root + 1));
        }
    }
}
