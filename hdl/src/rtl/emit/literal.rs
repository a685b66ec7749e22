//! Sized literals and ranges.

use crate::rtl::bits::Bits;
use crate::rtl::ty::Ty;

/// Decimal literals stop here; larger numbers are hexadecimal.
const LAST_DECIMAL: u64 = 9999;
/// Widest single literal; wider constants are concatenations.
const LITERAL_BITS: u32 = 256;

/// `[msb:0] `, or nothing for one bit.
pub(super) fn range(width: u32) -> String {
    if width == 1 { String::new() } else { format!("[{}:0]", width - 1) }
}

/// `width` zeros.
pub(super) fn zeros(width: u32) -> String {
    if width == 1 { "1'b0".into() } else { format!("{width}'d0") }
}

/// A small unsigned number in `width` bits.
pub(super) fn number(width: u32, value: u64) -> String {
    if width == 1 { format!("1'b{value}") } else { format!("{width}'d{value}") }
}

/// A constant; the second value says whether it begins with a minus sign.
pub(super) fn literal(bits: &Bits, ty: Ty) -> (String, bool) {
    let width = bits.width();
    let limbs = bits.limbs();
    if limbs.iter().all(|l| *l == 0) {
        return (zeros(width), false);
    }
    if width <= 64 {
        let value = limbs[0];
        let negated = value.wrapping_neg() & (u64::MAX >> (64 - width));
        if ty.signed && width > 1 && bits.bit(width - 1) && negated <= LAST_DECIMAL {
            return (format!("-{}", number(width, negated)), true);
        }
        if value <= LAST_DECIMAL {
            return (number(width, value), false);
        }
    }
    if (0..width).all(|i| bits.bit(i)) {
        return (format!("{{{width}{{1'b1}}}}"), false);
    }
    let mut parts = Vec::new();
    let mut lsb = 0;
    while lsb < width {
        let part = LITERAL_BITS.min(width - lsb);
        parts.push(hex(bits, lsb, part));
        lsb += part;
    }
    parts.reverse();
    match &parts[..] {
        [only] => (only.clone(), false),
        _ => (format!("{{{}}}", parts.join(", ")), false),
    }
}

fn hex(bits: &Bits, lsb: u32, width: u32) -> String {
    let digits: String = (0..width.div_ceil(4))
        .rev()
        .map(|digit| {
            let value = (0..4).filter(|b| digit * 4 + b < width && bits.bit(lsb + digit * 4 + b)).map(|b| 1 << b).sum();
            char::from_digit(value, 16).unwrap_or('0')
        })
        .collect();
    format!("{width}'h{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ty: Ty, value: i128) -> String {
        literal(&Bits::from_i128(ty.width, value), ty).0
    }

    #[test]
    fn literals_are_sized_and_readable() {
        assert_eq!(text(Ty::bit(), 1), "1'b1");
        assert_eq!(text(Ty::s(1), -1), "1'b1");
        assert_eq!(text(Ty::u(8), 200), "8'd200");
        assert_eq!(text(Ty::s(8), -128), "-8'd128");
        assert_eq!(text(Ty::s(16), -128), "-16'd128");
        assert_eq!(text(Ty::u(16), 0xbeef), "16'hbeef");
        assert_eq!(text(Ty::u(65), 1 << 64), "65'h10000000000000000");
        assert_eq!(text(Ty::u(300), 0), "300'd0");
        assert_eq!(text(Ty::s(300), -1), "{300{1'b1}}");
        let wide = text(Ty::u(260), 0x1_2345);
        assert!(wide.starts_with("{4'h0, 256'h000") && wide.ends_with("12345}"), "{wide}");
    }
}
