//! Arguments that several subcommands share.

pub mod hardware;
pub mod numeric;
pub mod quantized;
pub mod set;
pub mod unit;
pub mod work;

use clap::Args;

/// How results are shown.
#[derive(Args, Clone, Copy, Debug)]
pub struct OutputArgs {
    /// Print one JSON object on standard output and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress, no remarks, no tables
    #[arg(short, long, global = true)]
    pub quiet: bool,
}
