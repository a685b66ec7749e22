//! The load unit behind a reader: every word of weights, of heads and of parameters, from the contract alone.

use std::sync::Arc;

use hdl::rtl::{Module, ModuleBuilder, Ty};
use hdl::unit::burst::Bursts;
use hdl::unit::dma_read::dma_read;
use hdl::unit::load_unit::load_unit;
use sim::memory::{SparseMemory, Timing};
use spec::isa::{Field, Instr, Op};
use spec::{Config, Format};

use crate::maker::{Maker, Wanted, instr_limbs, shaped};
use crate::rig::{Rig, Rng, timings};

const SHAPES: [(u32, u32, u32, u32); 8] = [
    (8, 8, 2, 64),
    (16, 16, 2, 128),
    (4, 4, 1, 32),
    (5, 3, 2, 32),
    (5, 12, 5, 64),
    (8, 32, 1, 128),
    (32, 16, 4, 512),
    (1, 7, 1, 256),
];

fn reader_and_unit(config: &Config) -> Arc<Module> {
    let bursts = Bursts { outstanding: 8, beats: 16 };
    let (reader, unit) = (dma_read(config, "dma_read", bursts).unwrap(), load_unit(config).unwrap());
    let mut m = ModuleBuilder::new("test_load", "A reader and a load unit.");
    let names = ["cmd_ready_o", "out_valid_o", "out_data_o"];
    let nets = names.map(|name| m.net(name.trim_end_matches("_o"), reader.port(name).unwrap().1.ty));
    let inputs = [("instr_valid_i", 1), ("instr_i", 128), ("index_i", 32), ("weight_ready_i", 1)];
    let inputs = inputs.map(|(name, bits)| (name, m.input(name, Ty::u(bits))));
    let mut ports: Vec<_> = inputs.iter().map(|(name, port)| (*name, port)).collect();
    ports.extend([("cmd_ready_i", &nets[0]), ("beat_valid_i", &nets[1]), ("beat_i", &nets[2])]);
    let unit_out = m.instance("u_unit", &unit, &ports);
    for name in [
        "instr_ready_o",
        "weight_valid_o",
        "weight_o",
        "param_write_o",
        "param_addr_o",
        "param_data_o",
        "retire_o",
        "error_o",
    ] {
        m.output_is(name, &unit_out.out(name));
    }
    let inputs = [
        ("ar_ready_i", 1),
        ("r_valid_i", 1),
        ("r_data_i", config.bus.data_bits),
        ("r_resp_i", 2),
        ("r_last_i", 1),
        ("flush_i", 1),
    ];
    let inputs = inputs.map(|(name, bits)| (name, m.input(name, Ty::u(bits))));
    let mut ports: Vec<_> = inputs.iter().map(|(name, port)| (*name, port)).collect();
    let (valid, beat, count, ready) = (
        unit_out.out("cmd_valid_o"),
        unit_out.out("cmd_beat_o"),
        unit_out.out("cmd_count_o"),
        unit_out.out("beat_ready_o"),
    );
    ports.extend([("cmd_valid_i", &valid), ("cmd_beat_i", &beat), ("cmd_count_i", &count), ("out_ready_i", &ready)]);
    let reader_out = m.instance("u_reader", &reader, &ports);
    for (net, name) in nets.iter().zip(names) {
        m.assign(net, &reader_out.out(name));
    }
    for name in ["ar_valid_o", "ar_addr_o", "ar_len_o", "r_ready_o"] {
        m.output_is(name, &reader_out.out(name));
    }
    m.build().unwrap_or_else(|e| panic!("{e}"))
}

