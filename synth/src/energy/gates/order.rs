//! Order of evaluation.

use super::kind::Gate;
use crate::energy::netlist::Net;

/// Cells so that each comes after those that drive it.
pub(super) fn order(gates: Vec<Gate>, nets: usize) -> Result<Vec<Gate>, String> {
    let mut driver = vec![usize::MAX; nets];
    for (i, gate) in gates.iter().enumerate() {
        for net in gate.outputs.iter().filter(|net| **net != Net::MAX) {
            driver[*net as usize] = i;
        }
    }
    let mut level = vec![0u32; gates.len()];
    let mut waits: Vec<u32> = vec![0; gates.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); gates.len()];
    for (i, gate) in gates.iter().enumerate() {
        for net in &gate.inputs {
            if let Some(from) = Some(driver[*net as usize]).filter(|d| *d != usize::MAX) {
                readers[from].push(i);
                waits[i] += 1;
            }
        }
    }
    let mut ready: Vec<usize> = (0..gates.len()).filter(|i| waits[*i] == 0).collect();
    let mut done = 0;
    while let Some(i) = ready.pop() {
        done += 1;
        for r in readers[i].clone() {
            level[r] = level[r].max(level[i] + 1);
            waits[r] -= 1;
            if waits[r] == 0 {
                ready.push(r);
            }
        }
    }
    if done < gates.len() {
        return Err(format!("{} cells are in a combinational loop", gates.len() - done));
    }
    let mut numbered: Vec<(u32, usize, Gate)> = gates.into_iter().enumerate().map(|(i, g)| (level[i], i, g)).collect();
    numbered.sort_by_key(|(level, i, _)| (*level, *i));
    Ok(numbered.into_iter().map(|(_, _, gate)| gate).collect())
}
