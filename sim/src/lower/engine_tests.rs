//! The stream read back by an independent reader of its layout, which also checks that its order cannot dead-lock.

use spec::qmodel::Requant;
use spec::stream::{self, Field, K_TILES, N_TILES, packing, unpack_row_word};
use spec::{Dyadic, Format, RequantMode, RowScale, Tensor};

use super::*;
use crate::lower::packets::balanced;

/// A valid Config of that size.
pub fn config(rows: u32, cols: u32) -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.array.rows = rows;
    config.array.cols = cols;
    config
}

fn layer(k: usize, n: usize, format: Format) -> QLinear {
    let bits = format.weight().bits();
    let code = |i: usize| ((i * 2_654_435_761) >> 7) as i8;
    let data = (0..k * n).map(|i| if bits == 8 { code(i) } else { code(i) & 7 }).collect();
    QLinear {
        name: "test".into(),
        format,
        weight: Tensor::new(n, k, data),
        align: (0..n).map(|i| (i * 77 % 32769) as u16).collect(),
        sum: (0..n).map(|i| i as i32 * 1001 - 5000).collect(),
        requant: Requant { mode: RequantMode::Dynamic, step: Dyadic { mult: 40_000, shift: -7 } },
    }
}

fn acts(m: usize, k: usize) -> QActs {
    let data = (0..m * k).map(|i| ((i * 40_503) >> 4) as i8).collect();
    let scale = |i: usize| RowScale { step: Dyadic { mult: 32_768 + i as u16, shift: i as i16 - 4 }, zp: i as u8 };
    QActs { codes: Tensor::new(m, k, data), scales: (0..m).map(scale).collect() }
}

/// Reads payload words bit by bit.
struct Reader<'a> {
    beats: Vec<&'a [u64]>,
    next: usize,
    data_bits: u32,
}

impl Reader<'_> {
    fn bits_of(&self, beat: usize) -> Vec<bool> {
        (0..self.data_bits as usize).map(|b| self.beats[beat][b / 64] >> (b % 64) & 1 == 1).collect()
    }

    fn command(&mut self) -> u128 {
        let beats = 128_u32.div_ceil(self.data_bits) as usize;
        let bits: Vec<bool> = (self.next..self.next + beats).flat_map(|b| self.bits_of(b)).collect();
        self.next += beats;
        assert!(bits[128..].iter().all(|b| !b));
        bits[..128].iter().rev().fold(0, |v, &b| v << 1 | u128::from(b))
    }

    /// `count` words of `elements` values of `bits`.
    fn payload(&mut self, count: u64, elements: usize, bits: u32) -> Vec<Vec<u64>> {
        let word_bits = elements * bits as usize;
        let packing = packing(self.data_bits, word_bits as u32);
        let beats = packing.beats(count) as usize;
        let span = packing.beats_per_word as usize;
        let mut words = Vec::new();
        for beat in (self.next..self.next + beats).step_by(span) {
            let all: Vec<bool> = (beat..beat + span).flat_map(|b| self.bits_of(b)).collect();
            words.extend(all.chunks_exact(word_bits).take(packing.words_per_beat as usize).map(|word| {
                word.chunks(bits as usize).map(|e| e.iter().rev().fold(0, |v, &b| v << 1 | u64::from(b))).collect()
            }));
        }
        words.truncate(count as usize);
        self.next += beats;
        words
    }
}

fn get(command: u128, field: Field) -> u64 {
    (command >> field.lsb) as u64 & ((1 << field.bits) - 1)
}

#[derive(Default)]
struct Half {
    acts: Vec<Vec<u64>>,
    rows: Vec<u64>,
    user: Option<usize>,
}

/// Follows the stream as the engine must, and checks what each chunk finds in its buffers.
fn check(config: &Config, layer: &QLinear, acts: &QActs) -> EngineProgram {
    check_in(config, layer, acts, Order::Eager);
    check_in(config, layer, acts, Order::Overlapped)
}

