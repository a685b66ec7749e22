//! Block sums against integers of unbounded size, and their widths at the extremes.

use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

use super::*;
use crate::num;

/// Bits of a signed integer that hold both P and -P.
fn bits(p: i64) -> u32 {
    65 - p.unsigned_abs().leading_zeros()
}

/// Largest magnitude of codes that quantizers and hardware give an operand.
fn most(operand: Operand) -> i16 {
    num::codes(operand).filter_map(|c| num::decode(operand, c)).map(i16::abs).max().unwrap()
}

/// Sums of `k` extreme products, all of one sign.
fn extreme_sums(format: Format, scaling: Scaling, k: usize) -> Vec<i32> {
    let block = scaling.block().unwrap();
    let sums = block_sums(&vec![most(format.act()); k], &vec![-most(format.weight()); k], block);
    assert_eq!(sums.len(), scaling.blocks(k));
    assert!(sums.iter().all(|s| s.unsigned_abs() <= 1 << 19));
    sums
}

fn extreme(format: Format, scaling: Scaling, k: usize) -> i64 {
    let sums = extreme_sums(format, scaling, k);
    let all = |scale: u8| vec![scale; sums.len()];
    let acts = |scale: u8| if format.acts_have_blocks() { all(scale) } else { vec![] };
    match scaling {
        Scaling::Channel => unreachable!(),
        Scaling::Group32 | Scaling::Group16 => group(&sums, &all(255), &acts(255)),
        Scaling::Mx32 => mx(&sums, &all(0), &acts(0), mx_places(format)),
        Scaling::Nv16 => nv(&sums, &all(e4m3::MAX_CODE), &acts(e4m3::MAX_CODE)),
    }
}

#[test]
fn extremes_fit_their_widths() {
    for format in Format::ALL {
        for &scaling in format.scalings().iter().filter(|s| s.block().is_some()) {
            let p = |k| bits(extreme(format, scaling, k));
            let name = format!("{} {}", format.name(), scaling.name());
            assert!(p(max_k(scaling)) <= SUM_BITS, "{name}");
            match (format, scaling) {
                (Format::Mxfp4, _) => assert_eq!((p(14_336), p(65_535)), (46, 49), "{name}"),
                (Format::Mxfp4a8, _) => assert_eq!((p(14_336), p(65_535)), (48, 50), "{name}"),
                (Format::Nvfp4, _) => assert_eq!((p(4_096), p(14_336), p(MAX_K_NV)), (56, 58, 58), "{name}"),
                _ => assert!(p(65_535) <= 39, "{name}: {}", p(65_535)),
            }
        }
    }
    assert_eq!(bits(extreme(Format::W8a8, Scaling::Group32, 65_535)), 39);
    assert_eq!(bits(extreme(Format::W4a4, Scaling::Group16, 65_535)), 39);
    assert!(
        bits(extreme(Format::Nvfp4, Scaling::Nv16, MAX_K_NV + 32)) > SUM_BITS,
        "the limit is no lower than it need be"
    );
}

#[test]
fn completion_of_a_zero_point_fits() {
    // Sums of weights count their groups' factors; they fit 32 bits, and what completes P fits 64 easily.
    let sum = -255 * 128 * matmul::MAX_K as i64;
    assert!(i32::try_from(sum).is_ok());
    let completed = -extreme(Format::W8a8, Scaling::Group32, matmul::MAX_K) + (128 - 255) * sum;
    assert_eq!(bits(completed), 40);
    assert_eq!(completed, 255 * 255 * 128 * matmul::MAX_K as i64);
}

#[test]
fn blocks_below_the_last_place_do_not_count() {
    assert_eq!(mx(&[3, 3, 3], &[0, 24, 25], &[], 24), 3 * ((1 << 24) + 1));
    assert_eq!(mx(&[3, -3, 3], &[20, 4, 255], &[4, 21, 255], 24), 3);
    assert_eq!(mx(&[1], &[1], &[1], 2), 1);
}

fn power(e: u32) -> BigRational {
    BigRational::from_integer(BigInt::from(1) << e)
}

proptest! {
    /// Every P is the sum, over single products, of what the codes and scales stand for.
    #[test]
    fn p_is_the_sum_of_scaled_products(
        products in prop::collection::vec((-12..=12_i16, -12..=12_i16), 1..200),
        scales in prop::collection::vec((0..=0x7e_u8, 0..=0x7e_u8), 13),
        deficits in prop::collection::vec((0..30_u8, 0..16_u8), 7),
    ) {
        let (a, w): (Vec<i16>, Vec<i16>) = products.iter().copied().unzip();
        let (sw, sa): (Vec<u8>, Vec<u8>) = scales.iter().copied().take(a.len().div_ceil(16)).unzip();
        let sums = block_sums(&a, &w, 16);
        let product = |k: usize| BigInt::from(a[k]) * w[k];
        let exact: BigInt = (0..a.len()).map(|k| product(k) * sw[k / 16] * sa[k / 16]).sum();
        prop_assert_eq!(BigInt::from(group(&sums, &sw, &sa)), exact);
        let exact: BigInt = (0..a.len()).map(|k| product(k) * sw[k / 16]).sum();
        prop_assert_eq!(BigInt::from(group(&sums, &sw, &[])), exact);
        let e = |code: u8| e4m3::decode(code).unwrap();
        let exact: BigInt = (0..a.len()).map(|k| product(k) * e(sw[k / 16]) * e(sa[k / 16])).sum();
        prop_assert_eq!(BigInt::from(nv(&sums, &sw, &sa)), exact);

        let (dw, da): (Vec<u8>, Vec<u8>) = deficits.iter().copied().take(a.len().div_ceil(32)).unzip();
        let d = |k: usize| u32::from(dw[k / 32]) + u32::from(da[k / 32]);
        let exact: BigRational =
            (0..a.len()).filter(|&k| d(k) <= 24).map(|k| BigRational::from(product(k)) * power(24) / power(d(k))).sum();
        let found = mx(&block_sums(&a, &w, 32), &dw, &da, 24);
        prop_assert_eq!(BigRational::from_integer(found.into()), exact);
    }
}
