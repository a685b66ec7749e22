//! The out stream: bytes from the vector unit to the store unit, in beats.

use std::collections::VecDeque;

use crate::iss::fault::{Result, refuse};

/// Beats of bytes; the last beat of an operation may hold fewer.
#[derive(Clone, Debug)]
pub struct OutStream {
    beat_bytes: usize,
    beats: VecDeque<Vec<u8>>,
}

impl OutStream {
    /// An empty stream of such beats.
    pub fn new(beat_bytes: usize) -> Self {
        Self { beat_bytes, beats: VecDeque::new() }
    }

    /// Adds the bytes of one operation; its last byte ends its beat.
    pub fn push(&mut self, bytes: &[u8]) {
        self.beats.extend(bytes.chunks(self.beat_bytes).map(<[u8]>::to_vec));
    }

    /// Whether the beats that hold `len` bytes are there.
    pub fn holds(&self, len: usize) -> bool {
        self.beats.len() >= len.div_ceil(self.beat_bytes)
    }

    /// Takes the beats that hold `len` bytes.
    ///
    /// # Errors
    /// If there are not as many, or one of these bytes was not given.
    pub fn pop(&mut self, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let wanted = (len - bytes.len()).min(self.beat_bytes);
            let Some(beat) = self.beats.pop_front() else {
                let value = format!("{} bytes", bytes.len());
                return refuse("out stream", value, format!("{len} or more"), "let the vector unit write them first");
            };
            if beat.len() != wanted {
                let value = format!("a beat of {} bytes after {}", beat.len(), bytes.len());
                return refuse(
                    "out stream",
                    value,
                    format!("{wanted} of {len}"),
                    "store as many bytes as operations wrote",
                );
            }
            bytes.extend(beat);
        }
        Ok(bytes)
    }

    /// Bytes that are in it.
    pub fn bytes(&self) -> usize {
        self.beats.iter().map(Vec::len).sum()
    }
}
