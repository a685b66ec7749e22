//! Whole linear layers of every format on arrays of any shape, against the layer.

use proptest::prelude::*;
use spec::isa::{Machine, Output, OutputKind, Program, Segment, assemble};
use spec::model::QLayer;
use spec::qmodel::ActMode;
use spec::stream::packing;
use spec::{Dyadic, Format, Operand, ScaleRule, Scaling};

use super::*;
use crate::iss::order;
use crate::iss::scalar::dyadic::unpack;
use crate::layer::PreparedLayer;
use crate::layers::random::{Coding, Shape, random_model};

/// Beats of words of bits, as `spec::stream` packs them.
fn pack(words: &[Vec<bool>], beat_bits: usize) -> Vec<u8> {
    let Some(word_bits) = words.first().map(Vec::len) else { return vec![] };
    let packing = packing(beat_bits as u32, word_bits as u32);
    let mut bits = Vec::new();
    for words in words.chunks(packing.words_per_beat as usize) {
        words.iter().for_each(|word| bits.extend(word));
        bits.resize(bits.len().next_multiple_of(beat_bits), false);
    }
    bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit))).collect()
}

/// The weight words of a layer, from the text of the contract.
fn words(layer: &QLayer, machine: &Machine) -> Vec<Vec<bool>> {
    let weight = &layer.linear.weight;
    let (n, k) = (weight.rows, weight.cols);
    let (rows, cols, bands) = (machine.rows as usize, machine.cols as usize, machine.preload_rows as usize);
    let format = layer.linear.format;
    let bits = format.weight().bits() as usize;
    let per_tile = rows.div_ceil(bands);
    let block = layer.scaling.block();
    let used = block.map_or(rows, |block| rows.min(block));
    // Tiles: their first element of K, how many, and the block that they begin.
    let mut tiles = Vec::new();
    for (b, first) in (0..k).step_by(block.unwrap_or(k)).enumerate() {
        let end = k.min(first + block.unwrap_or(k));
        for (i, at) in (first..end).step_by(used).enumerate() {
            tiles.push((at, used.min(end - at), (i == 0 && block.is_some()).then_some(b)));
        }
    }
    let push = |word: &mut Vec<bool>, value: u8, bits: usize| word.extend((0..bits).map(|bit| value >> bit & 1 == 1));
    let mut words = Vec::new();
    for column in (0..n).step_by(cols) {
        for &(at, count, header) in &tiles {
            if let Some(b) = header {
                let mut string = Vec::new();
                for c in column..column + cols {
                    push(&mut string, if c < n { *layer.scales.at(c, b) } else { 0 }, 8);
                }
                let width = bands * cols * bits;
                string.resize(string.len().next_multiple_of(width), false);
                words.extend(string.chunks(width).map(<[bool]>::to_vec));
            }
            for s in 0..per_tile {
                let mut word = Vec::new();
                for r in (0..bands).map(|band| band * per_tile + s) {
                    for c in column..column + cols {
                        let code = if r < count && r < rows && c < n { *weight.at(c, at + r) } else { 0 };
                        push(&mut word, code as u8, bits);
                    }
                }
                words.push(word);
            }
        }
    }
    words
}

/// Codes of one row `z` in VB[0..k], in the layer's format: codes and scale bytes go to the act buffer, the row's step over
/// that of z to S[2] (S[9] and S[11] are steps of 1, S[12] is 1, S[15] is 0), its zero point to S[zp].
fn coding(layer: &QLayer, k: usize, rule: ScaleRule, zp: usize) -> String {
    let block = layer.scaling.block().unwrap_or(1);
    let blocks = k.div_ceil(block);
    let rule = ScaleRule::ALL.iter().position(|r| *r == rule).map(|i| spec::isa::RULES[i]).unwrap();
    let top = format!("VSHR n={k} dst=0 a=0 s=15 red=absmax d=0\nSMAX d=0 a=0 b=12\n");
    let step = |levels: u32, places: i32| format!("SSCL d=2 a=0 b=9 s=11 levels={levels} places={places}\n");
    let ranges = format!("VBLK n={k} dst={k} a=0 imm={block}\n");
    match (layer.linear.format.act(), layer.scaling, layer.acts) {
        (Operand::Int8, _, ActMode::Symmetric) => {
            format!("{top}VQUO n={k} a=0 q=127 s=0 imm=127 qbits=7 to=act\n{}", step(127, 0))
        }
        (Operand::Int8, _, ActMode::Asymmetric) => format!(
            "VSHR n={k} dst=0 a=0 s=15 red=range d=0\nSADD d=0 a=0 b=1\nSMAX d=0 a=0 b=12\n\
             VPAR n=1 dst={k} b=0\nVMLS n=1 dst={k} a={k} s=15\n\
             VQUO n=1 a={k} q=255 asym s=0 imm=255 qbits=8 to=none red=sum d={zp}\nSIMM d=20 value=128\n\
             SADD d={zp} a={zp} b=20\nVQUO n={k} a=0 q=255 asym s=0 imm=255 qbits=8 to=act\n{}",
            step(255, 0)
        ),
        (Operand::Int4, Scaling::Channel, _) => format!("{top}VCOD n={k} a=0 s=0 kind=int4\n{}", step(7, 0)),
        (Operand::Int4, ..) => format!(
            "{top}{ranges}VQUO n={blocks} dst={k} a={k} q=255 s=0 imm=255 qbits=8\n\
             VCOD n={k} a=0 b={k} s=0 imm={block} kind=int4g\n{}",
            step(255 * 7, 0)
        ),
        (_, Scaling::Mx32, _) => format!(
            "{ranges}VEXN n={blocks} dst={k} a={k} rule={rule} red=max d=1\nSIMM d=20 value=-2\nSMAX d=1 a=1 b=20\n\
             SIMM d=0 value=1\nVCOD n={k} a=0 b={k} s=0 imm=32 kind=mx\n{}\
             SSUB d=20 a=15 b=1\nSDYA d=20 a=20\nSPRD d=2 a=2 b=20\n",
            step(1, 1)
        ),
        (_, Scaling::Nv16, _) => format!(
            "{top}{ranges}VE4M n={blocks} dst={k} a={k} s=0\nVCOD n={k} a=0 b={k} s=0 imm=16 kind=nv\n{}",
            step(21, 17)
        ),
        _ => format!("{top}VCOD n={k} a=0 s=0 kind=e2m1\n{}", step(12, 0)),
    }
}

