//! `systole run` on the accelerator: text as its tokens reach memory.

use serde_json::{Value, json};
use spec::verdict::Verdict;

use super::{Args, Engine, PRESET};
use crate::args::numeric::{Arithmetic, Choice};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, grouped};
use crate::result::describe;
use crate::text::Text;
use crate::watch::{Watch, WatchArgs};
use crate::whole::{Expected, Progress, Ran, Whole, check, check_tokens, simulate, timing, verdict_json};

/// A run in hardware, cut where the text ends.
struct Spoken {
    ran: Ran,
    ids: Vec<u32>,
    is_ended: bool,
    text: String,
    /// What was compared; nothing if nothing was to be.
    verdict: Option<Verdict>,
    matched: bool,
}

/// Runs the command on an engine other than golden.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let format = greedy(args)?;
    if matches!(args.engine, Engine::Fast | Engine::Rtl) {
        let cure = "use --engine step";
        return Err(Error::input("--engine", args.engine.name(), "golden, step", cure));
    }
    let config = args.hardware.load(PRESET)?;
    let whole = Whole::load(config, &args.model, format, &args.quantized, output)?;
    let prompt = whole.model.tokenizer.encode(&args.prompt)?;
    check_tokens(args.tokens, &whole.model, prompt.len())?;
    let spoken = step(args, &whole, &prompt, output)?;
    let (profile, seconds) = (&spoken.ran.profile, spoken.ran.seconds);
    output.remark(&format!(
        "{} tokens in {} cycles; simulated in {seconds:.1} s, {} cycles/s",
        spoken.ids.len(),
        grouped(profile.cycles),
        grouped(spoken.ran.rate() as u64),
    ));
    let mut json = json!({
        "model": args.model,
        "format": whole.q.options.format,
        "recipe": whole.q.options.recipe,
        "engine": args.engine.name(),
        "config_hash": whole.config.hash(),
        "prompt": args.prompt,
        "prompt_tokens": prompt.len(),
        "text": spoken.text,
        "tokens": spoken.ids,
        "stopped": if spoken.is_ended { "end" } else { "tokens" },
        "cycles": profile.cycles,
        "roofline_cycles": profile.roofline_cycles,
        "seconds": seconds,
        "cycles_per_second": spoken.ran.rate(),
    });
    let Some(verdict) = &spoken.verdict else { return Ok(Report::done("", json)) };
    if let (Value::Object(json), Value::Object(verdict)) = (&mut json, verdict_json(verdict, spoken.matched)) {
        json.extend(verdict);
    }
    let exit = if spoken.matched { Exit::Match } else { Exit::Mismatch };
    let text = match &verdict.first {
        Some(first) => describe(first),
        None => format!(
            "{}: {} values equal golden's",
            if spoken.matched { "MATCH" } else { "NO MATCH" },
            grouped(verdict.golden_values_checked)
        ),
    };
    Ok(Report { brief: text.clone(), text, json, exit })
}

/// The number format; refuses what the machine does not do.
fn greedy(args: &Args) -> Result<Option<Choice>, Error> {
    let only = |option: &str, value: String, allowed: &str| {
        let cure = "use --engine golden: the accelerator takes the most likely token each time";
        Err(Error::input(option, value, allowed, cure))
    };
    let ratio = |r: golden::sample::Ratio| super::ratio(r).to_string();
    if args.temperature.num != 0 {
        return only("--temperature", ratio(args.temperature), "0 with an engine of hardware");
    }
    if let Some(k) = args.top_k {
        return only("--top-k", k.to_string(), "nothing with an engine of hardware");
    }
    if super::ratio(args.top_p) != 1.0 {
        return only("--top-p", ratio(args.top_p), "1 with an engine of hardware");
    }
    match args.format {
        Some(Arithmetic::Fp32) => {
            let cure = "choose a number format, or --engine golden";
            Err(Error::input("--format", "fp32", "integers with an engine of hardware", cure))
        }
        Some(Arithmetic::Integers(format)) => Ok(Some(format)),
        None => Ok(None),
    }
}

/// In the step simulator, up to the token that ends the text.
fn step(args: &Args, whole: &Whole, prompt: &[u32], output: &Output) -> Result<Spoken, Error> {
    let program = match args.check {
        true => whole.checkable(prompt, args.tokens, output)?,
        false => whole.program(prompt, args.tokens, false)?,
    };
    let spinner = output.spinner("building the accelerator");
    let design = whole.design()?;
    spinner.finish_and_clear();
    let mut text = Text::new(&whole.model.tokenizer, prompt)?;
    output.stream(&args.prompt)?;
    let (mut ids, mut is_ended) = (Vec::new(), false);
    let mut progress = Progress::new(&program, prompt.len(), output);
    let timing = timing(args.mem_latency, args.stall_seed);
    let nothing = WatchArgs::default();
    let mut watch = Watch::new(&nothing)?;
    let ran = simulate(&design, &program, timing, args.random_start, None, &mut watch, &mut progress, &mut |id| {
        is_ended = whole.ends(id);
        if !is_ended {
            ids.push(id);
            output.stream(text.add(id)?)?;
        }
        Ok(!is_ended)
    })?;
    output.stream(text.rest())?;
    output.stream("\n")?;
    let mut spoken = Spoken { ran, ids, is_ended, text: text.whole, verdict: None, matched: true };
    if args.check {
        let spinner = output.spinner("computing the same with golden");
        let expected = Expected::new(whole, prompt, args.tokens, true)?;
        spinner.finish_and_clear();
        let mut verdict = check(&expected, &spoken.ran.written, spoken.ran.profile.cycles);
        if let Some(first) = &mut verdict.first {
            first.repeat = repeat::command(None);
        }
        spoken.matched = verdict.mismatches == 0 && verdict.golden_values_checked > 0;
        spoken.verdict = Some(verdict);
    }
    Ok(spoken)
}
