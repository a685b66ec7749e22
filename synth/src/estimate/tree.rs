//! Area by unit: what stands in what, and how much of the area it is.

use std::collections::HashMap;

use super::outline::Outline;

/// Levels below the unit that are listed.
const LEVELS: u32 = 4;

/// A unit, or all units of a grid, with all that stands in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Level below the unit that was asked for, which is 0.
    pub level: u32,
    /// Instance; the module for the first.
    pub name: String,
    /// Module.
    pub module: String,
    /// Instances in the whole.
    pub instances: u64,
    /// Cells of all of them, in µm².
    pub cells_um2: f64,
    /// Macros of all of them, in µm².
    pub sram_um2: f64,
}

/// The tree of an outline in the order in which it is read, largest first on each level; `own` gives the area of cells
/// and of macros of one instance of a module without what stands in it.
pub fn tree(outline: &Outline, own: &dyn Fn(&str) -> (f64, f64)) -> Vec<Branch> {
    let mut whole = HashMap::new();
    let mut branches = Vec::new();
    grow(outline, own, &mut whole, &mut branches, (0, &outline.top, &outline.top, 1));
    branches
}

type Whole = HashMap<String, (f64, f64)>;

fn grow(
    outline: &Outline,
    own: &dyn Fn(&str) -> (f64, f64),
    whole: &mut Whole,
    branches: &mut Vec<Branch>,
    (level, name, module, instances): (u32, &str, &str, u64),
) {
    let (cells, sram) = total(outline, own, whole, module);
    let times = instances as f64;
    let (cells_um2, sram_um2) = (cells * times, sram * times);
    branches.push(Branch { level, name: name.into(), module: module.into(), instances, cells_um2, sram_um2 });
    if level == LEVELS {
        return;
    }
    let mut below: Vec<_> = outline.children.get(module).into_iter().flatten().collect();
    let mut size = |module: &str, count: u64| {
        let (cells, sram) = total(outline, own, whole, module);
        (cells + sram) * count as f64
    };
    let sizes: HashMap<&str, f64> = below.iter().map(|c| (c.name.as_str(), size(&c.module, c.count))).collect();
    below.sort_by(|a, b| sizes[b.name.as_str()].total_cmp(&sizes[a.name.as_str()]));
    for child in below {
        grow(outline, own, whole, branches, (level + 1, &child.name, &child.module, instances * child.count));
    }
}

/// Area of one instance with all that stands in it.
fn total(outline: &Outline, own: &dyn Fn(&str) -> (f64, f64), whole: &mut Whole, module: &str) -> (f64, f64) {
    if let Some(found) = whole.get(module) {
        return *found;
    }
    let (mut cells, mut sram) = own(module);
    for child in outline.children.get(module).into_iter().flatten() {
        let (c, s) = total(outline, own, whole, &child.module);
        cells += c * child.count as f64;
        sram += s * child.count as f64;
    }
    whole.insert(module.into(), (cells, sram));
    (cells, sram)
}