/// Runs instructions; compares what comes out with what is wanted; gives the cycles.
fn run(rig: &mut Rig, instrs: &[Instr], wanted: Wanted, index: u32, slow: u64, rng: &mut Rng) -> u64 {
    let mut words = wanted.words;
    let mut params = vec![None; 70_000];
    let (mut given, mut retired, mut quiet) = (0, 0, 0);
    let mut written = wanted.params.into_iter();
    let start = rig.memory.cycle();
    while retired < instrs.len() {
        let offer = given < instrs.len() && (slow < 2 || !rng.one_in(3));
        if offer {
            rig.set("instr_valid_i", 1);
            rig.set_limbs("instr_i", &instr_limbs(instrs[given]));
        }
        rig.set("index_i", index.into());
        let ready = slow < 2 || rng.one_in(slow);
        rig.set("weight_ready_i", ready.into());
        rig.cycle();
        given += usize::from(offer && rig.get("instr_ready_o") == 1);
        quiet += 1;
        if ready && rig.get("weight_valid_o") == 1 {
            let word = words.pop_front().expect("a word too many");
            let mut came = rig.bytes_up("weight_o");
            came.resize(word.len().max(came.len()), 0);
            assert_eq!(came[..word.len()], word[..], "{} words left, {retired} of {given} retired", words.len());
            quiet = 0;
        }
        let lanes = rig.get("param_write_o");
        let data = rig.bytes_up("param_data_o");
        for lane in (0..64).filter(|lane| lanes >> lane & 1 == 1) {
            let bytes = data[4 * lane..4 * lane + 4].try_into().unwrap();
            let at = rig.get("param_addr_o") as usize + lane;
            params[at] = Some(i32::from_le_bytes(bytes));
            let (want_at, want) = written.next().expect("a parameter too many");
            assert_eq!((at, params[at]), (want_at, Some(want)), "{retired} of {given} retired");
            quiet = 0;
        }
        retired += rig.get("retire_o") as usize;
        assert_eq!(rig.get("error_o"), 0, "instruction {given} was refused");
        assert!(quiet < 4000, "stuck: {retired} of {given} retired, {} words wanted", words.len());
    }
    assert!(words.is_empty() && written.next().is_none(), "all retired, but {} words are missing", words.len());
    rig.memory.cycle() - start
}

#[test]
fn random_programs_load_what_the_contract_says() {
    for (number, (rows, cols, preload, bits)) in SHAPES.into_iter().enumerate() {
        let config = shaped(rows, cols, preload, bits);
        let module = reader_and_unit(&config);
        for (i, timing) in timings(number as u64).into_iter().enumerate() {
            let mut maker = Maker::new(&config, 100 + i as u64);
            let index = 1 + maker.rng.below(50) as u32;
            let instrs: Vec<Instr> = (0..25).map(|_| maker.any(index)).collect();
            let mut rig = Rig::new(module.clone(), maker.memory, timing);
            run(&mut rig, &instrs, maker.wanted, index, 1 + (i as u64 % 3), &mut maker.rng);
            assert!(rig.memory.is_idle());
        }
    }
}

#[test]
fn every_length_and_place_of_parameters() {
    for (rows, cols, bits) in [(8, 8, 32), (16, 16, 128), (4, 2, 512)] {
        let config = shaped(rows, cols, 1, bits);
        let module = reader_and_unit(&config);
        let mut maker = Maker::new(&config, 7);
        let mut instrs = Vec::new();
        for kind in 0..5 {
            for n in (1..20).chain([64, 100]) {
                instrs.push(maker.params(kind, n, n * 3 % 17, None));
            }
        }
        instrs.push(maker.params(4, 300, 0, None));
        let mut rig = Rig::new(module, maker.memory, Timing::latency(8));
        run(&mut rig, &instrs, maker.wanted, 0, 1, &mut maker.rng);
    }
}

#[test]
fn every_length_of_heads_in_both_modes() {
    for (rows, cols, preload, bits) in SHAPES {
        let config = shaped(rows, cols, preload, bits);
        let module = reader_and_unit(&config);
        let mut maker = Maker::new(&config, 9);
        let mut instrs = Vec::new();
        // An instruction names at most 255 tiles.
        let most = 255 * rows.min(cols);
        for dim in (1..40).chain([64, 100, 255, 256]).filter(|dim| *dim <= most) {
            instrs.push(maker.head(false, cols, dim, 0));
            instrs.push(maker.head(true, rows, dim, 1));
            instrs.push(maker.head(dim % 2 == 0, 1, dim, 0));
        }
        let mut rig = Rig::new(module, maker.memory, Timing::latency(8));
        run(&mut rig, &instrs, maker.wanted, 0, 1, &mut maker.rng);
    }
}

