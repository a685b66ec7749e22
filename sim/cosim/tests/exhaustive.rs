//! Every pair of operand codes of every PE and every code of every decoder: `step`, Verilator and golden.

use golden::num;
use hdl::rtl::emit::Header;
use hdl::rtl::module::Design;
use hdl::rtl::{ModuleBuilder, Ty};
use hdl::unit::{decode, pe, product};
use sim::engine::frame::Frame;
use spec::{Config, Format, Operand};

fn config(format: Format, product_register: bool, prefix: &str) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap();
    config.design.prefix = prefix.into();
    config.pe.kind = format.pe_kind();
    config.pe.formats = vec![format];
    config.pe.product_register = product_register;
    config.validate().unwrap();
    config
}

/// The code of the operand whose bits are the lowest of `bits`.
fn code(operand: Operand, bits: u64) -> i8 {
    match operand {
        Operand::Int8 | Operand::Pot8 => bits as i8,
        Operand::Int4 => ((bits << 4) as i8) >> 4,
        Operand::E2m1 | Operand::Pot4 => (bits & 15) as i8,
    }
}

fn int(operand: Operand, bits: u64) -> i64 {
    i64::from(num::decode(operand, code(operand, bits)).expect("every pattern of bits is a code"))
}

fn signed(frame: &Frame, name: &str, outputs: &[u64]) -> i64 {
    let field = frame.field(name).unwrap();
    ((field.get(outputs) << (64 - field.width)) as i64) >> (64 - field.width)
}

fn compare(name: &str, found: i64, expected: i64) -> cosim::unit::Judgement {
    if found == expected { Ok(1) } else { Err((name.to_string(), expected.to_string())) }
}

#[test]
fn every_operand_pair_and_every_code() {
    let decoders = [
        (Operand::Int8, Operand::Int8),
        (Operand::Int4, Operand::Int8),
        (Operand::E2m1, Operand::Int8),
        (Operand::Pot4, Operand::Int8),
        (Operand::Pot4, Operand::Pot8),
    ];
    let formats: Vec<(Format, bool)> = Format::PLAIN.into_iter().flat_map(|f| [(f, false), (f, true)]).collect();
    let mut m = ModuleBuilder::new("all_pairs", "Every product, PE and decoder beside each other.");
    let act = m.input("act_i", Ty::u(8));
    let weight = m.input("weight_i", Ty::u(8));
    let one = m.input("load_i", Ty::bit());
    let sum = m.input("sum_i", Ty::u(12));
    for (i, &(format, registered)) in formats.iter().enumerate() {
        let config = config(format, registered, &format!("f{i}"));
        let a = m.wire(&format!("act{i}"), &act.part(0, format.act().bits()));
        let w = m.wire(&format!("weight{i}"), &weight.part(0, format.weight().bits()));
        let product = product::product(&config).unwrap();
        let out = m.instance(&format!("u_product{i}"), &product, &[("act_i", &a), ("weight_i", &w)]).out("product_o");
        m.output_is(&format!("product{i}_o"), &out);
        let s =
            m.wire(&format!("sum{i}"), &sum.part(0, config.sum_bits().min(12)).as_signed().extend(config.sum_bits()));
        let cell = pe::pe(&config).unwrap();
        let inputs = [("act_i", &a), ("swap_i", &one), ("load_i", &one), ("weight_i", &w), ("sum_i", &s)];
        let out = m.instance(&format!("u_pe{i}"), &cell, &inputs);
        m.output_is(&format!("sum{i}_o"), &out.out("sum_o"));
    }
    for (i, (operand, to)) in decoders.into_iter().enumerate() {
        let config = config(Format::W8a8, false, &format!("d{i}"));
        let decoder = decode::decode_code(&config, operand, to).unwrap();
        let c = m.wire(&format!("code{i}"), &weight.part(0, operand.bits()));
        let out = m.instance(&format!("u_decode{i}"), &decoder, &[("code_i", &c)]).out("value_o");
        m.output_is(&format!("value{i}_o"), &out);
    }
    let design = Design::new(m.build().unwrap());
    let sources = design.emit(&Header::default()).unwrap();

    // All pairs of 8 bits, activations fastest, then four more cycles for the last ones to come through the PEs.
    let pairs = 1 << 16;
    let inputs_at = |cycle: u64| (cycle & 255, cycle >> 8 & 255, (cycle * 7) & 0xfff);
    let stimulus = |cycle: u64, frame: &Frame, inputs: &mut [u64]| {
        let (a, w, s) = inputs_at(cycle);
        for (name, value) in [("act_i", a), ("weight_i", w), ("load_i", 1), ("sum_i", s)] {
            frame.field(name).unwrap().put(inputs, &[value]);
        }
        cycle < pairs + 4
    };
    // A PE's weight enters one cycle ahead of its activation, so the pairs that meet in a PE are those of all cycles:
    // activation of cycle t with the weight of cycle t - 1, which over 2^16 + 1 cycles are all pairs as well.
    let judge = |cycle: u64, _: (&Frame, &[u64]), (frame, outputs): (&Frame, &[u64])| {
        let mut checked = 0;
        let (a, w, _) = inputs_at(cycle);
        for (i, &(format, registered)) in formats.iter().enumerate() {
            let name = format!("product{i}_o");
            let expected = int(format.act(), a) * int(format.weight(), w);
            checked += compare(&name, signed(frame, &name, outputs), expected)?;
            let latency = 2 + u64::from(registered);
            if cycle > latency {
                let (name, width) = (format!("sum{i}_o"), frame.field(&format!("sum{i}_o")).unwrap().width);
                let (a, w) = (inputs_at(cycle - latency).0, inputs_at(cycle - latency - 1).1);
                let bits = width.min(12);
                let sum = ((inputs_at(cycle - 1).2 << (64 - bits)) as i64) >> (64 - bits);
                let exact = int(format.act(), a) * int(format.weight(), w) + sum;
                let wrapped = (exact << (64 - width)) >> (64 - width);
                checked += compare(&name, signed(frame, &name, outputs), wrapped)?;
            }
        }
        for (i, (operand, to)) in decoders.into_iter().enumerate() {
            let name = format!("value{i}_o");
            let found = signed(frame, &name, outputs);
            checked += compare(&name, int(to, found as u64), int(operand, w))?;
        }
        Ok(checked)
    };
    let verdict = cosim::unit::drive(&design, &sources, stimulus, judge).unwrap();
    assert!(verdict.matched(), "{:?}", verdict.first);
    assert_eq!(verdict.cycles_checked, pairs + 4);
    assert!(verdict.golden_values_checked > pairs * (2 * 12 + 5));
}
