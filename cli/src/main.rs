//! The `systole` binary: the one place that prints and exits.
//!
//! One file a subcommand in `cmd`; each gives back a [`report::Report`] or an [`error::Error`], which are printed here.

mod args;
mod cmd;
mod error;
mod exit;
mod explore;
mod generate;
mod measured;
mod output;
mod program_file;
mod repeat;
mod report;
mod result;
mod text;
mod watch;
mod whole;
mod workload;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::args::OutputArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

/// Generate, simulate and verify INT8/FP4 systolic-array accelerators.
#[derive(Parser)]
#[command(name = "systole", version, max_term_width = 110, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  systole demo                                      a real model's layers through the generated hardware, checked
  systole run --model fairy --prompt 'The king'     text in integers, by the model inside this program
  systole doctor                                    which external programs are there
  systole new mine.toml --preset small              a configuration to edit
  systole generate --config mine.toml -o rtl        its Verilog
  systole cosim --config mine.toml --gemm 20x64x48  the Verilog against simulator and golden model

Exit codes: 0 match or done, 1 mismatch, 2 bad input, 3 an external program is missing or failed.";

#[derive(Subcommand)]
enum Command {
    Doctor(cmd::doctor::Args),
    New(cmd::new::Args),
    Generate(cmd::generate::Args),
    Quantize(cmd::quantize::Args),
    Inspect(cmd::inspect::Args),
    Eval(cmd::eval::Args),
    Run(cmd::run::Args),
    Lower(cmd::lower::Args),
    Asm(cmd::asm::Args),
    Disasm(cmd::disasm::Args),
    Image(cmd::image::Args),
    Operators(cmd::operators::Args),
    Simulate(cmd::simulate::Args),
    Cosim(cmd::cosim::Args),
    Report(cmd::report::Args),
    Synth(cmd::synth::Args),
    Estimate(cmd::estimate::Args),
    Fit(cmd::fit::Args),
    Explore(cmd::explore::Args),
    Demo(cmd::demo::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    let output = Output::new(&cli.output);
    let Some(command) = cli.command else {
        // The help is the answer to an empty command line, so it goes to standard output.
        let help = Cli::command().render_help();
        let is_terminal = std::io::stdout().is_terminal();
        return output.text(&if is_terminal { help.ansi().to_string() } else { help.to_string() }).into();
    };
    let result = match &command {
        Command::Doctor(args) => cmd::doctor::run(args, &output),
        Command::New(args) => cmd::new::run(args, &output),
        Command::Generate(args) => cmd::generate::run(args, &output),
        Command::Quantize(args) => cmd::quantize::run(args, &output),
        Command::Inspect(args) => cmd::inspect::run(args, &output),
        Command::Eval(args) => cmd::eval::run(args, &output),
        Command::Run(args) => cmd::run::run(args, &output),
        Command::Lower(args) => cmd::lower::run(args, &output),
        Command::Asm(args) => cmd::asm::run(args, &output),
        Command::Disasm(args) => cmd::disasm::run(args, &output),
        Command::Image(args) => cmd::image::run(args, &output),
        Command::Operators(args) => cmd::operators::run(args, &output),
        Command::Simulate(args) => cmd::simulate::run(args, &output),
        Command::Cosim(args) => cmd::cosim::run(args, &output),
        Command::Report(args) => cmd::report::run(args, &output),
        Command::Synth(args) => cmd::synth::run(args, &output),
        Command::Estimate(args) => cmd::estimate::run(args, &output),
        Command::Fit(args) => cmd::fit::run(args, &output),
        Command::Explore(args) => cmd::explore::run(args, &output),
        Command::Demo(args) => cmd::demo::run(args, &output),
    };
    let exit = match result {
        Ok(report) => output.report(&report),
        Err(error) => output.error(&error),
    };
    exit.into()
}

/// Prints what clap says: help and version as asked for, or what is wrong with the arguments.
fn usage(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        // A reader that closed the pipe has seen what it wanted.
        let _ = error.print();
        return Exit::Match;
    }
    // The arguments could not be read, so `--json` is looked for as it stands.
    let is_json = std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json");
    let text = error.render().to_string();
    let text: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let message = text.join("\n").trim_start_matches("error: ").to_string();
    Output::new(&OutputArgs { json: is_json, quiet: false }).error(&Error::Input(message))
}