fn check_in(config: &Config, layer: &QLinear, acts: &QActs, order: Order) -> EngineProgram {
    let program = lower_in(config, layer, acts, order).unwrap();
    let (array_rows, cols, lanes) = (config.array.rows as usize, config.array.cols as usize, config.lanes() as usize);
    let (_, k, n) = program.shape;
    let mut reader = Reader { beats: program.beats().collect(), next: 0, data_bits: config.bus.data_bits };
    assert_eq!(reader.beats.len(), program.beat_count());
    let (weight_bits, act_bits) = (layer.format.weight().bits(), layer.format.act().bits());
    let mut halves = [Half::default(), Half::default()];
    let mut weights: Vec<Vec<u64>> = Vec::new();
    let words_per_chunk = program.n_tiles * program.k_tiles * config.preload_cycles() as usize;
    let mut runs = 0;
    while reader.next < reader.beats.len() {
        let command = reader.command();
        let count = get(command, stream::COUNT);
        let base = get(command, stream::BASE) as usize;
        let half_index = get(command, stream::HALF) as usize;
        // The chunk that last used the half must be complete but for its requantisation, which needs no input.
        let is_free = |half: &Half| half.user.is_none_or(|user| weights.len() >= (user + 1) * words_per_chunk);
        match get(command, stream::OP) as u32 {
            stream::OP_CHANNELS => {
                assert_eq!((runs, base), (0, 0));
                let words: Vec<_> = reader.payload(count, lanes, 40).concat();
                assert_eq!(words.len(), program.n_tiles * cols);
                for (channel, &word) in words.iter().enumerate() {
                    let (align, sum) = if channel < n { (layer.align[channel], layer.sum[channel]) } else { (0, 0) };
                    assert_eq!(word, u64::from(align) | (u64::from(sum as u32) & 0xff_ffff) << 16);
                }
            }
            stream::OP_ROWS => {
                assert!(is_free(&halves[half_index]));
                halves[half_index].rows = reader.payload(count, 1, 32).concat();
            }
            stream::OP_ACTS => {
                let half = &mut halves[half_index];
                assert!(is_free(half));
                assert!(count > 0);
                if base == 0 {
                    half.acts.clear();
                }
                assert_eq!(half.acts.len(), base);
                half.acts.extend(reader.payload(count, array_rows, act_bits));
            }
            stream::OP_WEIGHTS => {
                assert!(count > 0);
                let words = reader.payload(count, config.preload_rows() as usize * cols, weight_bits);
                weights.extend(words);
                assert!(runs > 0 && weights.len() <= runs * words_per_chunk, "weights follow their command");
            }
            stream::OP_RUN => {
                let chunk = program.chunks[runs];
                assert_eq!(half_index, runs % 2);
                assert_eq!(get(command, stream::ROWS) as usize, chunk.rows);
                assert_eq!(get(command, K_TILES) as usize, program.k_tiles);
                assert_eq!(get(command, N_TILES) as usize, program.n_tiles);
                let last = get(command, stream::LAST_COLS) as usize;
                assert!((1..=cols).contains(&last) && (program.n_tiles - 1) * cols + last == n);
                let half = &mut halves[half_index];
                for (i, &word) in half.rows.iter().enumerate() {
                    assert_eq!(unpack_row_word(word as u32), acts.scales[chunk.first_row + i]);
                }
                assert_eq!((half.rows.len(), half.acts.len()), (chunk.rows, chunk.rows * program.k_tiles));
                for (i, word) in half.acts.iter().enumerate() {
                    let (row, tile) = (chunk.first_row + i % chunk.rows, i / chunk.rows);
                    for (r, &code) in word.iter().enumerate() {
                        let at = tile * array_rows + r;
                        let expected = if at < k { *acts.codes.at(row, at) } else { 0 };
                        assert_eq!(code, u64::from(expected as u8) & ((1 << act_bits) - 1));
                    }
                }
                half.user = Some(runs);
                runs += 1;
            }
            op => panic!("op {op}"),
        }
    }
    assert_eq!(runs, program.chunks.len());
    assert_eq!(weights.len(), runs * words_per_chunk);
    let bands = config.preload_rows() as usize;
    let depth = config.preload_cycles() as usize;
    for (i, word) in weights.iter().enumerate() {
        let (tile, step) = (i % words_per_chunk / depth, i % depth);
        for (e, &code) in word.iter().enumerate() {
            let row = e / cols * depth + step;
            let (channel, at) = (tile / program.k_tiles * cols + e % cols, tile % program.k_tiles * array_rows + row);
            let inside = row < array_rows && at < k && channel < n;
            let expected = if inside { *layer.weight.at(channel, at) } else { 0 };
            assert_eq!(code, u64::from(expected as u8) & ((1 << weight_bits) - 1), "word {i} element {e} of {bands}");
        }
    }
    program
}

