//! Connections: net arrays, strips between arrays and packed vectors, instances and grids of instances.

use std::sync::Arc;

use super::builder::ModuleBuilder;
use super::expr::{ArrayId, Expr, Node};
use super::module::{Conn, Instance, Item, Module, NetArray, RESET, SignalKind, Strip};
use super::ty::Ty;

/// A net array of the module being built.
#[derive(Clone, Debug)]
pub struct Nets {
    pub(super) id: ArrayId,
    ty: Ty,
    len: u32,
    scope: u64,
}

impl Nets {
    /// Element `index` as an expression.
    pub fn at(&self, index: u32) -> Expr {
        let node = if index < self.len {
            Node::Elem(self.id, index, self.scope)
        } else {
            Node::Poison(format!("element {index} of an array of {}", self.len))
        };
        Expr::from_node(node, self.ty)
    }

    /// A grid connection: instance `[r, c]` gets element `r * row_step + c * col_step + offset`.
    pub fn step(&self, row_step: u32, col_step: u32, offset: u32) -> Conn {
        Conn::Net { array: self.id, row_step, col_step, offset }
    }
}

/// The outputs of an instance.
#[derive(Clone, Debug)]
pub struct Outputs(Vec<(String, Expr)>);

impl Outputs {
    /// The wire at output port `port`.
    pub fn out(&self, port: &str) -> Expr {
        match self.0.iter().find(|(name, _)| name == port) {
            Some((_, expr)) => expr.clone(),
            None => Expr::from_node(Node::Poison(format!("no output port {port}")), Ty::bit()),
        }
    }
}

impl ModuleBuilder {
    /// A net array of `len` elements, for grids.
    pub fn nets(&mut self, name: &str, ty: Ty, len: u32) -> Nets {
        let id = ArrayId(self.module.arrays.len() as u32);
        self.module.arrays.push(NetArray { name: name.into(), ty, len });
        Nets { id, ty, len, scope: self.scope }
    }

    fn strip(&mut self, nets: &Nets, offset: u32, stride: u32, count: u32, vector: &Expr) -> Option<Strip> {
        let fits = count > 0 && u64::from(offset) + u64::from(stride) * u64::from(count - 1) < u64::from(nets.len);
        if !fits || vector.width() != count * nets.ty.width {
            self.problem(format!(
                "{count} elements of {} from {offset} in steps of {stride} (array of {}) against {}",
                nets.ty,
                nets.len,
                self.describe(vector)
            ));
        }
        let vector = self.id_of("strip", vector)?;
        Some(Strip { array: nets.id, offset, stride, count, vector })
    }

    /// Drives elements `offset + i * stride`, `i < count`, from word `i` of the packed signal `vector`.
    pub fn split(&mut self, vector: &Expr, nets: &Nets, offset: u32, stride: u32, count: u32) {
        if let Some(strip) = self.strip(nets, offset, stride, count, vector) {
            self.module.items.push(Item::Split(strip));
        }
    }

    /// A packed wire `name` whose word `i` is element `offset + i * stride`, `i < count`.
    pub fn join(&mut self, name: &str, nets: &Nets, offset: u32, stride: u32, count: u32) -> Expr {
        let vector = self.net(name, Ty::u(nets.ty.width.saturating_mul(count)));
        if let Some(strip) = self.strip(nets, offset, stride, count, &vector) {
            self.module.items.push(Item::Join(strip));
        }
        vector
    }

    /// An instance `u_...`: inputs by port name; each output gets a wire named after instance and port.
    pub fn instance(&mut self, name: &str, module: &Arc<Module>, inputs: &[(&str, &Expr)]) -> Outputs {
        self.instance_under(name, module, inputs, None)
    }

