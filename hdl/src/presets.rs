//! Named configurations, every field stated.

/// Names and texts of the presets, smallest first.
pub const PRESETS: [(&str, &str); 5] = [
    ("tiny", include_str!("../presets/tiny.toml")),
    ("small", include_str!("../presets/small.toml")),
    ("base", include_str!("../presets/base.toml")),
    ("wide", include_str!("../presets/wide.toml")),
    ("fp4", include_str!("../presets/fp4.toml")),
];

/// The TOML text of the preset of that name.
pub fn preset(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_preset_is_valid_and_states_every_field() {
        for (name, text) in super::PRESETS {
            let config = spec::Config::from_toml(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(spec::Config::from_toml(&config.to_toml()).unwrap(), config, "{name}");
        }
    }
}
