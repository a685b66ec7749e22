use proptest::prelude::*;
use rayon::ThreadPoolBuilder;
use spec::Format;
use spec::qmodel::ActMode;

use super::random::{Coding, Shape, random_model};
use super::*;

const SHAPE: Shape =
    Shape { hidden: 20, ffn: 29, blocks: 2, heads: 4, kv_heads: 2, head_dim: 6, vocab: 33, positions: 40 };

fn logits(model: &QModel, parts: &[&[u32]]) -> (Vec<i64>, Vec<Dyadic>, KvCache) {
    let layers = Layers::new(model).unwrap();
    let (mut cache, mut values, mut steps) = (KvCache::default(), vec![], vec![]);
    for part in parts {
        let found = layers.forward(part, &mut cache, &mut Blind).unwrap();
        values.extend(found.rows.data);
        steps.extend(found.steps);
    }
    (values, steps, cache)
}

fn codings() -> impl Strategy<Value = Vec<Coding>> {
    let coding = prop::sample::select(Format::ALL.to_vec()).prop_flat_map(|format| {
        let scalings = prop::sample::select(format.scalings().to_vec());
        (scalings, any::<bool>(), any::<bool>()).prop_map(move |(scaling, is_rotated, wants_zero_point)| {
            let zero_point = wants_zero_point && format.act() == spec::Operand::Int8 && scaling != spec::Scaling::Mx32;
            let acts = if zero_point { ActMode::Asymmetric } else { ActMode::Symmetric };
            Coding { format, scaling, acts, is_rotated }
        })
    });
    prop::collection::vec(coding, 1..9)
}

