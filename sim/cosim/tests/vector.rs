//! The vector unit: every output of every cycle in Verilator and in the step simulator, over random instructions.

use hdl::rtl::emit::Header;
use hdl::rtl::module::Design;
use hdl::unit::vec::vector::vector;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sim::engine::frame::Frame;
use spec::Config;
use spec::isa::{Field, Instr, Op, Queue};

/// Cycles from one instruction to the next; one that finds the unit busy is not taken.
const PERIOD: u64 = 160;
const INSTRUCTIONS: u64 = 600;

/// A random instruction: all fields in their range, rows of at most 40 elements.
fn random(op: Op, rng: &mut ChaCha8Rng) -> Instr {
    let fields: Vec<(Field, i64)> = op
        .spec()
        .fields
        .iter()
        .map(|f| {
            let (low, high) = f.range();
            let span = (i128::from(high) - i128::from(low) + 1) as u128;
            let value = (i128::from(low) + (u128::from(rng.next_u64()) % span) as i128) as i64;
            (
                f.field,
                match f.field {
                    Field::N => value % 40 + 1,
                    Field::Imm if matches!(op, Op::Vblk | Op::Vcod) => 16 << (value & 1),
                    Field::K if op == Op::Vhad => value % 5,
                    Field::Used => 8,
                    _ => value,
                },
            )
        })
        .collect();
    Instr::new(op, &fields).unwrap()
}

#[test]
fn random_instructions_in_every_cycle() {
    let config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    let design = Design::new(vector(&config).unwrap());
    let sources = design.emit(&Header::default()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let ops: Vec<Op> = Op::ALL.iter().copied().filter(|op| op.queue() == Queue::Vec).collect();
    let stimulus = move |cycle: u64, frame: &Frame, inputs: &mut [u64]| {
        let mut put = |name: &str, value: &[u64]| frame.field(name).unwrap().put(inputs, value);
        let wide: Vec<u64> = (0..16).map(|_| rng.next_u64()).collect();
        put("rst_ni", &[u64::from(cycle > 1)]);
        put("acc_data_i", &wide);
        put("param_write_i", &[wide[1] & wide[2]]);
        put("param_waddr_i", &[wide[3]]);
        put("param_wdata_i", &wide[4..]);
        put("out_ready_i", &[u64::from(!wide[12].is_multiple_of(4))]);
        if cycle % PERIOD == 5 {
            let number = cycle / PERIOD;
            // Entries of S get a range of sizes, so that shifts, steps and divisors differ.
            let instr = if number.is_multiple_of(3) {
                let value = (wide[13] >> (wide[14] % 64)) as i64;
                Instr::new(Op::Simm, &[(Field::D, (wide[15] % 256) as i64), (Field::Value, value)]).unwrap()
            } else {
                random(ops[number as usize % ops.len()], &mut rng)
            };
            let bits = instr.encode();
            put("instr_valid_i", &[1]);
            put("instr_i", &[bits as u64, (bits >> 64) as u64]);
        }
        cycle < PERIOD * INSTRUCTIONS
    };
    let mut taken = 0;
    let judge = |_: u64, (inputs, i): (&Frame, &[u64]), (outputs, o): (&Frame, &[u64])| {
        let both = inputs.field("instr_valid_i").unwrap().get(i) & outputs.field("instr_ready_o").unwrap().get(o);
        taken += both;
        Ok(both)
    };
    let verdict = cosim::unit::drive(&design, &sources, stimulus, judge).unwrap();
    assert_eq!(verdict.mismatches, 0, "{:?}", verdict.first);
    assert_eq!(verdict.cycles_checked, PERIOD * INSTRUCTIONS);
    assert!(taken > INSTRUCTIONS * 3 / 4, "{taken} of {INSTRUCTIONS} instructions were taken");
}
