//! The driver: what software does with an accelerator, over any [`Host`].

use spec::isa::{Output, OutputKind, Program, image};
use spec::{Config, regs};

use super::Host;
use crate::error::Error;

/// `CONTROL.start`.
const START: u32 = 1;
/// `CONTROL.soft_reset`.
const SOFT_RESET: u32 = 2;
/// Both events of `IRQ_ENABLE` and `IRQ_STATUS`.
const EVENTS: u32 = 3;
/// Bytes of zeros that are written at once.
const ZEROS: [u8; 4096] = [0; 4096];

/// What answers, as its configuration registers tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Version of the generator: major, minor, patch.
    pub version: (u8, u8, u8),
    /// Hash of the configuration, as [`Config::hash`] writes it.
    pub config_hash: String,
    /// Registers `CONFIG_ARRAY` and those behind it, by name.
    pub words: Vec<(&'static str, u32)>,
}

/// Where a program stands in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Byte address of the first instruction.
    pub addr: u32,
    /// Instructions.
    pub instructions: u32,
}

/// Counters of a run, as its registers tell them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters(Vec<(&'static str, u64)>);

impl Counters {
    /// Values in the order of the registers.
    pub(crate) fn new(values: impl IntoIterator<Item = u64>) -> Self {
        let names = (0..regs::COUNTER_COUNT).filter_map(regs::counter);
        Self(names.zip(values).map(|((name, _), value)| (name, value)).collect())
    }

    /// The counter of that name; nothing if there is none.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }

    /// Names and values, in the order of the registers.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().copied()
    }

    /// Sum of the causes: the elapsed cycles.
    pub fn causes(&self) -> u64 {
        regs::STALLS.iter().filter_map(|(name, _)| self.get(name)).sum()
    }
}

/// Byte offset of a register.
///
/// # Errors
/// [`Error::Run`] for a register that is none.
pub fn offset(name: &str) -> Result<u32, Error> {
    regs::register(name).map(|r| r.offset).ok_or_else(|| Error::Run(format!("there is no register {name}")))
}

/// Reads a register by its name.
///
/// # Errors
/// Those of [`Host::read_reg`]; [`Error::Run`] for a register that is none.
pub fn read(host: &mut impl Host, name: &str) -> Result<u32, Error> {
    host.read_reg(offset(name)?)
}

/// Writes a register by its name.
///
/// # Errors
/// Those of [`Host::write_reg`]; [`Error::Run`] for a register that is none.
pub fn write(host: &mut impl Host, name: &str, value: u32) -> Result<(), Error> {
    host.write_reg(offset(name)?, value)
}

/// What answers at the registers.
///
/// # Errors
/// [`Error::Run`] if it is no accelerator of this kind.
pub fn identify(host: &mut impl Host) -> Result<Identity, Error> {
    let id = read(host, "ID")?;
    if id != regs::ID {
        return Err(Error::Run(format!("ID reads {id:#010x}, not {:#010x}: check the base address", regs::ID)));
    }
    let [patch, minor, major, _] = read(host, "VERSION")?.to_le_bytes();
    let (low, high) = (read(host, "CONFIG_HASH_LO")?, read(host, "CONFIG_HASH_HI")?);
    let described = regs::REGISTERS.iter().filter(|r| r.name.starts_with("CONFIG_") && !r.name.contains("HASH"));
    let words = described.map(|r| Ok((r.name, host.read_reg(r.offset)?))).collect::<Result<_, Error>>()?;
    Ok(Identity { version: (major, minor, patch), config_hash: format!("{high:08x}{low:08x}"), words })
}

/// [`identify`], and that the hardware is the one of `config`.
///
/// # Errors
/// Those of [`identify`]; [`Error::Run`] for hardware of another configuration.
pub fn expect(host: &mut impl Host, config: &Config) -> Result<Identity, Error> {
    let identity = identify(host)?;
    if identity.config_hash != config.hash() {
        let (found, wanted) = (&identity.config_hash, config.hash());
        return Err(Error::Run(format!("the hardware is of configuration {found}, the program of {wanted}")));
    }
    Ok(identity)
}

