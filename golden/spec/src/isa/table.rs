//! The table of instructions: opcode, name, queue, fields, meaning. All else about the ISA follows from it.

use super::field::{Field, FieldSpec, Kind};
use super::op::{OpSpec, Queue};

/// Kinds of numbers that `LDP` reads.
pub const TYPES: [&str; 5] = ["i8", "u8", "i16", "u16", "i32"];
/// Where results of row operations go.
pub const TO: [&str; 4] = ["vb", "act", "out", "none"];
/// Reductions of row operations.
pub const RED: [&str; 7] = ["none", "absmax", "max", "range", "sum", "squares", "argmax"];
/// How `LDH` makes tiles of rows.
pub const MODES: [&str; 2] = ["transposed", "direct"];
/// What `VCOD` makes.
pub const KINDS: [&str; 5] = ["int4", "int4g", "e2m1", "mx", "nv"];
/// Rules of `VEXN`, in the order of [`crate::ScaleRule::ALL`].
pub const RULES: [&str; 3] = ["floor", "no_clip", "round_up_to_grid"];
/// Formats, in the order of [`crate::Format::ALL`].
pub const FORMATS: [&str; 10] = ["w8a8", "w4a8", "w4a4", "fp4a8", "fp4", "mxfp4a8", "mxfp4", "nvfp4", "pot4", "pot8"];
/// Scalings, in the order of [`crate::Scaling::ALL`].
pub const SCALINGS: [&str; 5] = ["channel", "group32", "group16", "mx32", "nv16"];

const fn f(field: Field, lsb: u32, bits: u32, kind: Kind, meaning: &'static str) -> FieldSpec {
    FieldSpec { field, lsb, bits, kind, meaning }
}

/// A field of a row operation in the place that it has in all of them.
const fn row(field: Field, meaning: &'static str) -> FieldSpec {
    let (lsb, bits, kind) = match field {
        Field::N => (16, 16, Kind::Count),
        Field::Dst => (32, 16, Kind::Unsigned),
        Field::A => (48, 16, Kind::Unsigned),
        Field::B => (64, 16, Kind::Unsigned),
        Field::Imm => (80, 16, Kind::Unsigned),
        Field::S => (96, 8, Kind::Unsigned),
        Field::D => (104, 8, Kind::Unsigned),
        Field::K => (112, 5, Kind::Unsigned),
        Field::Kind => (112, 5, Kind::Names(&KINDS)),
        Field::Rule => (112, 5, Kind::Names(&RULES)),
        Field::To => (117, 2, Kind::Names(&TO)),
        Field::Red => (119, 3, Kind::Names(&RED)),
        Field::Cont => (122, 1, Kind::Flag),
        Field::Bank | Field::Sat | Field::Chord => (123, 1, Kind::Flag),
        Field::Zp => (124, 1, Kind::Flag),
        _ => panic!("not a field of row operations"),
    };
    f(field, lsb, bits, kind, meaning)
}

/// A field of a scalar operation: an entry of S, in the place of the row operations' field of that name.
const fn sca(field: Field, meaning: &'static str) -> FieldSpec {
    let lsb = match field {
        Field::A => 48,
        Field::B => 64,
        Field::S => 96,
        Field::D => 104,
        _ => panic!("not an entry of S"),
    };
    f(field, lsb, 8, Kind::Unsigned, meaning)
}

const N: FieldSpec = row(Field::N, "elements");
const DST: FieldSpec = row(Field::Dst, "first element of the result in VB, where `to` is vb");
const A: FieldSpec = row(Field::A, "first element in VB");
const B: FieldSpec = row(Field::B, "first parameter in PB");
const D: FieldSpec = row(Field::D, "entry of S that the reduction is put into");
const TO_: FieldSpec = row(Field::To, "where results go");
const RED_: FieldSpec = row(Field::Red, "reduction over the results");
const CONT: FieldSpec = row(Field::Cont, "the reduction goes on from what S holds");
const S1: FieldSpec = row(Field::S, "with argmax, S[s + 1] is the index of element 0");
const ADDR: FieldSpec = f(Field::Addr, 16, 32, Kind::Unsigned, "byte address, on a beat");

