//! TOML text to a Config, with every problem of every field reported at once.

use toml::{Table, Value};

use super::{Array, Buffer, Bus, Config, Design, Dma, Pe, Requant, Vector};
use crate::error::{Error, Problem};
use crate::kind::{Dataflow, Format, PeKind, RequantMode};

/// What to do about a field that is not there.
const STATE_IT: &str = "state every field; `systole new` writes a whole file";
/// What to do about a field that should not be there.
const REMOVE_IT: &str = "correct its name or remove it";

pub(super) fn parse(text: &str) -> Result<Config, Error> {
    let given: Table = toml::from_str(text).map_err(|e| Error::Syntax(e.to_string().trim().to_string()))?;
    let sample = Table::try_from(sample()).map_err(|e| Error::Syntax(e.to_string()))?;
    let mut problems = Vec::new();
    let mut complete = sample.clone();
    for (section, fields) in &sample {
        let Value::Table(fields) = fields else { continue };
        match given.get(section) {
            None => problems.push(Problem::new(format!("[{section}]"), "missing", names(fields), STATE_IT)),
            Some(Value::Table(stated)) => {
                let filled = read_section(section, fields, stated, &mut problems);
                complete.insert(section.clone(), Value::Table(filled));
            }
            Some(other) => {
                problems.push(Problem::new(
                    section,
                    other,
                    format!("a table [{section}] with {}", names(fields)),
                    STATE_IT,
                ));
            }
        }
    }
    for (section, value) in given.iter().filter(|(section, _)| !sample.contains_key(*section)) {
        let found = if value.is_table() { "unknown table".to_string() } else { value.to_string() };
        problems.push(Problem::new(section, found, format!("tables {}", names(&sample)), REMOVE_IT));
    }
    let config: Config = complete.try_into().map_err(|e: toml::de::Error| Error::Syntax(e.to_string()))?;
    // Fields that could not be read hold sample values, which are in range alone but need not fit the others.
    match config.validate() {
        Err(Error::Invalid(more)) if problems.is_empty() => problems = more,
        Err(Error::Invalid(more)) => {
            let alone = more
                .into_iter()
                .filter(|m| given_field(&given, &m.field) && problems.iter().all(|p| p.field != m.field));
            let alone: Vec<Problem> = alone.collect();
            problems.extend(alone);
        }
        _ => {}
    }
    if problems.is_empty() { Ok(config) } else { Err(Error::Invalid(problems)) }
}

/// The section with each readable field as stated and the others as in the sample.
fn read_section(section: &str, fields: &Table, stated: &Table, problems: &mut Vec<Problem>) -> Table {
    let mut filled = fields.clone();
    for (name, sample) in fields {
        let field = format!("{section}.{name}");
        match (stated.get(name), misfit(&field, sample, stated.get(name))) {
            (Some(value), None) => _ = filled.insert(name.clone(), value.clone()),
            (Some(value), Some(allowed)) => problems.push(Problem::new(field, value, allowed, "correct it")),
            (None, allowed) => problems.push(Problem::new(field, "missing", allowed.unwrap_or_default(), STATE_IT)),
        }
    }
    for (name, value) in stated.iter().filter(|(name, _)| !fields.contains_key(*name)) {
        problems.push(Problem::new(format!("{section}.{name}"), value, names(fields), REMOVE_IT));
    }
    filled
}

