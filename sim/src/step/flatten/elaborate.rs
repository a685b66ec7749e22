//! Instances of a design, each with the template of its module.

use std::collections::HashMap;
use std::sync::Arc;

use hdl::rtl::module::Module;

use super::super::template;
use super::{Flat, Inst, UNSET};
use crate::error::Error;

pub(super) struct Elaborate<'a> {
    pub flat: &'a mut Flat,
    pub known: HashMap<*const Module, u32>,
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
    pub fn run(&mut self, top: &Arc<Module>) -> Result<(), Error> {
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