/// Segments one behind the other, each on a multiple of 64.
#[derive(Default)]
struct Memory(Vec<Segment>);

impl Memory {
    fn add(&mut self, len: usize, data: Vec<u8>) -> u32 {
        let addr = self.0.last().map_or(64, |s| s.end() as u32).next_multiple_of(64);
        self.0.push(Segment { name: format!("s{}", self.0.len()), addr, len: len as u32, data });
        addr
    }
}

/// A program that computes the aligned sums of rows of 16-bit integers.
fn program(layer: &QLayer, z: &[Vec<i16>], machine: &Machine, rule: ScaleRule) -> Program {
    let (n, k, m) = (layer.linear.weight.rows, layer.linear.weight.cols, z.len());
    let (format, scaling) = (layer.linear.format.name(), layer.scaling.name());
    let weights = words(layer, machine);
    let (k_tiles, n_tiles) = (machine.k_tiles(k as u32, layer.scaling), (n as u32).div_ceil(machine.cols));
    assert_eq!(weights.len() as u32, n_tiles * machine.column_words(k as u32, layer.linear.format, layer.scaling));
    let (used, block) = (machine.used_rows(layer.scaling), layer.scaling.block().unwrap_or(0));
    let mut memory = Memory::default();
    let mut code = String::new();
    let packed = pack(&weights, 8 * machine.beat_bytes as usize);
    let weight_addr = memory.add(packed.len(), packed);
    let align: Vec<u8> = layer.linear.align.iter().flat_map(|a| a.to_le_bytes()).collect();
    let sums: Vec<u8> = layer.linear.sum.iter().flat_map(|a| a.to_le_bytes()).collect();
    code += &format!("LDP addr={} n={n} dst=0 type=u16\n", memory.add(align.len(), align));
    code += &format!("LDP addr={} n={n} dst={n} type=i32\n", memory.add(sums.len(), sums));
    for (row, z) in z.iter().enumerate() {
        let signal = if row + 1 == m { "signal=vec" } else { "" };
        let addr = memory.add(2 * k, z.iter().flat_map(|z| z.to_le_bytes()).collect());
        code += &format!("LDP addr={addr} n={k} dst={} type=i16 {signal}\n", 2 * n + row * k);
    }
    code += &format!("LDW addr={weight_addr} words={} format={format}\n", weights.len());
    code += "SIMM d=9 value=0xf8000 wait=load\nSIMM d=11 value=0xf8000\nSIMM d=12 value=1\nSIMM d=15 value=0\nSETO width=3\n";
    let outputs = [(OutputKind::Steps, 1), (OutputKind::Logits, n)].map(|(kind, cols)| {
        let stride = (8 * cols as u32).next_multiple_of(64);
        let addr = memory.add(m * stride as usize, vec![]);
        Output { kind, addr, rows: m as u32, cols: cols as u32, stride }
    });
    for row in 0..m {
        code += &format!("VPAR n={k} dst=0 b={}\n", 2 * n + row * k);
        code += &format!("SETA rows={m} row={row} base=1 used={used} block={block} half\n");
        code += &coding(layer, k, rule, 100 + row);
        code += &format!("ST addr={} bytes=8\n", outputs[0].addr + row as u32 * outputs[0].stride);
        code += "VPAR n=1 dst=0 b=0\nVMLS n=1 dst=0 a=0 s=15\nVADS n=1 dst=0 a=0 s=2 to=out\n";
    }
    code += "SIMM d=20 value=0 signal=mm\n";
    let mm = format!("k_tiles={k_tiles} n_tiles={n_tiles} act=1 acc=2 half bank format={format} scaling={scaling}");
    code += &format!("MM rows={m} {mm} wait=vec signal=vec\n");
    let places = 15 - layer.scaling.guard_bits();
    for row in 0..m {
        let wait = if row == 0 { "wait=mm" } else { "" };
        let zp = if layer.acts == ActMode::Asymmetric { format!("zp s={}", 100 + row) } else { String::new() };
        code += &format!("ST addr={} bytes={}\n", outputs[1].addr + row as u32 * outputs[1].stride, 8 * n);
        code += &format!("VACC n={n} a={} b=0 imm={m} k={places} bank to=out {zp} {wait}\n", 2 + row);
    }
    let instrs = assemble(&format!("{}\n{code}HALT", machine_line(machine))).map(|p| p.instrs);
    let instrs = instrs.unwrap_or_else(|e| panic!("{e}"));
    Program { machine: machine.clone(), segments: memory.0, instrs, marks: vec![], outputs: outputs.to_vec() }
}

