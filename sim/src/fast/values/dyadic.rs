//! Dyadics as S holds them: `mult / 2^shift`.

/// Mantissa and shift of an entry of S.
pub(super) fn parts(entry: i64) -> (i64, i64) {
    (entry & 0xffff, i64::from((entry >> 16) as i16))
}

/// An entry of S; the shift is held in -128..=127.
pub(super) fn entry(mult: i64, shift: i64) -> i64 {
    mult | (shift.clamp(-128, 127) & 0xffff) << 16
}

/// `value / 2^shift` with a mantissa of 16 bits, rounded half up: an entry of S.
pub(super) fn normalised(value: u128, shift: i64) -> i64 {
    let Some(top) = value.checked_ilog2() else { return entry(0, shift) };
    let drop = i64::from(top) - 15;
    let mult = if drop > 0 { ((value >> (drop - 1)) + 1) >> 1 } else { value << -drop };
    if mult == 1 << 16 { entry(1 << 15, shift - drop - 1) } else { entry(mult as i64, shift - drop) }
}

/// Bits of a magnitude.
pub(super) fn bits(value: i64) -> i64 {
    i64::from(u64::BITS - value.unsigned_abs().leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mantissas_have_sixteen_bits_and_round_up() {
        assert_eq!(parts(normalised(1, 0)), (1 << 15, 15));
        assert_eq!(parts(normalised(0x1_ffff, 3)), (1 << 15, 1));
        assert_eq!(parts(normalised(0x1_0001, 3)), (0x8001, 2));
        assert_eq!(parts(normalised(0x8000, -120)), (1 << 15, -120));
        assert_eq!(parts(normalised(0x8000 << 20, -120)), (1 << 15, -128), "the shift is held");
    }
}
