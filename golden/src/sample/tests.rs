use proptest::prelude::*;

use super::*;

/// Step for which a difference of 1 halves the weight: `ln 2`, to 16 bits.
const LN_2: Dyadic = Dyadic { mult: 45_426, shift: 16 };

fn drawn(temperature: &str, top_k: Option<usize>, top_p: &str) -> Sampling {
    Sampling { temperature: temperature.parse().unwrap(), top_k, top_p: top_p.parse().unwrap(), seed: 1 }
}

/// Of all 2^64 numbers, how many give each token.
fn counts(weights: &Weights) -> Vec<u128> {
    let total = u128::from(*weights.sums.last().unwrap());
    // floor(r · total / 2^64) reaches `sum` at r = ceil(sum · 2^64 / total).
    let first_above = |sum: u64| (u128::from(sum) << 64).div_ceil(total);
    let ends: Vec<u128> = weights.sums.iter().map(|&sum| first_above(sum)).collect();
    let starts = [0].into_iter().chain(ends.iter().copied());
    starts.zip(&ends).map(|(start, end)| end - start).collect()
}

#[test]
fn the_first_of_the_largest_is_the_most_likely() {
    assert_eq!(greedy(&[3, 9, 9, -1]), 1);
    assert_eq!(greedy(&[i64::MIN, i64::MIN]), 0);
    let mut sampler = Sampler::new(Sampling::GREEDY).unwrap();
    assert_eq!(sampler.sample(&[-5, -4, -4], LN_2), 1);
}

#[test]
fn every_token_owns_the_numbers_that_its_weight_asks_for() {
    let weights = Weights { ids: vec![7, 3, 5, 0], sums: vec![65536, 65537, 98305, 98311] };
    let mut start = 0u128;
    for (i, count) in counts(&weights).into_iter().enumerate() {
        let (first, last) = (start as u64, (start + count - 1) as u64);
        assert_eq!([first, last].map(|r| weights.pick(r)), [weights.ids[i]; 2]);
        let weight = weights.sums[i] - if i > 0 { weights.sums[i - 1] } else { 0 };
        let exact = (u128::from(weight) << 64) / 98311;
        assert!(count.abs_diff(exact) <= 1, "token {i}: {count} numbers instead of {exact}");
        start += count;
    }
    assert_eq!(start, 1 << 64);
}

#[test]
fn weights_follow_logits_and_temperature() {
    // 1, 1/2, 1/4 at temperature 1; 1, 1/4, 1/16 at 0.5; 1, 2^-1/2, 1/2 at 2.
    for (temperature, expected) in
        [("1", [65536, 32768, 16384]), ("0.5", [65536, 16384, 4096]), ("2.0", [65536, 46341, 32768])]
    {
        let weights = Weights::new(&[8, 10, 9], LN_2, &drawn(temperature, None, "1"));
        assert_eq!(weights.ids, [1, 2, 0]);
        let mut sum = 0;
        for (&found, expected) in weights.sums.iter().zip(expected) {
            let weight = found - sum;
            // The polynomial's error is below 0.004.
            assert!(weight.abs_diff(expected) < 263, "{temperature}: {weight} instead of {expected}");
            sum = found;
        }
    }
}

#[test]
fn top_k_and_top_p_keep_the_most_likely() {
    let row = [10, 12, 12, 11, 0, -90];
    let ids = |sampling: Sampling| Weights::new(&row, LN_2, &sampling).ids;
    assert_eq!(ids(drawn("1", None, "1")), [1, 2, 3, 0, 4], "the last has no weight");
    assert_eq!(ids(drawn("1", Some(3), "1")), [1, 2, 3]);
    assert_eq!(ids(drawn("1", Some(1), "0.0001")), [1]);
    // Shares 0.364, 0.364, 0.182, 0.091: the first two give 0.727.
    assert_eq!(ids(drawn("1", None, "0.36")), [1]);
    assert_eq!(ids(drawn("1", None, "0.72")), [1, 2]);
    assert_eq!(ids(drawn("1", None, "0.74")), [1, 2, 3]);
    // Of the two that top-k leaves, each has half.
    assert_eq!(ids(drawn("1", Some(2), "0.5")), [1]);
    assert_eq!(ids(drawn("1", Some(2), "0.5001")), [1, 2]);
}

#[test]
fn a_seed_gives_one_sequence() {
    let row = [5, 5, 5, 5, 4];
    let sequence = |seed| {
        let mut sampler = Sampler::new(Sampling { seed, ..drawn("1", None, "1") }).unwrap();
        (0..64).map(|_| sampler.sample(&row, LN_2)).collect::<Vec<u32>>()
    };
    assert_eq!(sequence(3), sequence(3));
    assert_ne!(sequence(3), sequence(4));
    assert!((0..5).all(|id| sequence(3).contains(&id)));
}

#[test]
fn ratios_are_read_exactly_and_bad_options_refused() {
    let ratio = |text: &str| text.parse::<Ratio>();
    assert_eq!(ratio("0.8"), Ok(Ratio { num: 8, den: 10 }));
    assert_eq!(ratio("1.000000"), Ok(Ratio::ONE));
    assert_eq!(ratio("0"), Ok(Ratio { num: 0, den: 1 }));
    assert_eq!(ratio("6.5535"), Ok(Ratio { num: 65535, den: 10_000 }));
    for text in ["", ".5", "-1", "+1", "1e3", "0.00001", "65536", "6.5536", "1.2.3", "nan", "٣"] {
        assert!(ratio(text).is_err(), "{text}");
    }
    let message = Sampler::new(drawn("1", Some(0), "1.5")).unwrap_err().to_string();
    assert!(message.contains("top_k = 0") && message.contains("top_p = 15 / 10"), "{message}");
    assert!(Sampler::new(drawn("1", None, "0")).is_err());
}

proptest! {
    #[test]
    fn any_row_gives_a_token_that_takes_part(
        row in prop::collection::vec(-(1_i64 << 58)..1 << 58, 1..50), near in 0..59_u32, r in any::<u64>(),
        mult in 1_u16 << 15.., shift in -128..=127_i16, num in 1_u16.., den in prop::sample::select(vec![1, 10, 10_000]),
        top_k in prop::option::of(1..60_usize), top_p in 1..=100_u16,
    ) {
        let row: Vec<i64> = row.iter().map(|logit| logit >> near).collect();
        let (temperature, top_p) = (Ratio { num, den }, Ratio { num: top_p, den: 100 });
        let weights = Weights::new(&row, Dyadic { mult, shift }, &Sampling { temperature, top_k, top_p, seed: 0 });
        let logit = |id: u32| row[id as usize];
        prop_assert!(weights.ids.contains(&weights.pick(r)));
        prop_assert_eq!(weights.ids[0], greedy(&row));
        prop_assert!(weights.ids.windows(2).all(|p| logit(p[0]) > logit(p[1]) || (logit(p[0]) == logit(p[1]) && p[0] < p[1])));
        prop_assert!(weights.ids.len() <= top_k.unwrap_or(row.len()).min(row.len()));
        prop_assert!(weights.sums.windows(2).all(|p| p[0] < p[1]));
    }
}
