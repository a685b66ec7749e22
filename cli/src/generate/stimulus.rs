//! A small matrix product for the engine's test bench: its input beats, and golden's result beats.

use golden::gemm::{Shape, random_layer};
use sim::lower::lower;
use spec::Config;

use crate::error::Error;

/// Tokens of the product.
const TOKENS: usize = 3;
/// Seed of its operands.
const SEED: u64 = 1;

/// What is played into the engine and what must come out.
pub struct Stimulus {
    /// Tokens, reduction, channels.
    pub shape: Shape,
    /// Input beats in order, lowest limb first.
    pub input: Vec<Vec<u64>>,
    /// Result beats in order.
    pub expected: Vec<Vec<u64>>,
}

impl Stimulus {
    /// A product with edges in both directions, or of one tile where the buffers hold no more.
    ///
    /// # Errors
    /// Those of lowering.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let (rows, cols) = (config.array.rows as usize, config.array.cols as usize);
        let fits = |&(k, n): &(usize, usize)| config.chunk_rows_for(k, n).is_ok();
        let (k, n) = [(rows + 1, cols + 1), (rows + 1, cols)].into_iter().find(fits).unwrap_or((rows, cols));
        let shape = Shape { m: TOKENS, k, n };
        let (layer, acts) = random_layer(shape, config.pe.formats[0], config.requant.modes[0], false, SEED)?;
        let program = lower(config, &layer, &acts)?;
        let rows = golden::linear::linear(&layer, &acts)?;
        let mut beat = vec![0; program.limbs_per_beat()];
        let expected = (0..program.results.beats())
            .map(|index| {
                program.results.encode(&rows, index, &mut beat);
                beat.clone()
            })
            .collect();
        Ok(Self { shape, input: program.beats().map(<[u64]>::to_vec).collect(), expected })
    }
}
