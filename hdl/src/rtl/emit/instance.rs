//! Instances, grids of instances, and the strips that join net arrays to packed vectors.

use super::Writer;
use super::text::line;
use crate::rtl::expr::ArrayId;
use crate::rtl::module::{Conn, Instance, SignalKind, Strip};

/// Strips longer than this are written as a loop.
const UNROLLED_WORDS: u32 = 4;

impl Writer<'_> {
    /// One instance, a line of them in a loop, or a grid in two nested loops.
    pub(super) fn instance(&mut self, instance: &Instance) {
        let stem = instance.name.strip_prefix("u_").unwrap_or(&instance.name);
        self.target = stem.to_string();
        let Some((rows, cols)) = instance.grid else {
            let ports = self.connections(instance, "", "");
            self.flush_declarations();
            self.write_instance(2, instance, &ports);
            return;
        };
        let label = format!("g_{stem}");
        let loops: Vec<(String, String, u32)> = if rows > 1 && cols > 1 {
            let name =
                |m: &mut Self, axis: &str, count| (m.genvar(axis), m.names.fresh(&format!("{label}_{axis}")), count);
            vec![name(self, "row", rows), name(self, "col", cols)]
        } else {
            vec![(self.genvar("i"), self.names.fresh(&label), rows * cols)]
        };
        let axis = |wanted: usize, count: u32| match (loops.len(), count) {
            (2, _) => loops[wanted].0.as_str(),
            (_, 1) => "",
            _ => loops[0].0.as_str(),
        };
        let ports = self.connections(instance, axis(0, rows), axis(1, cols));
        self.flush_declarations();
        line(&mut self.out, 2, "generate");
        let mut indent = 4;
        for (i, label, count) in &loops {
            line(&mut self.out, indent, &format!("for ({i} = 0; {i} < {count}; {i} = {i} + 1) begin : {label}"));
            indent += 2;
        }
        self.write_instance(indent, instance, &ports);
        for _ in &loops {
            indent -= 2;
            line(&mut self.out, indent, "end");
        }
        line(&mut self.out, 2, "endgenerate");
    }

    fn write_instance(&mut self, indent: usize, instance: &Instance, ports: &[(String, String)]) {
        let head = format!("{} {}", instance.module.name, instance.name);
        if ports.is_empty() {
            return line(&mut self.out, indent, &format!("{head} ();"));
        }
        line(&mut self.out, indent, &format!("{head} ("));
        let column = ports.iter().map(|(port, _)| port.len()).max().unwrap_or(0);
        for (i, (port, value)) in ports.iter().enumerate() {
            let comma = if i + 1 < ports.len() { "," } else { "" };
            line(&mut self.out, indent + 2, &format!(".{port:<column$} ({value}){comma}"));
        }
        line(&mut self.out, indent, ");");
    }

    fn connections(&mut self, instance: &Instance, row: &str, col: &str) -> Vec<(String, String)> {
        let mut ports = Vec::new();
        for (wanted, name) in [(instance.module.has_clock, "clk_i"), (instance.module.has_reset, "rst_ni")] {
            if wanted && instance.conns.iter().all(|(port, _)| port != name) {
                ports.push((name.to_string(), name.to_string()));
            }
        }
        for (port, conn) in &instance.conns {
            let value = match conn {
                Conn::In(expr) => {
                    // yosys 0.23 fails on `$unsigned(...)` in a port list.
                    let text = self.root(expr);
                    if text.signed { self.hoist(expr) } else { text.text }
                }
                Conn::Out(id) => self.mention(*id).to_string(),
                Conn::Net { array, row_step, col_step, offset } => {
                    let index = index(&[(row, *row_step), (col, *col_step)], *offset);
                    let output = instance.module.port(port).is_some_and(|(_, s)| s.kind == SignalKind::Output);
                    if output { self.driven_element(*array, &index) } else { self.element(*array, &index) }
                }
            };
            ports.push((port.clone(), value));
        }
        ports
    }

    /// A loop variable, declared once a module.
    fn genvar(&mut self, wanted: &str) -> String {
        let name = format!("{wanted}_g");
        if self.genvars.contains(wanted) {
            return wanted.to_string();
        }
        if self.genvars.contains(&name) {
            return name;
        }
        let fresh = self.names.fresh(wanted);
        let name = if fresh == wanted { fresh } else { self.names.fresh(&name) };
        line(&mut self.out, 2, &format!("genvar {name};"));
        self.genvars.insert(name.clone());
        name
    }

    /// Array elements from the words of a vector.
    pub(super) fn split(&mut self, strip: &Strip) {
        self.read[strip.vector.0 as usize].iter_mut().for_each(|bit| *bit = true);
        self.strip(strip, true);
    }

    /// The words of a vector from array elements.
    pub(super) fn join(&mut self, strip: &Strip) {
        self.arrays_read[strip.array.0 as usize] = true;
        self.strip(strip, false);
    }

    fn strip(&mut self, strip: &Strip, split: bool) {
        let vector = self.mention(strip.vector).to_string();
        let width = self.module.arrays[strip.array.0 as usize].ty.width;
        let line_of = |element: String, word: String| match split {
            true => format!("assign {element} = {word};"),
            false => format!("assign {word} = {element};"),
        };
        if strip.count <= UNROLLED_WORDS {
            let mut lines = Vec::new();
            for i in 0..strip.count {
                let element = self.driven_element(strip.array, &(strip.offset + i * strip.stride).to_string());
                let word = match (strip.count, width) {
                    (1, _) => vector.clone(),
                    (_, 1) => format!("{vector}[{i}]"),
                    _ => format!("{vector}[{}:{}]", (i + 1) * width - 1, i * width),
                };
                lines.push(line_of(element, word));
            }
            self.flush_declarations();
            lines.iter().for_each(|text| line(&mut self.out, 2, text));
            return;
        }
        let i = self.genvar("i");
        let element = self.strip_element(strip.array, &i, strip);
        let word = if width == 1 { format!("{vector}[{i}]") } else { format!("{vector}[{i}*{width} +: {width}]") };
        self.flush_declarations();
        let label = self.names.fresh(&format!("g_{vector}"));
        line(&mut self.out, 2, "generate");
        line(&mut self.out, 4, &format!("for ({i} = 0; {i} < {}; {i} = {i} + 1) begin : {label}", strip.count));
        line(&mut self.out, 6, &line_of(element, word));
        line(&mut self.out, 4, "end");
        line(&mut self.out, 2, "endgenerate");
    }

    fn strip_element(&mut self, array: ArrayId, i: &str, strip: &Strip) -> String {
        self.driven_element(array, &index(&[(i, strip.stride)], strip.offset))
    }
}

/// `row*5 + col + 3`, without the terms that are zero; an axis of length 1 has no name and stays at 0.
fn index(terms: &[(&str, u32)], offset: u32) -> String {
    let mut parts: Vec<String> = terms
        .iter()
        .filter(|(name, step)| *step != 0 && !name.is_empty())
        .map(|(name, step)| if *step == 1 { (*name).to_string() } else { format!("{name}*{step}") })
        .collect();
    if offset != 0 || parts.is_empty() {
        parts.push(offset.to_string());
    }
    parts.join(" + ")
}
