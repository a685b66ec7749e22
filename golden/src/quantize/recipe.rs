//! Recipes: which techniques a quantization uses, by name.

use spec::Format;

use crate::error::Error;

/// A step of a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Technique {
    /// The residual stream rotated by Hadamard transforms, folded into the weights on both sides.
    Rotate,
    /// Norms keep the checkpoint's gains, which otherwise go into the weights behind them; not with `Rotate`.
    Gain,
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
    /// The same half of the way; nothing beside `Correct`.
    Half,
}

impl Technique {
    /// Every technique, in the order in which they work.
    pub const ALL: [Self; 9] = [
        Self::Rotate,
        Self::Gain,
        Self::Heads,
        Self::Online,
        Self::Smooth,
        Self::Clip,
        Self::Gptq,
        Self::Correct,
        Self::Half,
    ];

    /// Name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rotate => "rotate",
            Self::Gain => "gain",
            Self::Heads => "heads",
            Self::Online => "online",
            Self::Smooth => "smooth",
            Self::Clip => "clip",
            Self::Gptq => "gptq",
            Self::Correct => "correct",
            Self::Half => "half",
        }
    }

    /// What it does, in a line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Rotate => "the residual stream rotated by Hadamard transforms, folded into the weights",
            Self::Gain => "norms keep the checkpoint's gains, which else go into the weights behind them",
            Self::Heads => "each head's values rotated by Hadamard transforms, folded into the weights",
            Self::Online => "inputs of o and down rotated at run time, where that lowers their error",
            Self::Smooth => "ranges moved from inputs into weights, pair by pair, the strength searched",
            Self::Clip => "scales of weights by least squared error instead of largest magnitude",
            Self::Gptq => "weights rounded one after the other, each undoing the errors before it",
            Self::Correct => "weights moved before rounding, to undo the errors of the layers before",
            Self::Half => "as correct, half of the way",
        }
    }
}

/// A set of techniques; none of them is the recipe `plain`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe(Vec<Technique>);

impl Recipe {
    /// A recipe of these techniques, each once, in the order in which they work.
    ///
    /// What another makes idle is left out: `Gain` beside `Rotate`, `Half` beside `Correct`.
    pub fn new(techniques: &[Technique]) -> Self {
        let has = |t: Technique| techniques.contains(&t);
        let works = |t: &Technique| match t {
            Technique::Gain => has(Technique::Gain) && !has(Technique::Rotate),
            Technique::Half => has(Technique::Half) && !has(Technique::Correct),
            &t => has(t),
        };
        Self(Technique::ALL.into_iter().filter(works).collect())
    }

    /// What is usually good for a format: where [`super::choose`] starts, and what models take that are too large for it.
    pub fn usual(format: Format) -> Self {
        use Technique::{Clip, Gptq, Half, Heads, Online, Rotate, Smooth};
        let with = |first: &[Technique]| Self::new(&[first, &[Clip, Gptq, Half]].concat());
        match format {
            Format::W8a8 | Format::Pot8 => Self::new(&[Online, Smooth, Gptq]),
            Format::W4a8 | Format::Fp4a8 | Format::Mxfp4a8 | Format::Pot4 => with(&[Smooth]),
            Format::Mxfp4 => with(&[Rotate, Online]),
            Format::W4a4 | Format::Fp4 | Format::Nvfp4 => with(&[Rotate, Heads, Online, Smooth]),
        }
    }

    /// The same with one technique more, or less where it has it.
    pub fn turned(&self, technique: Technique) -> Self {
        let others = self.0.iter().copied().filter(|&t| t != technique);
        let own = (!self.has(technique)).then_some(technique);
        Self::new(&others.chain(own).collect::<Vec<_>>())
    }

    /// Reads `best`, which is `None`: a recipe by measurement; `plain`; or names of techniques joined by `+`.
    ///
    /// # Errors
    /// [`Error::Input`] for a name that is no technique's.
    pub fn from_name(name: &str) -> Result<Option<Self>, Error> {
        match name {
            "plain" => return Ok(Some(Self::default())),
            "best" => return Ok(None),
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
        Ok(Some(Self::new(&techniques)))
    }

    /// Whether a technique is part of it.
    pub fn has(&self, technique: Technique) -> bool {
        self.0.contains(&technique)
    }

    /// The share of the inputs' errors that is taken back.
    pub fn share(&self) -> f64 {
        match () {
            () if self.has(Technique::Correct) => 1.0,
            () if self.has(Technique::Half) => 0.5,
            () => 0.0,
        }
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
            let usual = Recipe::usual(format);
            assert_eq!(Recipe::from_name(&usual.name()).unwrap(), Some(usual));
        }
        assert_eq!(Recipe::from_name("best").unwrap(), None);
        let named = |name: &str| Recipe::from_name(name).unwrap().unwrap();
        assert_eq!(named("plain").name(), "plain");
        // Order and repetition do not matter, and what does nothing is not named.
        assert_eq!(named("gptq+smooth+gptq").name(), "smooth+gptq");
        assert_eq!(named("half+correct+gain+rotate").name(), "rotate+correct");
        for bad in ["", "smoth", "smooth+", "plain+gptq", "smooth,gptq"] {
            assert!(Recipe::from_name(bad).unwrap_err().to_string().contains("joined by +"), "{bad}");
        }
    }

    #[test]
    fn a_technique_turned_twice_is_as_before_unless_another_made_way() {
        let recipe = Recipe::new(&[Technique::Smooth, Technique::Half]);
        for technique in [Technique::Smooth, Technique::Half, Technique::Clip] {
            assert_ne!(recipe.turned(technique), recipe);
            assert_eq!(recipe.turned(technique).turned(technique), recipe);
        }
        assert_eq!(recipe.turned(Technique::Correct).name(), "smooth+correct");
        assert_eq!(recipe.turned(Technique::Rotate).turned(Technique::Gain).name(), "rotate+smooth+half");
    }
}
