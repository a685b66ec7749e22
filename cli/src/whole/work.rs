//! What the accelerator is to do: a program, and what golden says of it.

use serde_json::Value;
use spec::Config;
use spec::isa::Program;

use super::{Expected, Whole};
use crate::error::Error;

/// A program with its hardware.
pub struct Work {
    /// The hardware.
    pub config: Config,
    /// The program.
    pub program: Program,
    /// Tokens of the prompt; rows of a layer.
    pub prompt: usize,
    /// What it is, for people.
    pub title: String,
    /// The same for scripts: one object.
    pub head: Value,
    /// Where golden's values come from.
    pub meaning: Meaning,
}

/// Where golden's values come from.
pub enum Meaning {
    /// A model that continues a prompt with so many tokens.
    Model(Box<Whole>, Vec<u32>, usize),
    /// They are known.
    Known(Expected),
}

impl Work {
    /// Tokens of prompt and answer; 0 for a layer.
    pub fn tokens(&self) -> usize {
        match &self.meaning {
            Meaning::Model(_, prompt, tokens) => prompt.len() + tokens,
            Meaning::Known(_) => 0,
        }
    }

    /// Golden's values.
    ///
    /// # Errors
    /// For a model or prompt that golden refuses.
    pub fn expected(&self) -> Result<Expected, Error> {
        match &self.meaning {
            Meaning::Model(whole, prompt, tokens) => Expected::new(whole, prompt, *tokens, false),
            Meaning::Known(expected) => Ok(expected.clone()),
        }
    }
}