    /// An instance whose reset is `reset` (1 bit, active low) instead of that of the module around it.
    pub fn instance_in_reset(
        &mut self,
        name: &str,
        module: &Arc<Module>,
        inputs: &[(&str, &Expr)],
        reset: &Expr,
    ) -> Outputs {
        if reset.ty() != Ty::bit() || !module.has_reset {
            self.problem(format!("{name}: a reset of {} for {}, which takes one bit or none", reset.ty(), module.name));
        }
        self.instance_under(name, module, inputs, Some(reset))
    }

    fn instance_under(
        &mut self,
        name: &str,
        module: &Arc<Module>,
        inputs: &[(&str, &Expr)],
        reset: Option<&Expr>,
    ) -> Outputs {
        let mut conns = Vec::new();
        conns.extend(reset.map(|reset| (RESET.to_string(), Conn::In(reset.clone()))));
        let mut outputs = Vec::new();
        for (_, port) in module.ports() {
            if port.kind == SignalKind::Output {
                let stem = port.name.strip_suffix("_o").unwrap_or(&port.name);
                let wire = format!("{}_{stem}", name.strip_prefix("u_").unwrap_or(name));
                let wire = self.net(&wire, port.ty);
                if let Some(id) = self.id_of(name, &wire) {
                    conns.push((port.name.clone(), Conn::Out(id)));
                }
                outputs.push((port.name.clone(), wire));
            } else if let Some((_, expr)) = inputs.iter().find(|(n, _)| *n == port.name) {
                conns.push((port.name.clone(), Conn::In((*expr).clone())));
            }
        }
        let given: Vec<_> = inputs.iter().map(|(n, _)| *n).collect();
        self.add_instance(name, module, conns, None, &given);
        Outputs(outputs)
    }

    /// A grid of `rows * cols` instances: every port is connected to a net array ([`Nets::step`]) or, inputs only, to
    /// the same expression for all.
    pub fn grid(&mut self, name: &str, module: &Arc<Module>, rows: u32, cols: u32, conns: &[(&str, Conn)]) {
        let ordered = module
            .ports()
            .filter_map(|(_, port)| conns.iter().find(|(n, _)| *n == port.name))
            .map(|(n, conn)| ((*n).to_string(), conn.clone()))
            .collect();
        let given: Vec<_> = conns.iter().map(|(n, _)| *n).collect();
        self.add_instance(name, module, ordered, Some((rows, cols)), &given);
    }

    fn add_instance(
        &mut self,
        name: &str,
        module: &Arc<Module>,
        conns: Vec<(String, Conn)>,
        grid: Option<(u32, u32)>,
        given: &[&str],
    ) {
        for wanted in given {
            if module.port(wanted).is_none() {
                self.problem(format!("{name}: module {} has no port {wanted}", module.name));
            }
        }
        for (_, port) in module.ports() {
            let Some((_, conn)) = conns.iter().find(|(n, _)| *n == port.name) else {
                self.problem(format!("{name}: port {} of {} is not connected", port.name, module.name));
                continue;
            };
            let (ty, fits) = match conn {
                Conn::In(expr) => (expr.ty(), port.kind == SignalKind::Input),
                Conn::Out(id) => (self.module.signal(*id).ty, port.kind == SignalKind::Output && grid.is_none()),
                Conn::Net { array, row_step, col_step, offset } => {
                    let nets = &self.module.arrays[array.0 as usize];
                    let (rows, cols) = grid.unwrap_or((1, 1));
                    let last = u64::from(rows.saturating_sub(1)) * u64::from(*row_step)
                        + u64::from(cols.saturating_sub(1)) * u64::from(*col_step)
                        + u64::from(*offset);
                    (nets.ty, last < u64::from(nets.len) && grid.is_some())
                }
            };
            if ty != port.ty || !fits {
                self.problem(format!(
                    "{name}: port {} ({}, {:?}) does not fit {conn:?}",
                    port.name, port.ty, port.kind
                ));
            }
        }
        let instance = Instance { name: name.into(), module: module.clone(), conns, grid };
        self.module.items.push(Item::Instance(instance));
    }
}