#[test]
fn weights_and_heads_keep_up_with_the_bus() {
    for (rows, cols, preload, bits) in [(8, 8, 2, 64), (16, 16, 2, 128), (8, 32, 1, 128), (4, 4, 1, 32)] {
        let config = shaped(rows, cols, preload, bits);
        let module = reader_and_unit(&config);
        for direct in [false, true] {
            let mut maker = Maker::new(&config, 3);
            let tokens = if direct { rows } else { cols };
            let instrs: Vec<Instr> = (0..30).map(|_| maker.head(direct, tokens, 64, 0)).collect();
            let mut rig = Rig::new(module.clone(), maker.memory, Timing::latency(30));
            let cycles = run(&mut rig, &instrs, maker.wanted, 0, 1, &mut maker.rng);
            let beats = 30 * u64::from(tokens * 64 * 8 / bits);
            assert_eq!(rig.memory.read_beats, beats);
            let limit = beats + beats / 8 + 200;
            assert!(cycles <= limit, "{rows}x{cols}, {bits} bits, direct {direct}: {cycles} cycles for {beats} beats");
        }
        let mut maker = Maker::new(&config, 3);
        let instrs: Vec<Instr> = (0..5).map(|_| maker.words(Format::W8a8, 200)).collect();
        let mut rig = Rig::new(module, maker.memory, Timing::latency(30));
        let cycles = run(&mut rig, &instrs, maker.wanted, 0, 1, &mut maker.rng);
        assert!(cycles <= rig.memory.read_beats + 80, "{cycles} cycles for {} beats", rig.memory.read_beats);
    }
}

#[test]
fn what_the_buffers_cannot_hold_is_refused() {
    let config = shaped(8, 4, 2, 64);
    let module = reader_and_unit(&config);
    let ldw = |addr: i64, words: i64, format: i64| {
        Instr::new(Op::Ldw, &[(Field::Addr, addr), (Field::Words, words), (Field::Format, format)]).unwrap()
    };
    let ldh = |tokens: i64, dim: i64, mode: i64, tiles: i64| {
        let fields = [(Field::Tokens, tokens), (Field::Dim, dim), (Field::Mode, mode), (Field::Tiles, tiles)];
        Instr::new(Op::Ldh, &fields).unwrap()
    };
    let ldp = |n: i64, dst: i64, stride: i64| {
        let fields = [(Field::N, n), (Field::Dst, dst), (Field::Indirect, 1), (Field::Stride, stride)];
        Instr::new(Op::Ldp, &fields).unwrap()
    };
    let bad = [
        ldw(4, 1, 0),
        ldw(0, 1, 2),
        ldh(5, 8, 0, 1),
        ldh(9, 8, 1, 2),
        ldh(4, 257, 0, 33),
        ldh(4, 8, 0, 65),
        ldp(300, 1, 8),
        ldp(8, 0, 4),
        Instr::new(Op::St, &[]).unwrap(),
    ];
    let good = [ldw(8, 1, 1), ldh(4, 256, 0, 32), ldh(8, 256, 1, 64), ldp(300, 0, 8), ldp(299, 1, 16)];
    for (instrs, refused) in [(&bad[..], true), (&good[..], false)] {
        for (i, instr) in instrs.iter().enumerate() {
            let mut rig = Rig::new(module.clone(), SparseMemory::new(), Timing::latency(2));
            let mut retired = 0;
            for cycle in 0..2500 {
                rig.set("instr_valid_i", u64::from(cycle < 1));
                rig.set_limbs("instr_i", &instr_limbs(*instr));
                rig.set("index_i", 1);
                rig.set("weight_ready_i", 1);
                rig.cycle();
                retired += rig.get("retire_o");
            }
            assert_eq!(
                (rig.get("error_o") == 1, retired),
                (refused, u64::from(!refused)),
                "instruction {i}: {instr:?}"
            );
            assert_eq!(rig.memory.read_beats == 0, refused, "instruction {i}");
        }
    }
}

#[test]
fn reset_at_any_time_leaves_a_unit_that_works() {
    let config = shaped(5, 12, 2, 64);
    let module = reader_and_unit(&config);
    let mut rng = Rng(5);
    for round in 0..60 {
        let mut maker = Maker::new(&config, round);
        let instrs: Vec<Instr> = (0..8).map(|_| maker.any(3)).collect();
        let mut rig = Rig::new(module.clone(), maker.memory, timings(round)[round as usize % 7]);
        let mut given = 0;
        for _ in 0..rng.below(700) {
            rig.set("instr_valid_i", 1);
            rig.set_limbs("instr_i", &instr_limbs(instrs[given % 8]));
            rig.set("index_i", 3);
            rig.set("weight_ready_i", rng.below(2));
            rig.cycle();
            given += rig.get("instr_ready_o") as usize;
        }
        rig.reset(true);
        run(&mut rig, &instrs, maker.wanted, 3, 2, &mut rng);
    }
}
