//! Flattening: instances, and every operand of every instance followed through the hierarchy to the value it is.

mod elaborate;
mod find;

use std::collections::HashMap;

use hdl::rtl::module::SignalKind;
use hdl::rtl::{Bits, Design, Ty};

use self::elaborate::Elaborate;
use super::template::{Consts, Driver, LConn, LReg, Op, Ref, Template};
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
    /// Value of the reset of each instance, where there is one.
    pub resets: Vec<Option<u32>>,
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
        let resets = self.resets()?;
        for t in 0..self.templates.len() as u32 {
            for r in 0..self.templates[t as usize].regs.len() {
                let LReg { node, reset, enable, next } = self.templates[t as usize].regs[r].clone();
                let group = self.first_group[t as usize] + node;
                let enable = enable.map(|e| self.lanes(t, e.0)).transpose()?;
                let next = (self.lanes(t, next.0)?, next.1);
                let resets = self.of_template[t as usize].iter().map(|i| resets[*i as usize]).collect();
                self.regs.push(FlatReg { group, next, enable, reset, resets });
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

    /// The value of the reset of each instance: its own, or that of the instance around it.
    fn resets(&mut self) -> Result<Vec<Option<u32>>, Error> {
        let mut resets = Vec::with_capacity(self.insts.len());
        for i in 0..self.insts.len() {
            let Inst { parent, item, .. } = self.insts[i];
            let reset = if parent == UNSET {
                self.reset
            } else {
                let template = self.insts[parent as usize].template as usize;
                match self.templates[template].children[item as usize].reset {
                    Some(own) => Some(self.resolve(parent, own)?),
                    None => resets[parent as usize],
                }
            };
            resets.push(reset);
        }
        Ok(resets)
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
}
