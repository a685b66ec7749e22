//! A memory of elements, of which only those that were written can be read.

use std::ops::Range;

use crate::iss::fault::{Result, refuse};

/// Elements of a memory on the chip.
#[derive(Clone, Debug)]
pub struct Cells<T> {
    /// Name in errors.
    name: &'static str,
    values: Vec<T>,
    written: Vec<bool>,
}

impl<T: Copy + Default> Cells<T> {
    /// A memory of so many elements, none of them written.
    pub fn new(name: &'static str, len: usize) -> Self {
        Self { name, values: vec![T::default(); len], written: vec![false; len] }
    }

    /// `len` elements from `at` on.
    ///
    /// # Errors
    /// For elements beyond the memory, and for elements that nothing has written.
    pub fn read(&self, at: usize, len: usize) -> Result<&[T]> {
        let range = self.range(at, len)?;
        match self.written[range.clone()].iter().position(|written| !written) {
            Some(i) => refuse(
                self.name,
                format!("[{}], never written", at + i),
                "elements that were written",
                "write it first",
            ),
            None => Ok(&self.values[range]),
        }
    }

    /// One element.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn get(&self, at: usize) -> Result<T> {
        self.read(at, 1).map(|cells| cells[0])
    }

    /// Writes elements from `at` on.
    ///
    /// # Errors
    /// For elements beyond the memory.
    pub fn write(&mut self, at: usize, values: &[T]) -> Result<()> {
        self.open(at, values.len())?.copy_from_slice(values);
        Ok(())
    }

    /// `len` elements from `at` on, to be written.
    ///
    /// # Errors
    /// For elements beyond the memory.
    pub fn open(&mut self, at: usize, len: usize) -> Result<&mut [T]> {
        let range = self.range(at, len)?;
        self.written[range.clone()].fill(true);
        Ok(&mut self.values[range])
    }

    fn range(&self, at: usize, len: usize) -> Result<Range<usize>> {
        if at + len <= self.values.len() {
            return Ok(at..at + len);
        }
        let allowed = format!("below {}", self.values.len());
        refuse(
            self.name,
            format!("[{}]", (at + len).saturating_sub(1)),
            allowed,
            "stay within the memory, or enlarge it",
        )
    }
}
