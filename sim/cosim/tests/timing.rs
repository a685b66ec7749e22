//! Cycles of instructions, as docs/hardware.md states them, measured on the whole accelerator.

use hdl::rtl::Design;
use hdl::unit::top::top;
use sim::accel::Accelerator;
use sim::memory::Timing;
use spec::Config;
use spec::isa::{Field, Instr, Machine, Op, Program, Segment};

/// Repetitions in the shorter of the two programs whose difference is measured, and how many more the longer one has.
const FEW: usize = 8;
const TIMES: u64 = 16;

struct Meter {
    config: Config,
    accelerator: Accelerator,
}

impl Meter {
    fn new(latency_cycles: u32) -> Self {
        let config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
        let design = Design::new(top(&config).unwrap());
        let accelerator = Accelerator::new(&design, Timing::latency(latency_cycles)).unwrap();
        Self { config, accelerator }
    }

    fn cycles(&mut self, body: &[Instr], times: usize) -> u64 {
        let mut instrs = vec![Instr::new(Op::Simm, &[(Field::D, 1), (Field::Value, 77)]).unwrap()];
        for _ in 0..times {
            instrs.extend(body);
        }
        instrs.push(Instr::new(Op::Halt, &[]).unwrap());
        let segments = vec![Segment { name: "data".into(), addr: 0, len: 1 << 16, data: Vec::new() }];
        let machine = Machine::new(&self.config);
        let program = Program { machine, segments, instrs, marks: Vec::new(), outputs: Vec::new() };
        self.accelerator.start(&program).unwrap();
        self.accelerator.finish_run(1_000_000, &mut |_| {}).unwrap();
        self.accelerator.counters().unwrap().get("cycles").unwrap()
    }

    /// Cycles that [`TIMES`] more repetitions take.
    fn more(&mut self, body: &[Instr]) -> u64 {
        self.cycles(body, FEW + TIMES as usize) - self.cycles(body, FEW)
    }
}

fn op(op: Op, fields: &[(Field, i64)]) -> Instr {
    Instr::new(op, fields).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn instructions_take_no_more_cycles_than_the_page_states() {
    let mut meter = Meter::new(10);
    let empty = meter.cycles(&[], 0);
    assert!(empty <= 23, "an empty program: {empty} cycles");
    let n = 256;
    let row =
        |of: Op, more: &[(Field, i64)]| op(of, &[&[(Field::N, n), (Field::A, 0), (Field::Dst, 1024)], more].concat());
    let quotient = [(Field::S, 1), (Field::Imm, 127), (Field::Q, 127), (Field::Qbits, 8)];
    let instrs = [
        ("SADD", op(Op::Sadd, &[(Field::A, 1), (Field::B, 1), (Field::D, 2)]), 5),
        ("SPRD", op(Op::Sprd, &[(Field::A, 1), (Field::B, 1), (Field::D, 2)]), 14),
        ("SDIV", op(Op::Sdiv, &[(Field::A, 1), (Field::Imm, 7), (Field::D, 2)]), 40),
        ("SRMS", op(Op::Srms, &[(Field::A, 1), (Field::B, 3), (Field::S, 3), (Field::D, 2), (Field::Count, 3)]), 61),
        ("VPAR", op(Op::Vpar, &[(Field::N, n), (Field::Dst, 0)]), 76),
        ("VADD", row(Op::Vadd, &[(Field::B, 512)]), 140),
        ("VEXP", row(Op::Vexp, &[(Field::S, 4)]), 84),
        ("VQUO", row(Op::Vquo, &quotient), 84),
        ("LDP", op(Op::Ldp, &[(Field::Addr, 0), (Field::N, 1024), (Field::Dst, 0)]), 258),
    ];
    let page = include_str!("../../../docs/hardware.md");
    for (name, instr, cycles) in instrs {
        let found = meter.more(&[instr]);
        assert!(found > 0 && found <= TIMES * cycles, "{name}: {found} cycles for {TIMES}, not {cycles} for each");
        assert!(page.contains(&format!("| `{name}`")) && page.contains(&format!("| {cycles} |")), "{name} in the page");
    }
}