/// Puts a program and what it works on into memory.
///
/// # Errors
/// Those of [`Host::write_mem`]; [`Error::Run`] for a program that does not fit into 32 bits of address.
pub fn load(host: &mut impl Host, program: &Program) -> Result<Placed, Error> {
    let addr = image::code_addr(program);
    let Some(addr) = u32::try_from(addr).ok().filter(|_| image::end(program) <= 1 << 32) else {
        return Err(Error::Run(format!("the program would stand at {addr:#x}, beyond 32 bits of address")));
    };
    for segment in &program.segments {
        host.write_mem(segment.addr, &segment.data)?;
        let mut at = segment.data.len();
        while at < segment.len as usize {
            let count = ZEROS.len().min(segment.len as usize - at);
            host.write_mem(segment.addr + at as u32, &ZEROS[..count])?;
            at += count;
        }
    }
    let code: Vec<u8> = program.instrs.iter().flat_map(|instr| instr.encode().to_le_bytes()).collect();
    host.write_mem(addr, &code)?;
    Ok(Placed { addr, instructions: program.instrs.len() as u32 })
}

/// Starts a program that is in memory; it raises the interrupt at its end.
///
/// # Errors
/// Those of [`Host::write_reg`].
pub fn start(host: &mut impl Host, placed: Placed) -> Result<(), Error> {
    write(host, "PROGRAM_ADDR", placed.addr)?;
    write(host, "PROGRAM_LENGTH", placed.instructions)?;
    write(host, "IRQ_STATUS", EVENTS)?;
    write(host, "IRQ_ENABLE", EVENTS)?;
    write(host, "CONTROL", START)
}

/// Waits for the end of a run.
///
/// # Errors
/// [`Error::Run`] if it ends with an error, or not within about `most` cycles.
pub fn finish(host: &mut impl Host, most: u64) -> Result<(), Error> {
    if host.wait(most)? {
        return outcome(host);
    }
    Err(Error::Run(format!("the program does not end within {most} cycles")))
}

/// How the last run ended.
///
/// # Errors
/// [`Error::Run`] with the error that ended it, or if it has not ended.
pub fn outcome(host: &mut impl Host) -> Result<(), Error> {
    let status = read(host, "STATUS")?;
    if status >> 2 & 1 == 0 {
        return if status >> 1 & 1 == 1 { Ok(()) } else { Err(Error::Run("the program has not ended".into())) };
    }
    let code = (status >> 8 & 0xff) as usize;
    let (name, meaning) = regs::ERROR_CODES.get(code).copied().unwrap_or(("?", "an unknown error"));
    let (addr, detail) = (read(host, "ERROR_ADDR")?, read(host, "ERROR_DETAIL")?);
    Err(Error::Run(format!("{name}: {meaning} (address {addr:#010x}, queues {detail:#010x})")))
}

/// Ends whatever runs and waits until the units can start again, for at most `polls` reads of `STATUS`.
///
/// # Errors
/// [`Error::Run`] if the accelerator stays busy: memory that does not answer.
pub fn soft_reset(host: &mut impl Host, polls: u64) -> Result<(), Error> {
    write(host, "CONTROL", SOFT_RESET)?;
    for _ in 0..polls {
        if read(host, "STATUS")? & 1 == 0 {
            return Ok(());
        }
    }
    Err(Error::Run(format!("it is still busy after {polls} reads of STATUS: the memory does not answer")))
}

/// The counters of the last run.
///
/// # Errors
/// Those of [`Host::read_reg`].
pub fn counters(host: &mut impl Host) -> Result<Counters, Error> {
    let mut counters = Vec::new();
    for (index, (name, _)) in (0..regs::COUNTER_COUNT).filter_map(|i| Some((i, regs::counter(i)?))) {
        let at = regs::counter_offset(index as u32);
        // The low word first: reading it keeps the high one.
        let low = host.read_reg(at)?;
        counters.push((name, u64::from(low) | u64::from(host.read_reg(at + 4)?) << 32));
    }
    Ok(Counters(counters))
}

/// Row `row` of an output of a program, from memory; nothing if the program has none.
///
/// # Errors
/// Those of [`Host::read_mem`].
pub fn output(host: &mut impl Host, program: &Program, kind: OutputKind, row: u32) -> Result<Option<Vec<i64>>, Error> {
    let Some(output) = program.output(kind).filter(|o| row < o.rows) else { return Ok(None) };
    let mut bytes = vec![0; output.cols as usize * kind.bytes() as usize];
    host.read_mem(output.addr + row * output.stride, &mut bytes)?;
    Ok(Output { addr: 0, rows: 1, ..output.clone() }.row(&bytes, 0))
}
