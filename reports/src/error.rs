//! What can go wrong.

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A plot that cannot be drawn.
    #[error("plot {figure}: {what}")]
    Plot {
        /// Name of the figure.
        figure: String,
        /// What failed.
        what: String,
    },
    /// A page whose template does not fit its data; a bug, not bad input.
    #[error("page: {0}")]
    Page(String),
    /// A file that cannot be written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
}
