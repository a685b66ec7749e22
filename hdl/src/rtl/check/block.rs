//! Combinational blocks: defaults first, no target read inside, something read at all.

use std::collections::BTreeSet;

use super::reads::Reads;
use super::visit_exprs;
use crate::rtl::emit::targets;
use crate::rtl::expr::SigId;
use crate::rtl::module::{Item, Module};
use crate::rtl::stmt::Stmt;

pub(super) fn check(module: &Module) -> Vec<String> {
    let mut problems = Vec::new();
    for item in &module.items {
        let Item::Comb(comment, stmts) = item else { continue };
        let all: BTreeSet<SigId> = targets(stmts).collect();
        let mut reads = Reads::default();
        visit_exprs(item, &mut |expr| reads.expr(expr));
        for id in reads.signals.intersection(&all) {
            let name = &module.signal(*id).name;
            problems.push(format!("block \"{comment}\": reads its own target {name}"));
        }
        if reads.signals.is_empty() && reads.elements.is_empty() {
            problems.push(format!("block \"{comment}\": reads no signal: use assignments"));
        }
        let mut set = BTreeSet::new();
        for stmt in stmts {
            if let Stmt::Set(id, _) = stmt {
                set.insert(*id);
                continue;
            }
            let inside: BTreeSet<SigId> = targets(std::slice::from_ref(stmt)).collect();
            for id in inside.difference(&set).copied().collect::<Vec<_>>() {
                let name = &module.signal(id).name;
                problems.push(format!("block \"{comment}\": {name} has no default before it is set in a branch"));
                set.insert(id);
            }
        }
    }
    problems
}
