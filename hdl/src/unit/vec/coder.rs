//! 4-bit codes from quotients.

use std::sync::Arc;

use spec::Config;

use super::super::module_name;
use super::plan::MOST_QBITS;
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty};

/// Bits of a quotient that tell every code from every other: the largest code is 12 half units.
pub const CODE_QBITS: u32 = 5;

/// `<prefix>_vec_coder`: the code nearest to half a quotient: INT4, or E2M1 in half units.
///
/// Ports: `quotient_i`, `inexact_i`, `overflow_i`, `negative_i`, `float_i` (E2M1); `code_o`, 8 bits: INT4 sign-extended,
/// E2M1 with zeros above it. INT4 rounds half up and saturates at ±7; E2M1 saturates at 6 and its ties go to the even code, and what is
/// negative and rounds to 0 is code 8.
///
/// # Errors
/// If the description is inconsistent (a bug, not bad input).
pub fn coder(config: &Config) -> Result<Arc<Module>, Error> {
    let doc = "The 4-bit code nearest to half a quotient, whose remainder tells a tie from what lies above\n\
               it. INT4: rounded half up, at most 7. E2M1 in half units 0 1 2 3 4 6 8 12: the even code wins\n\
               a tie. Combinational.";
    let mut m = ModuleBuilder::new(module_name(config, "vec_coder"), doc);
    let quotient_i = m.input("quotient_i", Ty::u(MOST_QBITS));
    let inexact_i = m.input("inexact_i", Ty::bit());
    let overflow_i = m.input("overflow_i", Ty::bit());
    let negative_i = m.input("negative_i", Ty::bit());
    let float_i = m.input("float_i", Ty::bit());
    let large = m.wire("too_large", &(&overflow_i | quotient_i.slice(MOST_QBITS - 1, CODE_QBITS).any()));
    let halves = m.wire("halves", &(large.repeat(CODE_QBITS) | quotient_i.slice(CODE_QBITS - 1, 0)));

    m.section("INT4: half up is half down for a negative magnitude");
    let up = m.wire("up", &negative_i.mux(&inexact_i, &Expr::u(1, 1)));
    let rounded = m.wire("rounded", &(halves.extend(CODE_QBITS + 1) + up.extend(CODE_QBITS + 1)));
    let whole = m.wire("whole", &rounded.slice(CODE_QBITS, 1));
    let small = m.wire("at_most_7", &whole.gt(&whole.k(7)).mux(&whole.k(7), &whole).extend(8));
    let integer = m.wire("whole_code", &negative_i.mux(&-&small, &small));

    m.section("E2M1: the even code's side of each midpoint");
    let above = |value: i128| halves.gt(&halves.k(value)) | (halves.eq_k(value) & &inexact_i);
    let from = |value: i128| halves.ge(&halves.k(value));
    let steps = [above(1), from(3), above(5), from(7), above(10), from(14), above(20)];
    let magnitude = m.net("magnitude", Ty::u(3));
    m.comb("the highest code that is reached", |b| {
        b.set(&magnitude, &magnitude.k(0));
        for (i, reached) in steps.iter().enumerate() {
            b.when(reached, |b| b.set(&magnitude, &magnitude.k(i as i128 + 1)));
        }
    });
    let float = Expr::concat(&[Expr::u(4, 0), negative_i, magnitude]);
    m.output_is("code_o", &float_i.mux(&float, &integer));
    m.build()
}
