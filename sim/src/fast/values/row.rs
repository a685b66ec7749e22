//! Row operations: where results go.

use spec::isa::{Field, Instr, Op};

use super::Values;
use super::codes::Coder;
use super::reduce::reduce;

/// Places in `to`.
const VB: i64 = 0;
const ACT: i64 = 1;
const OUT: i64 = 2;

impl Values {
    pub(super) fn row(&mut self, instr: &Instr) -> Result<(), String> {
        if instr.op() == Op::Vcod {
            return self.code(instr);
        }
        let mut results = std::mem::take(&mut self.results);
        results.clear();
        let done = self.source(instr, &mut results).and_then(|()| self.put(instr, &results));
        self.results = results;
        done
    }

    fn put(&mut self, instr: &Instr, results: &[i64]) -> Result<(), String> {
        let s = instr.index(Field::S);
        let d = instr.index(Field::D);
        let old = instr.flag(Field::Cont).then(|| (self.scalars[d], self.scalars[(d + 1) % 256]));
        let reduced = reduce(instr.get(Field::Red), results, old, self.scalars[(s + 1) % 256]);
        match instr.get(Field::To) {
            VB => {
                let dst = instr.index(Field::Dst);
                let place = self.elements.get_mut(dst..dst + results.len());
                place.ok_or("VB does not hold its results")?.copy_from_slice(results);
            }
            ACT => self.acts_from(results.iter().map(|&x| (x as u8, 0)))?,
            OUT => {
                for x in results {
                    self.out.extend(&x.to_le_bytes()[..self.out_bytes]);
                }
                // The last byte ends its beat.
                let whole = self.out.len().next_multiple_of(self.data_bits / 8);
                self.out.resize(whole, 0);
            }
            _ => {}
        }
        if let Some((first, second)) = reduced {
            self.scalars[d] = first;
            if let Some(second) = second {
                self.scalars[(d + 1) % 256] = second;
            }
        }
        Ok(())
    }

    fn code(&mut self, instr: &Instr) -> Result<(), String> {
        let (n, a, b) = (instr.index(Field::N), instr.index(Field::A), instr.index(Field::B));
        let (s, kind) = (instr.index(Field::S), instr.get(Field::Kind));
        let (largest, most) = (self.scalars[s], self.scalars[(s + 1) % 256]);
        let in_blocks = matches!(kind, 1 | 3 | 4);
        let block = if in_blocks { instr.index(Field::Imm).max(1) } else { n };
        let row = self.elements.get(a..a + n).ok_or("VB does not hold its elements")?;
        let mut codes = Vec::with_capacity(n);
        for (j, elements) in row.chunks(block).enumerate() {
            let scale = if in_blocks { *self.elements.get(b + j).ok_or("VB does not hold its scales")? } else { 0 };
            let (coder, byte) = Coder::new(kind, largest, most, scale);
            codes.extend(elements.iter().map(|&z| (coder.of(z), byte)));
        }
        self.acts_from(codes.into_iter())
    }

    /// Codes with their scale bytes to the row that the last `SETA` named, element 0 first.
    fn acts_from(&mut self, codes: impl Iterator<Item = (u8, u8)>) -> Result<(), String> {
        let place = self.act;
        let (rows, used) = (self.rows, place.used.max(1));
        let tiles_of_block = place.block.div_ceil(used);
        for (i, (code, scale)) in codes.enumerate() {
            let (tile, lane) = match place.block {
                0 => (i / used, i % used),
                block => (i / block * tiles_of_block + i % block / used, i % block % used),
            };
            let word = place.first + tile * place.stride;
            let scales = &mut self.act_scales[place.half];
            let lanes = self.acts[place.half].get_mut(word * rows..(word + 1) * rows);
            let lanes = lanes.ok_or("the activation buffer does not hold its results")?;
            if lane == 0 {
                lanes.fill(0);
                scales[word] = scale;
            }
            *lanes.get_mut(lane).ok_or("a tile uses more rows than the array has")? = code;
        }
        Ok(())
    }
}
