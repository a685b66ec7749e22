//! Last accesses of each queue to each part of a memory.

use std::collections::BTreeMap;
use std::ops::Range;

use super::clock::Clock;

/// For each queue, its last instruction (counted from 1) that read, and that wrote; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Last {
    reads: [u32; 4],
    writes: [u32; 4],
}

/// Parts of a memory, by their first place: one past the last, and who accessed them.
#[derive(Clone, Debug, Default)]
pub struct Intervals {
    parts: BTreeMap<u64, (u64, Last)>,
}

impl Intervals {
    /// Notes that instruction `count` of `queue` accesses a range, knowing of `clock` when it starts.
    ///
    /// Gives the first conflicting access that it does not know of: queue and count of the instruction, and the part.
    pub fn access(
        &mut self,
        range: &Range<u64>,
        is_write: bool,
        queue: usize,
        count: u32,
        clock: &Clock,
    ) -> Option<(usize, u32, Range<u64>)> {
        self.split(range.start);
        self.split(range.end);
        let mut conflict = None;
        let mut gaps = Vec::new();
        let mut at = range.start;
        for (&start, (end, last)) in self.parts.range_mut(range.clone()) {
            if at < start {
                gaps.push(at..start);
            }
            at = *end;
            let unknown = |counts: &[u32; 4]| (0..4).find(|&q| q != queue && !clock.knows(q, counts[q]));
            let found = unknown(&last.writes).map(|q| (q, last.writes[q]));
            let found =
                found.or_else(|| if is_write { unknown(&last.reads).map(|q| (q, last.reads[q])) } else { None });
            conflict = conflict.or(found.map(|(q, count)| (q, count, start..*end)));
            if !is_write {
                last.reads[queue] = count;
            }
        }
        let mut last = Last::default();
        if is_write {
            // Who is ordered behind this write is ordered behind all that it was ordered behind.
            last.writes[queue] = count;
            let starts: Vec<u64> = self.parts.range(range.clone()).map(|(&start, _)| start).collect();
            for start in starts {
                self.parts.remove(&start);
            }
            self.parts.insert(range.start, (range.end, last));
        } else {
            last.reads[queue] = count;
            if at < range.end {
                gaps.push(at..range.end);
            }
            self.parts.extend(gaps.into_iter().map(|gap| (gap.start, (gap.end, last))));
        }
        conflict
    }

    /// Makes a place the start of a part, if it is within one.
    fn split(&mut self, at: u64) {
        let Some((_, (end, last))) = self.parts.range_mut(..at).next_back() else { return };
        if *end > at {
            let rest = (*end, *last);
            *end = at;
            self.parts.insert(at, rest);
        }
    }
}
