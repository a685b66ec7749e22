//! Text of tokens as they come.

use golden::load::Tokenizer;

use crate::error::Error;

/// The text of tokens as they come.
pub struct Text<'m> {
    tokenizer: &'m Tokenizer,
    ids: Vec<u32>,
    /// Length of the prompt's text in front.
    prompt_bytes: usize,
    /// What was written so far.
    pub whole: String,
    /// Bytes of it that were shown.
    shown: usize,
}

impl<'m> Text<'m> {
    /// Behind a prompt.
    ///
    /// # Errors
    /// If the tokenizer does not know its tokens.
    pub fn new(tokenizer: &'m Tokenizer, prompt: &[u32]) -> Result<Self, Error> {
        let prompt_bytes = tokenizer.decode(prompt)?.len();
        Ok(Self { tokenizer, ids: prompt.to_vec(), prompt_bytes, whole: String::new(), shown: 0 })
    }

    /// Adds a token: what can be shown now. Bytes that are no character yet wait for the next token.
    ///
    /// # Errors
    /// If the tokenizer does not know it.
    pub fn add(&mut self, id: u32) -> Result<&str, Error> {
        self.ids.push(id);
        let text = self.tokenizer.decode(&self.ids)?;
        self.whole = text.get(self.prompt_bytes..).unwrap_or_default().to_string();
        let from = self.shown;
        if !self.whole.ends_with('\u{fffd}') {
            self.shown = self.whole.len();
        }
        Ok(self.whole.get(from..self.shown).unwrap_or_default())
    }

    /// What was not shown yet.
    pub fn rest(&self) -> &str {
        self.whole.get(self.shown..).unwrap_or_default()
    }
}
