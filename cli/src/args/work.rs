//! What is computed: a whole model, layers of one with the activations of a prompt, or a product of random operands.

use clap::Args;
use golden::gemm::Shape;
use golden::load;
use golden::quantize::layer::check_layer;
use serde_json::json;
use spec::qmodel::ActMode;
use spec::{Config, Format, RequantMode};

use super::hardware::HardwareArgs;
use super::numeric::{self, Choice};
use super::quantized::QuantizedArgs;
use super::unit::{ENGINE, TOP};
use crate::error::Error;
use crate::output::Output;
use crate::whole::{self, MEM_LATENCY, Meaning, Whole, Work, check_tokens, latency, offer};
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

/// Numbers that look random, by a seed.
///
/// **Source**: splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
pub fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
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
            (None, None) => Err(Error::input("work", "none", "--model or --gemm", "give one")),
        }
    }

    /// Reads the configuration and the model, and makes the program of the accelerator.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn program(&self, output: &Output) -> Result<Work, Error> {
        let config = self.hardware.load()?;
        match (&self.source.gemm, &self.source.model) {
            (Some(shape), _) => self.product(config, *shape, output),
            (None, Some(model)) => self.model(config, model, output),
            (None, None) => Err(Error::input("work", "none", "--model or --gemm", "give one")),
        }
    }

    fn product(&self, mut config: Config, shape: Shape, output: &Output) -> Result<Work, Error> {
        let format = match self.format {
            Some(Choice::Even(format)) => format,
            Some(Choice::Mixed) => {
                let cure = "choose one of them";
                return Err(Error::input("--format", "mixed", "a number format for a product", cure));
            }
            None => config.pe.formats[0],
        };
        offer(&mut config, std::iter::once(format), output)?;
        let layer = whole::gemm(&config, shape, format, self.seed)?;
        let title = format!("product {shape} ({})", format.name());
        let head = json!({"gemm": shape.to_string(), "format": format.name(), "seed": self.seed});
        let (program, meaning) = (layer.program, Meaning::Known(layer.expected));
        Ok(Work { config, program, prompt: shape.m, title, head, meaning })
    }

    fn model(&self, config: Config, source: &str, output: &Output) -> Result<Work, Error> {
        let progress = output.spinner(&format!("reading {source}"));
        let model = load::open(source)?;
        let wanted = if self.layer.is_some() { self.prompt_tokens.or(self.tokens) } else { self.prompt_tokens };
        let prompt = match &self.prompt {
            Some(text) => workload::ids(&model, "--prompt-tokens", text, wanted)?,
            None => {
                let wanted = wanted.unwrap_or_default();
                workload::check_length("--prompt-tokens", wanted, &model)?;
                let mut random = random(self.seed);
                (0..wanted).map(|_| (random() % model.config.vocab_size.max(1) as u64) as u32).collect()
            }
        };
        progress.finish_and_clear();
        let tokens = if self.layer.is_some() { 1 } else { self.tokens.unwrap_or(1) };
        check_tokens(tokens, &model, prompt.len())?;
        if let Some(name) = &self.layer {
            check_layer(&model.config, name)?;
        }
        let whole = Whole::of(config, model, self.format, &self.quantized, output)?;
        let (config, format) = (whole.config.clone(), &whole.q.options.format);
        let length = prompt.len();
        if let Some(name) = &self.layer {
            let layer = whole::of_model(&config, &whole.q, name, &prompt)?;
            let title = format!("{source}, {name} ({format}): {length} tokens");
            let head = json!({"model": source, "layer": name, "format": format, "prompt_tokens": length});
            let (program, meaning) = (layer.program, Meaning::Known(layer.expected));
            return Ok(Work { config, program, prompt: length, title, head, meaning });
        }
        let program = whole.program(&prompt, tokens, false)?;
        let title = format!("{source} ({format}): a prompt of {length} tokens, {tokens} generated");
        let head = json!({"model": source, "format": format, "prompt_tokens": length});
        let meaning = Meaning::Model(Box::new(whole), prompt, tokens);
        Ok(Work { config, program, prompt: length, title, head, meaning })
    }

    /// Latency of the memory.
    pub fn mem_latency(&self) -> u32 {
        let usual = || MEM_LATENCY.parse().unwrap_or(1);
        self.mem_latency.unwrap_or_else(usual)
    }
}
