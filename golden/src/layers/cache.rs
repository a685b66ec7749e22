//! Codes of keys and values of the tokens seen so far.

use crate::error::Error;

/// Keys and values of every block; empty at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvCache {
    pub(super) blocks: Vec<BlockCache>,
}

/// Keys and values of one block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockCache {
    width: usize,
    keys: Vec<i8>,
    values: Vec<i8>,
}

impl KvCache {
    /// Tokens seen so far.
    pub fn tokens(&self) -> usize {
        self.blocks.first().map_or(0, BlockCache::tokens)
    }

    /// The blocks, in the order in which they run; none before the first pass.
    pub fn blocks(&self) -> &[BlockCache] {
        &self.blocks
    }

    /// Forgets all but the first `tokens` tokens.
    pub fn truncate(&mut self, tokens: usize) {
        for block in &mut self.blocks {
            block.keys.truncate(tokens * block.width);
            block.values.truncate(tokens * block.width);
        }
    }

    /// Makes an empty cache that of a model, and checks that one in use is.
    ///
    /// # Errors
    /// [`Error::Input`] for the cache of a model of another shape.
    pub(super) fn open(&mut self, blocks: usize, width: usize) -> Result<(), Error> {
        if self.tokens() == 0 {
            self.blocks = vec![BlockCache { width, ..BlockCache::default() }; blocks];
        }
        if self.blocks.len() == blocks && self.blocks.iter().all(|block| block.width == width) {
            return Ok(());
        }
        let found = format!("{} blocks of width {}", self.blocks.len(), self.blocks[0].width);
        let allowed = format!("{blocks} blocks of width {width}");
        Err(Error::input("cache", found, allowed, "use the cache with the model that filled it, or a new one"))
    }
}

impl BlockCache {
    /// Tokens seen so far.
    pub fn tokens(&self) -> usize {
        self.keys.len().checked_div(self.width).unwrap_or(0)
    }

    /// Codes of the rotated keys `[token, num_key_value_heads · head_dim]`.
    pub fn keys(&self) -> &[i8] {
        &self.keys
    }

    /// Codes of the values `[token, num_key_value_heads · head_dim]`.
    pub fn values(&self) -> &[i8] {
        &self.values
    }

    /// Values a token and tensor: `num_key_value_heads · head_dim`.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Adds a token.
    pub(super) fn push(&mut self, keys: &[i8], values: &[i8]) {
        self.keys.extend_from_slice(keys);
        self.values.extend_from_slice(values);
    }
}
