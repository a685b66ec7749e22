//! Mixed precision: formats of layers within a number of bytes.

use golden::load::model::{Model, open};
use golden::quantize::mixed::{self, LEVELS, Ladder, Target, choose, curve, layer_bytes};
use golden::quantize::{PtqOptions, Recipe, Windows, measure, quantize_model};
use spec::qmodel::ActMode;
use spec::{Format, Scaling};

fn fairy() -> (Model, Windows) {
    let model = open("fairy").unwrap();
    let text = "Once upon a time there was a king who had three sons, and the youngest was called Dummling.\n\
        One day he went into the forest to cut wood, and there he met a little grey man who wished him good day.\n";
    let windows = Windows::from_text(&text.repeat(8), &model, "tale").unwrap();
    (model, windows)
}

fn options() -> PtqOptions {
    PtqOptions { recipe: Some(Recipe::default()), ..PtqOptions::new(Format::W4a8) }
}

#[test]
fn bytes_count_codes_scales_and_alignment() {
    let of = |format, scaling| layer_bytes(golden::quantize::grid::Grid { format, scaling }, 3, 51);
    assert_eq!(of(Format::W8a8, Scaling::Channel), 3 * (51 + 2));
    assert_eq!(of(Format::W4a8, Scaling::Channel), 3 * (26 + 2));
    assert_eq!(of(Format::W4a8, Scaling::Group32), 3 * (26 + 2 + 2));
    assert_eq!(of(Format::Nvfp4, Scaling::Nv16), 3 * (26 + 4 + 2));
}

#[test]
fn more_bytes_never_mean_a_coarser_layer() {
    let (model, windows) = fairy();
    let ladder = Ladder::new(&model, &windows, &mut |_, _| {}).unwrap();
    let (least, most) = (ladder.bytes(&ladder.after(0)), ladder.bytes(&ladder.after(ladder.len())));
    let rank = |grid| LEVELS.iter().position(|level| level.contains(&grid)).unwrap();
    assert!(ladder.after(0).iter().all(|&g| rank(g) == 0) && ladder.after(ladder.len()).iter().all(|&g| rank(g) == 3));
    let mut before = ladder.after(0);
    for steps in 1..=ladder.len() {
        let layers = ladder.after(steps);
        assert!(layers.iter().zip(&before).all(|(&a, &b)| rank(a) >= rank(b)));
        assert!(ladder.bytes(&layers) > ladder.bytes(&before));
        before = layers;
    }
    for part in 0..=10 {
        let target = least + (most - least) * part / 10;
        let bytes = ladder.bytes(&ladder.within(target).unwrap());
        assert!(bytes <= target && (part == 0 || bytes > target - (most - least) / 5), "{bytes} within {target}");
    }
    let text = ladder.within(least - 1).unwrap_err().to_string();
    assert!(text.contains(&format!("at least {least}")), "{text}");
}

#[test]
fn targets_are_kept() {
    let (model, windows) = fairy();
    let ladder = Ladder::new(&model, &windows, &mut |_, _| {}).unwrap();
    let even = mixed::bytes(&model, &PtqOptions::new(Format::W4a8));
    let chosen = choose(&model, &options(), &windows, &ladder, Target::Bytes(even)).unwrap();
    assert!(mixed::bytes(&model, &chosen) <= even);
    let q = quantize_model(&model, &chosen, &windows).unwrap();
    assert_eq!(q.options.format, "mixed");
    let packed: usize = q.linears().map(|layer| layer.packed_bytes()).sum();
    assert_eq!(packed as u64, mixed::bytes(&model, &chosen), "what was promised is what the layers have");
    let measured = |options: &PtqOptions| {
        measure(&quantize_model(&model, options, &windows).unwrap(), Some(&model), &windows).unwrap()
    };
    let ppl = |options: &PtqOptions| measured(options).integer.ppl;
    let kl = |options: &PtqOptions| measured(options).against.unwrap().kl;
    assert!(kl(&chosen) <= kl(&options()));
    // Half way between the coarsest and the finest.
    let (low, high) = (ladder.after(0), ladder.after(ladder.len()));
    let with = |layers| PtqOptions { layers, ..options() };
    let target = (ppl(&with(low)) + ppl(&with(high))) / 2.0;
    let chosen = choose(&model, &options(), &windows, &ladder, Target::Ppl(target)).unwrap();
    assert!(ppl(&chosen) <= target && mixed::bytes(&model, &chosen) < ladder.bytes(&ladder.after(ladder.len())));
    let text = choose(&model, &options(), &windows, &ladder, Target::Ppl(1.0)).unwrap_err().to_string();
    assert!(text.contains("target perplexity = 1"), "{text}");
}

#[test]
fn more_bytes_are_never_worse() {
    let (model, windows) = fairy();
    let ladder = Ladder::new(&model, &windows, &mut |_, _| {}).unwrap();
    let mut count = 0;
    let curve = curve(&model, &options(), &windows, &ladder, 6, &mut |done| count = done).unwrap();
    assert_eq!((curve.len(), count), (6, 6));
    let kl = |options: &PtqOptions| {
        let q = quantize_model(&model, options, &windows).unwrap();
        measure(&q, Some(&model), &windows).unwrap().against.unwrap().kl
    };
    for (before, point) in curve.iter().zip(&curve[1..]) {
        assert!(point.kl <= before.kl && point.bytes >= before.bytes);
        assert_eq!(mixed::bytes(&model, &point.options), point.bytes);
    }
    let (first, last) = (&curve[0], &curve[5]);
    assert_eq!((kl(&first.options), kl(&last.options)), (first.kl, last.kl));
    assert!(last.kl < 0.1 * first.kl, "{} to {}", first.kl, last.kl);
}

#[test]
fn layers_take_the_codes_that_round_them_best() {
    let (model, windows) = fairy();
    let ladder = Ladder::new(&model, &windows, &mut |_, _| {}).unwrap();
    // E2M1 follows the weights of a whole channel better than INT4.
    assert!(ladder.after(0).iter().any(|g| g.format == Format::Fp4a8));
    // Codes of several formats and a zero point in one model.
    let layers = ladder.within(ladder.bytes(&ladder.after(0)) + 60_000).unwrap();
    let formats: Vec<Format> = layers.iter().map(|g| g.format).collect();
    assert!([Format::Fp4a8, Format::W4a8].iter().all(|f| formats.contains(f)), "{formats:?}");
    let asymmetric = PtqOptions { acts: ActMode::Asymmetric, layers, ..options() };
    let q = quantize_model(&model, &asymmetric, &windows).unwrap();
    assert!(q.linears().zip(formats).all(|(layer, format)| layer.linear.format == format));
}
