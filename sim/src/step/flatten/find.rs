//! Names, and values by name.

use super::super::template::{Driver, Op, Ref};
use super::{Flat, Inst, Kind, OPEN, UNSET};

impl Flat {
    /// Path of an instance with a dot behind it; empty for the top.
    pub fn inst_path(&self, inst: u32) -> String {
        let Inst { parent, item, row, col, .. } = self.insts[inst as usize];
        if parent == UNSET {
            return String::new();
        }
        let child = &self.templates[self.insts[parent as usize].template as usize].children[item as usize];
        let place = if child.grid.is_some() { format!("[{row}][{col}]") } else { String::new() };
        format!("{}{}{place}.", self.inst_path(parent), child.name)
    }

    /// Path of a signal or an element.
    pub fn name(&self, inst: u32, of: Ref) -> String {
        format!("{}{}", self.inst_path(inst), self.local_name(inst, of))
    }

    /// Name of a signal or an element in its module.
    pub fn local_name(&self, inst: u32, of: Ref) -> String {
        let module = &self.templates[self.insts[inst as usize].template as usize].module;
        match of {
            Ref::Sig(sig) => module.signals[sig as usize].name.clone(),
            Ref::Elem(array, index) => format!("{}[{index}]", module.arrays[array as usize].name),
            Ref::Const(_) | Ref::Node(_) => String::new(),
        }
    }

    /// The instance that a path (without trailing dot) leads to.
    pub fn find_inst(&self, path: &[&str]) -> Option<u32> {
        let mut inst = 0;
        for part in path {
            let mut pieces = part.split('[');
            let name = pieces.next()?;
            let mut place = pieces.map(|p| p.strip_suffix(']').and_then(|p| p.parse::<u32>().ok()));
            let template = &self.templates[self.insts[inst].template as usize];
            let item = template.children.iter().position(|c| c.name == name)?;
            let at = match (template.children[item].grid, place.next(), place.next()) {
                (None, None, None) => 0,
                (Some((rows, cols)), Some(Some(r)), Some(Some(c))) if r < rows && c < cols => r * cols + c,
                _ => return None,
            };
            inst = (self.insts[inst].children[item] + at) as usize;
        }
        Some(inst as u32)
    }

    /// Whether a value is a constant.
    pub fn is_const(&self, value: u32) -> bool {
        self.groups[self.group_of[value as usize] as usize].kind == Kind::Const
    }

    /// Value of a signal that has been resolved.
    pub fn known(&self, inst: u32, sig: u32) -> Option<u32> {
        Some(self.sig_memo[inst as usize][sig as usize]).filter(|v| *v < OPEN)
    }

    /// Value of a net array's element, if anything drives it.
    pub fn element(&self, inst: u32, array: u32, index: u32) -> Option<u32> {
        let template = &self.templates[self.insts[inst as usize].template as usize];
        match template.arrays[array as usize][index as usize]? {
            Driver::Is(value) => self.find(inst, value),
            Driver::Lane(node, lane) => Some(self.node_value(&self.insts[inst as usize], node) + lane),
            Driver::Child(item, at, port) => self.known(self.insts[inst as usize].children[item as usize] + at, port),
            Driver::Input => None,
        }
    }

    /// Value of a reference after everything has been resolved.
    fn find(&self, inst: u32, of: Ref) -> Option<u32> {
        let inst_ = &self.insts[inst as usize];
        match of {
            Ref::Const(c) => Some(c),
            Ref::Sig(sig) => self.known(inst, sig),
            Ref::Elem(array, index) => self.element(inst, array, index),
            Ref::Node(n) => {
                let node = &self.templates[inst_.template as usize].nodes[n as usize];
                match node.op {
                    Op::Alias => self.find(inst, node.args[0].0),
                    _ => Some(self.node_value(inst_, n)),
                }
            }
        }
    }
}
