//! Flattening: instances, and every operand of every instance followed through the hierarchy to the value it is.

use std::collections::HashMap;
use std::sync::Arc;

use hdl::rtl::module::{Module, SignalKind};
use hdl::rtl::{Bits, Design, Ty};

use super::template::{self, Consts, Driver, LConn, LReg, Op, Ref, Template};
use crate::error::Error;

const UNSET: u32 = u32::MAX;
const OPEN: u32 = u32::MAX - 1;

/// An instance of a template.
#[derive(Debug)]
pub(super) struct Inst {
    pub template: u32,
    /// Place among the template's instances.
    pub lane: u32,
    pub parent: u32,
    /// Child item of the parent, row and column in its grid.
    pub item: u32,
    pub row: u32,
    pub col: u32,
    /// First instance of each child item; the others of a grid follow, row by row.
    pub children: Vec<u32>,
}

/// What a group is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Const,
    Input,
    State,
    Alias,
    Comb(Op),
}

/// One node of one template over all its instances: `lanes * count` values from `first` on, instance by instance.
#[derive(Debug)]
pub(super) struct Group {
    pub kind: Kind,
    pub ty: Ty,
    pub first: u32,
    pub instances: u32,
    /// Values an instance.
    pub per: u32,
    pub arg_tys: Vec<Ty>,
    /// Operand values: of each operand, of each instance.
    pub args: Vec<Vec<u32>>,
}

/// A register of a template over all its instances.
#[derive(Debug)]
pub(super) struct FlatReg {
    pub group: u32,
    pub next: (Vec<u32>, Ty),
    pub enable: Option<Vec<u32>>,
    pub reset: Option<Bits>,
}

/// A memory of a template over all its instances.
#[derive(Debug)]
pub(super) struct FlatMem {
    pub group: u32,
    pub template: u32,
    pub number: u32,
    /// Write enable, write address, data, read enable, read address and perhaps lanes, each with its type.
    pub args: Vec<(Vec<u32>, Ty)>,
}

/// The flat design.
#[derive(Debug)]
pub(super) struct Flat {
    pub templates: Vec<Template>,
    pub consts: Consts,
    pub insts: Vec<Inst>,
    /// Instances of each template.
    pub of_template: Vec<Vec<u32>>,
    pub groups: Vec<Group>,
    /// Group of each value.
    pub group_of: Vec<u32>,
    /// First group of each template.
    pub first_group: Vec<u32>,
    /// Inputs of the top: port, value.
    pub inputs: Vec<(u32, u32)>,
    /// Value of `rst_ni`.
    pub reset: Option<u32>,
    pub regs: Vec<FlatReg>,
    pub mems: Vec<FlatMem>,
    sig_memo: Vec<Vec<u32>>,
}

struct Elaborate<'a> {
    flat: &'a mut Flat,
    known: HashMap<*const Module, u32>,
}

impl Elaborate<'_> {
    fn template(&mut self, module: &Arc<Module>) -> Result<u32, Error> {
        if let Some(&t) = self.known.get(&Arc::as_ptr(module)) {
            return Ok(t);
        }
        let template = template::build(module, &mut self.flat.consts)?;
        let t = self.flat.templates.len() as u32;
        self.flat.templates.push(template);
        self.flat.of_template.push(Vec::new());
        self.known.insert(Arc::as_ptr(module), t);
        Ok(t)
    }

    fn add(&mut self, template: u32, parent: u32, item: u32, row: u32, col: u32) -> u32 {
        let id = self.flat.insts.len() as u32;
        let lane = self.flat.of_template[template as usize].len() as u32;
        self.flat.of_template[template as usize].push(id);
        self.flat.insts.push(Inst { template, lane, parent, item, row, col, children: Vec::new() });
        id
    }

    /// Breadth first, so that the instances of a grid follow each other.
    fn run(&mut self, top: &Arc<Module>) -> Result<(), Error> {
        let t = self.template(top)?;
        self.add(t, UNSET, 0, 0, 0);
        let mut next = 0;
        while next < self.flat.insts.len() {
            let t = self.flat.insts[next].template as usize;
            let children: Vec<_> =
                self.flat.templates[t].children.iter().map(|c| (c.module.clone(), c.grid.unwrap_or((1, 1)))).collect();
            for (item, (module, (rows, cols))) in children.into_iter().enumerate() {
                let t = self.template(&module)?;
                let first = self.flat.insts.len() as u32;
                for r in 0..rows {
                    for c in 0..cols {
                        self.add(t, next as u32, item as u32, r, c);
                    }
                }
                self.flat.insts[next].children.push(first);
            }
            next += 1;
        }
        Ok(())
    }
}

