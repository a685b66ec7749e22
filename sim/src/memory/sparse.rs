//! Bytes at 32-bit addresses, of which only the pages in use take room.

use std::collections::HashMap;

const PAGE_BYTES: usize = 4096;

/// A byte-addressed memory of 2^32 bytes; what was never written reads as `fill`.
#[derive(Clone, Debug, Default)]
pub struct SparseMemory {
    pages: HashMap<u32, Box<[u8]>>,
    fill: u8,
}

impl SparseMemory {
    /// A memory of zeros.
    pub fn new() -> Self {
        Self::default()
    }

    /// A memory whose unwritten bytes read as `fill`.
    pub fn filled(fill: u8) -> Self {
        Self { pages: HashMap::new(), fill }
    }

    fn split(addr: u32) -> (u32, usize) {
        (addr / PAGE_BYTES as u32, addr as usize % PAGE_BYTES)
    }

    /// Bytes from `addr` on; addresses wrap at 2^32.
    pub fn read(&self, addr: u32, bytes: &mut [u8]) {
        let mut at = addr;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (page, offset) = Self::split(at);
            let count = rest.len().min(PAGE_BYTES - offset);
            let (now, later) = rest.split_at_mut(count);
            match self.pages.get(&page) {
                Some(held) => now.copy_from_slice(&held[offset..offset + count]),
                None => now.fill(self.fill),
            }
            at = at.wrapping_add(count as u32);
            rest = later;
        }
    }

    /// Writes bytes from `addr` on; addresses wrap at 2^32.
    pub fn write(&mut self, addr: u32, bytes: &[u8]) {
        let mut at = addr;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (page, offset) = Self::split(at);
            let count = rest.len().min(PAGE_BYTES - offset);
            let fill = self.fill;
            let held = self.pages.entry(page).or_insert_with(|| vec![fill; PAGE_BYTES].into());
            held[offset..offset + count].copy_from_slice(&rest[..count]);
            at = at.wrapping_add(count as u32);
            rest = &rest[count..];
        }
    }

    /// Writes one byte.
    pub fn set(&mut self, addr: u32, byte: u8) {
        self.write(addr, &[byte]);
    }

    /// One byte.
    pub fn get(&self, addr: u32) -> u8 {
        let (page, offset) = Self::split(addr);
        self.pages.get(&page).map_or(self.fill, |held| held[offset])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_across_pages_and_around_the_end() {
        let mut memory = SparseMemory::filled(0xa5);
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * PAGE_BYTES).collect();
        for addr in [0, 5, 4095, 0x8000_0001, u32::MAX - 5000] {
            memory.write(addr, &bytes);
            let mut back = vec![0; bytes.len()];
            memory.read(addr, &mut back);
            assert_eq!(back, bytes, "{addr:#x}");
            assert_eq!(memory.get(addr.wrapping_add(7)), 7);
        }
        let mut beside = [0; 3];
        memory.read(0x4000_0000, &mut beside);
        assert_eq!(beside, [0xa5; 3]);
    }
}
