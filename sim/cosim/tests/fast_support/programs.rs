//! Random instructions and programs.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spec::Config;
use spec::isa::{Field, Instr, Machine, Op, Program, Queue, Segment};

/// A random instruction of the vector unit that a legal program may hold; its numbers need make no sense.
pub fn random(op: Op, rng: &mut ChaCha8Rng) -> Instr {
    let fields: Vec<(Field, i64)> = op
        .spec()
        .fields
        .iter()
        .map(|f| {
            let (low, high) = f.range();
            let span = (i128::from(high) - i128::from(low) + 1) as u128;
            let value = (i128::from(low) + (u128::from(rng.next_u64()) % span) as i128) as i64;
            let value = match f.field {
                Field::N if op == Op::Vhad => 64,
                Field::N => value % 70 + 1,
                Field::A | Field::B | Field::Dst if op.is_row() => value % 1000,
                Field::Imm if matches!(op, Op::Vblk | Op::Vcod) => 16 << (value & 1),
                Field::K if op == Op::Vhad => value % 6,
                Field::To => value % 4,
                Field::Used => 8,
                Field::Chord => 0,
                Field::Row | Field::Base => value % 64,
                Field::Rows => value % 4 + 1,
                _ => value,
            };
            (f.field, value)
        })
        .collect();
    Instr::new(op, &fields).unwrap()
}

/// A dyadic with that shift; its mantissa is 2^15 and `low`.
fn dyadic(shift: i64, low: i64) -> i64 {
    (shift << 16) | (1 << 15) | low
}