impl Flat {
    pub fn new(design: &Design) -> Result<Self, Error> {
        let mut flat = Self {
            templates: Vec::new(),
            consts: Consts::default(),
            insts: Vec::new(),
            of_template: Vec::new(),
            groups: Vec::new(),
            group_of: Vec::new(),
            first_group: Vec::new(),
            inputs: Vec::new(),
            reset: None,
            regs: Vec::new(),
            mems: Vec::new(),
            sig_memo: Vec::new(),
        };
        Elaborate { flat: &mut flat, known: HashMap::new() }.run(&design.top)?;
        flat.number();
        flat.connect()?;
        Ok(flat)
    }

    fn group(&mut self, kind: Kind, ty: Ty, instances: u32, per: u32, arg_tys: Vec<Ty>) -> u32 {
        let first = self.group_of.len() as u32;
        let number = self.groups.len() as u32;
        self.group_of.extend(std::iter::repeat_n(number, (instances * per) as usize));
        self.groups.push(Group { kind, ty, first, instances, per, arg_tys, args: Vec::new() });
        first
    }

    /// Numbers all values: constants, inputs, then the nodes of each template.
    fn number(&mut self) {
        for c in 0..self.consts.list.len() {
            let ty = self.consts.list[c].1;
            self.group(Kind::Const, ty, 1, 1, Vec::new());
        }
        let top = self.templates[0].module.clone();
        for (i, signal) in top.signals.iter().enumerate() {
            if signal.kind == SignalKind::Input {
                let value = self.group(Kind::Input, signal.ty, 1, 1, Vec::new());
                self.inputs.push((i as u32, value));
            }
        }
        if top.has_reset {
            self.reset = Some(self.group(Kind::Input, Ty::bit(), 1, 1, Vec::new()));
        }
        for t in 0..self.templates.len() {
            self.first_group.push(self.groups.len() as u32);
            let instances = self.of_template[t].len() as u32;
            for n in 0..self.templates[t].nodes.len() {
                let node = &self.templates[t].nodes[n];
                let kind = match node.op {
                    Op::Reg | Op::MemOut => Kind::State,
                    Op::Alias => Kind::Alias,
                    op => Kind::Comb(op),
                };
                let per = if let Op::Split(count) = node.op { count } else { 1 };
                let tys = node.args.iter().map(|a| a.1).collect();
                self.group(kind, node.ty, instances, per, tys);
            }
        }
        self.sig_memo =
            self.insts.iter().map(|i| vec![UNSET; self.templates[i.template as usize].sigs.len()]).collect();
    }

    fn connect(&mut self) -> Result<(), Error> {
        for t in 0..self.templates.len() {
            for n in 0..self.templates[t].nodes.len() {
                let number = (self.first_group[t] + n as u32) as usize;
                if self.groups[number].kind == Kind::Alias {
                    continue;
                }
                let refs: Vec<Ref> = self.templates[t].nodes[n].args.iter().map(|a| a.0).collect();
                for of in refs {
                    let values = self.lanes(t as u32, of)?;
                    self.groups[number].args.push(values);
                }
            }
        }
        for t in 0..self.templates.len() as u32 {
            for r in 0..self.templates[t as usize].regs.len() {
                let LReg { node, reset, enable, next } = self.templates[t as usize].regs[r].clone();
                let group = self.first_group[t as usize] + node;
                let enable = enable.map(|e| self.lanes(t, e.0)).transpose()?;
                let next = (self.lanes(t, next.0)?, next.1);
                self.regs.push(FlatReg { group, next, enable, reset });
            }
            for number in 0..self.templates[t as usize].mems.len() {
                let mem = self.templates[t as usize].mems[number].clone();
                let group = self.first_group[t as usize] + mem.node;
                let args: Result<_, Error> = mem.args().map(|(of, ty)| Ok((self.lanes(t, of)?, ty))).collect();
                self.mems.push(FlatMem { group, template: t, number: number as u32, args: args? });
            }
        }
        // Every signal must have a driver, used or not.
        for inst in 0..self.insts.len() as u32 {
            for sig in 0..self.sig_memo[inst as usize].len() as u32 {
                self.resolve(inst, Ref::Sig(sig))?;
            }
        }
        Ok(())
    }

