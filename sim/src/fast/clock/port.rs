//! The port to memory: readers of instructions and of data, their arbiter, the writer.

use super::cells::{Line, Ring, Skid};

/// Bytes that a burst must not cross.
const PAGE_BYTES: u32 = 4096;

/// Bursts of a master: most under way, most beats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bursts {
    pub outstanding: u32,
    pub most: u32,
    page: u32,
}

impl Bursts {
    pub fn new(outstanding: u32, beats: u32, beat_bytes: u32) -> Self {
        let page = PAGE_BYTES / beat_bytes;
        Self { outstanding: outstanding.max(1), most: beats.clamp(1, 256).min(page), page }
    }

    /// Beats of the next burst of a transfer, and whether it ends it.
    fn next(&self, beat: u32, left: u32) -> (u32, bool) {
        let limit = self.most.min(self.page - beat % self.page);
        if left <= limit { (left, true) } else { (limit, false) }
    }
}

/// A reader of memory (`hdl::unit::dma_read`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    bursts: Bursts,
    beat: u32,
    left: u32,
    ar: Option<u32>,
    pending: Line,
    data: Line,
    room: u32,
}

/// What a reader does in a cycle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReaderNow {
    issue: Option<u32>,
    pub cmd_ready: bool,
}

impl Reader {
    pub fn new(bursts: Bursts) -> Self {
        let depth = bursts.outstanding * bursts.most;
        Self {
            bursts,
            beat: 0,
            left: 0,
            ar: None,
            pending: Line::new(bursts.outstanding),
            data: Line::new(depth),
            room: depth,
        }
    }

    /// Beats of the burst whose address is offered.
    pub fn ar(&self) -> Option<u32> {
        self.ar
    }

    pub fn r_ready(&self) -> bool {
        self.pending.valid
    }

    /// A beat is offered.
    pub fn valid(&self) -> bool {
        self.data.valid
    }

    pub fn is_idle(&self) -> bool {
        self.left == 0 && self.ar.is_none() && self.pending.is_empty() && self.data.is_empty()
    }

    pub fn now(&self, ar_ready: bool, flush: bool) -> ReaderNow {
        let active = self.left > 0;
        let may = active
            && self.room >= self.bursts.most
            && self.pending.ready()
            && (ar_ready || self.ar.is_none())
            && !flush;
        if !may {
            return ReaderNow { issue: None, cmd_ready: !active || flush };
        }
        let (beats, is_last) = self.bursts.next(self.beat, self.left);
        ReaderNow { issue: Some(beats), cmd_ready: is_last || flush }
    }

    /// Ends the cycle: `cmd` is offered (first beat, beats), a beat comes (`Some(last)`), the offered beat is taken.
    pub fn step(
        &mut self,
        now: ReaderNow,
        (ar_ready, flush): (bool, bool),
        cmd: Option<(u32, u32)>,
        came: Option<bool>,
        out_ready: bool,
    ) {
        let came = came.filter(|_| self.pending.valid);
        let drain = out_ready || flush;
        let leaves = self.data.valid && drain;
        self.room = self.room + u32::from(leaves) - now.issue.unwrap_or(0);
        self.pending.step(now.issue.is_some(), came == Some(true));
        self.data.step(came.is_some(), drain);
        if let Some(beats) = now.issue {
            self.beat = self.beat.wrapping_add(beats);
            self.left -= beats;
            self.ar = Some(beats);
        } else if ar_ready {
            self.ar = None;
        }
        if let Some((beat, beats)) = cmd.filter(|_| now.cmd_ready) {
            (self.beat, self.left) = (beat, beats);
        }
        if flush {
            self.left = 0;
        }
    }
}

/// Two readers on one channel (`hdl::unit::read_arbiter`): `a` fetches, `b` loads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arbiter {
    address: Skid,
    /// Beats of the bursts in `address`.
    held: Ring<u32, 2>,
    order: Line,
    of_b: Ring<bool, 64>,
}

impl Arbiter {
    pub fn new(bursts: u32) -> Self {
        Self { address: Skid::default(), held: Ring::new(), order: Line::new(bursts), of_b: Ring::new() }
    }

    pub fn is_free(&self) -> bool {
        self.address.ready() && self.order.ready()
    }

    pub fn ar(&self) -> Option<u32> {
        self.address.valid.then(|| self.held.front())
    }

    /// Whose beat is expected: `Some(true)` for `b`.
    pub fn expected(&self) -> Option<bool> {
        self.order.valid.then(|| self.of_b.front())
    }

    pub fn step(&mut self, a: Option<u32>, b: Option<u32>, ar_ready: bool, r_ends: bool) {
        let granted = a.or(b).filter(|_| self.is_free());
        if self.address.valid && ar_ready {
            self.held.pop();
        }
        if self.order.valid && r_ends {
            self.of_b.pop();
        }
        if let Some(beats) = granted {
            self.held.push(beats);
            self.of_b.push(a.is_none());
        }
        self.address.step(granted.is_some(), ar_ready);
        self.order.step(granted.is_some(), r_ends);
    }
}

/// The writer of memory (`hdl::unit::dma_write`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer {
    bursts: Bursts,
    beat: u32,
    left: u32,
    aw: Option<u32>,
    data: Line,
    here: u32,
    w_left: u32,
    pending: Line,
    ends: Ring<bool, 64>,
}

impl Writer {
    pub fn new(bursts: Bursts) -> Self {
        Self {
            bursts,
            beat: 0,
            left: 0,
            aw: None,
            data: Line::new(2 * bursts.most),
            here: 0,
            w_left: 0,
            pending: Line::new(bursts.outstanding),
            ends: Ring::new(),
        }
    }

    /// Takes a beat of the out stream.
    pub fn in_ready(&self) -> bool {
        self.data.ready()
    }

    pub fn cmd_ready(&self) -> bool {
        self.left == 0
    }

    pub fn aw(&self) -> Option<u32> {
        self.aw
    }

    pub fn w_valid(&self) -> bool {
        self.w_left > 0 && self.data.valid
    }

    pub fn b_ready(&self) -> bool {
        self.pending.valid
    }

    /// A command's last response comes.
    pub fn is_done(&self, b_valid: bool) -> bool {
        b_valid && self.pending.valid && self.ends.front()
    }

    /// Ends the cycle: `cmd` is offered (first beat, beats).
    pub fn step(&mut self, cmd: Option<(u32, u32)>, in_valid: bool, (aw_ready, w_ready, b_valid): (bool, bool, bool)) {
        let sent = self.w_valid() && w_ready;
        let w_free = self.w_left == 0 || (sent && self.w_left == 1);
        let (beats, is_last) = self.bursts.next(self.beat, self.left);
        let issue =
            self.left > 0 && self.here >= beats && self.pending.ready() && (aw_ready || self.aw.is_none()) && w_free;
        let take = cmd.filter(|_| self.cmd_ready());
        let pushed = in_valid && self.data.ready();
        let answered = b_valid && self.pending.valid;
        self.data.step(in_valid, self.w_left > 0 && w_ready);
        self.pending.step(issue, answered);
        if answered {
            self.ends.pop();
        }
        self.here += u32::from(pushed);
        if sent {
            self.w_left -= 1;
        }
        if issue {
            self.here -= beats;
            self.w_left = beats;
            self.ends.push(is_last);
            self.beat = self.beat.wrapping_add(beats);
            self.left -= beats;
            self.aw = Some(beats);
        } else if aw_ready {
            self.aw = None;
        }
        if let Some((beat, beats)) = take {
            (self.beat, self.left) = (beat, beats);
        }
    }
}
