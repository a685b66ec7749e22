//! Tables of delays, transitions and constraints (non-linear delay model).

use std::collections::BTreeMap;

use super::tree::Group;

/// A table over two quantities; fewer dimensions are rows or columns of length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// First quantity: the input's transition, or the transition of the constrained pin.
    x: Vec<f64>,
    /// Second quantity: the output's load, or the transition of the related pin.
    y: Vec<f64>,
    /// `[x, y]`, y fastest.
    values: Vec<f64>,
}

/// What the axes of a template are.
#[derive(Clone, Debug, Default)]
pub struct Template {
    variables: Vec<String>,
    indices: Vec<Vec<f64>>,
}

/// Templates by name.
pub type Templates = BTreeMap<String, Template>;

/// Variables that are the second quantity.
const SECOND: [&str; 2] = ["total_output_net_capacitance", "related_pin_transition"];

fn numbers(values: &[&str]) -> Option<Vec<f64>> {
    let words = values.iter().flat_map(|text| text.split([',', ' ', '\t', '\n', '\\', '\r']));
    words.filter(|word| !word.is_empty()).map(|word| word.parse::<f64>().ok().filter(|v| v.is_finite())).collect()
}

fn indices(group: &Group<'_>) -> Vec<Option<Vec<f64>>> {
    ["index_1", "index_2"].iter().map(|name| group.values(name).and_then(numbers)).collect()
}

impl Template {
    /// The templates of a library.
    pub fn all(library: &Group<'_>) -> Templates {
        let template = |group: &Group<'_>| {
            let variables = ["variable_1", "variable_2"].iter().filter_map(|name| group.text(name));
            Self {
                variables: variables.map(ToString::to_string).collect(),
                indices: indices(group).into_iter().flatten().collect(),
            }
        };
        let groups = library.all("lu_table_template").chain(library.all("power_lut_template"));
        groups.map(|group| (group.name().to_string(), template(group))).collect()
    }
}

impl Table {
    /// The table of a group such as `cell_rise (TEMPLATE) { ... }`; `None` if it does not hold together.
    pub fn read(group: &Group<'_>, templates: &Templates) -> Option<Self> {
        let values = numbers(group.values("values")?)?;
        if let [value] = values[..] {
            return Some(Self { x: vec![0.0], y: vec![0.0], values: vec![value] });
        }
        let template = templates.get(group.name())?;
        let own = indices(group);
        let axis = |i: usize| own[i].clone().or_else(|| template.indices.get(i).cloned());
        let is_second = |i: usize| template.variables.get(i).is_some_and(|v| SECOND.contains(&v.as_str()));
        let table = match template.variables.len() {
            1 if is_second(0) => Self { x: vec![0.0], y: axis(0)?, values },
            1 => Self { x: axis(0)?, y: vec![0.0], values },
            2 if is_second(0) => {
                // The load comes first here: turned round.
                let (y, x) = (axis(0)?, axis(1)?);
                if values.len() != x.len() * y.len() {
                    return None;
                }
                let turned = (0..x.len()).flat_map(|i| (0..y.len()).map(move |j| (i, j)));
                let values = turned.map(|(i, j)| values[j * x.len() + i]).collect();
                Self { x, y, values }
            }
            2 => Self { x: axis(0)?, y: axis(1)?, values },
            _ => return None,
        };
        let rises = |axis: &[f64]| !axis.is_empty() && axis.windows(2).all(|pair| pair[0] < pair[1]);
        let is_whole = table.values.len() == table.x.len() * table.y.len() && rises(&table.x) && rises(&table.y);
        is_whole.then_some(table)
    }

    /// The value at a place, between four entries linearly, beyond the edges along the last two.
    pub fn at(&self, x: f64, y: f64) -> f64 {
        let (i, u) = place(&self.x, x);
        let (j, v) = place(&self.y, y);
        let value = |i: usize, j: usize| self.values[i * self.y.len() + j];
        let along = |i: usize| match self.y.len() {
            1 => value(i, 0),
            _ => value(i, j) + v * (value(i, j + 1) - value(i, j)),
        };
        match self.x.len() {
            1 => along(0),
            _ => along(i) + u * (along(i + 1) - along(i)),
        }
    }
}

/// Interval of an axis and the place in it, from 0 to 1 inside.
fn place(axis: &[f64], at: f64) -> (usize, f64) {
    if axis.len() < 2 {
        return (0, 0.0);
    }
    let i = axis.partition_point(|&entry| entry <= at).clamp(1, axis.len() - 1) - 1;
    (i, (at - axis[i]) / (axis[i + 1] - axis[i]))
}

#[cfg(test)]
mod tests {
    use super::super::tree::parse;
    use super::*;

    const TEXT: &str = "library (l) {
        lu_table_template (t) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
            index_1 (\"0, 1\"); index_2 (\"0, 10, 20\"); }
        lu_table_template (turned) { variable_1 : total_output_net_capacitance; variable_2 : input_net_transition; }
        lu_table_template (line) { variable_1 : total_output_net_capacitance; index_1 (\"1, 2\"); }
        a (t) { values (\"1, 2, 4\", \\\n \"3, 5, 9\"); }
        a (turned) { index_1 (\"0, 10, 20\"); index_2 (\"0, 1\"); values (\"1, 3\", \"2, 5\", \"4, 9\"); }
        a (line) { values (\"5, 7\"); }
        a (scalar) { values (\"2.5\"); }
        a (t) { values (\"1, 2\"); }
        a (nowhere) { values (\"1, 2\"); }
    }";

    #[test]
    fn both_orders_of_the_axes_give_the_same_and_edges_go_on_straight() {
        let library = parse(TEXT).unwrap();
        let templates = Template::all(&library);
        let tables: Vec<Option<Table>> = library.all("a").map(|group| Table::read(group, &templates)).collect();
        let [Some(table), Some(turned), Some(line), Some(scalar), None, None] = &tables[..] else {
            panic!("{tables:?}")
        };
        for (x, y, expected) in
            [(0.0, 0.0, 1.0), (1.0, 20.0, 9.0), (0.5, 5.0, 2.75), (0.0, 30.0, 6.0), (2.0, 0.0, 5.0), (-1.0, 0.0, -1.0)]
        {
            assert!((table.at(x, y) - expected).abs() < 1e-12, "{x} {y}: {}", table.at(x, y));
            assert!((turned.at(x, y) - expected).abs() < 1e-12);
        }
        assert_eq!((line.at(9.0, 1.5), line.at(0.0, 3.0), scalar.at(7.0, 7.0)), (6.0, 9.0, 2.5));
    }
}