fn machine_line(m: &Machine) -> String {
    let formats: Vec<&str> = m.formats.iter().map(|f| f.name()).collect();
    format!(
        ".machine rows={} cols={} preload_rows={} chunk_rows={} lanes={} beat_bytes={} weight_words={} act_words={} \
         acc_words={} acc_bits={} elements={} params={} formats={}",
        m.rows,
        m.cols,
        m.preload_rows,
        m.chunk_rows,
        m.lanes,
        m.beat_bytes,
        m.weight_words,
        m.act_words,
        m.acc_words,
        m.acc_bits,
        m.elements,
        m.params,
        formats.join(",")
    )
}

fn machines() -> impl Strategy<Value = Machine> {
    let shape = (1..=40_u32, 1..=9_u32, 1..=8_u32, prop::sample::select(vec![4_u32, 8, 16, 32, 64]));
    shape.prop_map(|(rows, cols, preload, beat_bytes)| {
        let cycles = rows.div_ceil(preload);
        let preload_rows = rows.div_ceil(cycles);
        let big = 1 << 14;
        Machine {
            rows,
            cols,
            preload_rows,
            chunk_rows: 16,
            lanes: 1,
            beat_bytes,
            weight_words: 2 * cycles,
            act_words: big,
            acc_words: big,
            acc_bits: 64,
            elements: 1 << 16,
            params: 1 << 16,
            formats: Format::ALL.to_vec(),
        }
    })
}

fn codings() -> impl Strategy<Value = Coding> {
    prop::sample::select(Format::ALL.to_vec()).prop_flat_map(|format| {
        (prop::sample::select(format.scalings().to_vec()), any::<bool>()).prop_map(
            move |(scaling, wants_zero_point)| {
                let zero_point = wants_zero_point && format.act() == Operand::Int8 && scaling != Scaling::Mx32;
                let acts = if zero_point { ActMode::Asymmetric } else { ActMode::Symmetric };
                Coding { format, scaling, acts, is_rotated: false }
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_layer_of_any_format_on_any_array(
        machine in machines(), coding in codings(), k in 1..100_usize, n in 1..30_usize, m in 1..4_usize, seed in any::<u64>(),
        rule in prop::sample::select(ScaleRule::ALL.to_vec()), bits in 1..=16_u32,
    ) {
        let shape = Shape { hidden: k, ffn: n, blocks: 1, heads: 1, kv_heads: 1, head_dim: 2, vocab: 3, positions: 1 };
        let model = random_model(&shape, &[coding], seed);
        let layer = &model.blocks[0].gate;
        let draw = |i: usize| (seed.rotate_left(i as u32 % 61).wrapping_mul(0x9e37_79b9_7f4a_7c15 + i as u64) >> 48) as i16;
        let z: Vec<Vec<i16>> = (0..m).map(|row| (0..k).map(|i| draw(row * k + i) >> (16 - bits)).collect()).collect();
        let program = program(layer, &z, &machine, rule);
        order::check(&program).unwrap();
        let iss = run(&program, &mut Blind).unwrap();
        let prepared = PreparedLayer::new(layer, rule).unwrap();
        for (row, z) in z.iter().enumerate() {
            let wide: Vec<i64> = z.iter().map(|&z| z.into()).collect();
            let input = prepared.input(&wide, Dyadic { mult: 1 << 15, shift: 15 });
            let (sums, _) = prepared.aligned(&input);
            let found = iss.output(OutputKind::Steps, row as u32).unwrap();
            prop_assert_eq!(unpack("S", found[0]).unwrap(), input.scale.step);
            prop_assert_eq!(iss.output(OutputKind::Logits, row as u32).unwrap(), sums);
        }
        // In another order of the queues, too.
        let other = order::shuffled(&program, seed).unwrap();
        let found = run(&other, &mut Blind).unwrap();
        for row in 0..m as u32 {
            prop_assert_eq!(found.output(OutputKind::Logits, row).unwrap(), iss.output(OutputKind::Logits, row).unwrap());
        }
        prop_assert!(iss.output(OutputKind::Logits, m as u32).is_err() && iss.output(OutputKind::Tokens, 0).is_err());
    }
}
