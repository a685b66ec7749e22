//! Recipes: which techniques a quantization uses, by name.

use spec::Format;

use crate::error::Error;

/// A step of a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Technique {
    /// The residual stream rotated by Hadamard transforms, folded into the weights on both sides.
    Rotate,
    /// Each head's values rotated, folded into the weights on both sides.
    Heads,
    /// Inputs of o and down rotated at run time, where that lowers their error.
    Online,
    /// Ranges moved from inputs into weights, the strength searched pair by pair.
    Smooth,
    /// Scales of weights by the least squared error instead of the largest magnitude.
    Clip,
    /// Weights rounded one after the other, each undoing the errors before it.
    Gptq,
    /// Weights moved, before they are rounded, to undo the errors of the layers before.
    Correct,
}

impl Technique {
    /// Every technique, in the order in which they work.
    pub const ALL: [Self; 7] =
        [Self::Rotate, Self::Heads, Self::Online, Self::Smooth, Self::Clip, Self::Gptq, Self::Correct];

    /// Name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rotate => "rotate",
            Self::Heads => "heads",
            Self::Online => "online",
            Self::Smooth => "smooth",
            Self::Clip => "clip",
            Self::Gptq => "gptq",
            Self::Correct => "correct",
        }
    }

    /// What it does, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Rotate => "the residual stream rotated by Hadamard transforms, folded into the weights",
            Self::Heads => "each head's values rotated by Hadamard transforms, folded into the weights",
            Self::Online => "inputs of o and down rotated at run time, where that lowers their error",
            Self::Smooth => "ranges moved from inputs into weights, pair by pair, the strength searched",
            Self::Clip => "scales of weights by least squared error instead of largest magnitude",
            Self::Gptq => "weights rounded one after the other, each undoing the errors before it",
            Self::Correct => "weights moved before rounding, to undo the errors of the layers before",
        }
    }
}

/// A set of techniques; none of them is the recipe `plain`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe(Vec<Technique>);

impl Recipe {
    /// A recipe of these techniques, each once, in the order in which they work.
    pub fn new(techniques: &[Technique]) -> Self {
        Self(Technique::ALL.into_iter().filter(|t| techniques.contains(t)).collect())
    }

    /// The best recipe known for a format; mixed precision takes that of `w4a8`.
    pub fn best(format: Format) -> Self {
        use Technique::{Clip, Correct, Gptq, Heads, Online, Rotate, Smooth};
        let with = |first: &[Technique]| Self::new(&[first, &[Clip, Gptq, Correct]].concat());
        match format {
            Format::W8a8 | Format::Pot8 => Self::new(&[Online, Smooth, Gptq]),
            Format::W4a8 | Format::Fp4a8 | Format::Mxfp4a8 | Format::Pot4 => with(&[Smooth]),
            Format::Mxfp4 | Format::Nvfp4 => with(&[Online, Smooth]),
            Format::W4a4 | Format::Fp4 => with(&[Rotate, Heads, Online, Smooth]),
        }
    }

    /// Reads `plain`, `best`, or names of techniques joined by `+`.
    ///
    /// # Errors
    /// [`Error::Input`] for a name that is no technique's.
    pub fn from_name(name: &str, format: Format) -> Result<Self, Error> {
        match name {
            "plain" => return Ok(Self::default()),
            "best" => return Ok(Self::best(format)),
            _ => {}
        }
        let known = |part: &str| {
            let found = Technique::ALL.into_iter().find(|t| t.name() == part);
            found.ok_or_else(|| {
                let names = Technique::ALL.map(Technique::name).join(", ");
                let allowed = format!("plain, best, or some of {names} joined by +");
                Error::input("recipe", crate::error::clip(name), allowed, "for example smooth+clip+gptq")
            })
        };
        let techniques = name.split('+').map(known).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::new(&techniques))
    }

    /// Whether a technique is part of it.
    pub fn has(&self, technique: Technique) -> bool {
        self.0.contains(&technique)
    }

    /// Its name: `plain`, or its techniques joined by `+`.
    pub fn name(&self) -> String {
        if self.0.is_empty() { "plain".into() } else { self.0.iter().map(|t| t.name()).collect::<Vec<_>>().join("+") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_recipes_are_each_others() {
        for format in Format::ALL {
            let best = Recipe::best(format);
            assert_eq!(Recipe::from_name(&best.name(), format).unwrap(), best);
            assert_eq!(Recipe::from_name("best", format).unwrap(), best);
        }
        assert_eq!(Recipe::from_name("plain", Format::W8a8).unwrap().name(), "plain");
        // Order and repetition do not matter.
        assert_eq!(Recipe::from_name("gptq+smooth+gptq", Format::W8a8).unwrap().name(), "smooth+gptq");
        for bad in ["", "smoth", "smooth+", "plain+gptq", "smooth,gptq"] {
            assert!(Recipe::from_name(bad, Format::W8a8).unwrap_err().to_string().contains("joined by +"), "{bad}");
        }
    }
}
