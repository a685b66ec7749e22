//! Linear layers that read the same rows, inside the model.

use rayon::prelude::*;
use spec::Dyadic;

use super::observe::Observe;
use crate::layer::PreparedLayer;
use crate::op::input::{Coding, InputRow};

/// A row of wide integers and what one LSB of it is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WideRow {
    /// The values, up to 60 bits signed.
    pub values: Vec<i64>,
    /// Step of the row.
    pub step: Dyadic,
}

/// The aligned sums of several layers that read the rows `z` `[tokens]`, which are coded once for layers of the same
/// coding.
pub(super) fn apply<const N: usize>(
    layers: [&PreparedLayer; N],
    z: &[WideRow],
    observer: &mut dyn Observe,
) -> [Vec<WideRow>; N] {
    let mut coded: Option<(Coding, Vec<InputRow>)> = None;
    layers.map(|layer| {
        let rows = match coded.take() {
            Some((coding, rows)) if coding == *layer.coding() => rows,
            _ => z.par_iter().map(|z| layer.input(&z.values, z.step)).collect(),
        };
        let sums = layer.aligned_rows(&rows).into_iter();
        let sums: Vec<WideRow> = sums.map(|(values, step)| WideRow { values, step }).collect();
        observer.linear(layer.name(), &rows, &sums);
        coded = Some((*layer.coding(), rows));
        sums
    })
}
