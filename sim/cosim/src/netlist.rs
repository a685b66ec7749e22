//! Netlists after synthesis against the step simulator of the design that they were made from.

use hdl::rtl::module::Design;
use sim::engine::bench::RESET;
use sim::engine::frame::Frame;
use spec::verdict::Verdict;

use crate::error::Error;
use crate::rtl::Source;
use crate::unit::drive;

/// Cycles in reset at the beginning.
const RESET_CYCLES: u64 = 4;

/// Drives `cycles` cycles of random inputs into a netlist (with the models of its cells) and into `step`, both from
/// zero, and compares every output of every cycle. `golden_values_checked` counts the outputs compared.
///
/// Inputs of one bit (enables, valids) change at random, wider ones are of all ones, all zeros, one bit or random bits. A
/// unit with memories takes random addresses, too: where the memory's depth is no power of two that is not what it was
/// described for.
///
/// # Errors
/// [`Error::Tool`] if Verilator is missing or the netlist does not compile, [`Error::Sim`].
pub fn cosim_netlist(design: &Design, files: &[Source], cycles: u64, seed: u64) -> Result<Verdict, Error> {
    let mut random = Random(seed);
    let stimulus = |cycle: u64, frame: &Frame, inputs: &mut [u64]| {
        for field in &frame.fields {
            let limbs = field.width.div_ceil(64) as usize;
            let mut value = vec![0; limbs];
            if field.name == RESET {
                value[0] = u64::from(cycle >= RESET_CYCLES);
            } else {
                random.fill(&mut value, field.width);
            }
            field.put(inputs, &value);
        }
        cycle < cycles
    };
    let judge = |_: u64, _: (&Frame, &[u64]), (frame, _): (&Frame, &[u64])| Ok(frame.fields.len() as u64);
    drive(design, files, stimulus, judge)
}

/// The generator of Steele, Lea and Flood ("Fast splittable pseudorandom number generators", 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A value of `width` bits, extreme ones often.
    fn fill(&mut self, value: &mut [u64], width: u32) {
        match self.next() % 8 {
            0 => value.fill(0),
            1 => value.fill(u64::MAX),
            2 => {
                let bit = self.next() % u64::from(width);
                value[(bit / 64) as usize] = 1 << (bit % 64);
            }
            _ => value.iter_mut().for_each(|limb| *limb = self.next()),
        }
        if !width.is_multiple_of(64)
            && let Some(last) = value.last_mut()
        {
            *last &= (1 << (width % 64)) - 1;
        }
    }
}
