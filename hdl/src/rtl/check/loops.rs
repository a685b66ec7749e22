//! Combinational loops, inside a module and through its instances.

use std::collections::{BTreeMap, BTreeSet};

use super::drivers::{grid_elements, strip_elements};
use super::reads::Reads;
use crate::rtl::expr::{ArrayId, Expr, SigId};
use crate::rtl::module::{Conn, Instance, Item, Module, SignalKind};
use crate::rtl::stmt::Stmt;

/// A signal or an array element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Net {
    Signal(SigId),
    Element(ArrayId, u32),
}

/// What each net depends on within a cycle.
type Graph = BTreeMap<Net, BTreeSet<Net>>;

/// For each output of a module, the inputs on which it depends within a cycle.
type Summary = BTreeMap<String, BTreeSet<String>>;

/// Summaries by address of the module, so that each is made once.
type Summaries = BTreeMap<usize, Summary>;

pub(super) fn check(module: &Module) -> Vec<String> {
    let graph = graph(module, &mut Summaries::new());
    match find_loop(&graph) {
        Some(nets) => {
            let names: Vec<_> = nets.iter().map(|net| name(module, *net)).collect();
            vec![format!("combinational loop through {}: put a register into it", names.join(" <- "))]
        }
        None => Vec::new(),
    }
}

/// By array: whether an element depends on another one of the same array within a cycle.
pub(in crate::rtl) fn chained_arrays(module: &Module) -> Vec<bool> {
    let mut whole = Graph::new();
    let collapse = |net: &Net| match net {
        Net::Element(array, _) => Net::Element(*array, 0),
        signal => *signal,
    };
    for (net, sources) in &graph(module, &mut Summaries::new()) {
        whole.entry(collapse(net)).or_default().extend(sources.iter().map(collapse));
    }
    let arrays = (0..module.arrays.len() as u32).map(|i| Net::Element(ArrayId(i), 0));
    arrays.map(|array| reached(&whole, array).contains(&array)).collect()
}

/// Everything on which a net depends within a cycle; the net itself only if it is on a loop.
fn reached(graph: &Graph, from: Net) -> BTreeSet<Net> {
    let mut found = BTreeSet::new();
    let mut pending = vec![from];
    while let Some(net) = pending.pop() {
        let next = graph.get(&net).into_iter().flatten();
        pending.extend(next.filter(|n| found.insert(**n)));
    }
    found
}

fn name(module: &Module, net: Net) -> String {
    match net {
        Net::Signal(id) => module.signal(id).name.clone(),
        Net::Element(array, index) => format!("{}[{index}]", module.arrays[array.0 as usize].name),
    }
}

fn reads_of<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> BTreeSet<Net> {
    let mut reads = Reads::default();
    exprs.into_iter().for_each(|expr| reads.expr(expr));
    let elements = reads.elements.iter().map(|(array, index)| Net::Element(*array, *index));
    reads.signals.iter().map(|id| Net::Signal(*id)).chain(elements).collect()
}

fn graph(module: &Module, summaries: &mut Summaries) -> Graph {
    let mut graph = Graph::new();
    for item in &module.items {
        match item {
            Item::Section(_) | Item::Reg(_) | Item::Memory(_) => {}
            Item::Assign(id, value) => graph.entry(Net::Signal(*id)).or_default().extend(reads_of([value])),
            Item::AssignElem(array, index, value) => {
                graph.entry(Net::Element(*array, *index)).or_default().extend(reads_of([value]));
            }
            Item::Comb(_, stmts) => block(stmts, &mut Vec::new(), &mut graph),
            Item::Split(strip) => {
                for index in strip_elements(strip) {
                    graph.entry(Net::Element(strip.array, index)).or_default().insert(Net::Signal(strip.vector));
                }
            }
            Item::Join(strip) => {
                let elements = strip_elements(strip).map(|index| Net::Element(strip.array, index));
                graph.entry(Net::Signal(strip.vector)).or_default().extend(elements);
            }
            Item::Instance(instance) => through(instance, summaries, &mut graph),
        }
    }
    graph
}

