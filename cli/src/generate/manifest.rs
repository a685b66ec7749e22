//! `manifest.json`: what was generated, from what, and how large it is.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use spec::Config;

use super::{File, GENERATOR};

/// Name of the file.
pub const NAME: &str = "manifest.json";
/// By this a folder is known to be ours.
const KIND: &str = "systole-design";

/// The manifest of these files.
pub fn text(config: &Config, unit: &str, top: &str, files: &[File]) -> String {
    let list: Vec<Value> = files
        .iter()
        .map(|file| {
            let digest: String = Sha256::digest(file.text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
            json!({"name": file.name, "bytes": file.text.len(), "sha256": digest})
        })
        .collect();
    let value = json!({
        "kind": KIND,
        "generator": GENERATOR,
        "config_hash": config.hash(),
        "unit": unit,
        "top": top,
        "test_bench": format!("tb_{top}"),
        "derived": derived(config),
        "files": list,
    });
    format!("{value:#}\n")
}

/// Sizes that follow from the Config.
fn derived(config: &Config) -> Value {
    json!({
        "weight_code": config.weight_operand().name(),
        "act_code": config.act_operand().name(),
        "preload_rows": config.preload_rows(),
        "preload_cycles": config.preload_cycles(),
        "product_bits": config.product_bits(),
        "partial_sum_bits": config.sum_bits(),
        "accumulator_bits": config.acc_bits(),
        "array_latency_cycles": hdl::unit::array::latency_cycles(config),
        "requant_lanes": config.lanes(),
        "act_buffer": {"halves": 2, "words": config.act_words(), "word_bits": config.act_word_bits()},
        "acc_memory": {"banks": 2, "words": config.acc_words(), "word_bits": config.acc_word_bits()},
        "weight_buffer": {
            "words": hdl::unit::weight_fifo::depth(config),
            "word_bits": config.weight_word_bits(),
        },
        "channel_memory": {"words": config.channel_words(), "word_bits": config.lanes() * spec::stream::CHANNEL_BITS},
    })
}

/// Names of the files that a manifest lists; `None` if it is not one of ours.
pub fn listed(text: &str) -> Option<Vec<String>> {
    let value: Value = serde_json::from_str(text).ok()?;
    if value["kind"] != KIND {
        return None;
    }
    let names = value["files"].as_array()?.iter().filter_map(|file| file["name"].as_str());
    // Only plain names: nothing outside the folder is ever removed.
    Some(names.filter(|name| !name.contains(['/', '\\'])).map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_manifest_is_not_ours_and_names_stay_in_the_folder() {
        assert_eq!(listed("{\"files\": []}"), None);
        assert_eq!(listed("no JSON"), None);
        let text = json!({"kind": KIND, "files": [{"name": "a.v"}, {"name": "../b.v"}]}).to_string();
        assert_eq!(listed(&text), Some(vec!["a.v".to_string()]));
    }
}
