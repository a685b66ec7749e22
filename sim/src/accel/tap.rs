//! Whoever watches every cycle of an accelerator.

use std::fmt;

use crate::step::Stepper;

type Seen = dyn FnMut(&[u64], &[u64], &Stepper) -> bool + Send;

/// Someone who is shown every cycle, or no one.
#[derive(Default)]
pub(super) struct Tap(Option<Box<Seen>>);

impl Tap {
    pub fn new(seen: impl FnMut(&[u64], &[u64], &Stepper) -> bool + Send + 'static) -> Self {
        Self(Some(Box::new(seen)))
    }

    /// Shows a cycle; whether there are to be more.
    pub fn cycle(&mut self, inputs: &[u64], outputs: &[u64], stepper: &Stepper) -> bool {
        self.0.as_mut().is_none_or(|seen| seen(inputs, outputs, stepper))
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(if self.0.is_some() { "watched" } else { "not watched" })
    }
}