/// What a field takes, if `given` is nothing of the kind.
fn misfit(field: &str, sample: &Value, given: Option<&Value>) -> Option<String> {
    let words: Vec<&str> = match field {
        "array.dataflow" => Dataflow::ALL.map(Dataflow::name).to_vec(),
        "pe.kind" => PeKind::ALL.map(PeKind::name).to_vec(),
        "pe.formats" => Format::ALL.map(Format::name).to_vec(),
        "requant.modes" => RequantMode::ALL.map(RequantMode::name).to_vec(),
        _ => Vec::new(),
    };
    let known = |value: &Value| value.as_str().is_some_and(|word| words.is_empty() || words.contains(&word));
    let (fits, allowed) = match sample {
        Value::Integer(_) => {
            let fits = given.and_then(Value::as_integer).is_some_and(|number| u32::try_from(number).is_ok());
            (fits, format!("a whole number, 0..={}", u32::MAX))
        }
        Value::Boolean(_) => (given.is_some_and(Value::is_bool), "true, false".to_string()),
        Value::Array(_) => {
            let list = given.and_then(Value::as_array);
            (list.is_some_and(|list| list.iter().all(known)), format!("a list of {}", quoted(&words)))
        }
        _ if words.is_empty() => (given.is_some_and(known), "a text".to_string()),
        _ => (given.is_some_and(known), quoted(&words)),
    };
    (!fits).then_some(allowed)
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

fn names(table: &Table) -> String {
    table.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn given_field(given: &Table, field: &str) -> bool {
    field.split_once('.').is_some_and(|(section, name)| given.get(section).is_some_and(|s| s.get(name).is_some()))
}

/// A valid Config, for the names and kinds of all fields.
fn sample() -> Config {
    Config {
        design: Design { prefix: "systole".into() },
        array: Array { rows: 1, cols: 1, dataflow: Dataflow::Ws, preload_rows: 1, chunk_rows: 1 },
        pe: Pe { kind: PeKind::Mac, formats: vec![Format::W8a8], product_register: false },
        requant: Requant { lanes: 1, dividers: 1, quotient_bits: 1, modes: vec![RequantMode::Dynamic] },
        buffer: Buffer { act_bytes: 64, acc_bytes: 64, weight_tiles: 2, channels: 1 },
        vec: Vector { lanes: 1, elements: 64, params: 64, dividers: 1, quotient_bits: 1 },
        bus: Bus { data_bits: 32 },
        dma: Dma { outstanding: 1, burst_beats: 1 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<Problem> {
        match Config::from_toml(text) {
            Err(Error::Invalid(problems)) => problems,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_config_reads_what_it_writes() {
        assert_eq!(Config::from_toml(&sample().to_toml()).unwrap(), sample());
    }

    #[test]
    fn an_empty_file_lacks_every_table() {
        let fields: Vec<String> = problems("").into_iter().map(|p| p.field).collect();
        assert_eq!(fields, ["[array]", "[buffer]", "[bus]", "[design]", "[dma]", "[pe]", "[requant]", "[vec]"]);
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let text = sample()
            .to_toml()
            .replace("rows = 1\ncols = 1", "rows = 0\ncols = \"wide\"\ncolumns = 3")
            .replace("\"w8a8\"", "\"w9a9\"")
            .replace("weight_tiles = 2\n", "")
            .replace("[bus]", "[speed]\nfast = true\n\n[bus]");
        let mut fields: Vec<String> = problems(&text).into_iter().map(|p| p.field).collect();
        fields.sort();
        assert_eq!(fields, ["array.cols", "array.columns", "array.rows", "buffer.weight_tiles", "pe.formats", "speed"]);
    }

    #[test]
    fn sums_that_stay_take_a_row_of_weights_a_cycle_and_no_scales() {
        let os = sample().to_toml().replace("dataflow = \"ws\"", "dataflow = \"os\"");
        assert!(Config::from_toml(&os).is_ok());
        let found =
            problems(&os.replace("preload_rows = 1", "preload_rows = 2").replace("\"w8a8\"", "\"w8a8\", \"nvfp4\""));
        let fields: Vec<&str> = found.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["array.preload_rows", "pe.formats"]);
        assert!(found.iter().all(|p| p.cure.contains("ws")) && found[1].allowed.contains("w4a8"), "{found:?}");
        let found = problems(&os.replace("\"os\"", "\"is\""));
        assert_eq!(
            (found.len(), found[0].field.as_str(), found[0].allowed.as_str()),
            (1, "array.dataflow", "\"ws\", \"os\"")
        );
    }

    #[test]
    fn numbers_that_no_u32_holds_are_refused() {
        for value in ["-1", "4294967296", "1.5"] {
            let found = problems(&sample().to_toml().replace("data_bits = 32", &format!("data_bits = {value}")));
            assert_eq!((found.len(), found[0].field.as_str()), (1, "bus.data_bits"), "{value}");
        }
    }
}
