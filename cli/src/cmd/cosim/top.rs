//! `systole cosim` on the whole accelerator: a whole model, or one linear layer as a program.

use cosim::{Options, Sources};
use serde_json::{Value, json};

use super::{Args, mismatch_vcd};
use crate::args::unit::TOP;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, grouped};
use crate::result::describe;
use crate::whole::{check, cosimulate, timing, verdict_json};

/// Runs the command.
///
/// # Errors
/// For input that cannot be used; a missing or failed tool.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let work = args.work.program(output)?;
    let sources = args.rtl.clone().map_or(Sources::Generated, Sources::Folder);
    let options = Options {
        stall_seed: args.work.stall_seed,
        // Both models shall start at different values.
        random_start: args.work.random_start.map(|seed| (seed, seed.wrapping_add(1))),
        vcd: args.vcd.clone(),
        mismatch_vcd: mismatch_vcd(),
        repeat: repeat::command(None),
        ..Options::default()
    };
    let latency = args.work.mem_latency();
    let timing = timing(latency, args.work.stall_seed);
    let (config, program) = (&work.config, &work.program);
    let found = cosimulate((config, program), timing, (&sources, &options), work.prompt, output, &mut |_| Ok(()))?;
    let mut verdict = found.run.verdict.clone();
    // What the program means, beside what its instructions do.
    if verdict.matched() {
        let spinner = output.spinner("computing the same with golden");
        let mut meaning = check(&work.expected()?, &found.written, 0);
        spinner.finish_and_clear();
        if let Some(first) = &mut meaning.first {
            first.repeat.clone_from(&options.repeat);
        }
        verdict = verdict.and(meaning);
    }
    let matched = verdict.matched();
    let (cycles, hash) = (found.cycles(), config.hash());
    let share = found.roofline_cycles as f64 / cycles.max(1) as f64;
    let mut json = work.head.clone();
    if let (Value::Object(json), Value::Object(verdict)) = (&mut json, verdict_json(&verdict, matched)) {
        json.extend(verdict);
        let more = json!({
            "config_hash": hash,
            "unit": TOP,
            "mem_latency": latency,
            "tokens": found.written.tokens,
            "cycles": cycles,
            "roofline_cycles": found.roofline_cycles,
            "utilisation": share,
            "stalls": found.stalls(),
            "instructions_checked": found.run.instructions_checked,
            "seconds": found.run.elapsed.as_secs_f64(),
            "cycles_per_second": found.run.cycles_per_second(),
        });
        if let Value::Object(more) = more {
            json.extend(more);
        }
    }
    let brief = match &verdict.first {
        Some(first) => describe(first),
        None => format!(
            "{}: every output of {} cycles equal in Verilog and step simulator, writes of {} instructions and {} values \
             equal golden's",
            if matched { "MATCH" } else { "NO MATCH" },
            grouped(verdict.cycles_checked),
            grouped(found.run.instructions_checked),
            grouped(verdict.golden_values_checked)
        ),
    };
    let text = format!(
        "{}\nmemory latency {latency} cycles; configuration {hash}\n{} cycles from start to done, {:.2} % of the \
         roofline's {}; {} cycles a second\n\n{brief}",
        work.title,
        grouped(cycles),
        100.0 * share,
        grouped(found.roofline_cycles),
        grouped(found.run.cycles_per_second() as u64),
    );
    Ok(Report { text, brief, json, exit: if matched { Exit::Match } else { Exit::Mismatch } })
}
