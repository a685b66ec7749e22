//! Where the cycles of a run went, as tables and in JSON.

use serde_json::{Map, Value, json};
use spec::profile::{Profile, Section};
use spec::regs::STALLS;

use crate::report::{Table, grouped};

/// Heads of the columns of causes, in the order of [`STALLS`]: 100 columns hold no more.
const SHORT: [&str; STALLS.len()] = ["arr", "wgt", "drn", "vec", "ld", "st", "tok", "fch"];

/// The pass that a section belongs to: 0 the prompt, then the generated tokens.
fn pass(section: &Section, prompt: usize) -> u32 {
    (section.token + 1).saturating_sub(prompt.max(1) as u32)
}

fn pass_name(pass: u32) -> String {
    if pass == 0 { "prompt".into() } else { format!("token {}", pass + 1) }
}

/// The profile as JSON: sums, stalls by cause, passes, layers, operators, sections.
pub fn profile_json(profile: &Profile, prompt: usize) -> Map<String, Value> {
    let list = |groups: Vec<Section>, name: &dyn Fn(&Section) -> Value| -> Vec<Value> {
        groups.iter().map(|group| with(numbers(group), "name", name(group))).collect()
    };
    let sections = profile.sections.iter().map(|section| {
        let names = json!({
            "token": section.token, "tokens": section.tokens, "layer": section.layer, "operator": section.operator,
            "instructions": section.instructions,
        });
        merged(names, numbers(section))
    });
    let value = json!({
        "cycles": profile.cycles,
        "roofline_cycles": profile.roofline_cycles,
        "utilisation": profile.roofline_cycles as f64 / profile.cycles.max(1) as f64,
        "stalls": stalls(&profile.stalls()),
        "macs": profile.macs,
        "read_bytes": profile.read_bytes,
        "write_bytes": profile.write_bytes,
        "compulsory_bytes": profile.compulsory_bytes,
        "passes": list(profile.grouped(|s| pass(s, prompt)), &|s| pass_name(pass(s, prompt)).into()),
        "layers": list(profile.grouped(|s| s.layer), &|s| layer_name(s).into()),
        "operators": list(profile.grouped(|s| s.operator.clone()), &|s| s.operator.clone().into()),
        "sections": sections.collect::<Vec<Value>>(),
    });
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn numbers(section: &Section) -> Value {
    json!({
        "cycles": section.cycles,
        "roofline_cycles": section.roofline_cycles,
        "stalls": stalls(&section.stalls),
        "macs": section.macs,
        "compulsory_bytes": section.compulsory_bytes,
        "read_bytes": section.read_bytes,
        "write_bytes": section.write_bytes,
    })
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

fn with(value: Value, name: &str, field: Value) -> Value {
    merged(json!({ name: field }), value)
}

fn stalls(cycles: &[u64; STALLS.len()]) -> Value {
    Value::Object(STALLS.iter().zip(cycles).map(|((name, _), cycles)| (name.to_string(), (*cycles).into())).collect())
}

fn layer_name(section: &Section) -> String {
    section.layer.map_or("outside".into(), |layer| format!("layer {layer}"))
}

/// Tables for people: by pass, by layer, by operator, what the causes mean.
pub fn profile_text(profile: &Profile, prompt: usize) -> String {
    let decoded = |s: &Section| pass(s, prompt).min(1);
    let passes = profile.grouped(decoded);
    let tokens = profile.sections.iter().map(|s| pass(s, prompt)).max().unwrap_or(0);
    let mut parts = Vec::new();
    if passes.len() > 1 {
        let name = |s: &Section| match (decoded(s), tokens) {
            (0, _) => "prompt".to_string(),
            (_, 1) => "1 token".to_string(),
            _ => format!("{tokens} tokens"),
        };
        parts.push(table("pass", &passes, &name, profile));
    }
    parts.push(table("layer", &profile.grouped(|s| s.layer), &layer_name, profile));
    let operators = profile.grouped(|s| s.operator.clone());
    parts.push(table("operator", &operators, &|s| s.operator.clone(), profile));
    parts.push(meaning());
    parts.join("\n\n")
}

fn table(head: &'static str, groups: &[Section], name: &dyn Fn(&Section) -> String, profile: &Profile) -> String {
    let heads: Vec<&'static str> =
        [head, "cycles", "roofline", "util"].into_iter().chain(SHORT).chain(["DRAM bytes"]).collect();
    let mut table = Table::new(&heads);
    let mut row = |name: String, cycles: u64, roofline: u64, stalls: &[u64; STALLS.len()], bytes: u64| {
        let util = if cycles == 0 { "-".into() } else { format!("{:.1}", 100.0 * roofline as f64 / cycles as f64) };
        let front = [name, grouped(cycles), grouped(roofline), util];
        let shares = percent(stalls).into_iter().map(|share| share.map_or("-".into(), |share| share.to_string()));
        table.row(front.into_iter().chain(shares).chain([grouped(bytes)]));
    };
    for group in groups {
        row(name(group), group.cycles, group.roofline_cycles, &group.stalls, group.bytes());
    }
    let bytes = profile.read_bytes + profile.write_bytes;
    row("all".into(), profile.cycles, profile.roofline_cycles, &profile.stalls(), bytes);
    table.render()
}

/// Whole percents that add up to 100: the largest rests are rounded up. Nothing for no cycles.
fn percent(cycles: &[u64; STALLS.len()]) -> [Option<u64>; STALLS.len()] {
    let sum: u64 = cycles.iter().sum();
    if sum == 0 {
        return [None; STALLS.len()];
    }
    let mut shares = cycles.map(|c| c * 100 / sum);
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(cycles[i] * 100 % sum));
    let missing = 100 - shares.iter().sum::<u64>();
    for &i in order.iter().take(missing as usize) {
        shares[i] += 1;
    }
    shares.map(Some)
}

fn meaning() -> String {
    let text = "util is roofline / cycles in %. A cycle belongs to the oldest work that is not done; work that was\n\
        done before its turn can lift a row above 100 %. Of 100 cycles:";
    let mut lines = vec![text.to_string()];
    lines.extend(SHORT.iter().zip(STALLS).map(|(short, (name, meaning))| format!("  {short:<3}  {name}: {meaning}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_add_up_to_a_hundred() {
        for cycles in [[1, 1, 1, 0, 0, 0, 0, 0], [7, 13, 29, 1, 1, 1, 1, 900], [0, 0, 0, 0, 0, 0, 0, 5], [3; 8]] {
            assert_eq!(percent(&cycles).iter().flatten().sum::<u64>(), 100, "{cycles:?}");
        }
        assert_eq!(percent(&[0; 8]), [None; 8]);
        assert_eq!(percent(&[1, 1, 1, 0, 0, 0, 0, 0])[..4], [Some(34), Some(33), Some(33), Some(0)]);
    }

    #[test]
    fn tables_of_large_runs_fit_a_hundred_columns_and_count_every_cycle() {
        let section = |token: u32, tokens: u32, layer: Option<u32>, operator: &str| Section {
            token,
            tokens,
            layer,
            operator: operator.into(),
            cycles: 123_456_789,
            stalls: [100_000_000, 3_456_789, 20_000_000, 0, 0, 0, 0, 0],
            macs: 1_000_000_000,
            read_bytes: 1_987_654_321,
            ..Section::default()
        };
        let sections = vec![
            section(0, 16, None, "embedding"),
            section(0, 16, Some(0), "gate_proj"),
            section(0, 16, Some(1), "attention"),
            section(15, 1, None, "lm_head"),
            section(16, 1, Some(0), "gate_proj"),
            section(17, 1, Some(1), "gate_proj"),
        ];
        let profile = Profile::new(sections, "hash".into(), 64, 8);
        let text = profile_text(&profile, 16);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert_eq!(text.matches("740 740 734").count(), 3, "the sum of each table: {text}");
        for part in ["prompt ", "2 tokens", "layer 1", "outside", "gate_proj", "tok  tokens: "] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let json = profile_json(&profile, 16);
        let names: Vec<_> = json["passes"].as_array().unwrap().iter().map(|p| p["name"].clone()).collect();
        assert_eq!(names, ["prompt", "token 2", "token 3"]);
        assert_eq!(json["stalls"]["array"], 600_000_000);
        assert_eq!(json["sections"].as_array().unwrap().len(), 6);
    }
}
