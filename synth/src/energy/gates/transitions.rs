//! Energies of a cell's transitions.

use super::kind::{Event, Gate, Kind};
use crate::energy::netlist::Net;

#[inline]
pub(super) fn index(nets: &[Net], values: &[bool]) -> usize {
    nets.iter().enumerate().fold(0, |index, (i, net)| index | usize::from(values[*net as usize]) << i)
}

/// Inputs and outputs of a cell as an index, from its inputs and state.
#[inline]
pub(super) fn pins(kind: &Kind, index: usize) -> usize {
    let n = kind.inputs.len();
    let inputs = index & !(usize::MAX << n);
    kind.outputs.iter().enumerate().fold(inputs, |pins, (i, (_, values))| pins | usize::from(values[index]) << (n + i))
}

/// Energy of one pin's transition under the conditions that hold.
pub(super) fn pin_event(kind: &Kind, gate: &Gate, pin: usize, state: usize, rises: bool) -> f64 {
    let events = kind.internal.iter().zip(&gate.events).filter(|(e, _)| e.pin == pin);
    let holds = |e: &Event| e.when.as_ref().is_none_or(|w| w[state]);
    events.filter(|(e, _)| holds(e)).map(|(_, pj)| pj[usize::from(rises)]).sum()
}

/// Energy of the inputs' transitions.
pub(super) fn inputs_of(kind: &Kind, gate: &Gate, now: usize, then: usize) -> f64 {
    let changed = now ^ then;
    let inputs = (0..kind.inputs.len()).filter(|pin| changed >> pin & 1 == 1);
    inputs.map(|pin| pin_event(kind, gate, pin, now, now >> pin & 1 == 1)).sum()
}

/// Energy of the outputs' transitions: the mean over the related inputs that changed and the conditions that hold.
pub(super) fn outputs_of(kind: &Kind, gate: &Gate, now: usize, then: usize) -> f64 {
    let (changed, n) = (now ^ then, kind.inputs.len());
    let mut sum = 0.0;
    for out in (0..kind.outputs.len()).filter(|out| changed >> (n + out) & 1 == 1) {
        let rises = usize::from(now >> (n + out) & 1 == 1);
        let mut best = [(0.0, 0.0f64); 3];
        for (event, pj) in kind.internal.iter().zip(&gate.events).filter(|(e, _)| e.pin == n + out) {
            let holds = event.when.as_ref().is_none_or(|w| w[now] || w[then]);
            let moved = event.related.is_none_or(|pin| changed >> pin & 1 == 1);
            let rank = if holds && moved {
                0
            } else if moved {
                1
            } else {
                2
            };
            best[rank].0 += 1.0;
            best[rank].1 += pj[rises];
        }
        sum += best.iter().find(|(count, _)| *count > 0.0).map_or(0.0, |(count, total)| total / count);
    }
    sum
}

pub(super) fn events(kind: &Kind, gate: &Gate, now: usize, then: usize) -> f64 {
    inputs_of(kind, gate, now, then) + outputs_of(kind, gate, now, then)
}
