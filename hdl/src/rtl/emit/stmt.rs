//! Combinational blocks.

use super::Writer;
use super::text::{comment, line};
use crate::rtl::expr::SigId;
use crate::rtl::stmt::Stmt;

/// Signals that statements set, in order, with repetition.
pub(in crate::rtl) fn targets(stmts: &[Stmt]) -> Box<dyn Iterator<Item = SigId> + '_> {
    Box::new(stmts.iter().flat_map(|stmt| -> Box<dyn Iterator<Item = SigId> + '_> {
        match stmt {
            Stmt::Set(id, _) => Box::new(std::iter::once(*id)),
            Stmt::If(_, then, otherwise) => Box::new(targets(then).chain(targets(otherwise))),
            Stmt::Case(_, arms, default) => {
                Box::new(arms.iter().flat_map(|(_, body)| targets(body)).chain(targets(default)))
            }
        }
    }))
}

impl Writer<'_> {
    /// `always @*` under its comment.
    pub(super) fn comb(&mut self, text: &str, stmts: &[Stmt]) {
        self.in_comb = true;
        let mut body = String::new();
        self.stmts(&mut body, 4, stmts);
        self.in_comb = false;
        let before = self.out.len();
        self.flush_declarations();
        if self.out.len() > before {
            self.out.push('\n');
        }
        comment(&mut self.out, 2, text);
        line(&mut self.out, 2, "always @* begin");
        self.out.push_str(&body);
        line(&mut self.out, 2, "end");
    }

    fn stmts(&mut self, out: &mut String, indent: usize, stmts: &[Stmt]) {
        for stmt in stmts {
            match stmt {
                Stmt::Set(..) => {
                    let text = self.set(stmt);
                    line(out, indent, &text);
                }
                Stmt::If(cond, then, otherwise) => {
                    let cond = self.plain(cond).text;
                    self.branches(out, indent, &format!("if ({cond})"), then, otherwise);
                }
                Stmt::Case(selector, arms, default) => {
                    if arms.is_empty() {
                        self.stmts(out, indent, default);
                        continue;
                    }
                    self.target = "case".into();
                    let selector = self.plain(selector).text;
                    line(out, indent, &format!("case ({selector})"));
                    for (labels, body) in arms {
                        let labels: Vec<_> = labels.iter().map(|l| self.plain(l).text).collect();
                        self.arm(out, indent + 2, &labels.join(", "), body);
                    }
                    self.arm(out, indent + 2, "default", default);
                    line(out, indent, "endcase");
                }
            }
        }
    }

    fn set(&mut self, stmt: &Stmt) -> String {
        let Stmt::Set(id, value) = stmt else { return String::new() };
        self.target = self.name(*id).to_string();
        let value = self.root(value).text;
        format!("{} = {value};", self.mention(*id))
    }

    /// `if`, with `else if` chains kept flat.
    fn branches(&mut self, out: &mut String, indent: usize, head: &str, then: &[Stmt], otherwise: &[Stmt]) {
        line(out, indent, &format!("{head} begin"));
        self.stmts(out, indent + 2, then);
        match otherwise {
            [] => line(out, indent, "end"),
            [Stmt::If(cond, then, otherwise)] => {
                let cond = self.plain(cond).text;
                self.branches(out, indent, &format!("end else if ({cond})"), then, otherwise);
            }
            _ => {
                line(out, indent, "end else begin");
                self.stmts(out, indent + 2, otherwise);
                line(out, indent, "end");
            }
        }
    }

    fn arm(&mut self, out: &mut String, indent: usize, label: &str, body: &[Stmt]) {
        match body {
            [] => line(out, indent, &format!("{label}: ;")),
            [stmt @ Stmt::Set(..)] => {
                let text = self.set(stmt);
                line(out, indent, &format!("{label}: {text}"));
            }
            _ => {
                line(out, indent, &format!("{label}: begin"));
                self.stmts(out, indent + 2, body);
                line(out, indent, "end");
            }
        }
    }
}
