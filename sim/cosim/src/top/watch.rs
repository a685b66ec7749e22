//! What stands still at the ports of memory, and what the queues wait for, so that a hang can be told.

use std::collections::VecDeque;

use sim::engine::frame::{Field, Frame};
use spec::regs;

const CHANNELS: [&str; 5] = ["ar", "r", "aw", "w", "b"];

/// The memory port: since when each channel is valid without ready, and what was asked for and has not come.
#[derive(Debug)]
pub struct Watch {
    /// Valid and ready of each channel: the field, and whether it is an input.
    signals: [[(Field, bool); 2]; 5],
    /// Address and length of a read, last of read and write data.
    fields: [(Field, bool); 4],
    since: [Option<u64>; 5],
    /// Reads: address, beats that are missing, cycle.
    reads: VecDeque<(u64, u64, u64)>,
    /// Cycles in which the last data of writes went whose response is missing.
    writes: VecDeque<u64>,
}

impl Watch {
    /// Of a design with those frames; nothing if a signal is missing.
    pub fn new(inputs: &Frame, outputs: &Frame) -> Option<Self> {
        let find = |name: String| match inputs.field(&name) {
            Some(field) => Some((field.clone(), true)),
            None => Some((outputs.field(&name)?.clone(), false)),
        };
        let pair =
            |channel: &str| Some([find(format!("m_axi_{channel}valid"))?, find(format!("m_axi_{channel}ready"))?]);
        let field = |name: &str| find(format!("m_axi_{name}"));
        Some(Self {
            signals: [pair("ar")?, pair("r")?, pair("aw")?, pair("w")?, pair("b")?],
            fields: [field("araddr")?, field("arlen")?, field("rlast")?, field("wlast")?],
            since: [None; 5],
            reads: VecDeque::new(),
            writes: VecDeque::new(),
        })
    }

    /// One cycle out of reset.
    pub fn cycle(&mut self, cycle: u64, inputs: &[u64], outputs: &[u64]) {
        let get = |(field, is_input): &(Field, bool)| field.get(if *is_input { inputs } else { outputs });
        let mut moves = [false; 5];
        for (i, [valid, ready]) in self.signals.iter().enumerate() {
            let (valid, ready) = (get(valid) == 1, get(ready) == 1);
            moves[i] = valid && ready;
            self.since[i] = if valid && !ready { self.since[i].or(Some(cycle)) } else { None };
        }
        let [ar, r, _, w, b] = moves;
        if r && let Some((_, beats, _)) = self.reads.front_mut() {
            *beats -= 1;
            if *beats == 0 {
                self.reads.pop_front();
            }
        }
        if ar {
            self.reads.push_back((get(&self.fields[0]), get(&self.fields[1]) + 1, cycle));
        }
        if b {
            self.writes.pop_front();
        }
        if w && get(&self.fields[3]) == 1 {
            self.writes.push_back(cycle);
        }
    }

    /// What stands still, in words; cycles are told by `shown`.
    pub fn text(&self, shown: impl Fn(u64) -> u64) -> String {
        let mut lines = Vec::new();
        for (channel, since) in CHANNELS.iter().zip(self.since) {
            if let Some(since) = since {
                lines.push(format!("m_axi_{channel}valid without m_axi_{channel}ready since cycle {}", shown(since)));
            }
        }
        if let Some((addr, beats, since)) = self.reads.front() {
            let since = shown(*since);
            lines.push(format!(
                "{beats} beats of the read at {addr:#x} that was asked for in cycle {since} are missing"
            ));
        }
        if let Some(since) = self.writes.front() {
            lines.push(format!("the response to the write whose data ended in cycle {} is missing", shown(*since)));
        }
        if lines.is_empty() { "nothing is under way at the memory".into() } else { lines.join("; ") }
    }
}

/// What `ERROR_DETAIL` says, queue by queue.
pub fn detail_text(detail: u32) -> String {
    let register = regs::register("ERROR_DETAIL");
    let get = |name: String| {
        let field = register.and_then(|r| r.field(&name));
        field.map_or(0, |f| detail >> f.lsb & ((1 << f.bits) - 1))
    };
    let names = ["load", "mm", "vec", "store"];
    let mut lines = Vec::new();
    for queue in names {
        let waits = get(format!("{queue}_waits"));
        let from: Vec<&str> = (0..4).filter(|q| waits >> q & 1 == 1).map(|q| names[q]).collect();
        if !from.is_empty() {
            lines.push(format!("queue {queue} waits for a token of {}", from.join(" and ")));
        }
        if get(format!("{queue}_works")) == 1 {
            lines.push(format!("an instruction of {queue} is under way"));
        }
        if get(format!("{queue}_full")) == 1 {
            lines.push(format!("queue {queue} cannot give a token, its counter is full"));
        }
    }
    if lines.is_empty() { "all queues are empty".into() } else { lines.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_told_by_name() {
        let text = detail_text(0x0012_0000 | 1 << 5);
        assert_eq!(text, "an instruction of load is under way; queue vec waits for a token of mm");
        assert_eq!(detail_text(0), "all queues are empty");
    }
}
