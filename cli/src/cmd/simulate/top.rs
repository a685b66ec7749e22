//! `systole simulate` of a whole model on the whole accelerator.

use serde_json::{Value, json};

use super::Args;
use crate::args::unit::TOP;
use crate::args::work::Speech;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, grouped};
use crate::result::describe;
use crate::watch::Watch;
use crate::whole::{Expected, Progress, Waves, check, profile_json, profile_text, simulate, timing, verdict_json};

/// Runs the command.
///
/// # Errors
/// For a configuration or model that cannot be used.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let Speech { whole, prompt, tokens } = args.work.speech(output)?;
    let program = whole.program(&prompt, tokens, false)?;
    let spinner = output.spinner("building the accelerator");
    let design = whole.design()?;
    spinner.finish_and_clear();
    let latency = args.work.mem_latency();
    let timing = timing(latency, args.work.stall_seed);
    let waves = args.vcd.as_deref().map(|path| Waves {
        path,
        signals: &args.signal,
        cycles: args.cycles.clone().unwrap_or(0..u64::MAX),
    });
    let mut progress = Progress::new(&program, prompt.len(), output);
    let start = args.work.random_start;
    let mut watch = Watch::new(&args.watch)?;
    let ran = simulate(&design, &program, timing, start, waves.as_ref(), &mut watch, &mut progress, &mut |_| Ok(true))?;
    let spinner = output.spinner("computing the same with golden");
    let expected = Expected::new(&whole, &prompt, tokens, false)?;
    spinner.finish_and_clear();
    let profile = &ran.profile;
    let mut verdict = check(&expected, &ran.written, profile.cycles);
    if let Some(first) = &mut verdict.first {
        first.repeat = repeat::command(None);
    }
    let matched = verdict.mismatches == 0 && verdict.golden_values_checked > 0;
    let hash = whole.config.hash();
    let mut json = json!({
        "config_hash": hash,
        "unit": TOP,
        "engine": "step",
        "model": whole.model.source,
        "format": whole.q.options.format,
        "prompt_tokens": prompt.len(),
        "tokens": ran.written.tokens,
        "mem_latency": latency,
    });
    if let Value::Object(json) = &mut json {
        json.extend(profile_json(profile, prompt.len()));
        if let Value::Object(verdict) = verdict_json(&verdict, matched) {
            json.extend(verdict);
        }
        json.insert("seconds".into(), ran.seconds.into());
        json.insert("cycles_per_second".into(), ran.rate().into());
    }
    let brief = match &verdict.first {
        Some(first) => describe(first),
        None => format!(
            "{}: {} cycles, {:.2} % of the roofline's {}; {} tokens equal golden's",
            if matched { "MATCH" } else { "NO MATCH" },
            grouped(profile.cycles),
            100.0 * profile.roofline_cycles as f64 / profile.cycles.max(1) as f64,
            grouped(profile.roofline_cycles),
            verdict.golden_values_checked
        ),
    };
    let text = format!(
        "{} ({}): a prompt of {} tokens, {tokens} generated; memory latency {latency} cycles; configuration {hash}\n\n\
         {}\n\n{brief}\n{} cycles simulated a second",
        whole.model.source,
        whole.q.options.format,
        prompt.len(),
        profile_text(profile, prompt.len()),
        grouped(ran.rate() as u64),
    );
    let mut report = Report { text, brief, json, exit: if matched { Exit::Match } else { Exit::Mismatch } };
    watch.tell(&design, &hash, Some(profile), &mut report)?;
    Ok(report)
}
