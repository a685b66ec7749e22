//! The body of a module: items in the order of description, each after the declarations it needs.

use super::text::{comment, line};
use super::{Writer, declared, is_port};
use crate::rtl::expr::SigId;
use crate::rtl::module::{Item, Reg, SignalKind};

/// What an item looks like, to set blank lines between unlike neighbours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Section,
    Line,
    Block,
}

impl Writer<'_> {
    /// Writes all items, then the wire that reads what nothing else reads.
    pub(super) fn body(&mut self) {
        let module = self.module;
        let items = &module.items;
        let mut last = None;
        let mut at = 0;
        while at < items.len() {
            let look = match &items[at] {
                Item::Section(_) => Look::Section,
                Item::Assign(..) | Item::AssignElem(..) => Look::Line,
                _ => Look::Block,
            };
            if last != Some(Look::Section) && (look != Look::Line || last != Some(Look::Line)) {
                self.out.push('\n');
            }
            last = Some(look);
            match &items[at] {
                Item::Section(text) => comment(&mut self.out, 2, text),
                Item::Assign(id, value) => self.assign(*id, value),
                Item::AssignElem(array, index, value) => {
                    self.target = format!("{}_{index}", module.arrays[array.0 as usize].name);
                    let value = self.root(value).text;
                    let element = self.driven_element(*array, &index.to_string());
                    self.flush(&format!("assign {element} = {value};"));
                }
                Item::Comb(text, stmts) => self.comb(text, stmts),
                Item::Reg(_) => {
                    let regs: Vec<&Reg> = items[at..].iter().map_while(as_reg).collect();
                    at += regs.len() - 1;
                    self.registers(&regs);
                }
                Item::Memory(memory) => self.memory(memory),
                Item::Instance(instance) => self.instance(instance),
                Item::Split(strip) => self.split(strip),
                Item::Join(strip) => self.join(strip),
            }
            at += 1;
        }
        self.unused();
    }

    fn assign(&mut self, id: SigId, value: &crate::rtl::Expr) {
        self.target = self.name(id).to_string();
        let value = self.root(value).text;
        let at = id.0 as usize;
        if self.declared[at] || self.mentioned.contains(&id) {
            let name = self.mention(id);
            self.flush(&format!("assign {name} = {value};"));
        } else {
            let signal = self.module.signal(id);
            self.declared[at] = true;
            self.flush(&format!("wire {} = {value};", declared(signal.ty, &signal.name)));
        }
    }

    /// Writes the declarations and named operands that the item needs.
    pub(super) fn flush_declarations(&mut self) {
        let module = self.module;
        for id in std::mem::take(&mut self.mentioned) {
            let at = id.0 as usize;
            if !self.declared[at] {
                self.declared[at] = true;
                let kind = if self.procedural[at] { "reg" } else { "wire" };
                let signal = module.signal(id);
                line(&mut self.out, 2, &format!("{kind} {};", declared(signal.ty, &signal.name)));
            }
        }
        for id in std::mem::take(&mut self.arrays_mentioned) {
            let at = id.0 as usize;
            if !self.arrays_declared[at] {
                self.arrays_declared[at] = true;
                let array = &module.arrays[at];
                let hint = if self.chained[at] { " /* verilator split_var */" } else { "" };
                if self.chained[at] {
                    comment(
                        &mut self.out,
                        2,
                        "A chain from element to element: Verilator is to order them one by one.",
                    );
                }
                let text = format!("wire {} [0:{}]{hint};", declared(array.ty, &array.name), array.len - 1);
                line(&mut self.out, 2, &text);
            }
        }
        for (_, _, text) in std::mem::take(&mut self.hoisted) {
            line(&mut self.out, 2, &text);
        }
    }

    /// Writes an item of one line after what it needs.
    pub(super) fn flush(&mut self, text: &str) {
        self.flush_declarations();
        line(&mut self.out, 2, text);
    }

    /// Bits that nothing reads, gathered so that linters see them as left out on purpose.
    fn unused(&mut self) {
        let module = self.module;
        let mut parts = vec!["1'b0".to_string()];
        for (signal, read) in module.signals.iter().zip(&self.read) {
            if signal.kind == SignalKind::Output {
                continue;
            }
            for (msb, lsb) in unread(read) {
                parts.push(match (msb, lsb) {
                    (msb, 0) if msb + 1 == read.len() => signal.name.clone(),
                    (msb, lsb) if msb == lsb => format!("{}[{lsb}]", signal.name),
                    (msb, lsb) => format!("{}[{msb}:{lsb}]", signal.name),
                });
            }
        }
        for (array, read) in module.arrays.iter().zip(&self.arrays_read) {
            if !read {
                parts.extend((0..array.len).map(|i| format!("{}[{i}]", array.name)));
            }
        }
        for (name, _) in &module.constants {
            if !self.used_constants.contains(name) {
                parts.push(name.clone());
            }
        }
        if parts.len() == 1 {
            return;
        }
        self.mentioned =
            (0..module.signals.len() as u32).map(SigId).filter(|id| !is_port(&module.signal(*id).kind)).collect();
        self.out.push('\n');
        comment(&mut self.out, 2, "Left out on purpose.");
        let name = self.names.fresh("unused_ok");
        self.flush(&format!("wire {name} = &{{{}}};", parts.join(", ")));
    }
}

fn as_reg(item: &Item) -> Option<&Reg> {
    match item {
        Item::Reg(reg) => Some(reg),
        _ => None,
    }
}

/// Runs of bits not read, as (msb, lsb), lowest first.
fn unread(read: &[bool]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (i, _) in read.iter().enumerate().filter(|(_, r)| !**r) {
        match runs.last_mut() {
            Some((msb, _)) if *msb + 1 == i => *msb = i,
            _ => runs.push((i, i)),
        }
    }
    runs
}
