//! Statements: what every signal of a block is, on every path.

use std::collections::BTreeMap;

use hdl::rtl::{BinOp, Stmt, Ty};

use super::build::Builder;
use super::{Op, Ref};
use crate::error::Error;

/// What signals are so far, by their number.
pub(super) type Env = BTreeMap<u32, Ref>;

impl Builder<'_> {
    pub(super) fn block(&mut self, stmts: &[Stmt], env: &mut Env) -> Result<(), Error> {
        for stmt in stmts {
            match stmt {
                Stmt::Set(id, e) => {
                    let value = self.expr(e)?;
                    env.insert(id.0, value);
                }
                Stmt::If(cond, then, otherwise) => {
                    let cond = self.expr(cond)?;
                    let mut yes = env.clone();
                    self.block(then, &mut yes)?;
                    self.block(otherwise, env)?;
                    self.merge(cond, yes, env)?;
                }
                Stmt::Case(selector, arms, default) => {
                    let select = self.arg(selector)?;
                    let before = env.clone();
                    let labels: usize = arms.iter().map(|(l, _)| l.len()).sum();
                    let complete = selector.width() < 20 && labels == 1 << selector.width();
                    self.block(default, env)?;
                    for (i, (labels, body)) in arms.iter().enumerate().rev() {
                        let mut arm = before.clone();
                        self.block(body, &mut arm)?;
                        if complete && i + 1 == arms.len() {
                            *env = arm;
                            continue;
                        }
                        let mut hit = None;
                        for label in labels {
                            let args = vec![select, self.arg(label)?];
                            let equal = self.node(Op::Bin(BinOp::Eq), Ty::bit(), args);
                            hit = Some(match hit {
                                None => equal,
                                Some(other) => {
                                    let args = vec![(other, Ty::bit()), (equal, Ty::bit())];
                                    self.node(Op::Bin(BinOp::Or), Ty::bit(), args)
                                }
                            });
                        }
                        if let Some(hit) = hit {
                            self.merge(hit, arm, env)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// `env` becomes `cond ? yes : env`.
    fn merge(&mut self, cond: Ref, yes: Env, env: &mut Env) -> Result<(), Error> {
        let missing = env.keys().find(|k| !yes.contains_key(k)).or(yes.keys().find(|k| !env.contains_key(k)));
        if let Some(&sig) = missing {
            let module = &self.template.module;
            let signal = format!("{}.{}", module.name, module.signals[sig as usize].name);
            return Err(Error::Undriven { signal, place: "on every path of its block: set it first".into() });
        }
        for (sig, then) in yes {
            let ty = self.template.module.signals[sig as usize].ty;
            let otherwise = env[&sig];
            let value = self.mux(cond, then, otherwise, ty);
            env.insert(sig, value);
        }
        Ok(())
    }
}
