//! The weight FIFO: words of codes, in the order in which they were loaded.

use std::collections::VecDeque;

use spec::Operand;

use crate::iss::fault::{Result, refuse};

/// Words of codes of one operand each.
#[derive(Clone, Debug, Default)]
pub struct Fifo {
    /// Codes as they stand in memory, a byte each: those from `read` on are in the FIFO.
    codes: Vec<u8>,
    read: usize,
    /// Words of one operand, oldest first.
    runs: VecDeque<(Operand, usize)>,
}

impl Fifo {
    /// Adds words of codes.
    pub fn push(&mut self, operand: Operand, words: usize, codes: impl IntoIterator<Item = u8>) {
        self.codes.extend(codes);
        match self.runs.back_mut() {
            Some((last, count)) if *last == operand => *count += words,
            _ => self.runs.push_back((operand, words)),
        }
    }

    /// Takes `words` words of `per_word` codes each.
    ///
    /// # Errors
    /// If there are not as many, or they hold codes of another operand.
    pub fn pop(&mut self, operand: Operand, words: usize, per_word: usize) -> Result<&[u8]> {
        let mut left = words;
        while left > 0 {
            match self.runs.front_mut() {
                Some((found, _)) if *found != operand => {
                    let value = format!("words of {}", found.name());
                    return refuse("weight FIFO", value, operand.name(), "load weights of the format of the product");
                }
                Some((_, count)) => {
                    let taken = left.min(*count);
                    *count -= taken;
                    left -= taken;
                    if *count == 0 {
                        self.runs.pop_front();
                    }
                }
                None => {
                    let value = format!("{} words", words - left);
                    return refuse(
                        "weight FIFO",
                        value,
                        format!("{words} or more"),
                        "load its tiles before the product",
                    );
                }
            }
        }
        if self.read > self.codes.len() / 2 {
            self.codes.drain(..self.read);
            self.read = 0;
        }
        let from = self.read;
        self.read += words * per_word;
        Ok(&self.codes[from..self.read])
    }

    /// Words that are in it.
    pub fn words(&self) -> usize {
        self.runs.iter().map(|(_, count)| count).sum()
    }
}
