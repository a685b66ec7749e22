//! The requantizer's book-keeping: what is known of the words under way, and registers for even and odd rows.

use super::requant_plan::Plan;
use super::row_stats::BIAS_CYCLES;
use crate::rtl::connect::Outputs;
use crate::rtl::{Expr, ModuleBuilder, Ty};

/// A signal of stage 0 and its copies in later stages: one shift register.
pub(super) struct Line {
    source: Expr,
    /// Bit `s - 1` is stage `s`.
    pub(super) taps: Expr,
}

impl Line {
    pub(super) fn new(m: &mut ModuleBuilder, stem: &str, source: &Expr, stages: u32, reset: bool) -> Self {
        let taps = m.reg(&format!("{stem}_q"), Ty::u(stages));
        let next = match stages {
            1 => source.clone(),
            _ => Expr::concat(&[taps.slice(stages - 2, 0), source.clone()]),
        };
        if reset {
            m.next_reset(&taps, 0, None, &next);
        } else {
            m.next(&taps, &next);
        }
        Self { source: source.clone(), taps }
    }

    pub(super) fn at(&self, stage: u32) -> Expr {
        if stage == 0 { self.source.clone() } else { self.taps.bit(stage - 1) }
    }
}

/// What the rest of the requantizer knows of the words under way.
pub(super) struct Pipeline {
    pub(super) measure: Option<Measure>,
    pub(super) emit: Line,
    pub(super) trailer: Line,
    pub(super) last: Line,
    pub(super) parity: Line,
}

pub(super) struct Measure {
    pub(super) word: Line,
    pub(super) first: Line,
    /// The row's last word.
    pub(super) done: Line,
}

/// Registers of one item for even and odd rows.
pub(super) struct PerParity([Expr; 2]);

impl PerParity {
    /// Written with `value` when `enable` holds, in the row's place.
    pub(super) fn new(m: &mut ModuleBuilder, stem: &str, enable: &Expr, odd: &Expr, value: &Expr) -> Self {
        let even_q = m.pipe_if(&format!("even_{stem}_q"), &(enable & !odd), value);
        let odd_q = m.pipe_if(&format!("odd_{stem}_q"), &(enable & odd), value);
        Self([even_q, odd_q])
    }

    /// A flag that `set` raises and `clear` lowers, each in the place of its row.
    pub(super) fn flag(m: &mut ModuleBuilder, stem: &str, set: (&Expr, &Expr), clear: (&Expr, &Expr)) -> Self {
        let mut of = |name: &str, here: &dyn Fn(&Expr) -> Expr| {
            let q = m.reg(&format!("{name}_{stem}_q"), Ty::bit());
            let keep = &q & !(clear.0 & here(clear.1));
            m.next_reset(&q, 0, None, &((set.0 & here(set.1)) | keep));
            q
        };
        Self([of("even", &|odd| !odd), of("odd", &|odd| odd.clone())])
    }

    /// From the even and the odd row's item.
    pub(super) fn of_both(items: [Expr; 2]) -> Self {
        Self(items)
    }

    /// The even row's.
    pub(super) fn even(&self) -> Expr {
        self.0[0].clone()
    }

    /// The odd row's.
    pub(super) fn odd(&self) -> Expr {
        self.0[1].clone()
    }

    pub(super) fn of(&self, odd: &Expr) -> Expr {
        odd.mux(&self.0[1], &self.0[0])
    }

    /// Both, the odd row's in the higher bits.
    pub(super) fn both(&self) -> Expr {
        Expr::concat(&[self.0[1].clone(), self.0[0].clone()])
    }
}

/// The lines of the requantizer's words.
pub(super) fn pipeline(m: &mut ModuleBuilder, plan: &Plan, sequencer: &Outputs) -> Pipeline {
    let statistics = plan.reduced() + BIAS_CYCLES;
    let measure = plan.measured().then(|| {
        let word = sequencer.out("measure_o");
        let done = &word & sequencer.out("last_o");
        Measure {
            first: Line::new(m, "first_word", &sequencer.out("first_o"), plan.reduced(), false),
            done: Line::new(m, "measured", &done, statistics, true),
            word: Line::new(m, "measure", &word, plan.reduced(), true),
        }
    });
    let parity_stages = if plan.measured() { plan.out().max(statistics) } else { plan.out() };
    Pipeline {
        measure,
        emit: Line::new(m, "emit", &sequencer.out("emit_o"), plan.out(), true),
        trailer: Line::new(m, "trailer", &sequencer.out("trailer_o"), plan.out(), false),
        last: Line::new(m, "last_word", &sequencer.out("last_o"), plan.out(), false),
        parity: Line::new(m, "odd_row", &sequencer.out("parity_o"), parity_stages, false),
    }
}
