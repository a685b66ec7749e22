//! A recipe by measurement: what a model's own calibration text says, not what was best for other models.
//!
//! Of the calibration windows every second one is fitted to, the others are held out. From the usual recipe of a format,
//! one technique after the other is turned on or off and the model quantized so; what lowers the divergence of its
//! predictions on the windows held out, in its real integers, from those of the checkpoint is kept. The model is then
//! quantized by the recipe that is left, on all windows.

use spec::Format;

use super::eval::Windows;
use super::measure::measure;
use super::ptq::{PtqOptions, quantized};
use super::recipe::{Recipe, Technique};
use crate::error::Error;
use crate::load::model::Model;

/// Weights of the largest model whose recipe is measured; a larger one takes the usual one.
const LARGEST: usize = 1 << 22;

/// Most windows to fit to, and most held out.
const WINDOWS: usize = 10;

/// A technique is turned only where that leaves no more than this much of the divergence.
const WORTH: f64 = 0.98;

/// Number of models that [`settled`] quantizes.
pub fn trials(model: &Model, options: &PtqOptions) -> usize {
    let weights: usize = model.config.linears().iter().map(|&(_, n, k)| n * k).sum();
    let turns = turns(options.format).len();
    if options.recipe.is_some() || weights > LARGEST || turns == 0 { 0 } else { 1 + turns }
}

/// What is worth a trial, in that order.
fn turns(format: Format) -> &'static [Technique] {
    use Technique::{Correct, Gain, Heads, Rotate, Smooth};
    match format {
        // Weights of 8 bits lose so little that a trial tells nothing.
        Format::W8a8 | Format::Pot8 => &[],
        Format::W4a8 | Format::Fp4a8 | Format::Mxfp4a8 | Format::Pot4 => &[Gain, Smooth, Rotate, Correct],
        Format::W4a4 | Format::Fp4 | Format::Mxfp4 | Format::Nvfp4 => &[Rotate, Heads, Smooth, Correct, Gain],
    }
}

/// The same options with a recipe, by measurement where there is none; `done` is told of every trial.
///
/// The recipe is that of the options' format, whatever the formats of single layers.
///
/// # Errors
/// As [`super::quantize_showing`].
pub fn settled(
    model: &Model,
    options: &PtqOptions,
    calibration: &Windows,
    done: &mut dyn FnMut(),
) -> Result<PtqOptions, Error> {
    if options.recipe.is_some() {
        return Ok(options.clone());
    }
    let mut recipe = Recipe::usual(options.format);
    if trials(model, options) > 0 {
        let (fitted, held) = parts(calibration);
        let mut divergence = |recipe: &Recipe| -> Result<f64, Error> {
            let options = PtqOptions { layers: Vec::new(), recipe: Some(recipe.clone()), ..options.clone() };
            let q = quantized(model, &options, &fitted, &mut |_| {})?;
            let found = measure(&q, Some(model), &held)?.against.map_or(f64::INFINITY, |against| against.kl);
            done();
            Ok(found)
        };
        let mut least = divergence(&recipe)?;
        for &technique in turns(options.format) {
            let turned = recipe.turned(technique);
            if turned == recipe {
                continue;
            }
            let found = divergence(&turned)?;
            if found < WORTH * least {
                (recipe, least) = (turned, found);
            }
        }
    }
    Ok(PtqOptions { recipe: Some(recipe), ..options.clone() })
}

/// The windows to fit to, and those held out; a single one is both.
fn parts(calibration: &Windows) -> (Windows, Windows) {
    let every_second = |first: usize| {
        let ids = calibration.ids.iter().skip(first).step_by(2).cloned().collect();
        Windows { ids, ..calibration.clone() }.spread(WINDOWS)
    };
    (every_second(0), every_second(if calibration.ids.len() > 1 { 1 } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::model::open;

    #[test]
    fn windows_are_held_out_unless_there_is_one() {
        let windows = |count: u32| Windows { source: "ids".into(), ids: (0..count).map(|i| vec![i, 1]).collect() };
        for count in [2, 3, 20, 41] {
            let (fitted, held) = parts(&windows(count));
            assert!(!held.ids.is_empty() && fitted.ids.len() <= WINDOWS && held.ids.len() <= WINDOWS);
            assert!(fitted.ids.iter().all(|ids| !held.ids.contains(ids)));
        }
        assert_eq!(parts(&windows(1)), (windows(1), windows(1)));
    }

    #[test]
    fn an_exact_recipe_is_left_as_it_is() {
        let model = open("fairy").unwrap();
        let windows = Windows { source: "ids".into(), ids: vec![(0..9).collect()] };
        let options = PtqOptions { recipe: Some(Recipe::default()), ..PtqOptions::new(Format::W4a4) };
        assert_eq!(settled(&model, &options, &windows, &mut || panic!("no trial")).unwrap(), options);
        assert_eq!(trials(&model, &options), 0);
    }
}
