//! Values that vary: lists, ranges, fields that vary together.

use toml::{Table, Value};

use super::sweep::MOST_POINTS;
use crate::error::Error;

/// One field of the configuration, or several that vary together.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Names, as `array.rows`.
    pub names: Vec<String>,
    /// Values, one for each name, as TOML writes them.
    pub values: Vec<Vec<String>>,
}

impl Field {
    /// A field of `[vary]`: `array.rows`, or `array.rows,array.cols` with lists of values for both.
    ///
    /// # Errors
    /// For what is neither a list nor a range, or lists of another length.
    pub fn new(name: &str, value: &Value) -> Result<Self, Error> {
        let names: Vec<String> = name.split(',').map(|part| part.trim().to_string()).collect();
        let label = format!("vary.{name}");
        let refused = |value: &Value, allowed: &str| Error::input(&label, value, allowed, "write it so");
        let values: Vec<Vec<String>> = match (value, names.len()) {
            (Value::Array(list), 1) => list.iter().map(|v| vec![v.to_string()]).collect(),
            (Value::Array(list), count) => {
                let of = |v: &Value| match v.as_array() {
                    Some(inner) if inner.len() == count => Ok(inner.iter().map(ToString::to_string).collect()),
                    _ => Err(refused(v, &format!("lists of {count} values, one for each field"))),
                };
                list.iter().map(of).collect::<Result<_, _>>()?
            }
            (Value::Table(range), 1) => {
                range_of(&label, range, value)?.into_iter().map(|v| vec![v.to_string()]).collect()
            }
            _ => return Err(refused(value, "a list, or { from, to, step }")),
        };
        if values.is_empty() {
            return Err(refused(value, "at least one value"));
        }
        Ok(Self { names, values })
    }
}

/// Fields with dots in their names, whether they were written as `"array.rows"` or as tables.
pub fn flat(table: &Table) -> Vec<(String, Value)> {
    let mut fields = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(inner) if !inner.contains_key("from") => {
                fields.extend(flat(inner).into_iter().map(|(rest, value)| (format!("{name}.{rest}"), value)));
            }
            other => fields.push((name.clone(), other.clone())),
        }
    }
    fields
}

/// A list, or one value as a list; nothing for a table.
pub fn list(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(list) => Some(list.clone()),
        Value::Table(_) => None,
        one => Some(vec![one.clone()]),
    }
}

/// Whole numbers: one, a list, or a range.
///
/// # Errors
/// For anything else, for numbers outside `low..=high`, for none, for one that comes twice.
pub fn numbers(field: &str, value: &Value, low: u32, high: u32) -> Result<Vec<u32>, Error> {
    let given: Vec<Value> = match value {
        Value::Table(range) => range_of(field, range, value)?.into_iter().map(Value::Integer).collect(),
        other => list(other).unwrap_or_default(),
    };
    let mut numbers: Vec<u32> = Vec::new();
    for value in &given {
        let number = value.as_integer().and_then(|n| u32::try_from(n).ok()).filter(|n| (low..=high).contains(n));
        match number {
            Some(number) if numbers.contains(&number) => {
                return Err(Error::input(field, number, "each once", "remove the second one"));
            }
            Some(number) => numbers.push(number),
            None => {
                let allowed = format!("{low}..={high}, a list, or {{ from, to, step }}");
                return Err(Error::input(field, value, &allowed, "write it so"));
            }
        }
    }
    if numbers.is_empty() {
        return Err(Error::input(field, value, "at least one number", "name one"));
    }
    Ok(numbers)
}

/// `{ from, to }` with a `step` to add (1 without) or a `factor` to multiply by.
fn range_of(field: &str, range: &Table, value: &Value) -> Result<Vec<i64>, Error> {
    let refused = |allowed: &str| Error::input(field, value, allowed, "write it so");
    if let Some(other) = range.keys().find(|key| !["from", "to", "step", "factor"].contains(&key.as_str())) {
        return Err(refused(&format!("from, to, step and factor, not {other}")));
    }
    let number = |name: &str| range.get(name).map(|v| v.as_integer());
    let (Some(Some(from)), Some(Some(to))) = (number("from"), number("to")) else {
        return Err(refused("whole numbers from and to"));
    };
    if !(0..=i64::from(u32::MAX)).contains(&from) || !(from..=i64::from(u32::MAX)).contains(&to) {
        return Err(refused("from <= to, both 0..=4294967295"));
    }
    let (step, factor) = match (number("step"), number("factor")) {
        (None, None) => (1, 1),
        (Some(Some(step @ 1..=0xffff_ffff)), None) => (step, 1),
        (None, Some(Some(factor @ 2..=0xffff))) if from > 0 => (0, factor),
        _ => return Err(refused("a step of 1 or more, or from 1 on a factor of 2 or more")),
    };
    let mut values = vec![];
    let mut next = from;
    while next <= to {
        if values.len() == MOST_POINTS {
            return Err(refused(&format!("at most {MOST_POINTS} values")));
        }
        values.push(next);
        next = next * factor + step * i64::from(factor == 1);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        toml::from_str::<Table>(&format!("x = {text}")).unwrap().remove("x").unwrap()
    }

    #[test]
    fn ranges_add_or_multiply_and_end_at_their_end() {
        let of = |text: &str| numbers("x", &value(text), 0, 1000).map_err(|e| e.to_string());
        assert_eq!(of("{ from = 4, to = 13, step = 4 }").unwrap(), [4, 8, 12]);
        assert_eq!(of("{ from = 1, to = 3 }").unwrap(), [1, 2, 3]);
        assert_eq!(of("{ from = 4, to = 32, factor = 2 }").unwrap(), [4, 8, 16, 32]);
        assert_eq!(of("7").unwrap(), [7]);
        for text in ["{ from = 0, to = 3, factor = 2 }", "{ from = 3, to = 1 }", "[1, 1]", "[]", "1001", "1.5", "\"a\""]
        {
            assert!(of(text).unwrap_err().starts_with("x = "), "{text}");
        }
    }

    #[test]
    fn fields_may_vary_together() {
        let field = Field::new("array.rows, array.cols", &value("[[4, 8], [8, 16]]")).unwrap();
        assert_eq!(field.names, ["array.rows", "array.cols"]);
        assert_eq!(field.values, [["4", "8"], ["8", "16"]]);
        let word = Field::new("pe.kind", &value("[\"mac\", \"booth\"]")).unwrap();
        assert_eq!(word.values, [["\"mac\""], ["\"booth\""]]);
    }
}
