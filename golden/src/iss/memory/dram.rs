//! DRAM: the bytes of a program's segments; there are none between them.

use spec::isa::Segment;

use crate::iss::fault::{Result, refuse};

/// Bytes of the segments, in ascending order of addresses.
#[derive(Clone, Debug)]
pub struct Dram {
    parts: Vec<(u64, Vec<u8>)>,
}

impl Dram {
    /// The memory before the start.
    pub fn new(segments: &[Segment]) -> Self {
        let bytes = |s: &Segment| {
            let mut bytes = vec![0; s.len as usize];
            bytes[..s.data.len()].copy_from_slice(&s.data);
            (u64::from(s.addr), bytes)
        };
        Self { parts: segments.iter().map(bytes).collect() }
    }

    /// Writes bytes from `addr` on.
    ///
    /// # Errors
    /// For bytes that are not all in one segment.
    pub fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<()> {
        let (part, at) = self.find(addr, bytes.len())?;
        self.parts[part].1[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    /// `len` bytes from `addr` on.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn read(&self, addr: u64, len: usize) -> Result<&[u8]> {
        let (part, at) = self.find(addr, len)?;
        Ok(&self.parts[part].1[at..at + len])
    }

    /// One past the last byte of the segment that holds `addr`.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn end(&self, addr: u64) -> Result<u64> {
        let (part, _) = self.find(addr, 1)?;
        Ok(self.parts[part].0 + self.parts[part].1.len() as u64)
    }

    /// Part and first byte in it.
    fn find(&self, addr: u64, len: usize) -> Result<(usize, usize)> {
        let after = self.parts.partition_point(|&(start, _)| start <= addr);
        if let Some((start, bytes)) = after.checked_sub(1).map(|part| &self.parts[part])
            && addr - start + len as u64 <= bytes.len() as u64
        {
            return Ok((after - 1, (addr - start) as usize));
        }
        let value = format!("{addr:#x}, {len} bytes");
        refuse("DRAM", value, "bytes of one segment of the program", "give the program a segment there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dram() -> Dram {
        let segment = |addr, len, data: &[u8]| Segment { name: format!("s{addr}"), addr, len, data: data.to_vec() };
        Dram::new(&[segment(16, 8, &[1, 2, 3]), segment(32, 4, &[9]), segment(u32::MAX - 3, 4, &[])])
    }

    #[test]
    fn segments_hold_their_data_then_zeros_then_what_is_written() {
        let mut dram = dram();
        assert_eq!(dram.read(16, 8).unwrap(), [1, 2, 3, 0, 0, 0, 0, 0]);
        dram.write(22, &[7, 8]).unwrap();
        assert_eq!(dram.read(21, 3).unwrap(), [0, 7, 8]);
        assert_eq!(dram.read(32, 1).unwrap(), [9]);
        dram.write(u32::MAX.into(), &[5]).unwrap();
        assert_eq!(dram.read(u32::MAX.into(), 1).unwrap(), [5]);
    }

    #[test]
    fn there_is_nothing_outside_of_segments() {
        let mut dram = dram();
        for (addr, len) in [(0, 1), (15, 2), (23, 2), (24, 1), (31, 2), (36, 1), (u64::from(u32::MAX), 2), (1 << 32, 1)]
        {
            assert!(dram.read(addr, len).is_err(), "{addr} {len}");
            assert!(dram.write(addr, &vec![0; len]).is_err(), "{addr} {len}");
        }
        assert!(dram.read(23, 2).unwrap_err().to_string().contains("DRAM = 0x17, 2 bytes"));
    }
}
