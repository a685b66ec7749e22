//! How far the hardware has come in a program, and what it has written.

use std::collections::VecDeque;

use sim::memory::MAX_BEAT_LIMBS;
use spec::isa::{Machine, Program, Queue, SCALARS};

use super::shadow::Shadow;

/// Places in [`Progressed`]'s arrays.
pub const LOAD: usize = Queue::Load as usize;
pub const MM: usize = Queue::Mm as usize;
pub const VEC: usize = Queue::Vec as usize;
pub const STORE: usize = Queue::Store as usize;

/// Instructions by queue, and how many of each have started and retired.
#[derive(Debug)]
pub struct Progressed {
    /// Numbers of the instructions of load, mm, vec, store and control.
    pub lists: [Vec<u32>; 5],
    /// How many have started (control: retired).
    pub started: [usize; 4],
    /// How many have retired.
    pub retired: [usize; 5],
    /// Places that the oldest instruction of each queue has written.
    pub places: [u64; 4],
    /// Numbers of the `INFO` instructions.
    marks: Vec<u32>,
}

impl Progressed {
    pub fn new(program: &Program) -> Self {
        let mut lists: [Vec<u32>; 5] = Default::default();
        let mut marks = Vec::new();
        for (at, instr) in program.instrs.iter().enumerate() {
            lists[instr.op().queue() as usize].push(at as u32);
            if instr.op() == spec::isa::Op::Info {
                marks.push(at as u32);
            }
        }
        Self { lists, started: [0; 4], retired: [0; 5], places: [0; 4], marks }
    }

    /// The oldest instruction of a queue that is under way.
    pub fn under_way(&self, queue: usize) -> Option<usize> {
        let retired = self.retired[queue];
        (retired < self.started[queue]).then(|| self.lists[queue][retired] as usize)
    }

    /// The oldest instruction of a queue that has not retired.
    pub fn oldest_of(&self, queue: usize) -> Option<usize> {
        self.lists[queue].get(self.retired[queue]).map(|&at| at as usize)
    }

    /// The oldest instruction that has not retired.
    pub fn oldest(&self) -> Option<usize> {
        (0..5).filter_map(|queue| self.oldest_of(queue)).min()
    }

    /// Instructions that have retired.
    pub fn count(&self) -> u64 {
        self.retired.iter().sum::<usize>() as u64
    }

    /// The last `INFO` before an instruction.
    pub fn info_before(&self, at: usize) -> Option<usize> {
        let after = self.marks.partition_point(|&mark| mark as usize <= at);
        after.checked_sub(1).map(|i| self.marks[i] as usize)
    }
}

/// What the hardware has written.
#[derive(Debug)]
pub struct Memories {
    /// Acc: bank, word, column.
    pub acc: Shadow,
    /// Act: half, word, lane, the scale byte last.
    pub act: Shadow,
    pub vector: Shadow,
    pub params: Shadow,
    pub scalars: Shadow,
    /// Words of the oldest load that have entered the FIFO.
    pub words: usize,
    /// Bytes of the vec instruction under way that have entered the out stream.
    pub out_bytes: usize,
    /// The index register, if the vec instruction under way has set it.
    pub index: Option<u32>,
    /// Bursts of writes, address and beats, whose data are still to come.
    pub bursts: VecDeque<(u32, u32)>,
    /// Beats of data, and their enables, whose address is still to come.
    pub beats: VecDeque<([u64; MAX_BEAT_LIMBS], u64)>,
    /// The store whose bytes come next, counted from the oldest that has not retired, and how many of them have come.
    pub store: (usize, usize),
}

impl Memories {
    pub fn new(machine: &Machine) -> Self {
        let acc = 2 * machine.acc_words as usize * machine.cols as usize;
        let act = 2 * machine.act_words as usize * (machine.rows as usize + 1);
        Self {
            acc: Shadow::new(acc),
            act: Shadow::new(act),
            vector: Shadow::new(machine.elements as usize),
            params: Shadow::new(machine.params as usize),
            scalars: Shadow::new(SCALARS),
            words: 0,
            out_bytes: 0,
            index: None,
            bursts: VecDeque::new(),
            beats: VecDeque::new(),
            store: (0, 0),
        }
    }
}
