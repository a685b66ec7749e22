//! Statements of combinational blocks: assignment, `if`, `case`.

use super::bits::Bits;
use super::expr::{Expr, Node, SigId};

/// A statement.
#[derive(Clone, Debug)]
pub enum Stmt {
    /// `target = value`.
    Set(SigId, Expr),
    /// `if (cond) then else otherwise`.
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// `case (selector)`: arms in order, each with its constant labels, then the default.
    Case(Expr, Vec<(Vec<Expr>, Vec<Stmt>)>, Vec<Stmt>),
}

/// A list of statements under construction.
#[derive(Debug, Default)]
pub struct Block {
    pub(super) stmts: Vec<Stmt>,
    pub(super) problems: Vec<String>,
}

impl Block {
    /// `target = value`; both of the same type.
    pub fn set(&mut self, target: &Expr, value: &Expr) {
        match target.node() {
            Node::Sig(id, _) if target.ty() == value.ty() => self.stmts.push(Stmt::Set(*id, value.clone())),
            Node::Sig(..) => self.problems.push(format!("a {} is set to a {}: {value:?}", target.ty(), value.ty())),
            _ => self.problems.push("only a signal can be set".into()),
        }
    }

    /// `if (cond) then`.
    pub fn when(&mut self, cond: &Expr, then: impl FnOnce(&mut Self)) {
        self.when_else(cond, then, |_| {});
    }

    /// `if (cond) then else otherwise`.
    pub fn when_else(&mut self, cond: &Expr, then: impl FnOnce(&mut Self), otherwise: impl FnOnce(&mut Self)) {
        if cond.width() != 1 {
            self.problems.push(format!("condition of type {}: one bit wanted", cond.ty()));
        }
        let then = self.nested(then);
        let otherwise = self.nested(otherwise);
        self.stmts.push(Stmt::If(cond.clone(), then, otherwise));
    }

    /// `case (selector)`; labels are constants of the selector's type, no value twice.
    pub fn case(&mut self, selector: &Expr, arms: impl FnOnce(&mut Arms)) {
        let mut list = Arms { arms: Vec::new(), default: Vec::new(), problems: Vec::new() };
        arms(&mut list);
        self.problems.append(&mut list.problems);
        let mut seen: Vec<&Bits> = Vec::new();
        for label in list.arms.iter().flat_map(|(labels, _)| labels) {
            match label.node() {
                Node::Const(bits) | Node::Named(bits, _) if label.ty() == selector.ty() => {
                    if seen.contains(&bits) {
                        self.problems.push(format!("case label {bits:?} stands twice"));
                    }
                    seen.push(bits);
                }
                _ => self.problems.push(format!("case label {label:?}: a constant of type {} wanted", selector.ty())),
            }
        }
        self.stmts.push(Stmt::Case(selector.clone(), list.arms, list.default));
    }

    fn nested(&mut self, body: impl FnOnce(&mut Self)) -> Vec<Stmt> {
        let mut block = Self::default();
        body(&mut block);
        self.problems.append(&mut block.problems);
        block.stmts
    }
}

/// The arms of a `case` under construction.
#[derive(Debug)]
pub struct Arms {
    arms: Vec<(Vec<Expr>, Vec<Stmt>)>,
    default: Vec<Stmt>,
    problems: Vec<String>,
}

impl Arms {
    /// An arm for one label.
    pub fn arm(&mut self, label: &Expr, body: impl FnOnce(&mut Block)) {
        self.arm_of(std::slice::from_ref(label), body);
    }

    /// An arm for several labels.
    pub fn arm_of(&mut self, labels: &[Expr], body: impl FnOnce(&mut Block)) {
        let mut block = Block::default();
        body(&mut block);
        self.problems.append(&mut block.problems);
        self.arms.push((labels.to_vec(), block.stmts));
    }

    /// What happens for every other value; nothing, if it is not called.
    pub fn default(&mut self, body: impl FnOnce(&mut Block)) {
        let mut block = Block::default();
        body(&mut block);
        self.problems.append(&mut block.problems);
        self.default = block.stmts;
    }
}
