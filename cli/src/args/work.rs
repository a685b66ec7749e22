//! What is computed: layers of a model with the activations of a prompt, or a product of random operands.

use clap::Args;
use golden::gemm::Shape;
use spec::qmodel::ActMode;
use spec::{Format, RequantMode};

use super::hardware::HardwareArgs;
use super::numeric;
use crate::error::Error;
use crate::output::Output;
use crate::workload::{self, Numeric, Workload};

/// Hardware and work of `simulate` and `cosim`.
#[derive(Args, Clone, Debug)]
pub struct WorkArgs {
    #[command(flatten)]
    hardware: HardwareArgs,
    #[command(flatten)]
    source: Source,
    /// Linear layer, as in model.layers.1.mlp.down_proj; without it those of all blocks, in turn
    #[arg(long, value_name = "NAME", requires = "model")]
    layer: Option<String>,
    /// Text whose real activations enter the layers
    #[arg(long, value_name = "TEXT", requires = "model", required_unless_present = "gemm")]
    prompt: Option<String>,
    /// Use so many tokens: the prompt's first, or more as the FP32 model continues it [default: the prompt's]
    #[arg(long, value_name = "N", requires = "model")]
    tokens: Option<usize>,
    /// Number format [default: a QModel's own, otherwise the configuration's first]
    #[arg(long, value_name = "FORMAT", value_parser = numeric::format())]
    format: Option<Format>,
    /// How finished rows become 8-bit activations [default: a QModel's own, otherwise dynamic if the hardware has it]
    #[arg(long, value_name = "MODE", value_parser = numeric::requant())]
    requant: Option<RequantMode>,
    /// How the inputs of linear layers are coded [default: a QModel's own, otherwise symmetric]
    #[arg(long, value_name = "MODE", value_parser = numeric::acts())]
    acts: Option<ActMode>,
    /// Stall both streams at random, by this seed
    #[arg(long, value_name = "SEED")]
    pub stall_seed: Option<u64>,
    /// Start registers and memories at random values, by this seed
    #[arg(long, value_name = "SEED")]
    pub random_start: Option<u64>,
    /// Seed of random operands
    #[arg(long, value_name = "SEED", default_value_t = 1, conflicts_with = "model")]
    seed: u64,
}

#[derive(Args, Clone, Debug)]
#[group(id = "work", required = true, multiple = false)]
struct Source {
    /// Hugging Face directory of a Llama model, QModel file, or `fairy`, the model inside this program
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Product of random operands: tokens, reduction, channels, as in 512x576x576
    #[arg(long, value_name = "MxKxN", conflicts_with_all = ["layer", "prompt", "tokens"])]
    gemm: Option<Shape>,
}

impl WorkArgs {
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

    /// Reads the configuration and the model.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn load(&self, output: &Output) -> Result<Workload, Error> {
        let config = self.hardware.load()?;
        let numeric = Numeric { format: self.format, requant: self.requant, acts: self.acts };
        match (&self.source.gemm, &self.source.model) {
            (Some(shape), _) => workload::gemm(config, numeric, *shape, self.seed, output),
            (None, Some(model)) => {
                let prompt = self.prompt.as_deref().unwrap_or_default();
                workload::model(config, numeric, model, self.layer.as_deref(), (prompt, self.tokens), output)
            }
            (None, None) => unreachable!("clap requires one of them"),
        }
    }
}
