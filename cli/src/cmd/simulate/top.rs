//! `systole simulate` on the whole accelerator: a whole model, or one linear layer as a program.

use hdl::rtl::Design;
use serde_json::Value;

use super::{Args, Engine, Seen};
use crate::args::unit::TOP;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, grouped};
use crate::result::describe;
use crate::watch::{Watch, WatchArgs};
use crate::whole::{Progress, Waves, check, profile_json, profile_text, simulate, simulate_fast, timing, verdict_json};

/// Runs the command.
///
/// # Errors
/// For a configuration or model that cannot be used.
pub fn run(args: &Args, watched: &WatchArgs, output: &Output) -> Result<(Report, Seen), Error> {
    let work = args.work.program(output)?;
    let (config, program, prompt) = (&work.config, &work.program, work.prompt);
    let latency = args.work.mem_latency();
    let timing = timing(latency, args.work.stall_seed);
    let start = args.work.random_start;
    let fast = args.engine == Engine::Fast;
    let given = [("--vcd", args.vcd.is_some()), ("--random-start", start.is_some())];
    if let Some((option, _)) = given.into_iter().find(|(_, is_given)| fast && *is_given) {
        let cure = "leave it away: the fast simulator has no signals";
        return Err(Error::input(option, "given", "with --engine step", cure));
    }
    let waves = args.vcd.as_deref().map(|path| Waves {
        path,
        signals: &args.signal,
        cycles: args.cycles.clone().unwrap_or(0..u64::MAX),
    });
    let mut design = None;
    let mut watch = Watch::new(watched)?;
    if fast && watch.is_wanted() {
        let cure = "leave --activity, --saif and --technology away: the fast simulator has no registers that move";
        return Err(Error::input("--engine", "fast", "step with what moves", cure));
    }
    let ran = if fast {
        let spinner = output.spinner("simulating");
        let ran = simulate_fast(config, program, timing)?;
        spinner.finish_and_clear();
        ran
    } else {
        let spinner = output.spinner("building the accelerator");
        let design = design.insert(Design::new(hdl::unit::top::top(config)?));
        spinner.finish_and_clear();
        let mut progress = Progress::new(program, prompt, output);
        simulate(design, program, timing, start, waves.as_ref(), &mut watch, &mut progress, &mut |_| Ok(true))?
    };
    let spinner = output.spinner("computing the same with golden");
    let expected = work.expected()?;
    spinner.finish_and_clear();
    let profile = &ran.profile;
    let mut verdict = check(&expected, &ran.written, profile.cycles);
    if let Some(first) = &mut verdict.first {
        first.repeat = repeat::command(None);
    }
    let matched = verdict.mismatches == 0 && verdict.golden_values_checked > 0;
    let hash = config.hash();
    let mut json = work.head.clone();
    if let Value::Object(json) = &mut json {
        json.insert("config_hash".into(), hash.clone().into());
        json.insert("unit".into(), TOP.into());
        json.insert("engine".into(), if fast { "fast" } else { "step" }.into());
        json.insert("tokens".into(), ran.written.tokens.clone().into());
        json.insert("mem_latency".into(), latency.into());
        json.extend(profile_json(profile, prompt));
        if let Value::Object(verdict) = verdict_json(&verdict, matched) {
            json.extend(verdict);
        }
        json.insert("seconds".into(), ran.seconds.into());
        json.insert("cycles_per_second".into(), ran.rate().into());
    }
    let brief = match &verdict.first {
        Some(first) => describe(first),
        None => format!(
            "{}: {} cycles, {:.2} % of the roofline's {}; {} values equal golden's",
            if matched { "MATCH" } else { "NO MATCH" },
            grouped(profile.cycles),
            100.0 * profile.roofline_cycles as f64 / profile.cycles.max(1) as f64,
            grouped(profile.roofline_cycles),
            grouped(verdict.golden_values_checked)
        ),
    };
    let text = format!(
        "{}\nmemory latency {latency} cycles; configuration {hash}\n\n{}\n\n{brief}\n{} cycles simulated a second",
        work.title,
        profile_text(profile, prompt),
        grouped(ran.rate() as u64),
    );
    let mut report = Report { text, brief, json, exit: if matched { Exit::Match } else { Exit::Mismatch } };
    let energy = match &design {
        Some(design) => watch.tell(design, &hash, Some(profile), &mut report)?,
        None => None,
    };
    let tokens = work.tokens();
    let (title, config) = (work.title.clone(), work.config.clone());
    Ok((report, Seen { title, config, config_hash: hash, profile: ran.profile, energy, tokens }))
}
