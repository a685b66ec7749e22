//! What follows a complete run: commands that the engine must refuse, each after a reset.

use spec::Config;
use spec::stream::{self, Field};

use super::run::End;
use crate::lower::pack::BeatWriter;

/// Cycles in which `error_o` must rise after the last beat of a refused command.
const MOST_CYCLES: u32 = 8;

/// Where the epilogue stands with one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Reset is low.
    Reset,
    /// Reset is high again: nothing is wrong any more.
    Settle,
    /// The command's next beat is offered.
    Send(usize),
    /// `error_o` is awaited for so many cycles.
    Wait(u32),
    /// `error_o` must still be high.
    Stay,
}

/// Sends every kind of bad command.
#[derive(Clone, Debug)]
pub struct Epilogue {
    commands: Vec<(&'static str, Vec<u64>)>,
    limbs_per_beat: usize,
    command: usize,
    phase: Phase,
}

/// Values of a field above `most`: the next one, and every power of two.
fn beyond(field: Field, most: u32) -> impl Iterator<Item = u128> {
    let most = u128::from(most);
    let powers = (0..field.bits).map(|bit| 1 << bit).filter(move |&value| value > most + 1);
    std::iter::once(most + 1).filter(move |&value| value < 1 << field.bits).chain(powers)
}

impl Epilogue {
    /// An epilogue for the engine of `config`.
    pub fn new(config: &Config) -> Self {
        let put = |fields: &[(Field, u128)]| fields.iter().fold(0, |word, (field, value)| word | value << field.lsb);
        let run = [
            (stream::OP, stream::OP_RUN.into()),
            (stream::ROWS, 1),
            (stream::LAST_COLS, 1),
            (stream::K_TILES, 1),
            (stream::N_TILES, 1),
        ];
        let run_without = |missing: usize| {
            let kept: Vec<_> = run.iter().enumerate().filter(|(i, _)| *i != missing).map(|(_, f)| *f).collect();
            put(&kept)
        };
        let mut commands = vec![
            ("unknown op", put(&[(stream::OP, 0)])),
            ("unknown op", put(&[(stream::OP, 6)])),
            ("unknown op", put(&[(stream::OP, 9)])),
            ("unknown op", put(&[(stream::OP, 15)])),
            ("unknown format", put(&[(stream::OP, stream::OP_ACTS.into()), (stream::FORMAT, 7), (stream::COUNT, 1)])),
            (
                "unknown format",
                put(&[(stream::OP, stream::OP_WEIGHTS.into()), (stream::FORMAT, 7), (stream::COUNT, 1)]),
            ),
            ("unknown mode", put(&run) | 3 << stream::MODE.lsb),
        ];
        commands.extend((1..run.len()).map(|missing| ("an empty chunk", run_without(missing))));
        let most = [config.max_rows(), config.array.cols, config.max_k_tiles(), config.max_n_tiles()];
        for (&(field, _), most) in run[1..].iter().zip(most) {
            let others = put(&run.into_iter().filter(|(f, _)| *f != field).collect::<Vec<_>>());
            commands.extend(beyond(field, most).map(|value| ("a chunk too large", others | value << field.lsb)));
        }
        for (op, words) in [
            (stream::OP_CHANNELS, config.channel_words()),
            (stream::OP_ROWS, config.array.chunk_rows),
            (stream::OP_ACTS, config.act_words()),
        ] {
            let payload =
                |base: u128, count: u128| put(&[(stream::OP, op.into()), (stream::BASE, base), (stream::COUNT, count)]);
            let name = "a payload past its buffer's end";
            commands.push((name, payload(u128::from(words) - 1, 2)));
            commands.extend(beyond(stream::COUNT, words).map(|count| (name, payload(0, count))));
            commands.extend(beyond(stream::BASE, words).map(|base| (name, payload(base, 1))));
        }
        let weights = |count| put(&[(stream::OP, stream::OP_WEIGHTS.into()), (stream::COUNT, count)]);
        let most = config.max_payload_words();
        commands.extend(beyond(stream::COUNT, most).map(|count| ("a payload too long", weights(count))));
        let packed = |bits: u128| {
            let mut beats = BeatWriter::new(config.bus.data_bits);
            beats.word(stream::COMMAND_BITS);
            beats.put(bits as u64, 64);
            beats.put((bits >> 64) as u64, 64);
            beats.into_limbs()
        };
        Self {
            commands: commands.into_iter().map(|(name, bits)| (name, packed(bits))).collect(),
            limbs_per_beat: config.bus.data_bits.div_ceil(64) as usize,
            command: 0,
            phase: Phase::Reset,
        }
    }

    /// Whether reset is low in this cycle.
    pub fn is_reset(&self) -> bool {
        self.phase == Phase::Reset
    }

    /// The beat offered in this cycle.
    pub fn offer(&self) -> Option<&[u64]> {
        match self.phase {
            Phase::Send(beat) => self.commands.get(self.command)?.1.chunks(self.limbs_per_beat).nth(beat),
            _ => None,
        }
    }

    /// Ends the cycle; says how the epilogue ended once it has.
    pub fn advance(&mut self, taken: bool, error: bool, idle: bool) -> Option<End> {
        let Some((name, limbs)) = self.commands.get(self.command) else {
            // A last reset has passed.
            return match self.phase {
                Phase::Reset => {
                    self.phase = Phase::Settle;
                    None
                }
                _ if error || !idle => Some(End::Wrong("error_o or activity after reset".into())),
                _ => Some(End::Done),
            };
        };
        let beats = limbs.len() / self.limbs_per_beat;
        let wrong = |what: &str| Some(End::Wrong(format!("{name}: {what}")));
        self.phase = match self.phase {
            Phase::Reset => Phase::Settle,
            Phase::Settle if error || !idle => return wrong("error_o or activity after the reset before it"),
            Phase::Settle => Phase::Send(0),
            Phase::Send(_) if error => return wrong("error_o rose before it was complete"),
            Phase::Send(beat) if taken && beat + 1 == beats => Phase::Wait(0),
            Phase::Send(beat) if taken => Phase::Send(beat + 1),
            Phase::Send(_) => return wrong("s_axis_tready is low"),
            Phase::Wait(_) if error => Phase::Stay,
            Phase::Wait(MOST_CYCLES) => return wrong("error_o stays low"),
            Phase::Wait(cycles) => Phase::Wait(cycles + 1),
            Phase::Stay if error => {
                self.command += 1;
                Phase::Reset
            }
            Phase::Stay => return wrong("error_o fell again"),
        };
        None
    }
}