/// Every operation's table, in the order of [`super::Op::ALL`].
macro_rules! isa {
    ($($variant:ident $code:literal $name:literal $queue:ident [$($field:expr),* $(,)?] $meaning:literal;)*) => {
        /// An operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Op { $(#[doc = $meaning] $variant),* }

        impl Op {
            /// Every operation, in the order of its opcodes.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its line of the table.
            pub const fn spec(self) -> &'static OpSpec {
                match self {
                    $(Self::$variant => {
                        const SPEC: OpSpec = OpSpec {
                            code: $code, name: $name, queue: Queue::$queue, fields: &[$($field),*], meaning: $meaning,
                        };
                        &SPEC
                    })*
                }
            }
        }
    };
}

isa! {
    Halt 0x00 "HALT" Control [] "Waits until every queue is empty and idle, then the program is done.";
    Sync 0x01 "SYNC" Control [] "Waits until every queue is empty and idle.";
    Info 0x02 "INFO" Control [f(Field::Tag, 16, 32, Kind::Unsigned, "number of the mark")]
        "Has no effect: a mark for counters and traces.";

    Ldw 0x10 "LDW" Load [
        ADDR, f(Field::Words, 48, 24, Kind::Count, "words, headers counted"),
        f(Field::Format, 72, 4, Kind::Names(&FORMATS), "format of the codes"),
    ] "Weight words of a format, one after the other in DRAM, to the weight FIFO.";
    Ldh 0x11 "LDH" Load [
        ADDR, f(Field::Tokens, 48, 8, Kind::Count, "rows in DRAM: at most C transposed, at most R direct"),
        f(Field::Dim, 56, 13, Kind::Count, "bytes of a row"),
        f(Field::Stride, 69, 16, Kind::Count, "beats from one row to the next"),
        f(Field::Mode, 85, 1, Kind::Names(&MODES), "how rows become tiles"),
        f(Field::Tiles, 86, 8, Kind::Count, "tiles that come: ceil(dim / R) transposed, ceil(dim / C) direct"),
    ] "Tiles of INT8 weights made of rows of bytes, to the weight FIFO. Transposed: tile t holds \
       weight[r][c] = row[c].byte[t·R + r]. Direct: weight[r][c] = row[r].byte[t·C + c]. What is missing is 0.";
    Ldp 0x12 "LDP" Load [
        ADDR, f(Field::N, 48, 16, Kind::Count, "numbers"), f(Field::Dst, 64, 16, Kind::Unsigned, "first parameter in PB"),
        f(Field::Type, 80, 3, Kind::Names(&TYPES), "their type in DRAM"),
        f(Field::Indirect, 83, 1, Kind::Flag, "the address is addr + IDX·stride"),
        f(Field::Stride, 84, 24, Kind::Unsigned, "bytes from one index to the next, whole beats"),
    ] "Numbers from DRAM to PB, each widened to 32 bits.";

    Mm 0x20 "MM" Mm [
        f(Field::Rows, 16, 11, Kind::Count, "rows M"), f(Field::KTiles, 27, 12, Kind::Count, "tiles along K"),
        f(Field::NTiles, 39, 16, Kind::Count, "tiles along N"),
        f(Field::Act, 55, 14, Kind::Unsigned, "first act word"), f(Field::Acc, 69, 14, Kind::Unsigned, "first acc word"),
        f(Field::Format, 83, 4, Kind::Names(&FORMATS), "format of activations and weights"),
        f(Field::Scaling, 87, 3, Kind::Names(&SCALINGS), "what the foot of a column does"),
        f(Field::Half, 90, 1, Kind::Flag, "half of the act buffer"), f(Field::Bank, 91, 1, Kind::Flag, "bank of acc"),
        f(Field::Add, 92, 1, Kind::Flag, "the first K tile adds to what acc holds"),
    ] "Matrix product of act words and the tiles in the weight FIFO, N tiles outermost, into acc.";

    St 0x30 "ST" Store [ADDR, f(Field::Bytes, 48, 24, Kind::Count, "bytes")]
        "Bytes of the out stream to DRAM; the rest of the last beat is not written.";

    Vacc 0x40 "VACC" Vec [
        N, DST, row(Field::A, "acc word of column 0"), row(Field::B, "PB: factors [n], then with zp sums [n]"),
        row(Field::Imm, "acc words from one N tile to the next"),
        row(Field::S, "with zp, S[s] is the zero point; with argmax, S[s + 1] the index of element 0"), D,
        row(Field::K, "binary places"), TO_, RED_, CONT, row(Field::Bank, "bank of acc"),
        row(Field::Zp, "completes the zero point"),
    ] "x = round(P·PB[b + i] / 2^k), P = acc[a + (i / C)·imm][i mod C] + (zp ? (128 - S[s])·PB[b + n + i] : 0).";
    Vraw 0x41 "VRAW" Vec [
        N, DST, row(Field::A, "acc word of column 0"), row(Field::Imm, "acc words from one N tile to the next"), S1, D, TO_,
        RED_, CONT, row(Field::Bank, "bank of acc"),
    ] "x = acc[a + (i / C)·imm][i mod C].";
    Vpar 0x42 "VPAR" Vec [N, DST, B, S1, D, TO_, RED_, CONT] "x = PB[b + i].";
    Vshr 0x43 "VSHR" Vec [
        N, DST, A, row(Field::S, "S[s] is the shift, held within -40..=63; negative shifts left"), D, TO_, RED_, CONT,
        row(Field::Sat, "saturates to ±32767"),
    ] "x = round(VB[a + i] / 2^S[s]).";
    Vmlp 0x44 "VMLP" Vec [N, DST, A, row(Field::B, "first factor in PB, 17 bits signed"), S1, D, TO_, RED_, CONT]
        "x = VB[a + i]·PB[b + i].";
    Vmul 0x45 "VMUL" Vec [N, DST, A, row(Field::B, "first factor in VB, 17 bits signed"), S1, D, TO_, RED_, CONT]
        "x = VB[a + i]·VB[b + i].";
    Vmls 0x46 "VMLS" Vec [N, DST, A, row(Field::S, "S[s] mod 2^16 is the factor"), D, TO_, RED_, CONT]
        "x = VB[a + i]·(S[s] mod 2^16).";
    Vadd 0x47 "VADD" Vec [N, DST, A, row(Field::B, "first element in VB"), S1, D, TO_, RED_, CONT]
        "x = VB[a + i] + VB[b + i].";
    Vads 0x48 "VADS" Vec [N, DST, A, row(Field::S, "S[s] is added"), D, TO_, RED_, CONT] "x = VB[a + i] + S[s].";
    Vfix 0x49 "VFIX" Vec [
        N, DST, A, row(Field::S, "S[s] is a dyadic"), D, row(Field::Imm, "largest magnitude"), TO_, RED_, CONT,
    ] "x = round(VB[a + i]·mult / 2^shift), held within ±imm; a negative shift multiplies.";
    Vquo 0x4a "VQUO" Vec [
        N, DST, A, f(Field::Q, 64, 15, Kind::Count, "factor of the numerator"),
        f(Field::Asym, 79, 1, Kind::Flag, "S[s + 1] is added before, 128 taken off after"),
        row(Field::S, "S[s] >= 1 is the divisor"), D, row(Field::Imm, "largest magnitude of the quotient, 0 for any"),
        row(Field::K, "binary places of the factor"), TO_, RED_, CONT,
        f(Field::Qbits, 123, 5, Kind::OneMore, "bits that hold the quotient's magnitude before it is held"),
    ] "x = round((VB[a + i] + (asym ? S[s + 1] : 0))·q·2^k / S[s]), held within ±imm, - (asym ? 128 : 0).";
    Vexp 0x4b "VEXP" Vec [
        N, DST, A, row(Field::S, "S[s] is the dyadic step, S[s + 1] the largest value"), D, TO_, RED_, CONT,
        row(Field::Chord, "the chord (DI-Exp) instead of the parabola"),
    ] "x = e(S[s + 1] - VB[a + i]), 0..=2^16.";
    Vsig 0x4c "VSIG" Vec [
        N, DST, A, row(Field::S, "S[s] is the dyadic step"), D, row(Field::Imm, "binary places of the result, 8..=15"), TO_,
        RED_, CONT, row(Field::Chord, "the chord (DI-Exp) instead of the parabola"),
    ] "x = round(2^imm·(g >= 0 ? 2^16 : E) / (2^16 + E)), g = VB[a + i], E = e(|g|).";
    Vrop 0x4d "VROP" Vec [
        row(Field::N, "half of a head"), DST, A, row(Field::B, "PB: cosines [n], then sines [n]"), S1, D, TO_, RED_, CONT,
    ] "p = VB[a + i], q = VB[a + n + i], c = PB[b + i], t = PB[b + n + i]: x[i] = round((p·c - q·t) / 2^14), \
       x[n + i] = round((q·c + p·t) / 2^14). The reduction is over all 2n.";
    Vhad 0x4e "VHAD" Vec [
        row(Field::N, "elements, a multiple of 2^(k + 1)"), DST, A, S1, D, row(Field::K, "logarithm of the distance"), TO_,
        RED_, CONT,
    ] "Butterflies over blocks of 2^(k + 1): elements p, q at a distance of 2^k become p + q, p - q.";
    Vblk 0x4f "VBLK" Vec [
        row(Field::N, "elements"), DST, A, S1, D, row(Field::Imm, "elements of a block: 16 or 32"), TO_, RED_, CONT,
    ] "x[j] = largest |VB[a + j·imm ..]| of block j, j < ceil(n / imm); the last block may be short.";
    Vcod 0x50 "VCOD" Vec [
        N, A, row(Field::B, "VB: a scale of each block"),
        row(Field::S, "S[s] is T, the row's largest magnitude, at least 1; for mx S[s + 1] the largest exponent"),
        row(Field::Imm, "elements of a block: 16 or 32"), row(Field::Kind, "which codes"),
    ] "4-bit codes z = VB[a + i] to the act buffer, each word with its block's scale byte.";
    Vexn 0x51 "VEXN" Vec [N, DST, A, S1, D, row(Field::Rule, "rule of the exponent"), TO_, RED_, CONT]
        "x = exponent of the E8M0 scale of a block whose largest magnitude is VB[a + i]; -258 where that is 0.";
    Ve4m 0x52 "VE4M" Vec [N, DST, A, row(Field::S, "S[s] is T, at least 1"), D, TO_, RED_, CONT]
        "x = E4M3 code nearest to 448·VB[a + i] / S[s], ties to even, at least 1, at most 0x7e.";

    Seta 0x58 "SETA" Vec [
        f(Field::Rows, 16, 11, Kind::Count, "rows M of the matrix product"),
        f(Field::Row, 27, 11, Kind::Unsigned, "row of the next operation"),
        f(Field::Base, 48, 14, Kind::Unsigned, "act word of tile 0, row 0"),
        f(Field::Used, 64, 8, Kind::Count, "rows U of the array that a tile uses"),
        f(Field::Block, 72, 8, Kind::Unsigned, "elements of a block, 0 for none"),
        f(Field::Half, 123, 1, Kind::Flag, "half of the act buffer"),
    ] "Where results with `to` = act go from now on: element 0 of `row`, word base + tile·rows + row.";
    Seto 0x59 "SETO" Vec [f(Field::Width, 112, 2, Kind::Unsigned, "logarithm of an element's bytes")]
        "Bytes of an element on the out stream from now on.";

    Simm 0x60 "SIMM" Vec [sca(Field::D, "entry"), f(Field::Value, 16, 64, Kind::Signed, "value")] "S[d] = value.";
    Spar 0x61 "SPAR" Vec [sca(Field::D, "entry"), B] "S[d] = PB[b].";
    Sadd 0x62 "SADD" Vec [sca(Field::D, "result"), sca(Field::A, "operand"), sca(Field::B, "operand")]
        "S[d] = S[a] + S[b].";
    Ssub 0x63 "SSUB" Vec [sca(Field::D, "result"), sca(Field::A, "operand"), sca(Field::B, "operand")]
        "S[d] = S[a] - S[b].";
    Smax 0x64 "SMAX" Vec [sca(Field::D, "result"), sca(Field::A, "operand"), sca(Field::B, "operand")]
        "S[d] = the larger of S[a] and S[b].";
    Smin 0x65 "SMIN" Vec [sca(Field::D, "result"), sca(Field::A, "operand"), sca(Field::B, "operand")]
        "S[d] = the smaller of S[a] and S[b].";
    Sbit 0x66 "SBIT" Vec [sca(Field::D, "result"), sca(Field::A, "magnitude, not negative")]
        "S[d] = place of the highest one of S[a], counted from 1; 0 for 0.";
    Sprd 0x67 "SPRD" Vec [sca(Field::D, "result"), sca(Field::A, "dyadic"), sca(Field::B, "dyadic")]
        "S[d] = the product of two dyadics, normalised.";
    Sscl 0x68 "SSCL" Vec [
        sca(Field::D, "result"), sca(Field::A, "positive number below 2^62"), sca(Field::B, "dyadic"),
        sca(Field::S, "dyadic"), f(Field::Levels, 80, 16, Kind::Count, "divisor"),
        f(Field::Places, 16, 8, Kind::Signed, "binary places"),
    ] "S[d] = S[a]·mult(S[b])·mult(S[s]) / levels / 2^(shift(S[b]) + shift(S[s]) + places), normalised once.";
    Snar 0x69 "SNAR" Vec [sca(Field::D, "result"), sca(Field::A, "magnitude"), sca(Field::B, "dyadic")]
        "S[d] = n = max(0, bits(S[a]) - 15), S[d + 1] = S[b] with shift - n, at least -128.";
    Slft 0x6a "SLFT" Vec [sca(Field::D, "result"), sca(Field::A, "magnitude below 2^25")]
        "S[d] = bits(S[a]) - 25, 0 if S[a] is 0: the VSHR that brings the highest one to bit 24.";
    Srms 0x6b "SRMS" Vec [
        sca(Field::D, "result"), sca(Field::A, "sum of squares"), sca(Field::B, "epsilon, a dyadic; mantissa 0 for none"),
        sca(Field::S, "binary places of the row"), f(Field::Count, 80, 16, Kind::Count, "elements of the row"),
    ] "S[d] = max(1, isqrt(floor(S[a] / count) + e)), e = round(mult·2^(2·S[s] - shift)) at most 2^62.";
    Sdiv 0x6c "SDIV" Vec [
        sca(Field::D, "result"), sca(Field::A, "number"), f(Field::Imm, 80, 16, Kind::Count, "divisor"),
    ] "S[d] = round(S[a] / imm).";
    Sres 0x6d "SRES" Vec [
        sca(Field::D, "result"), sca(Field::A, "binary places s of x"), sca(Field::B, "dyadic step mult / 2^k of y"),
    ] "e = min(max(s, k), s + 31, k + 16): S[d] = s - e and S[d + 1] = k - e, at most 63 (VSHR of x and of y·mult), \
       S[d + 2] = e, S[d + 3] = e - max(s, k).";
    Sidx 0x6e "SIDX" Vec [sca(Field::A, "index, 0..2^32")] "IDX of the load unit = S[a].";
    Sdya 0x6f "SDYA" Vec [sca(Field::D, "result"), sca(Field::A, "exponent")]
        "S[d] = the dyadic of 2^-S[a]: mantissa 2^15, shift S[a] + 15, held within -128..=127.";
}
