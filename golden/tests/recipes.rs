//! Recipes: they keep the function, lower what quantization costs, and are chosen by measurement.

use golden::load::model::{Model, Weights, open};
use golden::quantize::{
    PtqOptions, Recipe, Windows, measure, perplexity, quantize_model, quantize_showing, self_written,
};
use spec::Format;
use spec::model::QModel;

fn fairy() -> Model {
    open("fairy").unwrap()
}

/// Windows to calibrate on and others to measure on, all of them written by the model.
fn written(model: &Model, fitted: usize, held: usize) -> [Windows; 2] {
    let written = self_written(model, 0, &|_, _| {}).unwrap();
    let part = |ids: &[Vec<u32>]| Windows { ids: ids.to_vec(), ..written.clone() };
    [part(&written.ids[..fitted]), part(&written.ids[16 - held..])]
}

fn kl(model: &Model, q: &QModel, windows: &Windows) -> f64 {
    measure(q, Some(model), windows).unwrap().against.unwrap().kl
}

#[test]
fn techniques_keep_the_function_and_good_recipes_lower_the_divergence() {
    let model = fairy();
    let [calibration, windows] = written(&model, 6, 2);
    let loss = |format: Format, recipe: Recipe| {
        let options = PtqOptions { recipe: Some(recipe), ..PtqOptions::new(format) };
        kl(&model, &quantize_model(&model, &options, &calibration).unwrap(), &windows)
    };
    // In 8 bits next to nothing is lost, whatever is rotated or moved.
    for recipe in ["rotate+heads+online", "gain+smooth+clip", "gptq+correct"] {
        let found = loss(Format::W8a8, Recipe::from_name(recipe).unwrap().unwrap());
        assert!(found < 0.004, "{recipe}: {found}");
    }
    // In 4 bits the usual recipes take back a good part of what the plain one loses.
    for (format, most) in [(Format::W4a8, 0.6), (Format::W4a4, 0.7)] {
        let (plain, usual) = (loss(format, Recipe::default()), loss(format, Recipe::usual(format)));
        assert!(usual < most * plain, "{}: {usual} against {plain}", format.name());
    }
}

#[test]
fn a_recipe_by_measurement_is_exact_and_no_worse_than_the_usual_one() {
    let model = fairy();
    let [calibration, windows] = written(&model, 4, 2);
    let quantized = |recipe: Option<Recipe>, seen: &mut Vec<(usize, usize)>| {
        let options = PtqOptions { recipe, ..PtqOptions::new(Format::W4a8) };
        quantize_showing(&model, &options, &calibration, &mut |done, of| seen.push((done, of))).unwrap()
    };
    let mut seen = Vec::new();
    let best = quantized(None, &mut seen);
    // Progress only ever grows, up to all there is.
    assert!(seen.is_sorted() && seen.last().is_some_and(|(done, of)| done == of && of % 29 == 0 && *of > 29));
    let named = Recipe::from_name(&best.options.recipe).unwrap().unwrap();
    assert_eq!(quantized(Some(named), &mut seen), best, "the recipe that is written down gives the same model");
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| quantized(None, &mut Vec::new())), best, "whatever the number of threads");
    let usual = quantized(Some(Recipe::usual(Format::W4a8)), &mut seen);
    assert!(kl(&model, &best, &windows) < 1.1 * kl(&model, &usual, &windows));
}

#[test]
fn planted_outliers_are_survived() {
    let model = fairy();
    let [calibration, windows] = written(&model, 4, 2);
    let mut planted = model.clone();
    let Weights::Float(tensors) = &mut planted.weights else { panic!("a checkpoint") };
    // The same function: channels of norms, values and the feed-forward layers times 32, what reads them over 32.
    let mut scale = |name: String, wanted: &dyn Fn(usize, usize) -> bool, factor: f32| {
        let tensor = tensors.get_mut(&format!("model.layers.{name}.weight")).unwrap();
        let k = *tensor.shape.last().unwrap();
        tensor.data.iter_mut().enumerate().filter(|(i, _)| wanted(i / k, i % k)).for_each(|(_, w)| *w *= factor);
    };
    for i in 0..4 {
        for (norm, readers) in [
            ("input_layernorm", &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"][..]),
            ("post_attention_layernorm", &["mlp.gate_proj", "mlp.up_proj"]),
        ] {
            scale(format!("{i}.{norm}"), &|_, c| c == 17 || c == 90, 32.0);
            readers.iter().for_each(|r| scale(format!("{i}.{r}"), &|_, c| c == 17 || c == 90, 1.0 / 32.0));
        }
        scale(format!("{i}.self_attn.v_proj"), &|n, _| n == 5 || n == 40, 32.0);
        // Two heads of 32 read each head of values.
        scale(format!("{i}.self_attn.o_proj"), &|_, c| [5, 37, 72, 104].contains(&c), 1.0 / 32.0);
        scale(format!("{i}.mlp.up_proj"), &|n, _| n % 100 == 7, 32.0);
        scale(format!("{i}.mlp.down_proj"), &|_, c| c % 100 == 7, 1.0 / 32.0);
    }
    let exact = |model: &Model| perplexity(model, &windows).unwrap().nll;
    assert!((exact(&planted) - exact(&model)).abs() < 1e-5, "the same function");
    let loss = |model: &Model, recipe: Recipe| {
        let options = PtqOptions { recipe: Some(recipe), ..PtqOptions::new(Format::W4a4) };
        kl(model, &quantize_model(model, &options, &calibration).unwrap(), &windows)
    };
    let usual = Recipe::usual(Format::W4a4);
    let (plain, without, with) =
        (loss(&planted, Recipe::default()), loss(&model, usual.clone()), loss(&planted, usual));
    assert!(with < 1.5 * without && with < 0.2 * plain, "{with}, without outliers {without}, plain {plain}");
}
