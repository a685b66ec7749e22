//! Embedding: a token becomes the first row of the residual stream.

use spec::model::QEmbedding;

use super::residual::Residual;

/// Row `id` of the table, as it stands: `codes[id, c] / 2^shift[id]`, 16 bits, exact.
///
/// # Panics
/// If the table has no such row; token ids are checked where they come in.
pub fn row(table: &QEmbedding, id: usize) -> Residual {
    Residual { codes: table.codes.row(id).to_vec(), shift: table.shift[id].into() }
}

#[cfg(test)]
mod tests {
    use spec::Tensor;

    use super::*;

    #[test]
    fn rows_have_their_own_shift() {
        let table = QEmbedding { codes: Tensor::new(2, 3, vec![1, 2, 3, -4, 5, 32767]), shift: vec![15, -3] };
        assert_eq!(row(&table, 0), Residual { codes: vec![1, 2, 3], shift: 15 });
        assert_eq!(row(&table, 1), Residual { codes: vec![-4, 5, 32767], shift: -3 });
    }
}
