//! The memory image of a program: what firmware loads, in 32-bit words that C reads without a parser.
//!
//! All numbers are 32 bits wide, little endian; offsets count bytes from the beginning of the image.
//!
//! | Word | Meaning |
//! |---|---|
//! | 0 | `SYSI` as bytes: 0x49535953 |
//! | 1 | version, 1 |
//! | 2, 3 | hash of the configuration, low and high: what `CONFIG_HASH_LO`, `CONFIG_HASH_HI` read |
//! | 4 | bytes of the image |
//! | 5 | CRC-32 (IEEE 802.3, reflected, as zlib's) of all bytes behind the header |
//! | 6, 7 | first address that the program touches, bytes from there on |
//! | 8, 9 | address of the first instruction, instructions: `PROGRAM_ADDR`, `PROGRAM_LENGTH` |
//! | 10, 11 | pieces, outputs |
//!
//! Behind the header of 12 words stand the pieces, 4 words each: address, bytes in memory, bytes of data, offset of the
//! data. Of a piece, what has no data is 0 when the program starts. Then the outputs, 6 words each: kind (0 tokens,
//! 1 logits, 2 steps), address, rows, values of a row, bytes from one row to the next, bytes of a value. Then the data,
//! each piece's from a multiple of 4 on. The last piece is the program itself.

use super::field::Field;
use super::instr::{INSTR_BYTES, Instr};
use super::program::{OutputKind, Program};
use crate::error::{Error, Problem};

/// Word 0.
pub const MAGIC: u32 = u32::from_le_bytes(*b"SYSI");
/// Word 1.
pub const VERSION: u32 = 1;
/// Words of the header.
pub const HEADER_WORDS: usize = 12;
/// Words of a piece.
pub const PIECE_WORDS: usize = 4;
/// Words of an output.
pub const OUTPUT_WORDS: usize = 6;

/// What the instructions begin on, and an image's base: a page, which no burst crosses.
pub const PAGE_BYTES: u64 = 4096;

/// CRC-32's generator polynomial, reflected (IEEE 802.3, 3.2.9).
const CRC_POLYNOMIAL: u32 = 0xedb8_8320;

/// Byte address of the first instruction: the page behind the program's memory.
pub fn code_addr(program: &Program) -> u64 {
    program.memory_bytes().next_multiple_of(PAGE_BYTES)
}

/// One past the last byte of the last instruction.
pub fn end(program: &Program) -> u64 {
    code_addr(program) + (program.instrs.len() * INSTR_BYTES) as u64
}

/// The same program with all its memory `base` bytes further on.
///
/// # Errors
/// [`Error::Invalid`] for a base that is not a multiple of [`PAGE_BYTES`], or from which the program does not fit into 32
/// bits of address.
pub fn moved(program: &Program, base: u32) -> Result<Program, Error> {
    let most = (1_u64 << 32).saturating_sub(end(program)) / PAGE_BYTES * PAGE_BYTES;
    if !u64::from(base).is_multiple_of(PAGE_BYTES) || u64::from(base) > most {
        let allowed = format!("a multiple of {PAGE_BYTES}, at most {most:#x}");
        let cure = "give the first byte of the memory that is set aside for the accelerator";
        return Err(Error::Invalid(vec![Problem::new("base", format!("{base:#x}"), allowed, cure)]));
    }
    let mut program = program.clone();
    program.segments.iter_mut().for_each(|segment| segment.addr += base);
    program.outputs.iter_mut().for_each(|output| output.addr += base);
    for instr in &mut program.instrs {
        if let Some(field) = instr.op().spec().field(Field::Addr) {
            let bits = instr.encode() + (u128::from(base) << field.lsb);
            *instr = Instr::decode(bits).map_err(|problem| Error::Invalid(vec![problem]))?;
        }
    }
    Ok(program)
}

