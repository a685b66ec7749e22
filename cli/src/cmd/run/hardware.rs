//! `systole run` on the accelerator: text as its tokens reach memory.

use cosim::{Options, Sources};
use serde_json::{Value, json};
use spec::verdict::Verdict;

use super::{Args, Engine, PRESET};
use crate::args::numeric::{Arithmetic, Choice};
use crate::cmd::cosim::mismatch_vcd;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::repeat;
use crate::report::{Report, grouped};
use crate::result::describe;
use crate::text::Text;
use crate::watch::{Watch, WatchArgs};
use crate::whole::{
    Expected, Progress, Ran, Whole, check, check_tokens, cosimulate, simulate, simulate_fast, timing, verdict_json,
};

/// A run in hardware, cut where the text ends.
struct Spoken {
    ids: Vec<u32>,
    is_ended: bool,
    text: String,
    cycles: u64,
    roofline_cycles: u64,
    seconds: f64,
    /// Cycles that were simulated, those around the run included.
    simulated: u64,
    /// What was compared; nothing if nothing was to be.
    verdict: Option<Verdict>,
    matched: bool,
}

/// Runs the command on an engine other than golden.
pub fn run(args: &Args, output: &Output) -> Result<Report, Error> {
    let format = greedy(args)?;
    if let Some(seed) = args.random_start.filter(|_| args.engine == Engine::Fast) {
        let cure = "leave it away: the fast simulator has no registers to start at random";
        return Err(Error::input("--random-start", seed, "with --engine step or rtl", cure));
    }
    let config = args.hardware.load(PRESET)?;
    let whole = Whole::load(config, &args.model, format, &args.quantized, output)?;
    let prompt = whole.model.tokenizer.encode(&args.prompt)?;
    check_tokens(args.tokens, &whole.model, prompt.len())?;
    let spoken = match args.engine {
        Engine::Rtl => rtl(args, &whole, &prompt, output)?,
        Engine::Fast => fast(args, &whole, &prompt, output)?,
        _ => step(args, &whole, &prompt, output)?,
    };
    let seconds = spoken.seconds;
    let rate = spoken.simulated as f64 / seconds.max(1e-9);
    output.remark(&format!(
        "{} tokens in {} cycles; simulated in {seconds:.1} s, {} cycles/s",
        spoken.ids.len(),
        grouped(spoken.cycles),
        grouped(rate as u64),
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
        "cycles": spoken.cycles,
        "roofline_cycles": spoken.roofline_cycles,
        "mem_latency": args.mem_latency,
        "seconds": seconds,
        "cycles_per_second": rate,
    });
    let Some(verdict) = &spoken.verdict else { return Ok(Report::done("", json)) };
    if let (Value::Object(json), Value::Object(verdict)) = (&mut json, verdict_json(verdict, spoken.matched)) {
        json.extend(verdict);
    }
    let exit = if spoken.matched { Exit::Match } else { Exit::Mismatch };
    let text = match &verdict.first {
        Some(first) => describe(first),
        None => {
            let word = if spoken.matched { "MATCH" } else { "NO MATCH" };
            let cycles = match verdict.cycles_checked {
                0 => String::new(),
                cycles => format!("every output of {} cycles equal in Verilog and step simulator, ", grouped(cycles)),
            };
            format!("{word}: {cycles}{} values equal golden's", grouped(verdict.golden_values_checked))
        }
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
    spoken(args, (whole, prompt), ran, (ids, is_ended, text.whole), output)
}

/// In the fast simulator: a text that ends early is run again as a program that ends there.
fn fast(args: &Args, whole: &Whole, prompt: &[u32], output: &Output) -> Result<Spoken, Error> {
    let timing = timing(args.mem_latency, args.stall_seed);
    let run = |tokens: usize| -> Result<Ran, Error> {
        let program = match args.check {
            true => whole.checkable(prompt, tokens, output)?,
            false => whole.program(prompt, tokens, false)?,
        };
        let spinner = output.spinner("simulating");
        let ran = simulate_fast(&whole.config, &program, timing)?;
        spinner.finish_and_clear();
        Ok(ran)
    };
    let mut ran = run(args.tokens)?;
    let end = ran.written.tokens.iter().position(|&id| whole.ends(id));
    if let Some(end) = end.filter(|end| end + 1 < args.tokens) {
        ran = run(end + 1)?;
    }
    let ids = ran.written.tokens[..end.unwrap_or(ran.written.tokens.len())].to_vec();
    let mut text = Text::new(&whole.model.tokenizer, prompt)?;
    output.stream(&args.prompt)?;
    for &id in &ids {
        output.stream(text.add(id)?)?;
    }
    output.stream(text.rest())?;
    output.stream("\n")?;
    spoken(args, (whole, prompt), ran, (ids, end.is_some(), text.whole), output)
}

/// What a simulator ran, and compared if that was asked for.
fn spoken(
    args: &Args,
    (whole, prompt): (&Whole, &[u32]),
    ran: Ran,
    (ids, is_ended, text): (Vec<u32>, bool, String),
    output: &Output,
) -> Result<Spoken, Error> {
    let mut spoken = Spoken {
        ids,
        is_ended,
        text,
        cycles: ran.profile.cycles,
        roofline_cycles: ran.profile.roofline_cycles,
        seconds: ran.seconds,
        simulated: ran.profile.cycles,
        verdict: None,
        matched: true,
    };
    if args.check {
        let spinner = output.spinner("computing the same with golden");
        let expected = Expected::new(whole, prompt, args.tokens, true)?;
        spinner.finish_and_clear();
        let mut verdict = check(&expected, &ran.written, ran.profile.cycles);
        if let Some(first) = &mut verdict.first {
            first.repeat = repeat::command(None);
        }
        spoken.matched = verdict.mismatches == 0 && verdict.golden_values_checked > 0;
        spoken.verdict = Some(verdict);
    }
    Ok(spoken)
}

/// In the Verilog, beside the step simulator and golden: as many tokens as golden writes before its text ends. A token is
/// shown when the accelerator has stored it and that was compared.
fn rtl(args: &Args, whole: &Whole, prompt: &[u32], output: &Output) -> Result<Spoken, Error> {
    let spinner = output.spinner("computing the same with golden");
    let expected = Expected::new(whole, prompt, args.tokens, true)?;
    spinner.finish_and_clear();
    let tokens = expected.written.tokens.len();
    let program = match args.check {
        true => whole.checkable(prompt, tokens, output)?,
        false => whole.program(prompt, tokens, false)?,
    };
    let options = Options {
        stall_seed: args.stall_seed,
        // Both models shall start at different values.
        random_start: args.random_start.map(|seed| (seed, seed.wrapping_add(1))),
        mismatch_vcd: mismatch_vcd(),
        repeat: repeat::command(None),
        ..Options::default()
    };
    let timing = timing(args.mem_latency, args.stall_seed);
    let said = tokens - usize::from(expected.is_ended);
    let (mut text, mut shown) = (Text::new(&whole.model.tokenizer, prompt)?, 0);
    let mut show = |text: &mut Text, ids: &[u32]| -> Result<(), Error> {
        for &id in ids.get(shown..).unwrap_or_default() {
            output.stream(text.add(id)?)?;
            shown += 1;
        }
        Ok(())
    };
    output.stream(&args.prompt)?;
    let work = (&whole.config, &program);
    let found = cosimulate(work, timing, (&Sources::Generated, &options), prompt.len(), output, &mut |token| {
        // What begins at position p of the sequence knows the tokens up to p.
        let stored = (token as usize + 1).saturating_sub(prompt.len()).min(said);
        show(&mut text, &expected.written.tokens[..stored])
    })?;
    let is_whole = found.written.tokens.len() == tokens;
    let is_ended = is_whole && expected.is_ended;
    let ids = found.written.tokens[..found.written.tokens.len().min(said)].to_vec();
    show(&mut text, &ids)?;
    output.stream(text.rest())?;
    output.stream("\n")?;
    let mut verdict = found.run.verdict.clone();
    if verdict.matched() {
        let mut meaning = check(&expected, &found.written, 0);
        if let Some(first) = &mut meaning.first {
            first.repeat.clone_from(&options.repeat);
        }
        verdict = verdict.and(meaning);
    }
    Ok(Spoken {
        ids,
        is_ended,
        text: text.whole,
        cycles: found.cycles(),
        roofline_cycles: found.roofline_cycles,
        seconds: found.run.elapsed.as_secs_f64(),
        simulated: found.run.verdict.cycles,
        matched: verdict.matched(),
        verdict: Some(verdict),
    })
}
