//! Which tensor element a row of sums belongs to.

use sim::lower::{Chunk, EngineProgram};

/// Place of one row of sums of one tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SumAt {
    /// Chunk.
    pub chunk: usize,
    /// Tile along N.
    pub n_tile: usize,
    /// Tile along K.
    pub k_tile: usize,
    /// Row within the chunk.
    pub chunk_row: usize,
    /// Row (token).
    pub row: usize,
    /// Accumulator word.
    pub addr: usize,
}

impl SumAt {
    /// `chunk/n_tile/k_tile`.
    pub fn tile(&self) -> String {
        format!("{}/{}/{}", self.chunk, self.n_tile, self.k_tile)
    }
}

/// Walks through all rows of sums of a program in the order of computation: chunks, N tiles, K tiles, rows.
#[derive(Clone, Debug)]
pub struct SumWalk<'a> {
    chunks: &'a [Chunk],
    n_tiles: usize,
    k_tiles: usize,
    chunk: usize,
    n_tile: usize,
    k_tile: usize,
    chunk_row: usize,
}

impl<'a> SumWalk<'a> {
    /// The walk at its beginning.
    pub fn new(program: &'a EngineProgram) -> Self {
        let (n_tiles, k_tiles) = (program.n_tiles, program.k_tiles);
        Self { chunks: &program.chunks, n_tiles, k_tiles, chunk: 0, n_tile: 0, k_tile: 0, chunk_row: 0 }
    }

    /// Where the walk stands; `None` once it is complete.
    pub fn at(&self) -> Option<SumAt> {
        let chunk = self.chunks.get(self.chunk)?;
        Some(SumAt {
            chunk: self.chunk,
            n_tile: self.n_tile,
            k_tile: self.k_tile,
            chunk_row: self.chunk_row,
            row: chunk.first_row + self.chunk_row,
            addr: self.n_tile * chunk.rows + self.chunk_row,
        })
    }

    /// On to the next row of sums.
    pub fn advance(&mut self) {
        let Some(chunk) = self.chunks.get(self.chunk) else { return };
        let step = |index: &mut usize, count: usize| {
            *index += 1;
            let wraps = *index == count;
            if wraps {
                *index = 0;
            }
            wraps
        };
        if step(&mut self.chunk_row, chunk.rows)
            && step(&mut self.k_tile, self.k_tiles)
            && step(&mut self.n_tile, self.n_tiles)
        {
            self.chunk += 1;
        }
    }
}