/// The image of a program for hardware of a configuration's hash.
///
/// # Errors
/// [`Error::Invalid`] for a program that does not fit into 32 bits of address.
pub fn to_bytes(program: &Program, config_hash: u64) -> Result<Vec<u8>, Error> {
    let end = end(program);
    if end > 1 << 32 {
        let cure = "lower fewer tokens, or a smaller model";
        return Err(Error::Invalid(vec![Problem::new("memory", format!("{end} bytes"), "at most 2^32", cure)]));
    }
    let code: Vec<u8> = program.instrs.iter().flat_map(|instr| instr.encode().to_le_bytes()).collect();
    let code_addr = code_addr(program) as u32;
    let mut pieces: Vec<(u32, u32, &[u8])> =
        program.segments.iter().map(|s| (s.addr, s.len, s.data.as_slice())).collect();
    pieces.push((code_addr, code.len() as u32, &code));
    let words = HEADER_WORDS + PIECE_WORDS * pieces.len() + OUTPUT_WORDS * program.outputs.len();
    let mut offset = 4 * words;
    let mut body = Vec::new();
    for (addr, len, data) in &pieces {
        push(&mut body, &[*addr, *len, data.len() as u32, offset as u32]);
        offset += data.len().next_multiple_of(4);
    }
    for output in &program.outputs {
        let kind = match output.kind {
            OutputKind::Tokens => 0,
            OutputKind::Logits => 1,
            OutputKind::Steps => 2,
        };
        push(&mut body, &[kind, output.addr, output.rows, output.cols, output.stride, output.kind.bytes()]);
    }
    for (.., data) in &pieces {
        body.extend(*data);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let first = pieces.iter().map(|piece| piece.0).min().unwrap_or(code_addr);
    let bytes = 4 * HEADER_WORDS + body.len();
    let header = [
        MAGIC,
        VERSION,
        config_hash as u32,
        (config_hash >> 32) as u32,
        bytes as u32,
        crc32(&body),
        first,
        (end - u64::from(first)) as u32,
        code_addr,
        program.instrs.len() as u32,
        pieces.len() as u32,
        program.outputs.len() as u32,
    ];
    let mut image = Vec::with_capacity(bytes);
    push(&mut image, &header);
    image.extend(body);
    Ok(image)
}

fn push(bytes: &mut Vec<u8>, words: &[u32]) {
    words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
}

/// CRC-32 of bytes.
fn crc32(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|byte| {
        (0..8).fold(byte as u32, |crc, _| if crc & 1 == 1 { crc >> 1 ^ CRC_POLYNOMIAL } else { crc >> 1 })
    });
    !bytes.iter().fold(!0, |crc, byte| crc >> 8 ^ table[((crc ^ u32::from(*byte)) & 0xff) as usize])
}

#[cfg(test)]
mod tests {
    use super::super::{Machine, Op, Output, Segment};
    use super::*;
    use crate::kind::Format;

    fn program() -> Program {
        let machine = Machine {
            rows: 4,
            cols: 4,
            preload_rows: 1,
            chunk_rows: 4,
            lanes: 2,
            beat_bytes: 8,
            weight_words: 8,
            act_words: 64,
            acc_words: 64,
            acc_bits: 32,
            elements: 64,
            params: 64,
            formats: vec![Format::W8a8],
        };
        let segment = |name: &str, addr, len, data: &[u8]| Segment { name: name.into(), addr, len, data: data.into() };
        let instrs = vec![
            Instr::new(Op::Ldp, &[(Field::Addr, 16), (Field::N, 3)]).unwrap(),
            Instr::new(Op::Info, &[(Field::Tag, 16)]).unwrap(),
            Instr::new(Op::Halt, &[]).unwrap(),
        ];
        Program {
            machine,
            segments: vec![segment("a", 16, 8, &[1, 2, 3]), segment("b", 32, 16, &[])],
            instrs,
            marks: Vec::new(),
            outputs: vec![Output { kind: OutputKind::Logits, addr: 32, rows: 1, cols: 2, stride: 16 }],
        }
    }

    #[test]
    fn words_stand_where_the_page_says() {
        let image = to_bytes(&program(), 0x0123_4567_89ab_cdef).unwrap();
        let words: Vec<u32> = image.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        assert_eq!(&image[..4], b"SYSI");
        assert_eq!(words[1..4], [1, 0x89ab_cdef, 0x0123_4567]);
        assert_eq!(words[4] as usize, image.len());
        assert_eq!(words[6..12], [16, 4096 + 48 - 16, 4096, 3, 3, 1]);
        let data = 4 * (12 + 3 * 4 + 6);
        assert_eq!(words[12..24], [16, 8, 3, data, 32, 16, 0, data + 4, 4096, 48, 48, data + 4]);
        assert_eq!(words[24..30], [1, 32, 1, 2, 16, 8]);
        assert_eq!(image[data as usize..data as usize + 5], [1, 2, 3, 0, Op::Ldp.spec().code]);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of CRC-32");
        assert_eq!(words[5], crc32(&image[4 * HEADER_WORDS..]));
    }

    #[test]
    fn a_moved_program_touches_other_addresses_and_is_otherwise_the_same() {
        let moved = moved(&program(), 0x1000_0000).unwrap();
        assert_eq!(moved.segments[1].addr, 0x1000_0020);
        assert_eq!(moved.outputs[0].addr, 0x1000_0020);
        assert_eq!(moved.instrs[0].get(Field::Addr), 0x1000_0010);
        assert_eq!(moved.instrs[1..], program().instrs[1..], "a tag is no address");
        assert_eq!(code_addr(&moved), 0x1000_1000);
        for base in [1, 2048, 0xffff_f000] {
            let error = super::moved(&program(), base).unwrap_err().to_string();
            assert!(error.contains("at most 0xffffe000"), "{error}");
        }
    }
}
