//! Levelisation: groups in an order in which every operand comes first; groups that feed themselves (chains through
//! a grid) are split by lane.

use std::collections::{HashMap, HashSet};

use super::flatten::{Flat, Kind};
use super::template::Ref;
use crate::error::Error;

/// Instances of a group to evaluate together.
#[derive(Debug)]
pub(super) struct Batch {
    pub level: u32,
    pub group: u32,
    /// Instances; `None` means all.
    pub lanes: Option<Vec<u32>>,
}

pub(super) fn schedule(flat: &Flat) -> Result<Vec<Batch>, Error> {
    let comb = |g: u32| matches!(flat.groups[g as usize].kind, Kind::Comb(_));
    let deps: Vec<Vec<u32>> = flat
        .groups
        .iter()
        .map(|group| {
            let mut deps: Vec<u32> =
                group.args.iter().flatten().map(|v| flat.group_of[*v as usize]).filter(|g| comb(*g)).collect();
            deps.sort_unstable();
            deps.dedup();
            deps
        })
        .collect();
    let mut level = vec![0u32; flat.groups.len()];
    let mut batches = Vec::new();
    for component in components(&deps) {
        let [g] = component[..] else {
            split(flat, &component, &deps, &mut level, &mut batches)?;
            continue;
        };
        if !comb(g) {
            continue;
        }
        if deps[g as usize].contains(&g) {
            split(flat, &component, &deps, &mut level, &mut batches)?;
            continue;
        }
        level[g as usize] = 1 + deps[g as usize].iter().map(|d| level[*d as usize]).max().unwrap_or(0);
        batches.push(Batch { level: level[g as usize], group: g, lanes: None });
    }
    batches.sort_by_key(|b| (b.level, b.group));
    Ok(batches)
}

/// Strongly connected components, operands first (Tarjan, iterative).
fn components(deps: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let n = deps.len();
    let mut index = vec![0u32; n]; // 0 is unvisited
    let mut low = vec![0u32; n];
    let mut on_stack = vec![false; n];
    let (mut stack, mut found, mut counter) = (Vec::new(), Vec::new(), 0);
    for root in 0..n {
        if index[root] != 0 {
            continue;
        }
        let mut calls = vec![(root, 0)];
        while let Some(&mut (v, ref mut next)) = calls.last_mut() {
            if *next == 0 {
                counter += 1;
                index[v] = counter;
                low[v] = counter;
                stack.push(v);
                on_stack[v] = true;
            }
            if let Some(&w) = deps[v].get(*next) {
                *next += 1;
                let w = w as usize;
                if index[w] == 0 {
                    calls.push((w, 0));
                } else if on_stack[w] {
                    low[v] = low[v].min(index[w]);
                }
                // A node is entered once: `next` is above 0 from here on.
                continue;
            }
            *next += 1;
            if low[v] == index[v] {
                let mut component = Vec::new();
                while let Some(w) = stack.pop() {
                    on_stack[w] = false;
                    component.push(w as u32);
                    if w == v {
                        break;
                    }
                }
                found.push(component);
            }
            calls.pop();
            if let Some(&mut (parent, _)) = calls.last_mut() {
                low[parent] = low[parent].min(low[v]);
            }
        }
    }
    found
}

/// Levels of single instances inside a component that feeds itself.
fn split(
    flat: &Flat,
    component: &[u32],
    deps: &[Vec<u32>],
    level: &mut [u32],
    batches: &mut Vec<Batch>,
) -> Result<(), Error> {
    let place: HashMap<u32, usize> = component.iter().enumerate().map(|(i, g)| (*g, i)).collect();
    let inside = |g: u32| place.contains_key(&g);
    let outside = component.iter().flat_map(|g| &deps[*g as usize]).filter(|d| !inside(**d));
    let base = 1 + outside.map(|d| level[*d as usize]).max().unwrap_or(0);
    // Units are (group, instance), numbered through the component.
    let mut units = Vec::new();
    let mut first_unit = Vec::new();
    for &g in component {
        first_unit.push(units.len());
        units.extend((0..flat.groups[g as usize].instances).map(|i| (g, i)));
    }
    let unit_of = |value: u32| {
        let g = flat.group_of[value as usize];
        let group = &flat.groups[g as usize];
        Some(first_unit[*place.get(&g)?] + ((value - group.first) / group.per) as usize)
    };
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); units.len()];
    let mut waits = vec![0u32; units.len()];
    for (u, (g, i)) in units.iter().enumerate() {
        for arg in &flat.groups[*g as usize].args {
            if let Some(on) = unit_of(arg[*i as usize]) {
                readers[on].push(u);
                waits[u] += 1;
            }
        }
    }
    let mut ready: Vec<usize> = (0..units.len()).filter(|u| waits[*u] == 0).collect();
    let (mut now, mut done) = (base, 0);
    while !ready.is_empty() {
        ready.sort_unstable();
        done += ready.len();
        for run in ready.chunk_by(|a, b| units[*a].0 == units[*b].0) {
            let lanes = run.iter().map(|u| units[*u].1).collect();
            batches.push(Batch { level: now, group: units[run[0]].0, lanes: Some(lanes) });
        }
        let mut next = Vec::new();
        for r in ready.iter().flat_map(|u| &readers[*u]) {
            waits[*r] -= 1;
            if waits[*r] == 0 {
                next.push(*r);
            }
        }
        ready = next;
        now += 1;
    }
    if done < units.len() {
        return Err(find_loop(flat, &units, &waits, &readers));
    }
    for g in component {
        level[*g as usize] = now;
    }
    Ok(())
}

/// Names a loop among the units that never became ready.
fn find_loop(flat: &Flat, units: &[(u32, u32)], waits: &[u32], readers: &[Vec<usize>]) -> Error {
    // From any stuck unit walk backwards along stuck units until one repeats.
    let mut source = vec![usize::MAX; units.len()];
    for (u, list) in readers.iter().enumerate() {
        for r in list.iter().filter(|r| waits[u] > 0 && waits[**r] > 0) {
            source[*r] = u;
        }
    }
    let mut seen = vec![false; units.len()];
    let mut at = waits.iter().position(|w| *w > 0).unwrap_or(0);
    while !seen[at] {
        seen[at] = true;
        at = source[at];
    }
    let mut values = HashSet::new();
    let start = at;
    loop {
        let group = &flat.groups[units[at].0 as usize];
        let first = group.first + units[at].1 * group.per;
        values.extend(first..first + group.per);
        at = source[at];
        if at == start {
            break;
        }
    }
    let mut signals: Vec<String> = Vec::new();
    for inst in 0..flat.insts.len() as u32 {
        for sig in 0..flat.templates[flat.insts[inst as usize].template as usize].sigs.len() as u32 {
            if flat.known(inst, sig).is_some_and(|v| values.contains(&v)) {
                signals.push(flat.name(inst, Ref::Sig(sig)));
            }
        }
    }
    signals.sort();
    signals.truncate(12);
    Error::Loop { signals }
}
