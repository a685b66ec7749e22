//! The host's side of the accelerator: what a host can do, and a driver over it.
//!
//! [`Host`] is all that a way to the hardware has to offer: registers, memory, and waiting. The step simulator
//! ([`crate::accel::Accelerator`]) is one; a device file with a mapped register window and a reserved range of memory is
//! another. The functions in [`driver`] then do the same on all of them.

pub mod driver;

pub use driver::{Counters, Identity, Placed};

use crate::error::Error;

/// A way to an accelerator: its register window, the memory that it works on, its interrupt.
///
/// Addresses are the accelerator's own, those of its `m_axi` port.
///
/// ```
/// use sim::host::{Host, driver};
///
/// /// A register file in plain memory.
/// struct Board {
///     registers: [u32; 1024],
///     memory: Vec<u8>,
/// }
///
/// impl Host for Board {
///     fn read_reg(&mut self, offset: u32) -> Result<u32, sim::Error> {
///         Ok(self.registers[offset as usize / 4])
///     }
///     fn write_reg(&mut self, offset: u32, value: u32) -> Result<(), sim::Error> {
///         self.registers[offset as usize / 4] = value;
///         Ok(())
///     }
///     fn read_mem(&mut self, addr: u32, bytes: &mut [u8]) -> Result<(), sim::Error> {
///         bytes.copy_from_slice(&self.memory[addr as usize..][..bytes.len()]);
///         Ok(())
///     }
///     fn write_mem(&mut self, addr: u32, bytes: &[u8]) -> Result<(), sim::Error> {
///         self.memory[addr as usize..][..bytes.len()].copy_from_slice(bytes);
///         Ok(())
///     }
///     fn wait(&mut self, _: u64) -> Result<bool, sim::Error> {
///         Ok(true)
///     }
/// }
///
/// let mut board = Board { registers: [0; 1024], memory: vec![0; 4096] };
/// assert!(driver::identify(&mut board).is_err(), "nothing answers with the accelerator's ID");
/// ```
pub trait Host {
    /// Reads the register at a byte offset.
    ///
    /// # Errors
    /// [`Error::Run`] if there is no answer, or one with an error.
    fn read_reg(&mut self, offset: u32) -> Result<u32, Error>;

    /// Writes the register at a byte offset.
    ///
    /// # Errors
    /// As [`Self::read_reg`].
    fn write_reg(&mut self, offset: u32, value: u32) -> Result<(), Error>;

    /// Reads memory from a byte address on.
    ///
    /// # Errors
    /// [`Error::Run`] for memory that the host cannot reach.
    fn read_mem(&mut self, addr: u32, bytes: &mut [u8]) -> Result<(), Error>;

    /// Writes memory from a byte address on.
    ///
    /// # Errors
    /// As [`Self::read_mem`].
    fn write_mem(&mut self, addr: u32, bytes: &[u8]) -> Result<(), Error>;

    /// Waits until the interrupt is raised, at most about `most` cycles of the accelerator's clock; whether it is.
    ///
    /// # Errors
    /// [`Error::Run`] if waiting is not possible.
    fn wait(&mut self, most: u64) -> Result<bool, Error>;
}
