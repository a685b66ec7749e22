//! How long rows take.

use hdl::unit::requant_plan::Plan;
use spec::{Config, Dyadic, RequantMode, RowScale};

use crate::bench::{Bench, Outcome, Pace};
use crate::config;
use crate::data::{Chunk, Job, Rng, Row};

fn run(config: &Config, mode: RequantMode, n_tiles: usize, rows: usize, count: usize) -> Outcome {
    let mut rng = Rng(9);
    let cols = config.array.cols as usize;
    let channels = config.channel_words() as usize * config.lanes() as usize;
    let step = Dyadic { mult: 1 << 15, shift: 20 };
    let chunk = |rng: &mut Rng| Chunk {
        mode,
        step,
        n_tiles,
        last_cols: cols,
        rows: (0..rows)
            .map(|_| Row {
                scale: RowScale { step, zp: 128 },
                acc: (0..n_tiles * cols).map(|_| rng.range(-1000, 1000) as i32).collect(),
            })
            .collect(),
    };
    let chunks = (0..count).map(|_| chunk(&mut rng)).collect();
    let job = Job { align: vec![1 << 15; channels], sum: vec![0; channels], chunks };
    Bench::new(config, 1).run(&job, Pace::Free, &mut rng)
}

/// Cycles between the ends of successive packets.
fn row_cycles(outcome: &Outcome) -> Vec<u64> {
    let ends: Vec<u64> =
        outcome.beats.iter().zip(&outcome.cycles).filter(|((_, last), _)| *last).map(|(_, &cycle)| cycle).collect();
    ends.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn a_row_takes_a_cycle_a_word_and_pass() {
    for (cols, lanes, dividers, quotient_bits) in [
        (8, 4, 8, 1),
        (8, 8, 4, 2),
        (16, 8, 3, 3),
        (8, 4, 2, 4),
        (8, 4, 1, 8),
        (8, 4, 4, 1),
        (8, 2, 1, 1),
        (6, 3, 1, 3),
    ] {
        let config = config(cols, lanes, dividers, quotient_bits, 128, 7);
        let interval = u64::from(8u32.div_ceil(quotient_bits).div_ceil(dividers));
        assert_eq!(u64::from(Plan::new(&config).interval()), interval);
        let tiles = 24;
        let words = (tiles * cols / lanes) as u64;
        for mode in [RequantMode::Dynamic, RequantMode::Asymmetric] {
            let rows = row_cycles(&run(&config, mode, tiles as usize, 8, 1));
            // Row i + 1 is measured, and its scale fetched, between rows i - 1 and i.
            let wanted = words + 1 + (words + 1) * interval;
            let steady = &rows[..rows.len() - 1];
            assert!(
                steady.iter().all(|&cycles| cycles <= wanted),
                "{mode:?} {:?}: {rows:?} for {wanted}",
                config.requant
            );
        }
        let rows = row_cycles(&run(&config, RequantMode::Static, tiles as usize, 8, 1));
        let wanted = (words + 1) * interval + 1;
        assert!(rows.iter().all(|&cycles| cycles <= wanted), "static {:?}: {rows:?} for {wanted}", config.requant);
    }
}

#[test]
fn short_rows_take_about_sixteen_cycles() {
    let config = config(8, 8, 8, 1, 64, 7);
    for (mode, most) in [(RequantMode::Dynamic, 18), (RequantMode::Asymmetric, 18), (RequantMode::Static, 18)] {
        let rows = row_cycles(&run(&config, mode, 1, 8, 1));
        let mean = rows.iter().sum::<u64>() / rows.len() as u64;
        assert!(mean <= most, "{mode:?}: {rows:?}");
    }
}

#[test]
fn the_next_command_waits_for_the_pipeline_only() {
    let config = config(8, 4, 8, 1, 128, 7);
    let tiles = 20;
    let words = 40;
    let outcome = run(&config, RequantMode::Dynamic, tiles, 4, 3);
    let out = u64::from(Plan::new(&config).out());
    for pair in outcome.accepted.windows(2) {
        let busy = 4 * (2 * words + 2);
        assert!(pair[1] - pair[0] <= busy + out + 3, "{:?}", outcome.accepted);
    }
}

#[test]
fn the_first_beat_comes_when_the_statistics_allow() {
    for (lanes, set, mode) in [(1, 7, 0), (2, 1, 0), (4, 7, 1), (4, 3, 0), (8, 7, 0), (16, 5, 0), (16, 7, 1)] {
        // One word fills a beat, or more.
        let config = config(lanes, lanes, 8, 1, 32, set);
        let plan = Plan::new(&config);
        let tiles = 6;
        let outcome = run(&config, RequantMode::ALL[mode], tiles, 1, 1);
        // Fetch, measure every word, then the statistics; the pipeline, FIFO and output register; beats of narrow words
        // wait for the other words.
        let issued = outcome.accepted[0] + 1 + tiles as u64 + u64::from(plan.tree() + 6);
        let others = u64::from((32 / (8 * lanes)).saturating_sub(1));
        assert_eq!(outcome.cycles[0], issued + u64::from(plan.out()) + 3 + others, "{lanes} lanes, {set}");
    }
}
