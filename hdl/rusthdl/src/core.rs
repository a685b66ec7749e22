//! What processing elements of every kind share: the registers and the adder around the product.

use rust_hdl::prelude::*;

/// Everything of a weight-stationary PE but its product: `W` bits of weight, `P` of product, `S` of sum.
///
/// The product of `act_o` and `weight_o` comes back through `product_i` in the same cycle.
#[derive(LogicBlock)]
pub struct PeCore<const W: usize, const P: usize, const S: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Activation, INT8.
    pub act_i: Signal<In, Bits<8>>,
    /// This activation is the first that meets the next weight.
    pub swap_i: Signal<In, Bit>,
    /// `weight_i` is the next weight.
    pub load_i: Signal<In, Bit>,
    /// Bus of the column's weights.
    pub weight_i: Signal<In, Bits<W>>,
    /// Partial sum from above, two's complement.
    pub sum_i: Signal<In, Bits<S>>,
    /// Product of `act_o` and `weight_o`, two's complement.
    pub product_i: Signal<In, Bits<P>>,
    /// `act_i`, one cycle later.
    pub act_o: Signal<Out, Bits<8>>,
    /// `swap_i`, one cycle later.
    pub swap_o: Signal<Out, Bit>,
    /// `load_i`, one cycle later.
    pub load_o: Signal<Out, Bit>,
    /// Current weight.
    pub weight_o: Signal<Out, Bits<W>>,
    /// `sum_i` plus the product, one cycle later.
    pub sum_o: Signal<Out, Bits<S>>,
    act: DFF<Bits<8>>,
    swap: DFF<Bit>,
    load: DFF<Bit>,
    next_weight: DFF<Bits<W>>,
    weight: DFF<Bits<W>>,
    product: DFF<Bits<P>>,
    sum: DFF<Bits<S>>,
    addend: Signal<Local, Bits<P>>,
    product_register: Constant<Bit>,
    sign: Constant<Bits<S>>,
}

impl<const W: usize, const P: usize, const S: usize> PeCore<W, P, S> {
    /// A cell with or without a register between product and adder.
    ///
    /// # Panics
    /// If a sum is narrower than a product or wider than 64 bits.
    pub fn new(product_register: bool) -> Self {
        assert!(P <= S && S <= 64, "a product of {P} bits needs a sum of {P} to 64 bits, not {S}");
        Self {
            clock: Signal::default(),
            act_i: Signal::default(),
            swap_i: Signal::default(),
            load_i: Signal::default(),
            weight_i: Signal::default(),
            sum_i: Signal::default(),
            product_i: Signal::default(),
            act_o: Signal::default(),
            swap_o: Signal::default(),
            load_o: Signal::default(),
            weight_o: Signal::default(),
            sum_o: Signal::default(),
            act: DFF::default(),
            swap: DFF::default(),
            load: DFF::default(),
            next_weight: DFF::default(),
            weight: DFF::default(),
            product: DFF::default(),
            sum: DFF::default(),
            addend: Signal::default(),
            product_register: Constant::new(product_register),
            sign: Constant::new(Bits::from(1_u64 << (P - 1))),
        }
    }
}

impl<const W: usize, const P: usize, const S: usize> Logic for PeCore<W, P, S> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, act, swap, load, next_weight, weight, product, sum);
        self.act.d.next = self.act_i.val();
        self.swap.d.next = self.swap_i.val();
        self.load.d.next = self.load_i.val();
        if self.load_i.val() {
            self.next_weight.d.next = self.weight_i.val();
        }
        if self.swap_i.val() {
            self.weight.d.next = self.next_weight.q.val();
        }
        self.product.d.next = self.product_i.val();
        self.addend.next = self.product_i.val();
        if self.product_register.val() {
            self.addend.next = self.product.q.val();
        }
        // Sign extension: flipping the sign bit adds 2^(P-1), which is then taken away at full width. Widening a
        // `Signed` would not do: `signed_bit_cast` of the most negative value never returns.
        self.sum.d.next =
            self.sum_i.val() + ((bit_cast::<S, P>(self.addend.val()) ^ self.sign.val()) - self.sign.val());
        self.act_o.next = self.act.q.val();
        self.swap_o.next = self.swap.q.val();
        self.load_o.next = self.load.q.val();
        self.weight_o.next = self.weight.q.val();
        self.sum_o.next = self.sum.q.val();
    }
}
