use spec::isa::{Field, Instr, Machine, Op, Queue};
use spec::{Config, Format};

use super::emit::Emit;

fn emit() -> Emit {
    let config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    Emit::new(Machine::new(&config), vec![(64, 128), (128, 192)])
}

fn queues(of: impl Iterator<Item = Queue>) -> Vec<Queue> {
    of.collect()
}

fn tokens(instr: &Instr) -> (Vec<Queue>, Vec<Queue>) {
    (queues(instr.waits()), queues(instr.signals()))
}

/// Codes, product, sums, codes again: each waits for what it needs and for nothing else.
#[test]
fn queues_wait_for_data_and_for_room_and_once_only() {
    let mut e = emit();
    let seta = [(Field::Rows, 2), (Field::Used, 8)];
    let code = [(Field::N, 8), (Field::To, 1)];
    let mm = [(Field::Rows, 2), (Field::KTiles, 1), (Field::NTiles, 1)];
    for row in 0..2 {
        e.push(Op::Seta, &[seta.as_slice(), &[(Field::Row, row)]].concat()).unwrap();
        e.push(Op::Vads, &code).unwrap();
    }
    e.push(Op::Ldp, &[(Field::N, 8), (Field::Dst, 0)]).unwrap();
    e.push(Op::Mm, &mm).unwrap();
    e.push(Op::Mm, &[mm.as_slice(), &[(Field::Bank, 1)]].concat()).unwrap();
    e.push(Op::Vacc, &[(Field::N, 8), (Field::B, 0)]).unwrap();
    e.push(Op::Vacc, &[(Field::N, 8), (Field::B, 8), (Field::A, 1)]).unwrap();
    e.push(Op::Mm, &mm).unwrap();
    e.push(Op::Vads, &code).unwrap();
    e.push(Op::Ldp, &[(Field::N, 8), (Field::Dst, 8)]).unwrap();
    let found: Vec<_> = e.instrs.iter().map(tokens).collect();
    let (load, mm, vec) = (Queue::Load, Queue::Mm, Queue::Vec);
    let nothing = (vec![], vec![]);
    let expected = [
        nothing.clone(),
        nothing.clone(),
        nothing.clone(),
        (vec![], vec![mm]),       // the last code, for the first product
        (vec![], vec![vec]),      // parameters
        (vec![vec], vec![vec]),   // the product in bank 0
        nothing,                  // its act words are known to be there
        (vec![load, mm], vec![]), // sums of bank 0
        (vec![], vec![load, mm]), // the last reader of bank 0 and of these parameters
        (vec![vec], vec![vec]),   // bank 0 is free
        (vec![mm], vec![]),       // its act word is free
        (vec![vec], vec![]),      // the parameters are free
    ];
    assert_eq!(found, expected);
}

#[test]
fn reads_of_memory_wait_for_the_writes_that_they_overlap() {
    let mut e = emit();
    let dim = (Field::Dim, 8);
    e.push(Op::St, &[(Field::Addr, 64), (Field::Bytes, 8)]).unwrap();
    e.push(Op::St, &[(Field::Addr, 128), (Field::Bytes, 8)]).unwrap();
    e.push(Op::Ldh, &[(Field::Addr, 72), (Field::Tokens, 1), dim]).unwrap();
    e.push(Op::Ldh, &[(Field::Addr, 64), (Field::Tokens, 2), dim]).unwrap();
    e.push(Op::Ldh, &[(Field::Addr, 64), (Field::Tokens, 1), dim]).unwrap();
    e.push(Op::Ldw, &[(Field::Addr, 0), (Field::Words, 4)]).unwrap();
    e.push(Op::Sidx, &[(Field::A, 1)]).unwrap();
    e.push(Op::Ldp, &[(Field::Addr, 0), (Field::Indirect, 1)]).unwrap();
    let waits: Vec<_> = e.instrs.iter().map(|i| queues(i.waits())).collect();
    let (store, vec) = (Queue::Store, Queue::Vec);
    assert_eq!(waits, [vec![], vec![], vec![], vec![store], vec![], vec![], vec![], vec![vec]]);
    assert_eq!(queues(e.instrs[0].signals()), [Queue::Load]);
    assert!(queues(e.instrs[1].signals()).is_empty());
}

#[test]
fn values_that_do_not_fit_their_field_are_errors() {
    let mut e = emit();
    let message = e.push(Op::Mm, &[(Field::Rows, 1), (Field::Acc, 1 << 14)]).unwrap_err().to_string();
    assert!(message.contains("MM.acc = 16384"), "{message}");
    assert!(e.machine.formats.contains(&Format::W8a8) && e.instrs.is_empty());
}
