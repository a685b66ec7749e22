//! `MM`.

use spec::isa::{Field, Instr};
use spec::{Format, Operand, Scaling};

use super::Values;
use super::weights::{e4m3, mx_places, table};

/// What an `MM` says.
struct Product {
    rows: usize,
    k_tiles: usize,
    n_tiles: usize,
    act: usize,
    acc: usize,
    half: usize,
    bank: usize,
    adds: bool,
    format: Format,
    scaling: Scaling,
    /// K tiles of a block.
    block_tiles: usize,
}

impl Values {
    pub(super) fn multiply(&mut self, instr: &Instr) -> Result<(), String> {
        let scaling = Scaling::ALL[instr.index(Field::Scaling)];
        let block_tiles = scaling.block().map_or(0, |block| block.div_ceil(self.rows.min(block)));
        let product = Product {
            rows: instr.index(Field::Rows),
            k_tiles: instr.index(Field::KTiles),
            n_tiles: instr.index(Field::NTiles),
            act: instr.index(Field::Act),
            acc: instr.index(Field::Acc),
            half: instr.index(Field::Half),
            bank: instr.index(Field::Bank),
            adds: instr.flag(Field::Add),
            format: Format::ALL[instr.index(Field::Format)],
            scaling,
            block_tiles,
        };
        let act_words = product.act..product.act + product.k_tiles * product.rows;
        let acc_end = product.acc + product.n_tiles * product.rows;
        if act_words.end * self.rows > self.acts[product.half].len()
            || acc_end * self.cols > self.accs[product.bank].len()
        {
            return Err("its words do not fit the buffers".into());
        }
        // Activations as integers, once for all N tiles.
        let integers = table(match product.format.act() {
            Operand::E2m1 => Operand::E2m1,
            _ => Operand::Int8,
        });
        let codes = &self.acts[product.half][act_words.start * self.rows..act_words.end * self.rows];
        self.act_words.clear();
        self.act_words.extend(codes.iter().map(|&code| integers[usize::from(code)]));
        let weights = table(product.format.weight());
        for n_tile in 0..product.n_tiles {
            self.column(&product, &weights, n_tile)?;
        }
        Ok(())
    }

    /// One N tile.
    fn column(&mut self, product: &Product, table: &[i16; 256], n_tile: usize) -> Result<(), String> {
        let (rows, cols) = (product.rows, self.cols);
        let first = (product.acc + n_tile * rows) * cols;
        if !product.adds {
            self.accs[product.bank][first..first + rows * cols].fill(0);
        }
        let mut factors = vec![0_u8; cols];
        self.sums.clear();
        self.sums.resize(rows * cols, 0);
        for k_tile in 0..product.k_tiles {
            if product.block_tiles > 0 && k_tile % product.block_tiles == 0 {
                self.header(product.format, &mut factors)?;
            }
            self.next_tile(product.format, table)?;
            let acts = &self.act_words[k_tile * rows * self.rows..(k_tile + 1) * rows * self.rows];
            self.product.add(acts, &self.tile, &mut self.sums);
            if product.block_tiles > 0 {
                let words = product.act + k_tile * rows;
                let bytes = &self.act_scales[product.half][words..words + rows];
                let accs = &mut self.accs[product.bank][first..first + rows * cols];
                for (m, (accs, sums)) in accs.chunks_exact_mut(cols).zip(self.sums.chunks_exact(cols)).enumerate() {
                    for ((acc, &sum), &factor) in accs.iter_mut().zip(sums).zip(&factors) {
                        *acc += scaled(product, i64::from(sum), factor, bytes[m]);
                    }
                }
                self.sums.fill(0);
            }
        }
        if product.block_tiles == 0 {
            let accs = &mut self.accs[product.bank][first..first + rows * cols];
            for (acc, &sum) in accs.iter_mut().zip(&self.sums) {
                *acc += i64::from(sum);
            }
        }
        Ok(())
    }

    fn word(&mut self, word_bits: usize) -> Result<usize, String> {
        while self.weights.front().is_some_and(super::weights::Words::is_empty) {
            self.weights.pop_front();
        }
        match self.weights.front_mut() {
            Some(words) if words.word_bits() == word_bits => Ok(words.take()),
            Some(words) => Err(format!("words of {} bits where it takes {word_bits}", words.word_bits())),
            None => Err("the weight FIFO is empty".into()),
        }
    }

    fn header(&mut self, format: Format, factors: &mut [u8]) -> Result<(), String> {
        let word_bits = self.preload_rows * self.cols * format.weight().bits() as usize;
        let mut bit = word_bits;
        let mut word = 0;
        for half in 0..2 * factors.len() {
            if bit == word_bits {
                word = self.word(word_bits)?;
                bit = 0;
            }
            let Some(words) = self.weights.front() else { return Err("the weight FIFO is empty".into()) };
            let code = words.code(word + bit, 4);
            factors[half / 2] = if half % 2 == 0 { code } else { factors[half / 2] | code << 4 };
            bit += 4;
        }
        Ok(())
    }

    /// The next tile's weights as integers.
    fn next_tile(&mut self, format: Format, table: &[i16; 256]) -> Result<(), String> {
        let bits = format.weight().bits() as usize;
        let (cols, bands) = (self.cols, self.preload_rows);
        let steps = self.rows.div_ceil(bands);
        for step in 0..steps {
            let at = self.word(bands * cols * bits)?;
            let Some(words) = self.weights.front() else { return Err("the weight FIFO is empty".into()) };
            for band in 0..bands {
                let row = band * steps + step;
                if row >= self.rows {
                    continue;
                }
                let first = at + band * cols * bits;
                let tile_row = &mut self.tile[row * cols..(row + 1) * cols];
                match words.bytes_at(first, cols * bits / 8) {
                    Some(bytes) if bits == 8 => {
                        for (weight, &code) in tile_row.iter_mut().zip(bytes) {
                            *weight = table[usize::from(code)];
                        }
                    }
                    Some(bytes) if cols % 2 == 0 => {
                        for (pair, &code) in tile_row.chunks_exact_mut(2).zip(bytes) {
                            pair[0] = table[usize::from(code & 15)];
                            pair[1] = table[usize::from(code >> 4)];
                        }
                    }
                    _ => {
                        for (c, weight) in tile_row.iter_mut().enumerate() {
                            *weight = table[usize::from(words.code(first + c * bits, bits))];
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// What the foot of a column adds for a tile's sum, the column's byte and the row's.
fn scaled(product: &Product, sum: i64, weight: u8, act: u8) -> i64 {
    let has_acts = product.format.acts_have_blocks();
    match product.scaling {
        Scaling::Channel => sum,
        Scaling::Group32 | Scaling::Group16 => sum * i64::from(weight) * if has_acts { i64::from(act) } else { 1 },
        Scaling::Mx32 => {
            let below = u32::from(weight) + if has_acts { u32::from(act) } else { 0 };
            let places = mx_places(product.format);
            if below > places { 0 } else { sum << (places - below) }
        }
        Scaling::Nv16 => sum * e4m3(weight) * e4m3(act),
    }
}
