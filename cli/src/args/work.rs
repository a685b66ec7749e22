//! What is computed: a whole model, layers of one with the activations of a prompt, or a product of random operands.

use clap::Args;
use golden::gemm::Shape;
use golden::load;
use spec::qmodel::ActMode;
use spec::{Format, RequantMode};

use super::hardware::HardwareArgs;
use super::numeric::{self, Choice};
use super::quantized::QuantizedArgs;
use super::unit::{ENGINE, TOP};
use crate::error::Error;
use crate::output::Output;
use crate::whole::{MEM_LATENCY, Whole, check_tokens, latency};
use crate::workload::{self, Numeric, Workload};

/// Hardware and work of `simulate` and `cosim`.
#[derive(Args, Clone, Debug)]
pub struct WorkArgs {
    #[command(flatten)]
    hardware: HardwareArgs,
    #[command(flatten)]
    source: Source,
    /// Linear layer, as in model.layers.1.mlp.down_proj; without it the whole model, or with --unit engine the layers of
    /// all blocks, in turn
    #[arg(long, value_name = "NAME", requires = "model")]
    layer: Option<String>,
    /// Text to continue, or whose real activations enter the layers
    #[arg(long, value_name = "TEXT", requires = "model", required_unless_present_any = ["gemm", "prompt_tokens"])]
    prompt: Option<String>,
    /// Length of the prompt: its first tokens, or more as the model continues it; without a prompt random ones
    #[arg(long, value_name = "N", requires = "model")]
    prompt_tokens: Option<usize>,
    /// Tokens to generate [default: 1]. Of layers: use so many, the prompt's first, or more as the FP32 model continues
    /// it [default: the prompt's]
    #[arg(long, value_name = "N", requires = "model")]
    tokens: Option<usize>,
    /// Number format [default: a QModel's own, otherwise the configuration's first]
    #[arg(long, value_name = "FORMAT", value_parser = numeric::choice())]
    format: Option<Choice>,
    #[command(flatten)]
    quantized: QuantizedArgs,
    /// How finished rows of the tile engine become 8-bit activations [default: a QModel's own, otherwise dynamic if the
    /// hardware has it]
    #[arg(long, value_name = "MODE", value_parser = numeric::requant())]
    requant: Option<RequantMode>,
    /// How the inputs of single layers are coded [default: a QModel's own, otherwise symmetric]
    #[arg(long, value_name = "MODE", value_parser = numeric::acts())]
    acts: Option<ActMode>,
    /// Cycles from a read's address to its first data, in the memory behind the accelerator [default: 30]
    #[arg(long, value_name = "CYCLES", value_parser = latency)]
    mem_latency: Option<u32>,
    /// Stall memory, or the tile engine's streams, at random, by this seed
    #[arg(long, value_name = "SEED")]
    pub stall_seed: Option<u64>,
    /// Start registers and memories at random values, by this seed
    #[arg(long, value_name = "SEED")]
    pub random_start: Option<u64>,
    /// Seed of random operands, and of random tokens
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
}

#[derive(Args, Clone, Debug)]
#[group(id = "work", required = true, multiple = false)]
struct Source {
    /// Hugging Face directory of a Llama model, QModel file, or `fairy`, the model inside this program
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Product of random operands: tokens, reduction, channels, as in 512x576x576
    #[arg(long, value_name = "MxKxN", conflicts_with_all = ["layer", "prompt", "prompt_tokens", "tokens"])]
    gemm: Option<Shape>,
}

/// Ids of a vocabulary, by a seed.
///
/// **Source**: splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
fn random_ids(seed: u64, count: usize, vocab: usize) -> Vec<u32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    (0..count).map(|_| (next() % vocab.max(1) as u64) as u32).collect()
}

/// A whole model, and what it is to do.
pub struct Speech {
    /// Model and hardware.
    pub whole: Whole,
    /// Ids of the prompt.
    pub prompt: Vec<u32>,
    /// Tokens to generate.
    pub tokens: usize,
}

