//! What must agree in a cycle.

use sim::engine::frame::{Field, Frame};

use crate::probes::{SUM, SUM_ADDR, SUM_BANK, SUM_VALID};

/// Which bits of an output frame must agree in a cycle.
///
/// Probes carry meaning only while valid. Ports agree always if both models start at zero; after a random start the
/// payload of a stream is anything until it is valid, and before the first clock edge in reset so is everything.
#[derive(Clone, Debug)]
pub struct Mask {
    always: Vec<u64>,
    gated: Vec<(Field, Vec<u64>)>,
    from_cycle: u64,
    is_everything: bool,
}

impl Mask {
    /// The mask of a tile engine's outputs; `random` after random starts.
    pub fn engine(outputs: &Frame, random: bool) -> Self {
        let mut always = vec![0; outputs.words];
        let mut gated = Vec::new();
        let groups =
            [(SUM_VALID, vec![SUM, SUM_ADDR, SUM_BANK]), ("m_axis_tvalid", vec!["m_axis_tdata", "m_axis_tlast"])];
        for (valid, payload) in groups {
            let is_gated = valid == SUM_VALID || random;
            let Some(valid) = outputs.field(valid).filter(|_| is_gated) else { continue };
            let mut mask = vec![0; outputs.words];
            outputs.fields.iter().filter(|f| payload.contains(&f.name.as_str())).for_each(|f| f.cover(&mut mask));
            gated.push((valid.clone(), mask));
        }
        for field in &outputs.fields {
            field.cover(&mut always);
        }
        for (_, mask) in &gated {
            always.iter_mut().zip(mask).for_each(|(a, m)| *a &= !m);
        }
        Self { always, is_everything: gated.is_empty(), gated, from_cycle: u64::from(random) }
    }

    /// A mask of any outputs: those that `names` says count, from cycle `from_cycle` on; of each group the others only
    /// while the first is not zero.
    pub(crate) fn gated(
        outputs: &Frame,
        groups: &[(&str, &[&str])],
        from_cycle: u64,
        counts: impl Fn(&Field) -> bool,
    ) -> Self {
        let mut always = vec![0; outputs.words];
        outputs.fields.iter().filter(|f| counts(f)).for_each(|f| f.cover(&mut always));
        let mut gated = Vec::new();
        for (valid, payload) in groups {
            let Some(valid) = outputs.field(valid) else { continue };
            let mut mask = vec![0; outputs.words];
            payload.iter().filter_map(|name| outputs.field(name)).for_each(|f| f.cover(&mut mask));
            always.iter_mut().zip(&mask).for_each(|(a, m)| *a &= !m);
            gated.push((valid.clone(), mask));
        }
        Self { always, gated, from_cycle, is_everything: false }
    }

    /// The mask under which everything must agree.
    pub fn everything(outputs: &Frame) -> Self {
        Self { always: vec![u64::MAX; outputs.words], gated: Vec::new(), from_cycle: 0, is_everything: true }
    }

    /// Whether a cycle agrees.
    pub fn agrees(&self, cycle: u64, step: &[u64], rtl: &[u64]) -> bool {
        if step == rtl || cycle < self.from_cycle {
            return true;
        }
        if self.is_everything {
            return false;
        }
        let equal = |mask: &[u64]| step.iter().zip(rtl).zip(mask).all(|((s, r), m)| (s ^ r) & m == 0);
        equal(&self.always) && self.gated.iter().all(|(valid, mask)| valid.get(step) == 0 || equal(mask))
    }

    /// Whether a field disagrees in a cycle in which something does.
    pub(crate) fn differs(&self, field: &Field, step: &[u64], rtl: &[u64]) -> bool {
        let mut mask = vec![0; step.len()];
        field.cover(&mut mask);
        let mut counted = self.always.clone();
        for (valid, gated) in &self.gated {
            if valid.get(step) == 1 {
                counted.iter_mut().zip(gated).for_each(|(c, g)| *c |= g);
            }
        }
        step.iter().zip(rtl).zip(mask.iter().zip(&counted)).any(|((s, r), (m, c))| (s ^ r) & m & c != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_counts_only_while_valid_after_a_random_start() {
        let names = [("m_axis_tvalid", 1), ("m_axis_tdata", 8), ("idle_o", 1), (SUM_VALID, 1), (SUM, 80)];
        let frame = Frame::new(names.map(|(n, w)| (n.to_string(), w)));
        let make = |values: [u64; 5]| {
            let mut words = vec![0; frame.words];
            frame.fields.iter().zip(values).for_each(|(f, v)| f.put(&mut words, &[v, 0]));
            words
        };
        let base = make([0, 1, 1, 0, 7]);
        let (random, zero) = (Mask::engine(&frame, true), Mask::engine(&frame, false));
        let data = make([0, 2, 1, 0, 7]);
        assert!(random.agrees(5, &base, &data) && !zero.agrees(5, &base, &data));
        let sum = make([0, 1, 1, 0, 8]);
        assert!(random.agrees(5, &base, &sum) && zero.agrees(5, &base, &sum));
        let idle = make([0, 1, 0, 0, 7]);
        assert!(!random.agrees(5, &base, &idle) && !zero.agrees(5, &base, &idle));
        assert!(random.agrees(0, &base, &idle) && !zero.agrees(0, &base, &idle));
        let valid = |data, sum| make([1, data, 1, 1, sum]);
        assert!(!random.agrees(5, &valid(1, 7), &valid(2, 7)) && !random.agrees(5, &valid(1, 7), &valid(1, 8)));
        assert!(random.differs(&frame.fields[1], &valid(1, 7), &valid(2, 7)));
        assert!(!random.differs(&frame.fields[4], &valid(1, 7), &valid(2, 7)));
    }
}
