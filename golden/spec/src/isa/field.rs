//! What an instruction's bits can mean: names of fields, where they stand, what values they take.

use std::fmt;

use crate::error::Problem;

/// Declares the names of fields once: variant, name in assembly.
macro_rules! fields {
    ($($variant:ident $name:literal),* $(,)?) => {
        /// Name of a field; each instruction has some of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "an instruction's table says what its field means")]
        pub enum Field { $($variant),* }

        impl Field {
            /// Every name.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Name in assembly and on the documentation page.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

fields! {
    Tag "tag", Addr "addr", Words "words", Format "format", Tokens "tokens", Dim "dim", Stride "stride", Mode "mode",
    Tiles "tiles", N "n", Dst "dst", Type "type", Indirect "indirect", Rows "rows", KTiles "k_tiles", NTiles "n_tiles",
    Act "act", Acc "acc", Scaling "scaling", Half "half", Bank "bank", Add "add", Bytes "bytes", A "a", B "b", S "s",
    D "d", Imm "imm", K "k", To "to", Red "red", Cont "cont", Zp "zp", Sat "sat", Q "q", Asym "asym", Qbits "qbits",
    Chord "chord", Kind "kind", Rule "rule", Base "base", Row "row", Used "used", Block "block", Width "width",
    Value "value", Levels "levels", Places "places", Count "count",
}

impl Field {
    /// The field of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|f| f.name() == name)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What values a field takes and how they stand in its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `0..2^bits`, as they are.
    Unsigned,
    /// `1..2^bits`, as they are.
    Count,
    /// `1..=2^bits`, one less in the bits.
    OneMore,
    /// Two's complement.
    Signed,
    /// 0 or 1; in assembly its bare name stands for 1.
    Flag,
    /// One of a list, by its place.
    Names(&'static [&'static str]),
}

/// One field of one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name.
    pub field: Field,
    /// Lowest bit.
    pub lsb: u32,
    /// Width, 1..=64.
    pub bits: u32,
    /// Its values.
    pub kind: Kind,
    /// What it means, a phrase.
    pub meaning: &'static str,
}

impl FieldSpec {
    /// Least and largest value.
    pub fn range(&self) -> (i64, i64) {
        // A width of 64 bits is signed.
        let top = if self.bits >= 63 { i64::MAX } else { (1 << self.bits) - 1 };
        match self.kind {
            Kind::Unsigned => (0, top),
            Kind::Count => (1, top),
            Kind::OneMore => (1, top + 1),
            Kind::Signed => (-(top >> u32::from(self.bits < 63)) - 1, top >> u32::from(self.bits < 63)),
            Kind::Flag => (0, 1),
            Kind::Names(names) => (0, names.len() as i64 - 1),
        }
    }

    /// What the field holds where an instruction does not state it: the value nearest to 0.
    pub fn default(&self) -> i64 {
        self.range().0.max(0)
    }

    /// The bits of a value, in their place.
    ///
    /// # Errors
    /// The field, the value and the allowed range.
    pub fn put(&self, value: i64) -> Result<u128, Problem> {
        let (low, high) = self.range();
        if !(low..=high).contains(&value) {
            return Err(Problem::new(self.field.name(), value, self.allowed(), "choose a value in that range"));
        }
        let raw = if self.kind == Kind::OneMore { value - 1 } else { value };
        Ok((u128::from(raw as u64) & self.mask()) << self.lsb)
    }

    /// The value in the bits of an instruction.
    ///
    /// # Errors
    /// The field, the value and the allowed range.
    pub fn take(&self, bits: u128) -> Result<i64, Problem> {
        let raw = (bits >> self.lsb & self.mask()) as u64;
        let unused = 64 - self.bits;
        let value = match self.kind {
            Kind::Signed => ((raw << unused) as i64) >> unused,
            Kind::OneMore => raw as i64 + 1,
            _ => raw as i64,
        };
        self.put(value).map(|_| value)
    }

    /// All ones, in the width of the field.
    pub fn mask(&self) -> u128 {
        (1 << self.bits) - 1
    }

    /// Its range as text: `0..=15`, or the list of names.
    pub fn allowed(&self) -> String {
        match self.kind {
            Kind::Names(names) => names.join(", "),
            _ => format!("{}..={}", self.range().0, self.range().1),
        }
    }
}
