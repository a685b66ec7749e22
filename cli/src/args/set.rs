//! `--set FIELD=VALUE`: fields of a configuration set on the command line.

use toml::{Table, Value};

use crate::error::Error;

/// Names that a misspelt field is said to resemble.
const NEAR_NAMES: usize = 3;

/// The TOML text with fields set; all assignments that name no field are reported at once.
///
/// # Errors
/// What is wrong with the text or the assignments.
pub fn apply(text: &str, assignments: &[String]) -> Result<String, Error> {
    let mut table: Table = toml::from_str(text).map_err(|e| Error::Input(e.to_string()))?;
    let known = fields();
    let mut problems = Vec::new();
    for assignment in assignments {
        let Some((field, value)) = assignment.split_once('=').map(|(f, v)| (f.trim(), v.trim())) else {
            problems.push(format!("--set {assignment}: allowed FIELD=VALUE; as in --set array.rows=5"));
            continue;
        };
        match field.split_once('.').filter(|_| known.iter().any(|k| k == field)) {
            Some((section, name)) => {
                let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
                if let Value::Table(section) = section {
                    let stated = section.get(name);
                    let parsed = parse(value, stated.is_some_and(Value::is_array));
                    match stated.and_then(|stated| misfit(stated, &parsed)) {
                        Some(allowed) => problems.push(format!("--set {field}={value}: allowed {allowed}")),
                        None => _ = section.insert(name.to_string(), parsed),
                    }
                }
            }
            None => problems.push(format!("--set {field}: no such field; near ones: {}", near(field, &known))),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Input(problems.join("\n")));
    }
    Ok(table.to_string())
}

/// A TOML value; a bare word is a string, and where a list stands, words with commas between them are one.
pub fn parse(value: &str, is_list: bool) -> Value {
    let parsed = toml::from_str::<Table>(&format!("value = {value}")).ok();
    let one = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    match one {
        Some(Value::Array(list)) => Value::Array(list),
        _ if is_list => Value::Array(value.split(',').map(|word| parse(word.trim(), false)).collect()),
        Some(other) => other,
        None => Value::String(value.to_string()),
    }
}

/// What kind of value a field takes, if the given one is not of the kind that is stated.
fn misfit(stated: &Value, given: &Value) -> Option<&'static str> {
    match (stated, given) {
        (Value::Integer(_), Value::Integer(number)) if u32::try_from(*number).is_ok() => None,
        (Value::Integer(_), _) => Some("a whole number from 0 to 4294967295"),
        (Value::Boolean(_), Value::Boolean(_)) | (Value::String(_), Value::String(_)) => None,
        (Value::Boolean(_), _) => Some("true or false"),
        (Value::String(_), _) => Some("a word"),
        (Value::Array(_), Value::Array(list)) if list.iter().all(Value::is_str) => None,
        (Value::Array(_), _) => Some("words with commas between them"),
        _ => None,
    }
}

/// Every field, as `table.name`. A preset states them all.
pub fn fields() -> Vec<String> {
    let (_, text) = hdl::presets::PRESETS[0];
    let table: Table = toml::from_str(text).expect("presets are TOML");
    let of = |(section, value): (&String, &Value)| {
        let names: Vec<String> = value.as_table().into_iter().flat_map(Table::keys).cloned().collect();
        names.into_iter().map(|name| format!("{section}.{name}")).collect::<Vec<_>>()
    };
    table.iter().flat_map(of).collect()
}

/// The fields whose names are nearest to a misspelt one.
pub fn near(field: &str, known: &[String]) -> String {
    let mut ranked: Vec<(usize, &String)> = known
        .iter()
        .map(|name| {
            let last = name.rsplit('.').next().unwrap_or(name);
            (distance(field, name).min(distance(field, last) + 1), name)
        })
        .collect();
    ranked.sort();
    ranked.iter().take(NEAR_NAMES).map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Insertions, deletions and replacements that turn one text into the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::presets::PRESETS;
    use spec::Config;

    fn set(assignments: &[&str]) -> Result<Config, Error> {
        let assignments: Vec<String> = assignments.iter().map(ToString::to_string).collect();
        Ok(Config::from_toml(&apply(PRESETS[1].1, &assignments)?)?)
    }

    #[test]
    fn values_are_toml_and_bare_words_are_strings() {
        let config = set(&["array.rows=5", "pe.kind = shift", "pe.formats=[\"pot4\"]", "design.prefix=abc"]).unwrap();
        assert_eq!((config.array.rows, config.design.prefix.as_str()), (5, "abc"));
        assert_eq!(config.pe.formats, [spec::Format::Pot4]);
        let config = set(&["pe.formats=fp4, w8a8", "requant.modes=\"static\""]).unwrap();
        assert_eq!(config.pe.formats, [spec::Format::Fp4, spec::Format::W8a8]);
        assert_eq!(config.requant.modes, [spec::RequantMode::Static]);
    }

    #[test]
    fn several_assignments_count_only_together() {
        let text = set(&["pe.formats=[\"pot4\"]"]).unwrap_err().to_string();
        assert!(text.contains("pe.formats = pot4"), "{text}");
    }

    #[test]
    fn misspelt_fields_are_all_named_with_near_ones() {
        let text = set(&["array.row=5", "rows", "clos=3"]).unwrap_err().to_string();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().next().unwrap().contains("near ones: array.rows"), "{text}");
        assert!(text.lines().nth(2).unwrap().contains("array.cols"), "{text}");
    }

    #[test]
    fn a_value_cannot_smuggle_in_other_fields() {
        let text = set(&["array.rows=5\n[array]\nrows = 3"]).unwrap_err().to_string();
        assert!(text.contains("rows"), "{text}");
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
