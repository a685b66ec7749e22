//! Model files: Hugging Face Llama directories, QModel files, the shipped model; nothing is trusted that was not checked.

pub mod checkpoint;
pub mod config;
pub mod container;
mod ids;
pub mod model;
pub mod qmodel;
pub mod shipped;
pub mod tokenizer;

pub use config::ModelConfig;
pub use model::{Model, open};
pub use tokenizer::Tokenizer;
