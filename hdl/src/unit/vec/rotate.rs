//! Words rotated by whole elements.

use crate::rtl::{Expr, ModuleBuilder};

/// Element `i` of the result is element `(i + amount) mod lanes` of the named word `word`; `amount` has `log2(lanes)` bits.
pub(super) fn rotate_down(m: &mut ModuleBuilder, name: &str, word: &Expr, lanes: u32, amount: &Expr) -> Expr {
    rotate(m, name, word, lanes, amount, |lanes, by| by.min(lanes))
}

/// Element `(i + amount) mod lanes` of the result is element `i` of the named word `word`.
pub(super) fn rotate_up(m: &mut ModuleBuilder, name: &str, word: &Expr, lanes: u32, amount: &Expr) -> Expr {
    rotate(m, name, word, lanes, amount, |lanes, by| lanes - by)
}

fn rotate(
    m: &mut ModuleBuilder,
    name: &str,
    word: &Expr,
    lanes: u32,
    amount: &Expr,
    down: impl Fn(u32, u32) -> u32,
) -> Expr {
    let width = word.width() / lanes;
    let mut word = word.clone();
    for level in 0..lanes.trailing_zeros() {
        let by = down(lanes, 1 << level) * width;
        let turned = Expr::concat(&[word.slice(by - 1, 0), word.slice(lanes * width - 1, by)]);
        word = m.wire(&format!("{name}_by{}", 1 << level), &amount.bit(level).mux(&turned, &word));
    }
    word
}
