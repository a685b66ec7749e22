//! Programs of random instructions: whatever they do, they end in a value.

use proptest::prelude::*;
use spec::Format;
use spec::isa::{Field, Instr, Kind, Machine, Op, Program, Queue, Segment};

use super::*;
use crate::iss::order;

/// An instruction of random fields, most of them small.
fn instr(op: usize, seed: [u64; 4], tokens: u8) -> Instr {
    let op = Op::ALL[op];
    let fields: Vec<(Field, i64)> = op
        .spec()
        .fields
        .iter()
        .enumerate()
        .map(|(i, spec)| {
            let (low, high) = spec.range();
            let draw = seed[i % 4].rotate_left(9 * i as u32);
            let value = match (spec.kind, draw % 16) {
                (Kind::Signed, 0..8) => (draw >> 32) as i64 % 64,
                (_, 0) => high,
                (_, 1) => (draw >> 8) as i64 & high,
                _ => (draw >> 32) as i64 % 12,
            };
            let value = if spec.field == Field::Addr { value & 0x3c } else { value };
            (spec.field, value.clamp(low, high))
        })
        .collect();
    let mut instr = Instr::new(op, &fields).unwrap();
    if op.queue() != Queue::Control {
        for (bit, queue) in Queue::ALL.into_iter().enumerate() {
            instr = if tokens >> bit & 1 == 1 { instr.signalling(queue) } else { instr };
            instr = if tokens >> (bit + 4) & 1 == 1 { instr.waiting(queue) } else { instr };
        }
    }
    instr
}

fn program(instrs: Vec<Instr>, data: Vec<u8>) -> Program {
    let machine = Machine {
        rows: 3,
        cols: 2,
        preload_rows: 2,
        chunk_rows: 4,
        lanes: 1,
        beat_bytes: 4,
        weight_words: 4,
        act_words: 40,
        acc_words: 40,
        acc_bits: 64,
        elements: 64,
        params: 64,
        formats: Format::ALL.to_vec(),
    };
    let segment = Segment { name: "m".into(), addr: 0, len: 200, data };
    Program { machine, segments: vec![segment], instrs, marks: vec![], outputs: vec![] }
}

/// A program that begins by giving every memory something.
fn start(data: &[u8]) -> Vec<Instr> {
    let text = format!(
        "{SMALL}\n.segment m addr=0 len=200\nLDP addr=m n=64 dst=0 type=i8 signal=vec\nVPAR n=64 b=0 to=vb wait=load\n{}\
         SETO width=3\nSETA rows=1 used=3\nVPAR n=40 b=0 to=act\nHALT",
        (0..24).map(|d| format!("SIMM d={d} value={}\n", data[d] as i8)).collect::<String>(),
    );
    let mut instrs = assemble(&text).unwrap().instrs;
    instrs.pop();
    instrs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_program_panics(
        draws in prop::collection::vec((0..Op::ALL.len(), any::<[u64; 4]>(), 0..16_u8, any::<u8>()), 1..30),
        data in prop::collection::vec(any::<u8>(), 200),
    ) {
        let mut instrs = start(&data);
        for (op, seed, rare, tokens) in draws {
            let instr = instr(op, seed, if rare == 0 { tokens } else { 0 });
            let legal = program(vec![instr, Instr::new(Op::Halt, &[]).unwrap()], vec![]);
            // One with an error that needs no run is refused before.
            if instr.op() != Op::Halt && (rare == 0 || legal.check().is_ok()) {
                instrs.push(instr);
            }
        }
        instrs.push(Instr::new(Op::Halt, &[]).unwrap());
        let mut program = program(instrs, data);
        let _ = order::check(&program);
        // Up to its first error.
        while let Err(error) = run(&program, &mut Blind).map(|_| ()) {
            let Error::Program { at, .. } = error else { return Ok(()) };
            if program.instrs[at].op() == Op::Halt || program.instrs[at].op() == Op::Sync {
                return Ok(());
            }
            program.instrs.remove(at);
        }
    }
}
