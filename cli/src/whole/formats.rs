//! The formats that the hardware must offer for a model.

use spec::{Config, Format, PeKind};

use crate::error::Error;
use crate::output::Output;

/// Has a configuration offer the formats of a model, and `w8a8`, in which attention multiplies.
///
/// What it offers stays if that is enough. A missing `w8a8` is added. If a format of the model is missing, those that are
/// needed replace the ones offered, as `--set` would. Both are said.
///
/// # Errors
/// For a configuration that is then not valid.
pub fn offer(config: &mut Config, formats: impl Iterator<Item = Format>, output: &Output) -> Result<(), Error> {
    if let Some(remark) = offered(config, formats)? {
        output.remark(&remark);
    }
    Ok(())
}

/// As [`offer`]; gives what there is to say.
///
/// # Errors
/// For a configuration that is then not valid.
pub fn offered(config: &mut Config, formats: impl Iterator<Item = Format>) -> Result<Option<String>, Error> {
    let mut needed: Vec<Format> = Vec::new();
    for format in formats.filter(|f| *f != Format::W8a8).chain([Format::W8a8]) {
        if !needed.contains(&format) {
            needed.push(format);
        }
    }
    let missing: Vec<&str> = needed.iter().filter(|f| !config.pe.formats.contains(f)).map(|f| f.name()).collect();
    if missing.is_empty() {
        return Ok(None);
    }
    let needs_attention = missing == [Format::W8a8.name()];
    if needs_attention {
        config.pe.formats.push(Format::W8a8);
    } else {
        config.pe.formats = needed;
    }
    let mut sets = Vec::new();
    // Attention needs a multiplier.
    if config.pe.kind != PeKind::Mac {
        config.pe.kind = PeKind::Mac;
        sets.push(format!("--set pe.kind={}", config.pe.kind.name()));
    }
    let names: Vec<_> = config.pe.formats.iter().map(|f| format!("{:?}", f.name())).collect();
    sets.push(format!("--set 'pe.formats=[{}]'", names.join(", ")));
    let why = if needs_attention { ", in which attention multiplies" } else { "" };
    let (missing, sets) = (missing.join(", "), sets.join(" "));
    config.validate()?;
    Ok(Some(format!("the configuration does not offer {missing}{why}; the hardware is as with {sets}")))
}
