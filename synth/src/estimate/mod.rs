//! Estimates of area, frequency and energy from a Config alone, by models fitted on synthesised designs.

mod canonical;
pub mod census;
pub mod collect;
mod estimator;
pub mod fit;
pub mod fitting;
pub mod measure;
pub mod model;
pub mod outline;
pub mod plan;
mod power;
pub mod timing;
mod tree;
mod units;

pub use estimator::{Estimate, Estimator, FITTED};
pub use model::{Model, Quality};
pub use power::Work;
pub use tree::Branch;
pub use units::outline_of;
