//! What the random operands cover, and that they are the same every time.

use std::collections::BTreeSet;

use super::*;
use crate::linear::{Prepared, check};

const SHAPE: Shape = Shape { m: 40, k: 33, n: 50 };

#[test]
fn operands_pass_every_check_for_every_format_mode_and_seed() {
    for format in Format::PLAIN {
        for mode in RequantMode::ALL {
            for seed in 0..8 {
                let zero_points = seed % 2 == 1 && format.act() == Operand::Int8;
                let (layer, acts) = random_layer(SHAPE, format, mode, zero_points, seed).unwrap();
                check(&layer, &acts).unwrap();
                assert_eq!(acts.scales.iter().any(|s| s.zp != 128), zero_points);
            }
        }
    }
}

#[test]
fn every_code_and_both_ends_of_alignment_occur() {
    for format in Format::PLAIN {
        let (layer, acts) = random_layer(SHAPE, format, RequantMode::Dynamic, false, 7).unwrap();
        let seen: BTreeSet<i8> = layer.weight.data.iter().copied().collect();
        assert!(num::codes(format.weight()).all(|code| seen.contains(&code)), "{}", format.name());
        let seen: BTreeSet<i8> = acts.codes.data.iter().copied().collect();
        assert!(num::codes(format.act()).all(|code| seen.contains(&code)), "{}", format.name());
        assert!(layer.align.contains(&0) && layer.align.contains(&(1 << 15)));
    }
}

#[test]
fn equal_seeds_give_equal_operands() {
    let make = |seed| random_layer(SHAPE, Format::W4a8, RequantMode::Static, true, seed).unwrap();
    assert_eq!(make(3), make(3));
    assert_ne!(make(3), make(4));
    let one = Shape { m: 1, k: 1, n: 1 };
    let (layer, acts) = random_layer(one, Format::Fp4, RequantMode::Dynamic, false, 0).unwrap();
    assert_eq!((layer.weight.data.len(), acts.codes.data.len()), (1, 1));
}

/// Quotients must cover their range, or a divider with a wrong bit would pass.
#[test]
fn dynamic_rows_use_every_code() {
    for format in Format::PLAIN {
        for mode in [RequantMode::Dynamic, RequantMode::Asymmetric] {
            let shape = Shape { m: 400, k: 40, n: 60 };
            let (layer, acts) = random_layer(shape, format, mode, false, 5).unwrap();
            let rows = Prepared::new(&layer, &acts).unwrap().rows();
            let seen: BTreeSet<i8> = rows.codes.data.iter().copied().collect();
            assert!(seen.len() > 250, "{} {}: {} codes", format.name(), mode.name(), seen.len());
        }
    }
}

/// In static mode rows must neither vanish nor saturate throughout, or they would test nothing.
#[test]
fn static_rows_use_their_bits() {
    for format in Format::PLAIN {
        for k in [8, 33, 2000] {
            let (layer, acts) = random_layer(Shape { k, ..SHAPE }, format, RequantMode::Static, false, 5).unwrap();
            let rows = Prepared::new(&layer, &acts).unwrap().rows();
            let inner = rows.codes.data.iter().filter(|&&y| y != 0 && y.abs() != 127).count();
            assert!(inner * 4 > rows.codes.data.len(), "{} k = {k}: {inner}", format.name());
        }
    }
}

#[test]
fn shapes_are_parsed_and_bounded() {
    assert_eq!("512x576x64".parse::<Shape>().unwrap(), Shape { m: 512, k: 576, n: 64 });
    let huge = format!("{0}x2x{0}", usize::MAX);
    for bad in ["", "1x2", "1x2x3x4", "1x2x3x", "1xax3", "-1x2x3", "0x1x1", "1x0x1", "1x1x0", "1x65536x1", &huge] {
        let message = bad.parse::<Shape>().unwrap_err().to_string();
        assert!(message.starts_with("gemm = "), "{message}");
    }
    let shape = Shape { m: 1 << 20, k: 1, n: 1 << 20 };
    assert!(random_layer(shape, Format::W8a8, RequantMode::Dynamic, false, 0).is_err());
}

#[test]
fn zero_points_need_integer_activations() {
    let error = random_layer(SHAPE, Format::Fp4, RequantMode::Asymmetric, true, 0).unwrap_err();
    assert!(error.to_string().starts_with("zero_points = fp4"), "{error}");
}