/// A target depends on the values it is set to and on the conditions around them.
fn block<'a>(stmts: &'a [Stmt], conditions: &mut Vec<&'a Expr>, graph: &mut Graph) {
    for stmt in stmts {
        match stmt {
            Stmt::Set(id, value) => {
                let reads = reads_of(conditions.iter().copied().chain([value]));
                graph.entry(Net::Signal(*id)).or_default().extend(reads);
            }
            Stmt::If(cond, then, otherwise) => {
                conditions.push(cond);
                block(then, conditions, graph);
                block(otherwise, conditions, graph);
                conditions.pop();
            }
            Stmt::Case(selector, arms, default) => {
                conditions.push(selector);
                arms.iter().for_each(|(_, body)| block(body, conditions, graph));
                block(default, conditions, graph);
                conditions.pop();
            }
        }
    }
}

/// Dependencies through an instance, or through every instance of a grid.
fn through(instance: &Instance, summaries: &mut Summaries, graph: &mut Graph) {
    let summary = summary(&instance.module, summaries);
    let nets = |port: &str| -> Vec<BTreeSet<Net>> {
        match instance.conns.iter().find(|(name, _)| name == port) {
            Some((_, Conn::In(expr))) => vec![reads_of([expr])],
            Some((_, Conn::Out(id))) => vec![BTreeSet::from([Net::Signal(*id)])],
            Some((_, Conn::Net { array, row_step, col_step, offset })) => {
                let elements = grid_elements(instance.grid, *row_step, *col_step, *offset);
                elements.map(|index| BTreeSet::from([Net::Element(*array, index)])).collect()
            }
            None => Vec::new(),
        }
    };
    for (output, inputs) in &summary {
        let targets = nets(output);
        for input in inputs {
            let sources = nets(input);
            for (i, target) in targets.iter().enumerate() {
                let source = if sources.len() == 1 { sources.first() } else { sources.get(i) };
                for net in target {
                    graph.entry(*net).or_default().extend(source.into_iter().flatten());
                }
            }
        }
    }
}

fn summary(module: &Module, summaries: &mut Summaries) -> Summary {
    let key = std::ptr::from_ref(module) as usize;
    if let Some(known) = summaries.get(&key) {
        return known.clone();
    }
    let graph = graph(module, summaries);
    let mut summary = Summary::new();
    for (id, port) in module.ports().filter(|(_, port)| port.kind == SignalKind::Output) {
        let reached = reached(&graph, Net::Signal(id));
        let inputs =
            module.ports().filter(|(id, p)| p.kind == SignalKind::Input && reached.contains(&Net::Signal(*id)));
        summary.insert(port.name.clone(), inputs.map(|(_, p)| p.name.clone()).collect());
    }
    summaries.insert(key, summary.clone());
    summary
}

/// The nets of one loop, in order, if there is one: depth-first search with an explicit stack.
fn find_loop(graph: &Graph) -> Option<Vec<Net>> {
    let mut done = BTreeSet::new();
    for start in graph.keys() {
        let mut path = vec![*start];
        let mut on_path = BTreeSet::from([*start]);
        let mut rest: Vec<Vec<Net>> = vec![successors(graph, *start)];
        while let Some(choices) = rest.last_mut() {
            match choices.pop() {
                Some(net) if on_path.contains(&net) => {
                    let from = path.iter().position(|n| *n == net).unwrap_or(0);
                    return Some(path.split_off(from));
                }
                Some(net) if done.contains(&net) => {}
                Some(net) => {
                    path.push(net);
                    on_path.insert(net);
                    rest.push(successors(graph, net));
                }
                None => {
                    rest.pop();
                    if let Some(net) = path.pop() {
                        on_path.remove(&net);
                        done.insert(net);
                    }
                }
            }
        }
    }
    None
}

fn successors(graph: &Graph, net: Net) -> Vec<Net> {
    graph.get(&net).into_iter().flatten().copied().collect()
}