/// A program of row and scalar operations that golden finds no error in: rows of 16-bit numbers, and what they become.
pub fn legal_program(config: &Config, seed: u64) -> Program {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut below = move |n: u64| (rng.next_u64() % n) as i64;
    let make = |op: Op, fields: &[(Field, i64)]| Instr::new(op, fields).unwrap();
    const ROW: i64 = 64;
    const ROWS: i64 = 8;
    let data: Vec<u8> = (0..4096).map(|_| below(256) as u8).collect();
    let mut instrs = Vec::new();
    // PB: numbers of 16 bits; VB: rows of them; S: dyadics, divisors, shifts.
    let fields = [(Field::Addr, 0), (Field::N, 1024), (Field::Type, 2)];
    instrs.push(make(Op::Ldp, &fields).signalling(Queue::Vec));
    for row in 0..ROWS {
        let fields = [(Field::N, ROW), (Field::Dst, row * ROW), (Field::B, row * ROW + 3)];
        let load = make(Op::Vpar, &fields);
        instrs.push(if row == 0 { load.waiting(Queue::Load) } else { load });
    }
    let set = |d: i64, value: i64, instrs: &mut Vec<Instr>| {
        instrs.push(make(Op::Simm, &[(Field::D, d), (Field::Value, value)]));
    };
    for s in 0..200 {
        set(s, s, &mut instrs);
    }
    for i in 0..8 {
        set(i, dyadic(12 + below(8), below(1 << 15)), &mut instrs);
        set(8 + i, 40_000 + below(1 << 20), &mut instrs);
        set(16 + i, below(12), &mut instrs);
        set(24 + i, 1 << 16, &mut instrs);
    }
    instrs.push(make(Op::Seto, &[(Field::Width, 3)]));
    let mut out_rows = 0;
    for _ in 0..60 {
        let (a, b, dst) = (below(8) * ROW, below(8) * ROW, below(8) * ROW);
        let n = 1 + below(64);
        let (d, red) = (64 + below(16) * 2, below(7));
        let to = [0, 2, 3][below(3) as usize];
        let common = |more: &[(Field, i64)]| -> Vec<(Field, i64)> {
            let own =
                [(Field::N, n), (Field::A, a), (Field::Dst, dst), (Field::To, to), (Field::D, d), (Field::Red, red)];
            own.into_iter().chain(more.iter().copied()).collect()
        };
        let chord = below(2);
        let (op, fields) = match below(15) {
            0 => (Op::Vshr, common(&[(Field::S, 16 + below(8)), (Field::Sat, below(2))])),
            1 => (Op::Vmlp, common(&[(Field::B, below(900)), (Field::Red, red.min(4))])),
            2 => (Op::Vmul, common(&[(Field::B, b), (Field::Red, red.min(4))])),
            3 => (Op::Vmls, common(&[(Field::S, below(8)), (Field::Red, red.min(4))])),
            4 => (Op::Vadd, common(&[(Field::B, b)])),
            5 => (Op::Vads, common(&[(Field::S, 8 + below(8))])),
            6 => (Op::Vfix, common(&[(Field::S, below(8)), (Field::Imm, 127)])),
            7 => (Op::Vquo, common(&[(Field::S, 8 + below(8)), (Field::Q, 127), (Field::Imm, 127), (Field::Qbits, 8)])),
            8 => (Op::Vexp, common(&[(Field::S, 210), (Field::Chord, chord)])),
            9 => (Op::Vsig, common(&[(Field::S, below(8)), (Field::Imm, 8 + below(8)), (Field::Chord, chord)])),
            10 => (Op::Vrop, common(&[(Field::N, (n + 1) / 2), (Field::B, below(900)), (Field::Red, red.min(4))])),
            11 => (Op::Vhad, common(&[(Field::N, ROW), (Field::K, below(6))])),
            12 => (Op::Vblk, common(&[(Field::Imm, 16 << below(2))])),
            13 => (Op::Vexn, common(&[(Field::Rule, below(3)), (Field::A, 512), (Field::N, 1 + n % 4)])),
            _ => (Op::Ve4m, common(&[(Field::A, 512), (Field::N, 1 + n % 4), (Field::S, 8 + below(8))])),
        };
        // In place or beside: a destination that overlaps otherwise is an error.
        let fields: Vec<_> = match op {
            Op::Vexp => {
                // The step in S[210], and behind it the largest value.
                set(210, dyadic(20 + below(6), below(1 << 15)), &mut instrs);
                set(211, 1 << 16, &mut instrs);
                fields
            }
            Op::Vexn | Op::Ve4m => {
                let largest = [(Field::N, ROW), (Field::A, a), (Field::Dst, 512), (Field::Imm, 16)];
                instrs.push(make(Op::Vblk, &largest));
                fields
            }
            _ => fields,
        };
        let known: Vec<_> = fields.into_iter().filter(|(f, _)| op.spec().field(*f).is_some()).collect();
        let instr = make(op, &known);
        let elements = match op {
            Op::Vrop => 2 * instr.get(Field::N),
            Op::Vblk => (instr.get(Field::N) as u64).div_ceil(instr.get(Field::Imm) as u64) as i64,
            _ => instr.get(Field::N),
        };
        instrs.push(instr);
        if to == 2 {
            let store = [(Field::Addr, 4096 + out_rows * 1024), (Field::Bytes, 8 * elements)];
            instrs.push(make(Op::St, &store));
            out_rows += 1;
        }
        if to == 0 && !matches!(op, Op::Vblk | Op::Vexn | Op::Ve4m) {
            // Back to 16 bits.
            let fields = [(Field::N, elements), (Field::A, dst), (Field::Dst, dst), (Field::S, 200), (Field::Sat, 1)];
            set(200, 8, &mut instrs);
            instrs.push(make(Op::Vshr, &fields));
        }
        // An operation on S.
        let (a, b, d) = (below(8), below(8), 112 + below(20) * 4);
        let fields: (Op, Vec<(Field, i64)>) = match below(14) {
            0 => (Op::Sadd, vec![(Field::A, 8 + a), (Field::B, 8 + b)]),
            1 => (Op::Ssub, vec![(Field::A, 8 + a), (Field::B, 8 + b)]),
            2 => (Op::Smax, vec![(Field::A, 8 + a), (Field::B, 8 + b)]),
            3 => (Op::Smin, vec![(Field::A, 8 + a), (Field::B, 8 + b)]),
            4 => (Op::Sbit, vec![(Field::A, 8 + a)]),
            5 => (Op::Sprd, vec![(Field::A, a), (Field::B, b)]),
            6 => {
                let levels = 1 + below(255);
                let places = below(40) - 20;
                (
                    Op::Sscl,
                    vec![
                        (Field::A, 8 + a),
                        (Field::B, a),
                        (Field::S, b),
                        (Field::Levels, levels),
                        (Field::Places, places),
                    ],
                )
            }
            7 => (Op::Snar, vec![(Field::A, 8 + a), (Field::B, b)]),
            8 => (Op::Slft, vec![(Field::A, 8 + a)]),
            9 => (Op::Srms, vec![(Field::A, 8 + a), (Field::B, b), (Field::S, 16 + b), (Field::Count, 1 + below(100))]),
            10 => (Op::Sdiv, vec![(Field::A, 8 + a), (Field::Imm, 1 + below(1000))]),
            11 => (Op::Sres, vec![(Field::A, 16 + a), (Field::B, b)]),
            12 => (Op::Spar, vec![(Field::B, below(1000))]),
            _ => (Op::Sdya, vec![(Field::A, 16 + a)]),
        };
        let fields_and_place: Vec<_> = fields.1.into_iter().chain([(Field::D, d)]).collect();
        instrs.push(make(fields.0, &fields_and_place));
    }
    // All of VB that is used, and S: each entry added to a zero.
    set(200, 0, &mut instrs);
    let fields = [(Field::N, 512), (Field::S, 200), (Field::To, 2)];
    instrs.push(make(Op::Vshr, &fields));
    instrs.push(make(Op::St, &[(Field::Addr, 1 << 18), (Field::Bytes, 512 * 8)]));
    instrs.push(make(Op::Vmls, &[(Field::N, 1), (Field::A, 0), (Field::Dst, 600), (Field::S, 200)]));
    for s in 0..200 {
        instrs.push(make(Op::Vads, &[(Field::N, 1), (Field::A, 600), (Field::S, s), (Field::To, 2)]));
        instrs.push(make(Op::St, &[(Field::Addr, (1 << 19) + 64 * s), (Field::Bytes, 8)]));
    }
    instrs.push(make(Op::Halt, &[]));
    let segments = vec![
        Segment { name: "data".into(), addr: 0, len: 4096, data },
        Segment { name: "out".into(), addr: 4096, len: 1 << 20, data: vec![] },
    ];
    Program { machine: Machine::new(config), segments, instrs, marks: vec![], outputs: vec![] }
}
