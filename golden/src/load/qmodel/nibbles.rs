//! Codes of weights as bytes: 8-bit codes one a byte, 4-bit codes two a byte, each channel from a byte of its own.

use safetensors::Dtype;
use spec::{Operand, Tensor};

/// Element type and bytes a channel of codes `[n, k]`.
pub fn layout(operand: Operand, k: usize) -> (Dtype, usize) {
    if operand.bits() == 4 { (Dtype::U8, k.div_ceil(2)) } else { (Dtype::I8, k) }
}

/// The bytes of codes `[n, k]`; of a pair, the one with the lower index lies in the low bits, and a last one alone beside
/// zero.
pub fn pack(operand: Operand, codes: &Tensor<i8>) -> Vec<u8> {
    if operand.bits() == 8 {
        return codes.data.iter().map(|&code| code as u8).collect();
    }
    let nibble = |code: i8| code as u8 & 15;
    let byte = |pair: &[i8]| nibble(pair[0]) | pair.get(1).map_or(0, |&code| nibble(code)) << 4;
    codes.data.chunks(codes.cols.max(1)).flat_map(|channel| channel.chunks(2).map(byte)).collect()
}

/// The codes `[n, k]` of bytes; `None` if a byte holds anything beside the last code of a channel.
///
/// # Panics
/// If there are not the bytes of `[n, k]`.
pub fn unpack(operand: Operand, n: usize, k: usize, bytes: &[u8]) -> Option<Tensor<i8>> {
    if operand.bits() == 8 {
        return Some(Tensor::new(n, k, bytes.iter().map(|&byte| byte as i8).collect()));
    }
    let code = |nibble: u8| match operand {
        // Two's complement: the sign is bit 3.
        Operand::Int4 => (nibble << 4) as i8 >> 4,
        _ => nibble as i8,
    };
    let mut codes = Vec::with_capacity(n * k);
    for channel in bytes.chunks(k.div_ceil(2).max(1)) {
        codes.extend(channel.iter().flat_map(|&byte| [code(byte & 15), code(byte >> 4)]));
        if k % 2 == 1 && codes.pop() != Some(0) {
            return None;
        }
    }
    Some(Tensor::new(n, k, codes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num;

    #[test]
    fn every_code_comes_back_in_even_and_odd_rows() {
        for operand in Operand::ALL {
            let codes: Vec<i8> = num::codes(operand).collect();
            for k in 1..codes.len() {
                let all = Tensor::new(2, k, codes[..k].iter().chain(&codes[codes.len() - k..]).copied().collect());
                let bytes = pack(operand, &all);
                assert_eq!(bytes.len(), 2 * layout(operand, k).1);
                assert_eq!(unpack(operand, 2, k, &bytes), Some(all));
            }
        }
    }

    #[test]
    fn lower_index_lies_in_low_bits() {
        assert_eq!(pack(Operand::Int4, &Tensor::new(1, 3, vec![1, -1, 7])), [0xf1, 0x07]);
    }

    #[test]
    fn bits_beside_a_last_code_are_refused() {
        assert_eq!(unpack(Operand::E2m1, 1, 3, &[0x21, 0x13]), None);
    }
}
