//! Registers and memories.

use super::Writer;
use super::literal::literal;
use super::text::line;
use crate::rtl::bits::Bits;
use crate::rtl::expr::{Expr, Node, SigId};
use crate::rtl::module::{Item, Memory, Reg};
use crate::rtl::stmt::Stmt;
use crate::rtl::ty::Ty;

/// More lane enables than this are written as a loop.
const UNROLLED_LANES: u32 = 4;

impl Writer<'_> {
    /// Consecutive registers: one block for those with reset, one for those without.
    pub(super) fn registers(&mut self, regs: &[&Reg]) {
        let (control, data): (Vec<&Reg>, Vec<&Reg>) = regs.iter().partition(|reg| reg.reset.is_some());
        let mut blocks = String::new();
        if !control.is_empty() {
            line(&mut blocks, 2, "always @(posedge clk_i) begin");
            line(&mut blocks, 4, "if (!rst_ni) begin");
            for reg in &control {
                if let Some(reset) = &reg.reset {
                    let value = self.state_name(reg.sig, reset);
                    let value = value.unwrap_or_else(|| literal(reset, self.module.signal(reg.sig).ty).0);
                    line(&mut blocks, 6, &format!("{} <= {value};", self.name(reg.sig)));
                }
            }
            line(&mut blocks, 4, "end else begin");
            self.updates(&mut blocks, 6, &control);
            line(&mut blocks, 4, "end");
            line(&mut blocks, 2, "end");
        }
        if !data.is_empty() {
            if !blocks.is_empty() {
                blocks.push('\n');
            }
            line(&mut blocks, 2, "always @(posedge clk_i) begin");
            self.updates(&mut blocks, 4, &data);
            line(&mut blocks, 2, "end");
        }
        self.flush_declarations();
        self.out.push_str(&blocks);
    }

    /// The name of a state register's value, from the `case` over it.
    fn state_name(&mut self, sig: SigId, value: &Bits) -> Option<String> {
        let blocks = self.module.items.iter().filter_map(|item| match item {
            Item::Comb(_, stmts) => Some(stmts),
            _ => None,
        });
        let name = blocks.flat_map(|stmts| labels_of(stmts, sig)).find_map(|label| match label.node() {
            Node::Named(bits, name) if bits == value => Some(name.clone()),
            _ => None,
        })?;
        self.used_constants.insert(name.clone());
        Some(name)
    }

    /// `q <= next;` for each, neighbours with the same enable under one `if`.
    fn updates(&mut self, out: &mut String, indent: usize, regs: &[&Reg]) {
        let mut at = 0;
        while at < regs.len() {
            let enable = self.enable(regs[at]);
            let mut group = vec![self.update(regs[at])];
            at += 1;
            while at < regs.len() && enable.is_some() && self.enable(regs[at]) == enable {
                group.push(self.update(regs[at]));
                at += 1;
            }
            match (enable, &group[..]) {
                (None, _) => line(out, indent, &group[0]),
                (Some(enable), [only]) => line(out, indent, &format!("if ({enable}) {only}")),
                (Some(enable), _) => {
                    line(out, indent, &format!("if ({enable}) begin"));
                    group.iter().for_each(|text| line(out, indent + 2, text));
                    line(out, indent, "end");
                }
            }
        }
    }

    fn enable(&mut self, reg: &Reg) -> Option<String> {
        self.target = self.name(reg.sig).to_string();
        reg.enable.as_ref().map(|enable| self.plain(enable).text)
    }

    fn update(&mut self, reg: &Reg) -> String {
        self.target = self.name(reg.sig).to_string();
        let value = self.root(&reg.next);
        let value = if value.is_comparison() { format!("({})", value.text) } else { value.text };
        format!("{} <= {value};", self.mention(reg.sig))
    }

    /// A memory with both its ports in one block, the form from which tools infer block RAM.
    pub(super) fn memory(&mut self, memory: &Memory) {
        let name = &memory.name;
        self.target.clone_from(name);
        let mut body = String::new();
        let write = &memory.write;
        let enable = self.plain(&write.enable).text;
        let addr = self.plain(&write.addr).text;
        if let Some(lanes) = &write.lanes {
            let count = lanes.width();
            let bits = memory.width / count;
            let data = self.named_operand(&write.data);
            let lanes = self.named_operand(lanes);
            line(&mut body, 4, &format!("if ({enable}) begin"));
            if count <= UNROLLED_LANES {
                for i in 0..count {
                    let (lane, part) = match (count, bits) {
                        (1, _) => (lanes.clone(), String::new()),
                        (_, 1) => (format!("{lanes}[{i}]"), format!("[{i}]")),
                        _ => (format!("{lanes}[{i}]"), format!("[{}:{}]", i * bits + bits - 1, i * bits)),
                    };
                    line(&mut body, 6, &format!("if ({lane}) {name}[{addr}]{part} <= {data}{part};"));
                }
            } else {
                let i = self.names.fresh("lane");
                line(&mut self.out, 2, &format!("integer {i};"));
                let part = if bits == 1 { format!("[{i}]") } else { format!("[{i}*{bits} +: {bits}]") };
                line(&mut body, 6, &format!("for ({i} = 0; {i} < {count}; {i} = {i} + 1) begin"));
                line(&mut body, 8, &format!("if ({lanes}[{i}]) {name}[{addr}]{part} <= {data}{part};"));
                line(&mut body, 6, "end");
            }
            line(&mut body, 4, "end");
        } else {
            let data = self.plain(&write.data).text;
            line(&mut body, 4, &format!("if ({enable}) {name}[{addr}] <= {data};"));
        }
        let enable = self.plain(&memory.read.enable).text;
        let addr = self.plain(&memory.read.addr).text;
        let data = self.mention(memory.read.data);
        line(&mut body, 4, &format!("if ({enable}) {data} <= {name}[{addr}];"));
        self.flush_declarations();
        let word = super::declared(Ty::u(memory.width), name);
        line(&mut self.out, 2, &format!("reg {word} [0:{}];", memory.depth - 1));
        line(&mut self.out, 2, "always @(posedge clk_i) begin");
        self.out.push_str(&body);
        line(&mut self.out, 2, "end");
    }

    /// The name of a signal, or of a wire made for the expression.
    fn named_operand(&mut self, expr: &Expr) -> String {
        match expr.node() {
            Node::Sig(..) => self.named(expr, 0, expr.width()),
            // Array elements too: a part chosen by a variable keeps tools from telling elements apart.
            _ => self.hoist(expr),
        }
    }
}

/// Labels of the outermost `case` statements over a signal.
fn labels_of(stmts: &[Stmt], sig: SigId) -> Vec<&Expr> {
    let cases = stmts.iter().filter_map(|stmt| match stmt {
        Stmt::Case(selector, arms, _) if matches!(selector.node(), Node::Sig(id, _) if *id == sig) => Some(arms),
        _ => None,
    });
    cases.flatten().flat_map(|(labels, _)| labels).collect()
}
