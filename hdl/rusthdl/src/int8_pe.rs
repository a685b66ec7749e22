//! The INT8 × INT8 processing element.

use rust_hdl::prelude::*;

use crate::core::PeCore;

/// INT8 × INT8, exact in 16 bits; combinational.
///
/// rust-hdl multiplies `Signed<16>` only. Operands are widened bit by bit, so that -128 works in its simulation too.
#[derive(LogicBlock, Default)]
pub struct Int8Product {
    /// Activation, two's complement.
    pub act: Signal<In, Bits<8>>,
    /// Weight, two's complement.
    pub weight: Signal<In, Bits<8>>,
    /// Product, two's complement.
    pub product: Signal<Out, Bits<16>>,
    wide_act: Signal<Local, Bits<16>>,
    wide_weight: Signal<Local, Bits<16>>,
    wide_product: Signal<Local, Signed<32>>,
}

impl Logic for Int8Product {
    #[hdl_gen]
    fn update(&mut self) {
        self.wide_act.next = bit_cast::<16, 8>(self.act.val());
        if self.act.val().get_bit(7) {
            self.wide_act.next = bit_cast::<16, 8>(self.act.val()) | 0xFF00;
        }
        self.wide_weight.next = bit_cast::<16, 8>(self.weight.val());
        if self.weight.val().get_bit(7) {
            self.wide_weight.next = bit_cast::<16, 8>(self.weight.val()) | 0xFF00;
        }
        self.wide_product.next = signed_cast(self.wide_act.val()) * signed_cast(self.wide_weight.val());
        self.product.next = bit_cast::<16, 32>(unsigned_cast(self.wide_product.val()));
    }
}

/// INT8 × INT8 processing element with double-buffered weights and `S` bits of sum; ports as in [`PeCore`].
#[derive(LogicBlock)]
pub struct Int8Pe<const S: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Activation, INT8.
    pub act_i: Signal<In, Bits<8>>,
    /// This activation is the first that meets the next weight.
    pub swap_i: Signal<In, Bit>,
    /// `weight_i` is the next weight.
    pub load_i: Signal<In, Bit>,
    /// Bus of the column's weights, INT8.
    pub weight_i: Signal<In, Bits<8>>,
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
    core: PeCore<8, 16, S>,
    multiply: Int8Product,
}

impl<const S: usize> Int8Pe<S> {
    /// A PE with or without a register between product and adder.
    ///
    /// # Panics
    /// If `S` is not in 16..=64.
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
            multiply: Int8Product::default(),
        }
    }
}

impl<const S: usize> Logic for Int8Pe<S> {
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
