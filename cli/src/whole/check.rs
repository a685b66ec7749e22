//! What golden computes for the same prompt, and whether the accelerator wrote the same.

use golden::layers::{KvCache, Layers};
use golden::sample::greedy;
use spec::verdict::{Mismatch, Verdict};

use super::{Whole, Written};
use crate::error::Error;

/// Golden's tokens, logits and steps.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// In the form in which the accelerator writes them.
    pub written: Written,
    /// Whether the last token ends the text.
    pub is_ended: bool,
}

impl Expected {
    /// Golden's continuation of a prompt: so many tokens, or up to the one that ends the text, if `stops`.
    ///
    /// # Errors
    /// For a model or prompt that golden refuses.
    pub fn new(whole: &Whole, prompt: &[u32], tokens: usize, stops: bool) -> Result<Self, Error> {
        let layers = Layers::new(&whole.q)?;
        let (mut cache, mut ids) = (KvCache::default(), prompt.to_vec());
        let mut expected = Self::default();
        while expected.written.tokens.len() < tokens && !expected.is_ended {
            let logits = layers.next(&ids, &mut cache)?;
            let row = logits.rows.row(0);
            let (next, step) = (greedy(row), logits.steps[0]);
            expected.written.tokens.push(next);
            expected.written.steps.push(i64::from(step.mult) | i64::from(step.shift as u16) << 16);
            expected.written.logits.push(row.to_vec());
            expected.is_ended = stops && whole.ends(next);
            ids = vec![next];
        }
        Ok(expected)
    }
}

/// Compares tokens, steps and logits, where they were written; `cycles` are those of the run.
pub fn check(expected: &Expected, found: &Written, cycles: u64) -> Verdict {
    let expected = &expected.written;
    let mut verdict = Verdict { cycles, ..Verdict::default() };
    let mut value = |point: &str, row: usize, col: Option<usize>, golden: i64, step: Option<i64>| {
        verdict.golden_values_checked += 1;
        if step == Some(golden) {
            return;
        }
        verdict.mismatches += 1;
        verdict.first.get_or_insert_with(|| Mismatch {
            cycle: cycles,
            point: point.to_string(),
            layer: if expected.tokens.is_empty() { "linear" } else { "lm_head" }.to_string(),
            row: Some(row as u64),
            col: col.map(|col| col as u64),
            golden: Some(golden.to_string()),
            step: Some(step.map_or("nothing".to_string(), |step| step.to_string())),
            ..Mismatch::default()
        });
    };
    for (row, token) in expected.tokens.iter().enumerate() {
        value("token", row, None, i64::from(*token), found.tokens.get(row).map(|id| i64::from(*id)));
    }
    // A model's logits may have been left on the chip; a single layer has nothing else.
    if found.logits.is_empty() && !expected.tokens.is_empty() {
        return verdict;
    }
    for (row, step) in expected.steps.iter().enumerate() {
        value("step of sums", row, None, *step, found.steps.get(row).copied());
    }
    let empty = Vec::new();
    for (row, sums) in expected.logits.iter().enumerate() {
        let logits = found.logits.get(row).unwrap_or(&empty);
        for (col, golden) in sums.iter().enumerate() {
            value("sum", row, Some(col), *golden, logits.get(col).copied());
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_counts_and_one_that_is_missing_differs() {
        let written = Written { tokens: vec![5, 6], logits: vec![vec![1, -2], vec![3, 4]], steps: vec![9, 9] };
        let expected = Expected { written: written.clone(), is_ended: false };
        let verdict = check(&expected, &written, 7);
        assert_eq!((verdict.golden_values_checked, verdict.mismatches), (8, 0));
        let tokens_alone = Written { tokens: vec![5, 6], ..Written::default() };
        assert_eq!(check(&expected, &tokens_alone, 7).golden_values_checked, 2);
        let mut wrong = written.clone();
        wrong.logits[1][0] = 8;
        let first = check(&expected, &wrong, 7).first.unwrap();
        assert_eq!((first.point.as_str(), first.row, first.col), ("sum", Some(1), Some(0)));
        assert_eq!((first.golden.as_deref(), first.step.as_deref()), (Some("3"), Some("8")));
        let short = Written { tokens: vec![5], ..Written::default() };
        assert_eq!(check(&expected, &short, 7).mismatches, 1);
        assert_eq!(check(&expected, &Written::default(), 7).mismatches, 2);
    }
}
