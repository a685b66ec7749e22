//! What the hardware wrote into a memory, and which instruction wrote it.

/// Places of a memory: the last value of each, the instruction that wrote it, and how many it wrote.
#[derive(Debug)]
pub struct Shadow {
    values: Vec<i64>,
    /// Number of the instruction plus one; 0 before any.
    owners: Vec<u32>,
}

impl Shadow {
    /// A memory of so many places.
    pub fn new(places: usize) -> Self {
        Self { values: vec![0; places], owners: vec![0; places] }
    }

    /// Notes a write; says whether it is the instruction's first to that place, nothing for a place that is not there.
    pub fn write(&mut self, place: usize, value: i64, instr: usize) -> Option<bool> {
        let owner = instr as u32 + 1;
        *self.values.get_mut(place)? = value;
        Some(std::mem::replace(&mut self.owners[place], owner) != owner)
    }

    /// What an instruction wrote to a place.
    pub fn read(&self, place: usize, instr: usize) -> Option<i64> {
        (*self.owners.get(place)? == instr as u32 + 1).then(|| self.values[place])
    }
}
