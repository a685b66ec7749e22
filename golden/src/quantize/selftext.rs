//! Calibration text that the FP32 model writes itself, for users who have none.
//!
//! Windows start with the beginning-of-sequence token (a model without one: with a token drawn evenly) and go on with
//! tokens drawn from the model's own distribution. What a model says covers what it computes: ranges and correlations
//! of such text are close to those of the text it was trained on.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

use super::Windows;
use super::forward::{Cache, Llama};
use crate::error::Error;
use crate::load::model::Model;

/// Most windows, and most ids of one that are drawn.
const MOST_WINDOWS: usize = 16;
const MOST_IDS: usize = 256;

/// Multiplications that writing may cost: it bounds how many tokens a large model writes.
const BUDGET: u64 = 1 << 35;

/// Fewest tokens that are written, whatever the size of the model.
const FEWEST: u64 = 512;

/// Windows of text that the model writes; the same for equal models and seeds, on any machine.
///
/// `done` is told how many of how many windows there are.
///
/// # Errors
/// [`Error::Input`] if the model cannot take a token.
pub fn self_written(model: &Model, seed: u64, done: &(dyn Fn(usize, usize) + Sync)) -> Result<Windows, Error> {
    let config = &model.config;
    let length = MOST_IDS.min(config.max_position_embeddings);
    let parameters: u64 = config.linears().iter().map(|&(_, n, k)| n as u64 * k as u64).sum();
    let tokens = (BUDGET / parameters.max(1)).max(FEWEST);
    let count = (tokens as usize / length).clamp(1, MOST_WINDOWS);
    let llama = Llama::new(model)?;
    let finished = std::sync::atomic::AtomicUsize::new(0);
    let write = |window: usize| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(window as u64);
        let first = config.bos_token_id.unwrap_or_else(|| (random.next_u64() % config.vocab_size as u64) as u32);
        let ids = write_window(&llama, first, length, &mut random);
        done(1 + finished.fetch_add(1, std::sync::atomic::Ordering::Relaxed), count);
        ids
    };
    let ids = (0..count).into_par_iter().map(write).collect::<Result<_, _>>()?;
    Ok(Windows { source: "text the model wrote".into(), ids })
}

fn write_window(llama: &Llama, first: u32, length: usize, random: &mut ChaCha8Rng) -> Result<Vec<u32>, Error> {
    let (mut ids, mut cache) = (vec![first], Cache::default());
    while ids.len() <= length {
        let logits = llama.forward(&ids[ids.len() - 1..], &mut cache)?;
        ids.push(draw(logits.row(0), random));
    }
    Ok(ids)
}

/// A token by its probability: the first at which the sum of weights in order exceeds the drawn part of the whole.
fn draw(logits: &[f32], random: &mut ChaCha8Rng) -> u32 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |x: f32| libm::exp(f64::from(x) - f64::from(top));
    let mut whole = 0.0;
    for &x in logits {
        whole += weight(x);
    }
    let mut left = libm::ldexp((random.next_u64() >> 11) as f64, -53) * whole;
    for (id, &x) in logits.iter().enumerate() {
        left -= weight(x);
        if left < 0.0 {
            return id as u32;
        }
    }
    (logits.len() - 1) as u32
}
