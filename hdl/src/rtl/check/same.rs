//! One name, one module: everything below a module that has the same name must have the same text.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::rtl::emit::{Header, emit};
use crate::rtl::module::Module;

pub(super) fn check(module: &Module) -> Vec<String> {
    let mut problems = Vec::new();
    let mut found: BTreeMap<&str, &Arc<Module>> = BTreeMap::new();
    let mut pending: Vec<&Arc<Module>> = module.instances().map(|i| &i.module).collect();
    let mut done = Vec::new();
    while let Some(below) = pending.pop() {
        if done.contains(&Arc::as_ptr(below)) {
            continue;
        }
        done.push(Arc::as_ptr(below));
        pending.extend(below.instances().map(|i| &i.module));
        if below.name == module.name {
            problems.push(format!("contains another module of its own name {}", below.name));
        }
        if let Some(other) = found.insert(&below.name, below)
            && !same(other, below)
        {
            problems.push(format!("contains two different modules called {}", below.name));
        }
    }
    problems
}

fn same(a: &Module, b: &Module) -> bool {
    let text = |module| emit(module, &Header::default()).ok();
    text(a) == text(b)
}
