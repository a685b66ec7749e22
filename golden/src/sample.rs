//! The next token from a row of logits: the most likely one, or a seeded draw in integers.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spec::{Dyadic, ExpKind, Problem};

use crate::error::{Error, no_problems};
use crate::op::exp::Exponential;
use crate::op::scale::normalise;

/// A number that is not negative, `num / den`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Numerator.
    pub num: u16,
    /// Denominator, a power of ten up to 10,000.
    pub den: u16,
}

impl Ratio {
    /// The ratio 1.
    pub const ONE: Self = Self { num: 1, den: 1 };
}

impl std::str::FromStr for Ratio {
    type Err = String;

    /// Reads a decimal number with at most four places, exactly: `0.8` is 8 / 10.
    fn from_str(text: &str) -> Result<Self, String> {
        let (whole, places) = text.split_once('.').unwrap_or((text, ""));
        let places = places.trim_end_matches('0');
        let digits = format!("{whole}{places}");
        let is_number = !whole.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let num = if is_number && places.len() <= 4 { digits.parse().ok() } else { None };
        num.map(|num| Self { num, den: 10u16.pow(places.len() as u32) })
            .ok_or_else(|| format!("{text:?} is no decimal number of at most four places and 65535 in its digits"))
    }
}

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Logits are divided by it; 0 takes the most likely token.
    pub temperature: Ratio,
    /// So many of the most likely tokens take part; `None` for all.
    pub top_k: Option<usize>,
    /// As many of the most likely tokens take part as are needed for this share of the weight; 1 for all.
    pub top_p: Ratio,
    /// Seed of the draws.
    pub seed: u64,
}

impl Sampling {
    /// The most likely token each time.
    pub const GREEDY: Self = Self { temperature: Ratio { num: 0, den: 1 }, top_k: None, top_p: Ratio::ONE, seed: 0 };
}

/// Draws tokens; the same seed and logits always give the same ones.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: ChaCha8Rng,
}

/// The most likely token: the first of the largest logits.
///
/// # Panics
/// If the row is empty.
pub fn greedy(row: &[i64]) -> u32 {
    let mut best = 0;
    for (id, logit) in row.iter().enumerate() {
        if *logit > row[best] {
            best = id;
        }
    }
    best as u32
}

impl Sampler {
    /// A sampler.
    ///
    /// # Errors
    /// [`Error::Input`] for a `top_k` of 0, or a `top_p` outside 0 to 1 or 0 itself.
    pub fn new(sampling: Sampling) -> Result<Self, Error> {
        let mut problems = Vec::new();
        if sampling.top_k == Some(0) {
            problems.push(Problem::new("top_k", 0, "1 or more", "leave it away to keep all tokens"));
        }
        let Ratio { num, den } = sampling.top_p;
        if num == 0 || num > den {
            let value = format!("{num} / {den}");
            problems.push(Problem::new("top_p", value, "above 0, at most 1", "leave it away to keep all tokens"));
        }
        no_problems(problems)?;
        Ok(Self { sampling, random: ChaCha8Rng::seed_from_u64(sampling.seed) })
    }

    /// Whether the most likely token is taken each time.
    pub fn is_greedy(&self) -> bool {
        self.sampling.temperature.num == 0
    }

    /// A token for a row of logits `[vocab_size]` with their step.
    ///
    /// With temperature 0 [`greedy`], and nothing is drawn. Otherwise one number `r` of 64 random bits is drawn, and the
    /// token is [`Weights::pick`] of it.
    ///
    /// # Panics
    /// If the row is empty.
    pub fn sample(&mut self, row: &[i64], step: Dyadic) -> u32 {
        if self.is_greedy() {
            return greedy(row);
        }
        Weights::new(row, step, &self.sampling).pick(self.random.next_u64())
    }
}

/// Tokens that can be drawn, the most likely first, and their weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Ids, by falling logit; of equal ones the smaller first.
    pub ids: Vec<u32>,
    /// Sums of the weights of each token and those before it.
    pub sums: Vec<u64>,
}

impl Weights {
    /// Weights of a row of logits: the integer exponential (`poly`, 2^16 for the largest logit) of
    /// `(logit - max) · step / temperature`; then top-k and, of what that leaves, top-p.
    ///
    /// A token of less than 2^-17 of the most likely one's probability has weight 0. Sums have at most 37 bits.
    ///
    /// # Panics
    /// If the row is empty or the temperature 0.
    pub fn new(row: &[i64], step: Dyadic, sampling: &Sampling) -> Self {
        let Ratio { num, den } = sampling.temperature;
        let scaled = normalise(u128::from(step.mult) * u128::from(den), num.into(), step.shift.into());
        let exponential = Exponential::new(ExpKind::Poly, scaled);
        let max = row[greedy(row) as usize];
        let weight = |(id, &logit): (usize, &i64)| (max.abs_diff(logit), id as u32);
        let mut order: Vec<(u64, u32)> = row.iter().enumerate().map(weight).collect();
        order.sort_unstable();
        order.truncate(sampling.top_k.unwrap_or(usize::MAX));
        let (mut ids, mut sums, mut sum) = (Vec::new(), Vec::new(), 0);
        for (below, id) in order {
            let weight = u64::from(exponential.at(below));
            if weight == 0 {
                break;
            }
            sum += weight;
            ids.push(id);
            sums.push(sum);
        }
        let Ratio { num, den } = sampling.top_p;
        let enough = |part: &u64| u128::from(*part) * u128::from(den) >= u128::from(sum) * u128::from(num);
        let kept = sums.iter().position(enough).map_or(sums.len(), |last| last + 1);
        ids.truncate(kept);
        sums.truncate(kept);
        Self { ids, sums }
    }

    /// The token for 64 random bits: the first whose sum is above `floor(r · total / 2^64)`.
    ///
    /// Of all 2^64 values of `r`, a token of weight w gets `2^64 · w / total`, give or take one.
    pub fn pick(&self, r: u64) -> u32 {
        let total = self.sums[self.sums.len() - 1];
        let target = ((u128::from(r) * u128::from(total)) >> 64) as u64;
        self.ids[self.sums.partition_point(|&sum| sum <= target)]
    }
}

#[cfg(test)]
mod tests;