#[test]
fn the_stream_says_what_the_layer_says_for_every_size() {
    for (rows, cols) in [(1, 1), (1, 7), (5, 3), (8, 8), (16, 16), (8, 32), (32, 16)] {
        for (data_bits, preload) in [(32, 1), (64, 2), (512, 3)] {
            let mut config = config(rows, cols);
            config.bus.data_bits = data_bits;
            config.array.preload_rows = preload;
            config.array.chunk_rows = 4;
            for (m, k, n) in [(1, 1, 1), (9, 19, 23), (4, 32, 16), (13, 33, 40)] {
                let program = check(&config, &layer(k, n, Format::W4a8), &acts(m, k));
                assert_eq!(program.chunks.len(), m.div_ceil(4));
                check(&config, &layer(k, n, Format::W8a8), &acts(m, k));
            }
        }
    }
}

#[test]
fn four_bit_activations_are_packed_as_such() {
    let mut config = config(32, 16);
    config.pe.formats = vec![Format::Fp4];
    let mut acts = acts(9, 70);
    acts.codes.data.iter_mut().for_each(|c| *c &= 15);
    check(&config, &layer(70, 40, Format::Fp4), &acts);
}

#[test]
fn chunks_are_balanced_and_bounded_by_the_buffers() {
    let sizes = |m, most| balanced(m, most).iter().map(|c| c.rows).collect::<Vec<_>>();
    assert_eq!(sizes(33, 32), [16, 17]);
    assert_eq!(sizes(64, 32), [32, 32]);
    assert_eq!(sizes(1, 32), [1]);
    let mut config = config(8, 8);
    config.buffer.act_bytes = 2 * 8 * 8 * 3;
    let program = check(&config, &layer(60, 20, Format::W8a8), &acts(10, 60));
    assert_eq!(program.chunks.iter().map(|c| c.rows).collect::<Vec<_>>(), [2, 3, 2, 3]);
    assert_eq!((program.chunk_of(4), program.chunk_of(10)), (Some(1), None));
}

#[test]
fn activations_of_the_next_chunk_travel_between_weights() {
    let mut config = config(8, 8);
    config.array.chunk_rows = 16;
    let program = check(&config, &layer(128, 64, Format::W8a8), &acts(32, 128));
    let weights = program.segments.iter().filter(|s| matches!(s, Segment::Weights(_))).count();
    assert!(weights > 4, "the first chunk's weights come in {weights} packets for 2 chunks");
}

#[test]
fn refusals_name_the_smallest_value_that_would_do() {
    let message = |config: &Config, layer: &QLinear, acts: &QActs| lower(config, layer, acts).unwrap_err().to_string();
    let mut small = config(8, 8);
    small.buffer.act_bytes = 64;
    let text = message(&small, &layer(64, 8, Format::W8a8), &acts(1, 64));
    assert!(text.starts_with("buffer.act_bytes = 64: allowed >= 128"), "{text}");
    small.buffer.act_bytes = 128;
    check(&small, &layer(64, 8, Format::W8a8), &acts(1, 64));
    let text = message(&config(8, 8), &layer(8, 8, Format::Fp4a8), &acts(1, 8));
    assert!(text.starts_with("format = fp4a8: allowed w8a8, w4a8"), "{text}");
    let mut fixed = layer(8, 8, Format::W8a8);
    fixed.requant.mode = RequantMode::Static;
    let mut dynamic = config(8, 8);
    dynamic.requant.modes = vec![RequantMode::Dynamic];
    assert!(message(&dynamic, &fixed, &acts(1, 8)).starts_with("requant mode = static: allowed dynamic"));
    assert!(message(&config(8, 8), &layer(65_536, 1, Format::W8a8), &acts(1, 65_536)).starts_with("K = 65536"));
    assert!(message(&config(8, 8), &layer(8, 8, Format::W8a8), &acts(1, 9)).starts_with("act.cols = 9: allowed 8..=8"));
}

#[test]
fn roofline_is_the_larger_of_computing_and_moving() {
    let base = Config::from_toml(hdl::presets::preset("base").unwrap()).unwrap();
    assert_eq!(roofline_cycles(&base, &layer(576, 576, Format::W8a8), 512), 512 * 576 * 576 / 256);
    // One token: weights over 16 bytes a cycle.
    let bytes = 576 * 576 + 576 * 5 + 576 + 576 + 8_u64;
    assert_eq!(roofline_cycles(&base, &layer(576, 576, Format::W8a8), 1), bytes.div_ceil(16));
}
