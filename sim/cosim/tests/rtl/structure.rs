//! Random structure: blocks with `if` and `case`, memories, net arrays, instances and grids.

use std::sync::Arc;

use hdl::rtl::module::Conn;
use hdl::rtl::{Block, Expr, Module, Ty};

use crate::generate::{Generator, Size};

/// A statement to be, with its expressions made beforehand.
enum Plan {
    Set(Expr, Expr),
    If(Expr, Vec<Plan>, Vec<Plan>),
    Case(Expr, Vec<(Vec<Expr>, Vec<Plan>)>, Vec<Plan>),
}

fn write(block: &mut Block, plans: &[Plan]) {
    for plan in plans {
        match plan {
            Plan::Set(target, value) => block.set(target, value),
            Plan::If(cond, then, otherwise) => block.when_else(cond, |b| write(b, then), |b| write(b, otherwise)),
            Plan::Case(selector, arms, default) => block.case(selector, |c| {
                arms.iter().for_each(|(labels, body)| c.arm_of(labels, |b| write(b, body)));
                c.default(|b| write(b, default));
            }),
        }
    }
}

impl Generator {
    /// A combinational block with some targets.
    pub fn block(&mut self) {
        let targets: Vec<Expr> = (0..1 + self.below(4))
            .map(|_| {
                let (name, max) = (self.name("c") + "_d", self.size.max_width);
                let ty = self.ty(max);
                self.m.net(&name, ty)
            })
            .collect();
        let trigger = self.expr(Ty::bit(), 1);
        let trigger = self.wire(&trigger);
        let mut plans: Vec<Plan> = targets.iter().map(|t| Plan::Set(t.clone(), self.expr(t.ty(), 1))).collect();
        let body = self.plans(&targets, 3);
        plans.push(Plan::If(trigger, body, vec![]));
        plans.extend(self.plans(&targets, 3));
        let comment = self.name("Block ");
        self.m.comb(&comment, |b| write(b, &plans));
        for target in targets {
            self.offer(&target);
            self.shown.push(target);
        }
    }

    fn plans(&mut self, targets: &[Expr], depth: u32) -> Vec<Plan> {
        (0..1 + self.below(3)).map(|_| self.plan(targets, depth)).collect()
    }

    fn plan(&mut self, targets: &[Expr], depth: u32) -> Plan {
        match self.below(if depth == 0 { 1 } else { 3 }) {
            1 => {
                let cond = self.expr(Ty::bit(), 2);
                let then = self.plans(targets, depth - 1);
                let otherwise = if self.one_in(2) { self.plans(targets, depth - 1) } else { vec![] };
                Plan::If(cond, then, otherwise)
            }
            2 => {
                let ty = Ty { width: 1 + self.below(6), signed: self.one_in(3) };
                let selector = self.expr(ty, 2);
                let values = 1u32 << ty.width;
                let mut next = 0;
                let mut arms = Vec::new();
                while next < values && arms.len() < 4 {
                    let label = |v: u32| {
                        let v = i128::from(v);
                        let top = i128::from(values);
                        Expr::lit(ty, if ty.signed && v >= top / 2 { v - top } else { v })
                    };
                    let mut labels = vec![label(next)];
                    next += 1 + self.below(3);
                    if next < values && self.one_in(2) {
                        labels.push(label(next));
                        next += 1;
                    }
                    let body = if self.one_in(6) { vec![] } else { self.plans(targets, depth - 1) };
                    arms.push((labels, body));
                }
                let default = if self.one_in(4) { vec![] } else { self.plans(targets, depth - 1) };
                Plan::Case(selector, arms, default)
            }
            _ => {
                let target = targets[self.below(targets.len() as u32) as usize].clone();
                let value = self.expr(target.ty(), 2);
                Plan::Set(target, value)
            }
        }
    }

    /// A memory with any number of lanes; half of them read the word being written often.
    pub fn memory(&mut self) {
        let lanes = [1, 2, 3, 4, 5, 8, 16][self.below(7) as usize];
        let most = if self.one_in(4) { self.size.max_width / lanes } else { 12 };
        let width = lanes * (1 + self.below(most));
        let depth = 2 + self.below(19);
        let name = self.name("mem");
        let memory = self.m.memory(&name, width, depth);
        let bits = memory.addr_bits;
        let address = |g: &mut Self| {
            // Not a constant, with which yosys would take the memory apart.
            let any = g.expr(Ty::u(bits), 1) ^ &g.leaf_signal().repeat(bits);
            if depth.is_power_of_two() {
                return any;
            }
            let any = g.wire(&any);
            any.lt(&any.k(depth.into())).mux(&any, &any.k(i128::from(depth - 1)))
        };
        let write_addr = address(self);
        let read_addr = if self.one_in(2) { write_addr.clone() } else { address(self) };
        let enables = [self.busy(), self.busy()];
        let data = self.expr(Ty::u(width), 2);
        let lane_enables = if self.one_in(4) { None } else { Some(self.expr(Ty::u(lanes), 1)) };
        let out = self.name("read");
        let (write, read) = ((&enables[0], &write_addr, &data), (&enables[1], &read_addr));
        let data = self.m.memory_ports(memory, write, lane_enables.as_ref(), read, &out);
        self.offer(&data);
        self.shown.push(data);
    }

    /// A bit that is one most of the time.
    fn busy(&mut self) -> Expr {
        self.expr(Ty::bit(), 1) | &self.leaf_signal()
    }

