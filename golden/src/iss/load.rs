//! LDW, LDH, LDP: from DRAM to the weight FIFO and the parameter memory.

use spec::isa::{Field, Instr};
use spec::stream::packing;
use spec::{Format, Operand};

use super::fault::{Result, refuse, within};
use super::state::State;

/// LDW: weight words of a format, as `spec::stream` packs words into beats; a byte a code in the FIFO.
///
/// # Errors
/// For a format that the machine does not compute, and for addresses outside of the program's memory.
pub fn words(state: &mut State, instr: &Instr) -> Result<()> {
    let format = format(state, instr)?;
    let (addr, words) = (instr.get(Field::Addr) as u64, instr.index(Field::Words));
    let (word_bits, bits) = (state.machine.word_bits(format) as usize, format.weight().bits() as usize);
    let beat_bytes = state.machine.beat_bytes as usize;
    let packing = packing(state.machine.beat_bytes * 8, word_bits as u32);
    let bytes = state.dram.read(addr, packing.beats(words as u64) as usize * beat_bytes)?;
    let mut codes = Vec::with_capacity(words * word_bits / bits);
    let mask = (1_u16 << bits) - 1;
    let mut unpack = |bytes: &[u8], from: usize, count: usize| {
        let code = |i: usize| {
            let bit = from + i * bits;
            (u16::from(bytes[bit / 8]) >> (bit % 8) & mask) as u8
        };
        codes.extend((0..count).map(code));
    };
    // Codes have 4 or 8 bits, so that none crosses a byte.
    let per_word = word_bits / bits;
    if packing.words_per_beat > 1 {
        for (beat, first) in bytes.chunks_exact(beat_bytes).zip((0..words).step_by(packing.words_per_beat as usize)) {
            let here = (words - first).min(packing.words_per_beat as usize);
            unpack(beat, 0, here * per_word);
        }
    } else {
        let stride = packing.beats_per_word as usize * beat_bytes;
        bytes.chunks_exact(stride).for_each(|word| unpack(word, 0, per_word));
    }
    state.push_weights(format.weight(), words, &codes);
    Ok(())
}

/// LDH: tiles of INT8 weights made of the rows of one head.
///
/// # Errors
/// For more rows than the array takes, a number of tiles that is not that of the rows, and addresses outside of the
/// program's memory.
pub fn head(state: &mut State, instr: &Instr) -> Result<()> {
    let machine = state.machine;
    let (rows, cols) = (machine.rows as usize, machine.cols as usize);
    let (tokens, dim) = (instr.index(Field::Tokens), instr.index(Field::Dim));
    let is_direct = instr.flag(Field::Mode);
    let (most, per_tile) = if is_direct { (rows, cols) } else { (cols, rows) };
    within("tokens", tokens as i64, 1, most as i64, "load as many rows as the array takes")?;
    let tiles = dim.div_ceil(per_tile);
    if instr.index(Field::Tiles) != tiles {
        return refuse("tiles", instr.get(Field::Tiles), tiles.to_string(), "load all tiles of the rows");
    }
    let stride = instr.get(Field::Stride) as u64 * u64::from(machine.beat_bytes);
    let mut memory = Vec::with_capacity(tokens * dim);
    for token in 0..tokens {
        memory.extend_from_slice(state.dram.read(instr.get(Field::Addr) as u64 + token as u64 * stride, dim)?);
    }
    let byte = |token: usize, channel: usize| {
        if token < tokens && channel < dim { memory[token * dim + channel] } else { 0 }
    };
    let (words, bands) = (machine.tile_words() as usize, machine.preload_rows as usize);
    let mut codes = Vec::with_capacity(tiles * words * bands * cols);
    for tile in 0..tiles {
        for word in 0..words {
            for row in (0..bands).map(|band| band * words + word) {
                let code = |col: usize| match (row < rows, is_direct) {
                    (true, true) => byte(row, tile * cols + col),
                    (true, false) => byte(col, tile * rows + row),
                    (false, _) => 0,
                };
                codes.extend((0..cols).map(code));
            }
        }
    }
    state.push_weights(Operand::Int8, tiles * words, &codes);
    Ok(())
}

/// LDP: numbers to the parameter memory.
///
/// # Errors
/// For an index that nothing has set, and for places outside of PB or of the program's memory.
pub fn params(state: &mut State, instr: &Instr) -> Result<()> {
    let mut addr = instr.get(Field::Addr) as u64;
    if instr.flag(Field::Indirect) {
        let Some(index) = state.index else {
            return refuse("IDX", "never written", "an index that SIDX sets", "set it before the load");
        };
        let end = state.dram.end(addr)?;
        addr += u64::from(index) * instr.get(Field::Stride) as u64;
        within("addr + IDX·stride", addr as i64, 0, end as i64 - 1, "give an index of the table")?;
    }
    let n = instr.index(Field::N);
    let (bytes, is_signed) = [(1, true), (1, false), (2, true), (2, false), (4, true)][instr.index(Field::Type)];
    let memory = state.dram.read(addr, n * bytes)?;
    let value = |b: &[u8]| match (b, is_signed) {
        (&[a], true) => i32::from(a as i8),
        (&[a], false) => i32::from(a),
        (&[a, b], true) => i32::from(i16::from_le_bytes([a, b])),
        (&[a, b], false) => i32::from(u16::from_le_bytes([a, b])),
        (&[a, b, c, d], _) => i32::from_le_bytes([a, b, c, d]),
        _ => unreachable!("numbers have 1, 2 or 4 bytes"),
    };
    let values: Vec<i32> = memory.chunks_exact(bytes).map(value).collect();
    state.write_params(instr.index(Field::Dst), &values)
}

/// The format of an instruction, which the machine computes.
///
/// # Errors
/// For one that it does not.
pub fn format(state: &State, instr: &Instr) -> Result<Format> {
    let format = Format::ALL[instr.index(Field::Format)];
    if state.machine.formats.contains(&format) {
        return Ok(format);
    }
    let names: Vec<&str> = state.machine.formats.iter().map(|f| f.name()).collect();
    refuse("format", format.name(), names.join(", "), "lower the model for this machine")
}
