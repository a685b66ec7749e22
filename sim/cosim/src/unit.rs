//! Co-simulation of any design, its inputs given cycle by cycle.

use std::time::Duration;

use hdl::rtl::module::Design;
use sim::engine::Bench;
use sim::engine::frame::Frame;
use spec::verdict::{Mismatch, Verdict};

use crate::bench::TestBench;
use crate::error::Error;
use crate::replay::{Batch, replay};
use crate::rtl::{Model, ModelStart, Source};

/// What golden says about one cycle: values that it checked, or the field that is wrong and what golden expects.
pub type Judgement = Result<u64, (String, String)>;

/// Drives a design in `step` and Verilator and compares every output of every cycle, both from zero.
///
/// `stimulus` fills the input frame of each cycle and says whether there is such a cycle. `judge` gets the number of the
/// cycle, its input and its output frame, and compares them with golden.
///
/// # Errors
/// [`Error::Tool`], [`Error::Sim`].
pub fn drive(
    design: &Design,
    sources: &[Source],
    mut stimulus: impl FnMut(u64, &Frame, &mut [u64]) -> bool + Send,
    mut judge: impl FnMut(u64, (&Frame, &[u64]), (&Frame, &[u64])) -> Judgement,
) -> Result<Verdict, Error> {
    let tb = TestBench::new(design, &[], true);
    let model = Model::build(&tb, sources, Duration::from_secs(1200))?;
    let mut verdict = Verdict::default();
    let produce = |sender: std::sync::mpsc::SyncSender<Batch>| {
        let mut bench = Bench::new(design, &[])?;
        let mut inputs = vec![0; bench.inputs.words];
        let mut outputs = vec![0; bench.outputs.words];
        let mut batch = Batch::starting(0);
        let frame = bench.inputs.clone();
        for cycle in 0.. {
            inputs.fill(0);
            let has_cycle = stimulus(cycle, &frame, &mut inputs);
            if has_cycle {
                bench.cycle(&inputs, &mut outputs);
                batch.push(&inputs, &outputs);
            }
            let is_wanted = batch.is_full() || (!has_cycle && batch.cycles > 0);
            if is_wanted && sender.send(std::mem::replace(&mut batch, Batch::starting(cycle + 1))).is_err() {
                break;
            }
            if !has_cycle {
                break;
            }
        }
        Ok(())
    };
    let (in_words, out_words) = (tb.inputs.words, tb.outputs.words);
    let compare = |batch: &Batch, rtl: &[u64]| {
        for i in 0..batch.cycles {
            let cycle = batch.first_cycle + i as u64;
            let inputs = &batch.inputs[i * in_words..(i + 1) * in_words];
            let (step, rtl) = (&batch.outputs[i * out_words..][..out_words], &rtl[i * out_words..][..out_words]);
            verdict.cycles = cycle + 1;
            let wrong = match judge(cycle, (&tb.inputs, inputs), (&tb.outputs, rtl)) {
                _ if step != rtl => {
                    let differs = tb.outputs.fields.iter().find(|f| f.get_limbs(step) != f.get_limbs(rtl));
                    differs.map(|f| (f.name.clone(), None))
                }
                Ok(values) => {
                    verdict.golden_values_checked += values;
                    None
                }
                Err((field, golden)) => Some((field, Some(golden))),
            };
            verdict.cycles_checked += 1;
            if let Some((point, golden)) = wrong {
                let hex = |frame: &[u64]| tb.outputs.field(&point).map(|f| f.hex(frame));
                let (step, rtl) = (hex(step), hex(rtl));
                verdict.mismatches = 1;
                verdict.first = Some(Mismatch { cycle, point, golden, step, rtl, ..Mismatch::default() });
                return Ok(false);
            }
        }
        Ok(true)
    };
    replay(&model, &ModelStart::default(), produce, compare)?;
    Ok(verdict)
}
