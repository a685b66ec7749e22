//! The command line that repeats a run, quoted so that it can be pasted.

/// The command line of this process without what only changes how it is shown, with `--layer` if that is not there.
pub fn command(layer: Option<&str>) -> String {
    let args: Vec<String> = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    line(&args, layer)
}

fn line(args: &[String], layer: Option<&str>) -> String {
    let is_shown = |arg: &&String| !matches!(arg.as_str(), "--json" | "-q" | "--quiet");
    let mut words = vec!["systole".to_string()];
    words.extend(args.iter().filter(is_shown).map(|arg| quoted(arg)));
    let has_layer = args.iter().any(|arg| arg == "--layer" || arg.starts_with("--layer="));
    if let Some(layer) = layer.filter(|_| !has_layer) {
        words.extend(["--layer".to_string(), quoted(layer)]);
    }
    words.join(" ")
}

/// A word in single quotes if a shell would split or expand it.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+:,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        let args = ["cosim", "--prompt", "it's $5", "--json", "-q"].map(String::from);
        assert_eq!(line(&args, Some("a.b")), "systole cosim --prompt 'it'\\''s $5' --layer a.b");
        let args = ["cosim", "--layer=x"].map(String::from);
        assert_eq!(line(&args, Some("x")), "systole cosim --layer=x");
        assert_eq!(quoted(""), "''");
    }
}
