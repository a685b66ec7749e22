//! What moves between memories, seen by an observer.

use spec::isa::Instr;
use spec::trace::{Store, Written};

use super::*;

#[derive(Default)]
struct All(Vec<(usize, Vec<Written>)>);

impl Observe for All {
    fn retired(&mut self, at: usize, _: &Instr, written: &[Written]) {
        self.0.push((at, written.to_vec()));
    }
}

/// All that the instructions of a program write.
fn writes(program: &Program) -> Vec<(usize, Vec<Written>)> {
    let mut all = All::default();
    run(program, &mut all).unwrap();
    all.0
}

fn written(store: Store, at: u64, values: &[i64]) -> Written {
    Written { store, at, values: values.to_vec() }
}

#[test]
fn parameters_of_every_type_and_an_index() {
    let text = ".segment t addr=8 len=32
        LDP addr=t n=2 dst=1 type=i8 signal=vec
        LDP addr=t+4 n=2 dst=3 type=u8 signal=vec
        LDP addr=t+8 n=1 dst=5 type=i16 signal=vec
        LDP addr=t+8 n=1 dst=6 type=u16 signal=vec
        LDP addr=t+12 n=1 dst=7 type=i32 signal=vec
        SPAR d=0 b=1 wait=load
        SIDX a=0 signal=load
        LDP addr=t n=1 dst=0 type=i32 indirect stride=4 wait=vec signal=vec
        VPAR n=7 dst=2 b=1 red=range d=4 wait=load
        INFO tag=1
        SPAR d=1 b=0 wait=load
        SPAR d=1 b=0 wait=load
        SPAR d=1 b=0 wait=load
        SPAR d=1 b=0 wait=load";
    let data: &[u8] = &[3, 0xfe, 0, 0, 0xff, 1, 0, 0, 0x34, 0x92, 0, 0, 0x78, 0x56, 0x34, 0x92];
    let found = writes(&small(text, &[data]));
    let param = |at, values: &[i64]| vec![written(Store::Param, at, values)];
    assert_eq!(found[0], (0, param(1, &[3, -2])));
    assert_eq!(found[1].1, param(3, &[255, 1]));
    assert_eq!([&found[2].1, &found[3].1], [&param(5, &[-0x6dcc]), &param(6, &[0x9234])]);
    assert_eq!(found[4].1, param(7, &[-0x6dcb_a988]));
    assert_eq!(found[6].1, [written(Store::Index, 0, &[3])]);
    assert_eq!(found[7].1, param(0, &[-0x6dcb_a988]));
    let row = [3, -2, 255, 1, -0x6dcc, 0x9234, -0x6dcb_a988];
    assert_eq!(found[8].1, [written(Store::Scalar, 4, &[0x9234, 0x6dcb_a988]), written(Store::Vector, 2, &row)]);
    assert_eq!(found[9], (9, vec![]));
}

#[test]
fn codes_go_to_tiles_of_a_row_and_bytes_to_memory() {
    // R = 3, tiles of blocks of 4 use 3 and 1 of its rows, the last block is short.
    let text = ".segment t addr=0 len=16
        .segment out addr=16 len=16
        LDP addr=t n=6 dst=0 type=i8 signal=vec
        ST addr=out+4 bytes=6 signal=vec
        SETA rows=2 row=1 base=3 used=3 block=4 half
        SETO width=0
        VPAR n=6 b=0 to=act wait=load
        VPAR n=4 b=1 to=out
        SETO width=1
        VPAR n=1 b=1 to=out
        SIMM d=9 value=-5 wait=store";
    let program = small(text, &[&[1, 2, 3, 4, 5, 250]]);
    let found = writes(&program);
    let act = |word, codes: &[i64]| written(Store::Act { half: true }, word, codes);
    assert_eq!(found[3], (4, vec![act(4, &[1, 2, 3, 0]), act(6, &[4, 0, 0, 0]), act(8, &[5, -6, 0, 0])]));
    assert_eq!(found[4].1, [written(Store::Out, 0, &[2, 3, 4, 5])]);
    assert_eq!(found[6], (7, vec![written(Store::Out, 4, &[2, 0])]));
    // The store stood before who fills the stream and retires behind.
    assert_eq!(found[7], (1, vec![written(Store::Dram, 20, &[2, 3, 4, 5, 2, 0])]));
    let iss = run(&program, &mut Blind).unwrap();
    assert_eq!(iss.memory(16, 16).unwrap(), [0, 0, 0, 0, 2, 3, 4, 5, 2, 0, 0, 0, 0, 0, 0, 0]);
    assert!(iss.memory(28, 5).is_err());
    assert_eq!(iss.retired(), 10);
}

/// Scores of a query against the keys of a head, and a mix of its values.
#[test]
fn heads_are_read_transposed_and_direct() {
    // Two tokens of four channels, a row every 8 bytes.
    let text = ".segment kv addr=0 len=16
        .segment q addr=16 len=8
        LDP addr=q n=6 dst=0 type=i8 signal=vec
        LDH addr=kv tokens=2 dim=4 stride=2 mode=transposed tiles=2
        LDH addr=kv tokens=2 dim=4 stride=2 mode=direct tiles=2
        SETA rows=1 base=0 used=3
        VPAR n=4 b=0 to=act wait=load
        SETA rows=1 base=2 used=3
        VPAR n=2 b=4 to=act signal=mm
        MM rows=1 k_tiles=2 n_tiles=1 act=0 acc=5 format=w8a8 wait=vec
        MM rows=1 k_tiles=1 n_tiles=2 act=2 acc=6 format=w8a8 signal=vec
        VRAW n=2 dst=0 a=5 imm=1 wait=mm
        VRAW n=4 dst=2 a=6 imm=1";
    let data: [&[u8]; 2] = [&[1, 2, 3, 4, 9, 9, 9, 9, 5, 250, 7, 8], &[1, 10, 100, 255, 2, 253]];
    let found = writes(&small(text, &data));
    let fifo = |at, codes: &[i64]| vec![written(Store::Fifo, at, codes)];
    // A tile is two words: rows 0 and 2, then row 1 and nothing.
    assert_eq!(found[1].1, fifo(0, &[1, 5, 3, 7, 2, 250, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0]));
    assert_eq!(found[2].1, fifo(4, &[1, 2, 0, 0, 5, 250, 0, 0, 3, 4, 0, 0, 7, 8, 0, 0]));
    let acc = |word, sums: &[i64]| written(Store::Acc { bank: false }, word, sums);
    let (first, second) = (1 + 20 + 300 - 4, 5 - 60 + 700 - 8);
    assert_eq!(found[7].1, [acc(5, &[first, second])]);
    let mixed = [2 - 15, 4 + 18, 6 - 21, 8 - 24];
    assert_eq!(found[8].1, [acc(6, &mixed[..2]), acc(7, &mixed[2..])]);
    assert_eq!(found[10].1, [written(Store::Vector, 2, &mixed)]);
}
