//! What is wrong with a write or a retirement.

/// A difference from golden.
#[derive(Debug, Default)]
pub struct Fault {
    /// The instruction, if one is meant.
    pub at: Option<usize>,
    /// Where it was seen: a probe or a port, or what is wrong in words.
    pub point: String,
    /// Place in a memory.
    pub place: Option<String>,
    /// Golden's value.
    pub golden: Option<String>,
    /// The hardware's.
    pub found: Option<String>,
}

impl Fault {
    /// What is wrong, in words.
    pub fn of(at: Option<usize>, point: impl Into<String>) -> Self {
        Self { at, point: point.into(), ..Self::default() }
    }

    /// A value that is not golden's.
    pub fn value(at: usize, point: &str, place: String, golden: i64, found: i64) -> Self {
        Self {
            at: Some(at),
            point: point.into(),
            place: Some(place),
            golden: Some(golden.to_string()),
            found: Some(found.to_string()),
        }
    }
}
