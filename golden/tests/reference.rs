//! The FP32 forward pass against PyTorch's values, where the folder with the references stands beside the repository.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use golden::load::container::Container;
use golden::load::model::{Model, open};
use golden::quantize::eval::{Windows, perplexity};
use golden::quantize::forward::{Cache, Llama, Observe};
use serde_json::Value;
use spec::Tensor;

/// Model, and the name of its reference and windows.
const REFERENCES: [(&str, &str); 3] = [
    ("fairy-850k", "fairy-850k.fairy"),
    ("fairy-850k", "fairy-850k.wikitext2"),
    ("stories260K", "stories260K.tinystories"),
];

/// The folder with references, or `None` with a message.
fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    if folder.join("reference").is_dir() {
        return Some(folder);
    }
    println!("skipped: {} has no references", folder.display());
    None
}

fn model(shared: &Path, name: &str) -> Model {
    open(shared.join("models").join(name).to_str().unwrap()).unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn perplexity_is_pytorchs_to_four_digits() {
    let Some(shared) = shared() else { return };
    for (name, reference) in REFERENCES {
        let model = model(&shared, name);
        let windows = Windows::from_file(&shared.join(format!("windows/{reference}.json"))).unwrap();
        let start = std::time::Instant::now();
        let found = perplexity(&model, &windows).unwrap();
        let expected = json(&shared.join(format!("reference/{reference}.json")));
        let ppl = expected["ppl"].as_f64().unwrap();
        println!("{reference}: {} against {ppl}, {:?}", found.ppl, start.elapsed());
        assert_eq!(found.tokens as u64, expected["predicted_tokens"].as_u64().unwrap());
        assert!((found.ppl / ppl - 1.0).abs() < 2e-6, "{reference}: {} against {ppl}", found.ppl);
    }
}

#[test]
fn greedy_continuations_are_pytorchs() {
    let Some(shared) = shared() else { return };
    for (name, reference) in REFERENCES {
        let model = model(&shared, name);
        let expected = json(&shared.join(format!("reference/{reference}.json")));
        let ids = model.tokenizer.encode(expected["prompt"].as_str().unwrap()).unwrap();
        assert_eq!(Value::from(ids.clone()), expected["prompt_ids"]);
        let (llama, mut cache) = (Llama::new(&model).unwrap(), Cache::default());
        let mut logits = llama.forward(&ids, &mut cache).unwrap();
        let (mut all, count) = (ids, expected["greedy_ids"].as_array().unwrap().len());
        let first = all.len();
        for _ in 0..count {
            let last = logits.row(logits.rows - 1);
            let best = (0..last.len()).max_by(|&a, &b| last[a].total_cmp(&last[b])).unwrap() as u32;
            all.push(best);
            logits = llama.forward(&[best], &mut cache).unwrap();
        }
        assert_eq!(Value::from(all[first..].to_vec()), expected["greedy_ids"], "{reference}");
        assert_eq!(model.tokenizer.decode(&all).unwrap(), expected["greedy_text"].as_str().unwrap());
    }
}

/// Keeps the first 16 rows of everything.
#[derive(Default)]
struct Record {
    residual: Vec<f32>,
    tensors: Vec<(String, Vec<f32>)>,
}

fn head(x: &Tensor<f32>) -> Vec<f32> {
    x.data[..16 * x.cols].to_vec()
}

impl Observe for Record {
    fn input(&mut self, layer: &str, x: &Tensor<f32>) -> ControlFlow<()> {
        self.tensors.push((format!("{layer}.in"), head(x)));
        ControlFlow::Continue(())
    }
    fn output(&mut self, layer: &str, y: &Tensor<f32>) -> ControlFlow<()> {
        self.tensors.push((format!("{layer}.out"), head(y)));
        ControlFlow::Continue(())
    }
    fn residual(&mut self, x: &Tensor<f32>) {
        self.residual.extend(head(x));
    }
}

#[test]
fn logits_residuals_and_layer_inputs_are_pytorchs() {
    let Some(shared) = shared() else { return };
    for (name, reference) in REFERENCES {
        let model = model(&shared, name);
        let windows = Windows::from_file(&shared.join(format!("windows/{reference}.json"))).unwrap();
        let mut record = Record::default();
        let ids = windows.inputs().next().unwrap();
        let ControlFlow::Continue(logits) =
            Llama::new(&model).unwrap().observe(ids, &mut Cache::default(), &mut record).unwrap()
        else {
            panic!("nobody broke the pass")
        };
        record.tensors.push(("logits".into(), head(&logits)));
        record.tensors.push(("residual".into(), record.residual.clone()));
        let mut container = Container::open(&shared.join(format!("reference/{reference}.safetensors"))).unwrap();
        let names: Vec<String> = container.tensors.keys().cloned().collect();
        let mut compared = 0;
        for name in names.iter().filter(|n| !["ids", "window_nll_mean"].contains(&n.as_str())) {
            let bytes = container.read(name).unwrap();
            let expected: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
            let (_, found) = record.tensors.iter().find(|(n, _)| n == name).unwrap();
            assert_eq!(found.len(), expected.len(), "{name}");
            let top = expected.iter().fold(0.0f32, |a, x| a.max(x.abs()));
            let worst = found.iter().zip(&expected).fold(0.0f32, |a, (x, y)| a.max((x - y).abs()));
            assert!(worst <= 5e-6 * top, "{reference} {name}: off by {worst} of {top}");
            compared += expected.len();
        }
        assert!(compared > 40_000, "{compared} values compared");
    }
}
