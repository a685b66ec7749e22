//! What the format and the scaling of an `MM` instruction mean for the hardware of a Config.

use std::sync::Arc;

use spec::{Config, Format, Operand, Scaling};

use super::mm_plan::{MmPlan, block_tiles, decodes_acts, header_words, reads_format, two_headers, weight_codes};
use super::module_name;
use super::scale::{KIND_BITS, Kind};
use crate::error::Error;
use crate::rtl::{Expr, Module, ModuleBuilder, Ty, index_bits};

/// What the format and the scaling of a command mean for this Config; only what the Config's formats differ in.
pub(super) struct Meaning {
    /// Place of the weights' code in [`weight_codes`].
    pub code: Option<Expr>,
    /// Activations are E2M1, and must be decoded.
    pub e2m1: Option<Expr>,
    /// Activations have blocks.
    pub act_blocks: Option<Expr>,
    /// A header takes two words.
    pub two_headers: Option<Expr>,
    /// [`Kind`], and K tiles of a block less one.
    pub blocks: Option<(Expr, Expr)>,
}

impl Meaning {
    /// An instance of [`meaning`] for the command that is offered.
    pub fn describe(m: &mut ModuleBuilder, config: &Config, plan: &MmPlan) -> Result<Self, Error> {
        let ports = [
            ("format_i", reads_format(config, plan.scales).then(|| m.input("cmd_format_i", Ty::u(4)))),
            ("scaling_i", plan.scales.any().then(|| m.input("cmd_scaling_i", Ty::u(3)))),
        ];
        let ports: Vec<(&str, &Expr)> = ports.iter().filter_map(|(name, port)| Some((*name, port.as_ref()?))).collect();
        if ports.is_empty() {
            return Ok(Self { code: None, e2m1: None, act_blocks: None, two_headers: None, blocks: None });
        }
        let module = meaning(config, plan)?;
        let out = m.instance("u_meaning", &module, &ports);
        let built = |port: &str| module.port(port).map(|_| out.out(port));
        Ok(Self {
            code: built("code_o"),
            e2m1: built("e2m1_o"),
            act_blocks: built("act_blocks_o"),
            two_headers: built("two_headers_o"),
            blocks: built("kind_o").zip(built("last_tile_o")),
        })
    }
}

/// `<prefix>_mm_meaning`: what `format_i` and `scaling_i`, places in the lists of all, mean; combinational.
///
/// Ports, each where the Config's formats differ in it: `code_o`, `e2m1_o`, `act_blocks_o`, `two_headers_o`, `kind_o`,
/// `last_tile_o`, as in [`Meaning`].
fn meaning(config: &Config, plan: &MmPlan) -> Result<Arc<Module>, Error> {
    let doc = "What the format and the scaling of a command mean. Combinational.";
    let mut m = ModuleBuilder::new(module_name(config, "mm_meaning"), doc);
    let format_i = reads_format(config, plan.scales).then(|| m.input("format_i", Ty::u(4)));
    let formats = &config.pe.formats;
    let codes = weight_codes(config);
    let code_of = |format: Format| codes.iter().position(|&c| c == format.weight()).unwrap_or(0) as i128;
    let mut by_format = |name: &str, bits: u32, is_built: bool, of: &dyn Fn(Format) -> i128| {
        if let Some(format_i) = format_i.as_ref().filter(|_| is_built) {
            let value = m.output(&format!("{name}_o"), Ty::u(bits));
            m.comb(&format!("{name} by format"), |b| {
                b.set(&value, &value.k(0));
                b.case(format_i, |c| {
                    for &format in formats.iter().filter(|f| of(**f) != 0) {
                        let place = Format::ALL.iter().position(|f| *f == format).unwrap_or(0);
                        c.arm(&format_i.k(place as i128), |b| b.set(&value, &value.k(of(format))));
                    }
                });
            });
        }
    };
    by_format("code", index_bits(codes.len() as u32), codes.len() > 1, &code_of);
    by_format("e2m1", 1, decodes_acts(config), &|f| (f.act() == Operand::E2m1).into());
    by_format("act_blocks", 1, plan.scales.act_factor > 0, &|f| f.acts_have_blocks().into());
    by_format("two_headers", 1, two_headers(config, plan.scales), &|f| (header_words(config, f) == 2).into());
    if plan.scales.any() {
        by_scaling(&mut m, config, plan);
    }
    m.build()
}

/// What the column feet do, and K tiles of a block less one.
fn by_scaling(m: &mut ModuleBuilder, config: &Config, plan: &MmPlan) {
    let scaling_i = m.input("scaling_i", Ty::u(3));
    let kind = m.output("kind_o", Ty::u(KIND_BITS));
    let longest = Scaling::ALL.map(|s| block_tiles(config, s)).into_iter().max().unwrap_or(1);
    let last_tile = m.output("last_tile_o", Ty::u(index_bits(longest)));
    m.comb("what the column feet do, and the K tiles of a block less one, by scaling", |b| {
        b.set(&kind, &Kind::Channel.of(&kind));
        b.set(&last_tile, &last_tile.k(0));
        b.case(&scaling_i, |c| {
            for (place, scaling) in Scaling::ALL.into_iter().enumerate().filter(|(_, s)| plan.scales.has(*s)) {
                let meant = match scaling {
                    Scaling::Channel => continue,
                    Scaling::Group32 | Scaling::Group16 => Kind::Group,
                    Scaling::Mx32 => Kind::Mx,
                    Scaling::Nv16 => Kind::Nv,
                };
                c.arm(&scaling_i.k(place as i128), |b| {
                    b.set(&kind, &meant.of(&kind));
                    b.set(&last_tile, &last_tile.k(i128::from(block_tiles(config, scaling)) - 1));
                });
            }
        });
    });
}
