//! The power-of-two × INT8 processing element, which shifts where others multiply.

use rust_hdl::prelude::*;

use crate::core::PeCore;

/// PoT × INT8, times 64, exact in 15 bits; combinational.
///
/// Weight code: bit 3 is the sign, the rest 0 for zero and `1..=7` for `2^-(code - 1)`, so that code 1 is 64 of the
/// product's units and code 7 is one. Minus zero is zero.
#[derive(LogicBlock, Default)]
pub struct ShiftProduct {
    /// Activation, two's complement.
    pub act: Signal<In, Bits<8>>,
    /// Weight code.
    pub weight: Signal<In, Bits<4>>,
    /// Product, two's complement.
    pub product: Signal<Out, Bits<15>>,
    wide_act: Signal<Local, Bits<15>>,
    positive: Signal<Local, Bits<15>>,
}

impl Logic for ShiftProduct {
    #[hdl_gen]
    fn update(&mut self) {
        self.wide_act.next = bit_cast::<15, 8>(self.act.val());
        if self.act.val().get_bit(7) {
            self.wide_act.next = bit_cast::<15, 8>(self.act.val()) | 0x7F00;
        }
        self.positive.next = bits::<15>(0);
        match self.weight.val().get_bits::<3>(0).index() {
            1 => self.positive.next = self.wide_act.val() << bits::<3>(6),
            2 => self.positive.next = self.wide_act.val() << bits::<3>(5),
            3 => self.positive.next = self.wide_act.val() << bits::<3>(4),
            4 => self.positive.next = self.wide_act.val() << bits::<3>(3),
            5 => self.positive.next = self.wide_act.val() << bits::<3>(2),
            6 => self.positive.next = self.wide_act.val() << bits::<3>(1),
            7 => self.positive.next = self.wide_act.val(),
            _ => self.positive.next = bits::<15>(0),
        }
        self.product.next = self.positive.val();
        if self.weight.val().get_bit(3) {
            self.product.next = bits::<15>(0) - self.positive.val();
        }
    }
}

/// Power-of-two × INT8 processing element with double-buffered weights and `S` bits of sum; ports as in [`PeCore`].
#[derive(LogicBlock)]
pub struct ShiftPe<const S: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Activation, INT8.
    pub act_i: Signal<In, Bits<8>>,
    /// This activation is the first that meets the next weight.
    pub swap_i: Signal<In, Bit>,
    /// `weight_i` is the next weight.
    pub load_i: Signal<In, Bit>,
    /// Bus of the column's weights, PoT codes.
    pub weight_i: Signal<In, Bits<4>>,
    /// Partial sum from above, two's complement.
    pub sum_i: Signal<In, Bits<S>>,
    /// `act_i`, one cycle later.
    pub act_o: Signal<Out, Bits<8>>,
    /// `swap_i`, one cycle later.
    pub swap_o: Signal<Out, Bit>,
    /// `load_i`, one cycle later.
    pub load_o: Signal<Out, Bit>,
    /// Partial sum to below, two's complement.
    pub sum_o: Signal<Out, Bits<S>>,
    core: PeCore<4, 15, S>,
    multiply: ShiftProduct,
}

impl<const S: usize> ShiftPe<S> {
    /// A PE with or without a register between product and adder.
    ///
    /// # Panics
    /// If `S` is not in 15..=64.
    pub fn new(product_register: bool) -> Self {
        Self {
            clock: Signal::default(),
            act_i: Signal::default(),
            swap_i: Signal::default(),
            load_i: Signal::default(),
            weight_i: Signal::default(),
            sum_i: Signal::default(),
            act_o: Signal::default(),
            swap_o: Signal::default(),
            load_o: Signal::default(),
            sum_o: Signal::default(),
            core: PeCore::new(product_register),
            multiply: ShiftProduct::default(),
        }
    }
}

impl<const S: usize> Logic for ShiftPe<S> {
    #[hdl_gen]
    fn update(&mut self) {
        self.core.clock.next = self.clock.val();
        self.core.act_i.next = self.act_i.val();
        self.core.swap_i.next = self.swap_i.val();
        self.core.load_i.next = self.load_i.val();
        self.core.weight_i.next = self.weight_i.val();
        self.core.sum_i.next = self.sum_i.val();
        self.multiply.act.next = self.core.act_o.val();
        self.multiply.weight.next = self.core.weight_o.val();
        self.core.product_i.next = self.multiply.product.val();
        self.act_o.next = self.core.act_o.val();
        self.swap_o.next = self.core.swap_o.val();
        self.load_o.next = self.core.load_o.val();
        self.sum_o.next = self.core.sum_o.val();
    }
}