    /// A vector taken apart into a net array, its elements used one by one and joined again in another order.
    pub fn array(&mut self) {
        let count = 2 + self.below(7);
        let ty = self.ty(self.size.max_width / (2 * count));
        let name = self.name("net");
        let nets = self.m.nets(&name, ty, 2 * count);
        let vector = self.expr(Ty::u(ty.width * count), 2);
        let vector = self.wire(&vector);
        self.m.split(&vector, &nets, 1, 2, count);
        for i in 0..count {
            self.offer(&nets.at(2 * i + 1));
        }
        for i in 0..count {
            let value = self.expr(ty, 1);
            self.m.assign(&nets.at(2 * i), &value);
        }
        let all = self.name("all");
        let all = self.m.join(&all, &nets, 0, 1, 2 * count);
        self.offer(&all);
        self.shown.push(all);
    }

    /// An instance of a module, its inputs random.
    pub fn instance(&mut self, module: &Arc<Module>) {
        let inputs: Vec<(String, Expr)> = module
            .ports()
            .filter(|(_, p)| p.kind == hdl::rtl::module::SignalKind::Input)
            .map(|(_, p)| (p.name.clone(), self.expr(p.ty, 2)))
            .collect();
        let inputs: Vec<(&str, &Expr)> = inputs.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let name = self.name("u_x");
        let outputs = self.m.instance(&name, module, &inputs);
        for (_, port) in module.ports().filter(|(_, p)| p.kind == hdl::rtl::module::SignalKind::Output) {
            let wire = outputs.out(&port.name);
            self.offer(&wire);
            if !self.one_in(8) {
                self.shown.push(wire);
            }
        }
    }

    /// A grid in which one value runs along the rows and another down the columns.
    pub fn grid(&mut self, cell: &Arc<Module>) {
        let (rows, cols) = (1 + self.below(4), 1 + self.below(4));
        let ty = |name: &str| cell.port(name).map(|(_, p)| p.ty).unwrap_or(Ty::bit());
        let (across, down) = (ty("across_i"), ty("down_i"));
        let (name_a, name_d) = (self.name("across"), self.name("down"));
        let a = self.m.nets(&name_a, across, rows * (cols + 1));
        let d = self.m.nets(&name_d, down, (rows + 1) * cols);
        let left = self.expr(Ty::u(across.width * rows), 1);
        let left = self.wire(&left);
        let top = self.expr(Ty::u(down.width * cols), 1);
        let top = self.wire(&top);
        self.m.split(&left, &a, 0, cols + 1, rows);
        self.m.split(&top, &d, 0, 1, cols);
        let common = self.expr(ty("common_i"), 2);
        let conns = [
            ("across_i", a.step(cols + 1, 1, 0)),
            ("across_o", a.step(cols + 1, 1, 1)),
            ("down_i", d.step(cols, 1, 0)),
            ("down_o", d.step(cols, 1, cols)),
            ("common_i", Conn::In(common)),
        ];
        let name = self.name("u_cell");
        self.m.grid(&name, cell, rows, cols, &conns);
        for (nets, first, step, count) in [(&a, cols, cols + 1, rows), (&d, rows * cols, 1, cols)] {
            if self.one_in(5) {
                continue;
            }
            let name = self.name("edge");
            let edge = self.m.join(&name, nets, first, step, count);
            self.offer(&edge);
            self.shown.push(edge);
        }
    }
}

/// A cell for grids; what it passes on is registered or not.
pub fn cell(name: &str, seed: u64, max_width: u32) -> Arc<Module> {
    let mut g =
        Generator::new(name, seed, Size { expressions: 0, rounds: 0, depth: 3, max_width: 64.min(max_width / 4) });
    let types = [g.ty(32), g.ty(32), g.ty(32)];
    for (name, ty) in ["across_i", "down_i", "common_i"].into_iter().zip(types) {
        let port = g.m.input(name, ty);
        g.offer(&port);
        g.shown.push(port);
    }
    g.reg();
    let values = [0, 1].map(|i| (g.expr(types[i], 3), g.expr(types[i], 2)));
    g.close_registers();
    // Every input, register and wire is read: together their parities choose what goes on.
    let parities: Vec<Expr> = g.shown.iter().map(Expr::parity).collect();
    let all = g.m.wire("all", &Expr::concat(&parities)).parity();
    for (name, (one, other)) in ["across", "down"].into_iter().zip(values) {
        let value = all.mux(&one, &other);
        let value = if g.one_in(2) { g.m.pipe(&format!("{name}_q"), &value) } else { value };
        g.m.output_is(&format!("{name}_o"), &value);
    }
    g.m.build().unwrap_or_else(|e| panic!("a generated cell must be sound: {e}"))
}

/// A module without instances.
pub fn leaf(name: &str, seed: u64, size: Size) -> Arc<Module> {
    let mut g = Generator::new(name, seed, size);
    fill(&mut g);
    g.finish()
}

fn fill(g: &mut Generator) {
    for _ in 0..6 {
        g.input();
    }
    for _ in 0..4 {
        g.reg();
    }
    for _ in 0..g.size.rounds {
        g.array();
        g.block();
        g.memory();
    }
}

/// A module with instances of others, and grids.
pub fn top(name: &str, seed: u64, size: Size) -> Arc<Module> {
    let small = Size { expressions: size.expressions / 2, ..size };
    let leaves =
        [leaf(&format!("{name}_leaf0"), seed ^ 0x11, small), leaf(&format!("{name}_leaf1"), seed ^ 0x22, small)];
    let cells = [0, 1].map(|i| cell(&format!("{name}_cell{i}"), seed ^ (0x33 + i), size.max_width));
    let mut g = Generator::new(name, seed, size);
    fill(&mut g);
    for i in [0, 1, 0] {
        g.instance(&leaves[i]);
    }
    cells.iter().for_each(|cell| g.grid(cell));
    fill(&mut g);
    g.finish()
}
