//! A memory that holds what it read.

use rust_hdl::prelude::*;

/// Memory of `2^A` words of `D` bits: one write port, one read port, data one cycle after `read_i`, held until the next
/// read; reading the word being written gives the old one.
///
/// rust-hdl's `RAM` reads in every cycle, so what an earlier cycle read is kept beside it.
#[derive(LogicBlock, Default)]
pub struct ReadHoldRam<const D: usize, const A: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Write `wdata_i` to word `waddr_i`.
    pub write_i: Signal<In, Bit>,
    /// Word to write.
    pub waddr_i: Signal<In, Bits<A>>,
    /// What to write.
    pub wdata_i: Signal<In, Bits<D>>,
    /// Read word `raddr_i`.
    pub read_i: Signal<In, Bit>,
    /// Word to read.
    pub raddr_i: Signal<In, Bits<A>>,
    /// The word read last.
    pub rdata_o: Signal<Out, Bits<D>>,
    memory: RAM<Bits<D>, A>,
    fresh: DFF<Bit>,
    held: DFF<Bits<D>>,
    data: Signal<Local, Bits<D>>,
}

impl<const D: usize, const A: usize> Logic for ReadHoldRam<D, A> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, fresh, held);
        self.memory.write_clock.next = self.clock.val();
        self.memory.write_enable.next = self.write_i.val();
        self.memory.write_address.next = self.waddr_i.val();
        self.memory.write_data.next = self.wdata_i.val();
        self.memory.read_clock.next = self.clock.val();
        self.memory.read_address.next = self.raddr_i.val();
        self.fresh.d.next = self.read_i.val();
        self.data.next = self.held.q.val();
        if self.fresh.q.val() {
            self.data.next = self.memory.read_data.val();
        }
        self.held.d.next = self.data.val();
        self.rdata_o.next = self.data.val();
    }
}
