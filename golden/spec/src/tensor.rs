//! Row-major tensors.

/// A matrix, row-major: element `[r, c]` is `data[r * cols + c]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor<T> {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns, the index that runs fastest.
    pub cols: usize,
    /// The elements, `rows * cols` of them.
    pub data: Vec<T>,
}

impl<T: Clone> Tensor<T> {
    /// A matrix from its elements, row-major.
    ///
    /// # Panics
    /// If `data` does not hold `rows * cols` elements.
    pub fn new(rows: usize, cols: usize, data: Vec<T>) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows} x {cols} tensor needs {} elements", rows * cols);
        Self { rows, cols, data }
    }

    /// A matrix filled with one value.
    pub fn filled(rows: usize, cols: usize, value: T) -> Self {
        Self { rows, cols, data: vec![value; rows * cols] }
    }

    /// Row `r`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, r: usize) -> &[T] {
        &self.data[r * self.cols..(r + 1) * self.cols]
    }

    /// Element `[r, c]`.
    ///
    /// # Panics
    /// If there is no such element.
    pub fn at(&self, r: usize, c: usize) -> &T {
        &self.data[r * self.cols + c]
    }
}