    /// The value of `of` in each instance of a template.
    pub fn lanes(&mut self, template: u32, of: Ref) -> Result<Vec<u32>, Error> {
        (0..self.of_template[template as usize].len())
            .map(|i| self.resolve(self.of_template[template as usize][i], of))
            .collect()
    }

    fn node_value(&self, inst: &Inst, node: u32) -> u32 {
        let group = &self.groups[(self.first_group[inst.template as usize] + node) as usize];
        group.first + inst.lane * group.per
    }

    /// The value that `of` is in instance `inst`.
    pub fn resolve(&mut self, inst: u32, of: Ref) -> Result<u32, Error> {
        let i = inst as usize;
        let t = self.insts[i].template as usize;
        match of {
            Ref::Const(c) => Ok(c),
            Ref::Node(n) => {
                let node = &self.templates[t].nodes[n as usize];
                if node.op == Op::Alias {
                    let to = node.args[0].0;
                    return self.resolve(inst, to);
                }
                Ok(self.node_value(&self.insts[i], n))
            }
            Ref::Elem(array, index) => {
                let driver = self.templates[t].arrays[array as usize][index as usize];
                self.drive(inst, driver, of)
            }
            Ref::Sig(sig) => {
                let known = self.sig_memo[i][sig as usize];
                if known < OPEN {
                    return Ok(known);
                }
                if known == OPEN {
                    return Err(Error::Loop { signals: vec![self.name(inst, of)] });
                }
                self.sig_memo[i][sig as usize] = OPEN;
                let driver = self.templates[t].sigs[sig as usize];
                let value = self.drive(inst, driver, of);
                self.sig_memo[i][sig as usize] = *value.as_ref().unwrap_or(&UNSET);
                value.map_err(|error| match error {
                    Error::Loop { mut signals } => {
                        signals.push(self.name(inst, of));
                        Error::Loop { signals }
                    }
                    other => other,
                })
            }
        }
    }

    fn drive(&mut self, inst: u32, driver: Option<Driver>, of: Ref) -> Result<u32, Error> {
        let i = inst as usize;
        match driver {
            None => Err(Error::Undriven { signal: self.name(inst, of), place: "by anything".into() }),
            Some(Driver::Is(value)) => self.resolve(inst, value),
            Some(Driver::Lane(node, lane)) => Ok(self.node_value(&self.insts[i], node) + lane),
            Some(Driver::Child(item, at, port)) => {
                let child = self.insts[i].children[item as usize] + at;
                self.resolve(child, Ref::Sig(port))
            }
            Some(Driver::Input) => {
                let Ref::Sig(port) = of else { return Ok(0) };
                let Inst { parent, item, row, col, .. } = self.insts[i];
                if parent == UNSET {
                    let found = self.inputs.iter().find(|(p, _)| *p == port);
                    return Ok(found.map_or(0, |(_, value)| *value));
                }
                let t = self.insts[parent as usize].template as usize;
                match self.templates[t].children[item as usize].inputs.get(&port) {
                    Some(LConn::In(value)) => self.resolve(parent, *value),
                    Some(LConn::Net { array, row_step, col_step, offset }) => {
                        let element = Ref::Elem(*array, row * row_step + col * col_step + offset);
                        self.resolve(parent, element)
                    }
                    None => Err(Error::Undriven { signal: self.name(inst, of), place: "by its instance".into() }),
                }
            }
        }
    }

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
}

impl Flat {
    pub fn is_const(&self, value: u32) -> bool {
        self.groups[self.group_of[value as usize] as usize].kind == Kind::Const
    }

    /// Value of a signal that has been resolved.
    pub fn known(&self, inst: u32, sig: u32) -> Option<u32> {
        Some(self.sig_memo[inst as usize][sig as usize]).filter(|v| *v < OPEN)
    }
}

impl Flat {
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
