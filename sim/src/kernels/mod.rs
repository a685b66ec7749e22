//! Loops that the compiler turns into vector instructions, for the best vector unit that is found at run time.

mod product;

pub use product::TileProduct;