impl WorkArgs {
    /// The part of the hardware that runs it: the one that was asked for, otherwise the whole accelerator for whole models
    /// and the tile engine for layers and products.
    ///
    /// # Errors
    /// For an option that this part does not have.
    pub fn unit<'a>(&self, asked: Option<&'a str>) -> Result<&'a str, Error> {
        let is_part = self.layer.is_some() || self.source.gemm.is_some();
        let unit = asked.unwrap_or(if is_part { ENGINE } else { TOP });
        let (given, unit_of) = if unit == TOP {
            (vec![("--requant", self.requant.is_some()), ("--acts", self.acts.is_some())], "engine")
        } else {
            let format = self.format.is_some_and(|f| !matches!(f, Choice::Even(f) if Format::PLAIN.contains(&f)));
            if format && unit == ENGINE {
                let name = self.format.map_or("", Choice::name);
                let allowed = Format::PLAIN.map(Format::name).join(", ");
                let cure = "leave --unit and --layer away to run the whole model on the accelerator";
                return Err(Error::input("--format", name, &format!("{allowed} with --unit engine"), cure));
            }
            let given = vec![
                ("--mem-latency", self.mem_latency.is_some()),
                ("--prompt-tokens", self.prompt_tokens.is_some()),
                ("--recipe", self.quantized.has_recipe()),
                ("--calib", self.quantized.has_calibration()),
            ];
            (given, "top")
        };
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => {
                let cure = "leave it away, or choose the other unit";
                Err(Error::input(option, "given", &format!("with --unit {unit_of}"), cure))
            }
            None => Ok(unit),
        }
    }

    /// Checks that an option that makes one file is not asked for several layers.
    ///
    /// # Errors
    /// If it is.
    pub fn one_layer(&self, option: &str, is_given: bool, workload: &Workload) -> Result<(), Error> {
        if is_given && workload.len() > 1 {
            let cure = format!("name the layer with --layer, or leave {option} away");
            return Err(Error::input(option, format!("{} layers", workload.len()), "one layer", &cure));
        }
        Ok(())
    }

    /// Reads the configuration and the layers.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn load(&self, output: &Output) -> Result<Workload, Error> {
        let config = self.hardware.load()?;
        let format = self.format.and_then(|f| if let Choice::Even(f) = f { Some(f) } else { None });
        let numeric = Numeric { format, requant: self.requant, acts: self.acts };
        match (&self.source.gemm, &self.source.model) {
            (Some(shape), _) => workload::gemm(config, numeric, *shape, self.seed, output),
            (None, Some(model)) => {
                let prompt = self.prompt.as_deref().unwrap_or_default();
                workload::model(config, numeric, model, self.layer.as_deref(), (prompt, self.tokens), output)
            }
            (None, None) => unreachable!("clap requires one of them"),
        }
    }

    /// Reads the configuration and the whole model.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn speech(&self, output: &Output) -> Result<Speech, Error> {
        let Some(source) = self.source.model.as_deref().filter(|_| self.layer.is_none()) else {
            let field = if self.layer.is_some() { "--layer" } else { "--gemm" };
            let cure = "leave --unit away: single layers run on the tile engine";
            return Err(Error::input(field, "given", "with --unit engine", cure));
        };
        let config = self.hardware.load()?;
        let progress = output.spinner(&format!("reading {source}"));
        let model = load::open(source)?;
        let prompt = match &self.prompt {
            Some(text) => workload::ids(&model, "--prompt-tokens", text, self.prompt_tokens)?,
            None => {
                let wanted = self.prompt_tokens.unwrap_or_default();
                workload::check_length("--prompt-tokens", wanted, &model)?;
                random_ids(self.seed, wanted, model.config.vocab_size)
            }
        };
        progress.finish_and_clear();
        let tokens = self.tokens.unwrap_or(1);
        check_tokens(tokens, &model, prompt.len())?;
        let whole = Whole::of(config, model, self.format, &self.quantized, output)?;
        Ok(Speech { whole, prompt, tokens })
    }

    /// Latency of the memory.
    pub fn mem_latency(&self) -> u32 {
        let usual = || MEM_LATENCY.parse().unwrap_or(1);
        self.mem_latency.unwrap_or_else(usual)
    }
}