fn shapes() -> impl Strategy<Value = Shape> {
    let heads = (1..=2_usize, prop::sample::select(vec![1, 2, 3, 8]), 1..=4_usize);
    (heads, 1..=50_usize, 1..=70_usize, 1..=2_usize, 3..=40_usize).prop_map(
        |((kv_heads, group, half), hidden, ffn, blocks, vocab)| Shape {
            hidden,
            ffn,
            blocks,
            heads: kv_heads * group,
            kv_heads,
            head_dim: 2 * half,
            vocab,
            positions: 24,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One pass, any split of it, one token at a time, and any number of threads give the same bits.
    #[test]
    fn passes_and_threads_do_not_change_a_bit(
        shape in shapes(), codings in codings(), seed in any::<u64>(), kv_bits in prop::sample::select(vec![4, 8]),
        draws in prop::collection::vec(any::<u32>(), 1..=24), cut in 0..24_usize, threads in 1..=5_usize,
    ) {
        let mut model = random_model(&shape, &codings, seed);
        model.options.kv_bits = kv_bits;
        let ids: Vec<u32> = draws.iter().map(|d| d % shape.vocab as u32).collect();
        let whole = logits(&model, &[&ids]);
        prop_assert_eq!(whole.0.len(), ids.len() * shape.vocab);
        let (first, second) = ids.split_at(cut.min(ids.len() - 1));
        let split: Vec<&[u32]> = [first, second].into_iter().filter(|part| !part.is_empty()).collect();
        let single: Vec<&[u32]> = ids.chunks(1).collect();
        prop_assert_eq!(&logits(&model, &split), &whole);
        prop_assert_eq!(&logits(&model, &single), &whole);
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        prop_assert_eq!(&pool.install(|| logits(&model, &[&ids])), &whole);
    }
}

/// Every product of the attention depends on all tokens before and on none after.
#[test]
fn attention_is_causal_and_sees_every_token() {
    let model = random_model(&SHAPE, &[Coding::new(Format::W8a8)], 5);
    let ids: Vec<u32> = (0..20).map(|i| i * 7 % 33).collect();
    let whole = logits(&model, &[&ids]).0;
    for changed in 0..ids.len() {
        let mut other = ids.clone();
        other[changed] = (other[changed] + 1) % 33;
        let found = logits(&model, &[&other]).0;
        let same: Vec<bool> = found.chunks(33).zip(whole.chunks(33)).map(|(a, b)| a == b).collect();
        assert!(same[..changed].iter().all(|&s| s), "token {changed} is seen by one before it");
        assert!(!same[changed..].iter().any(|&s| s), "token {changed} is not seen by all from it on");
    }
}

#[test]
fn the_last_token_alone_and_a_shortened_cache_give_the_same_logits() {
    let model = random_model(&SHAPE, &[Coding::new(Format::W4a8)], 6);
    let layers = Layers::new(&model).unwrap();
    let ids = [4, 8, 15, 16, 23, 32];
    let (mut cache, mut other) = (KvCache::default(), KvCache::default());
    let whole = layers.forward(&ids, &mut cache, &mut Blind).unwrap();
    let last = layers.next(&ids, &mut other).unwrap();
    assert_eq!((last.rows.data.as_slice(), &last.steps[..]), (whole.rows.row(5), &whole.steps[5..]));
    cache.truncate(3);
    assert_eq!(cache.tokens(), 3);
    let again = layers.forward(&ids[3..], &mut cache, &mut Blind).unwrap();
    assert_eq!(again.rows.data, whole.rows.data[3 * 33..]);
    assert_eq!(cache, other);
}

#[test]
fn an_observer_sees_every_point() {
    #[derive(Default)]
    struct Seen {
        layers: Vec<(String, usize, usize)>,
        residuals: usize,
        heads: Vec<usize>,
    }
    impl Observe for Seen {
        fn linear(&mut self, layer: &str, inputs: &[crate::op::input::InputRow], sums: &[WideRow]) {
            assert_eq!(inputs.len(), sums.len());
            self.layers.push((layer.to_string(), sums[0].values.len(), inputs[0].codes.len()));
        }
        fn residual(&mut self, rows: &[Residual]) {
            assert!(rows.iter().all(|row| row.codes.len() == SHAPE.hidden));
            self.residuals += rows.len();
        }
        fn attention(&mut self, block: usize, seen: &Attention) {
            assert_eq!((block, seen.first, seen.cache.tokens()), (self.heads.len(), 2, 5));
            let positions = seen.heads.iter().flatten().map(|head| head.scores.len());
            self.heads.push(positions.sum());
            let sum = |head: &Head| head.probabilities.iter().map(|&p| i32::from(p)).sum::<i32>();
            assert!(seen.heads.iter().flatten().all(|head| (sum(head) - 32639).abs() <= 3));
        }
        fn wants_heads(&self) -> bool {
            true
        }
    }
    let model = random_model(&SHAPE, &[Coding::new(Format::W8a8)], 7);
    let layers = Layers::new(&model).unwrap();
    let mut cache = KvCache::default();
    layers.forward(&[1, 2], &mut cache, &mut Blind).unwrap();
    let mut seen = Seen::default();
    layers.forward(&[3, 4, 5], &mut cache, &mut seen).unwrap();
    assert_eq!(seen.layers, layers.config().linears());
    assert_eq!(seen.residuals, 3 * 5);
    assert_eq!(seen.heads, [4 * (3 + 4 + 5); 2]);
}

#[test]
fn tokens_and_caches_that_do_not_fit_are_refused() {
    let model = random_model(&SHAPE, &[Coding::new(Format::W8a8)], 8);
    let layers = Layers::new(&model).unwrap();
    let mut cache = KvCache::default();
    let message = |ids: &[u32], cache: &mut KvCache| layers.forward(ids, cache, &mut Blind).unwrap_err().to_string();
    assert!(message(&[], &mut cache).contains("tokens = none"));
    assert!(message(&[0, 33], &mut cache).contains("token 1 = 33: allowed 0..=32"));
    assert!(message(&[0; 41], &mut cache).contains("tokens = 41: allowed 1..=40"));
    assert_eq!(cache, KvCache::default());
    layers.forward(&[0; 40], &mut cache, &mut Blind).unwrap();
    assert!(message(&[0], &mut cache).contains("tokens = 41"));
    let other = random_model(&Shape { kv_heads: 4, ..SHAPE }, &[Coding::new(Format::W8a8)], 8);
    cache.truncate(1);
    let error = Layers::new(&other).unwrap().forward(&[0], &mut cache, &mut Blind).unwrap_err().to_string();
    assert!(error.contains("2 blocks of width 12: allowed 2 blocks of width 24"), "{error}");
}

#[test]
fn models_that_do_not_fit_their_shape_are_refused_with_every_problem() {
    type Damage = fn(&mut QModel);
    let good = random_model(&SHAPE, &[Coding::new(Format::W8a8)], 9);
    let damages: [(Damage, &str); 12] = [
        (|m| m.options.prob_top = 100, "options.prob_top = 100"),
        (|m| m.options.sigmoid_bits = 16, "options.sigmoid_bits = 16"),
        (|m| m.options.kv_bits = 5, "options.kv_bits = 5"),
        (|m| m.embedding.shift.truncate(3), "embedding.shift = 3 elements: allowed 33"),
        (|m| m.rope.cos.rows = 39, "rope.cos = 39 x 3"),
        (|m| m.rope.sin.data[7] = 16385, "rope.sin = 16385"),
        (|m| m.blocks[1].q.linear.weight.cols = 19, "model.layers.1.self_attn.q_proj"),
        (|m| m.blocks[0].ffn_norm.gain = vec![1; 5], "blocks[0].ffn_norm.gain = 5 elements: allowed 20"),
        (|m| m.norm.step.mult = 7, "norm.step = 7 / 2^"),
        (|m| m.blocks[0].cache.k_factor[3] = 40_000, "blocks[0].cache.k_factor[3] = 40000"),
        (|m| m.blocks[1].cache.v_ratio.clear(), "blocks[1].cache.v_ratio = 0 elements: allowed 2"),
        (|m| drop(m.blocks.pop()), "blocks = 1 elements: allowed 2"),
    ];
    let refused = |model: &QModel| Layers::new(model).err().expect("bad models are refused").to_string();
    for (damage, part) in &damages {
        let mut model = good.clone();
        damage(&mut model);
        let message = refused(&model);
        assert!(message.contains(part), "{part}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    let mut model = good.clone();
    for (damage, _) in &damages[..6] {
        damage(&mut model);
    }
    assert_eq!(refused(&model).lines().count(), 6);
    let mut model = good;
    model.head.linear.align[2] = 50_000;
    assert!(refused(&model).contains("50000"), "the layer's own check");
}
