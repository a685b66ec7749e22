//! A model as the bytes of a QModel file.

use safetensors::Dtype;
use serde_json::{Map, json};
use spec::model::{QBlock, QModel};

use super::parts::{EMBEDDING_CODES, EMBEDDING_SHIFT, ROPE_COS, ROPE_SIN, cache_name, gain_name};
use super::{
    CHECKSUM_DIGITS, CacheMeta, FORMAT, LayerMeta, NormMeta, VERSION, checksum, checksum_place, nibbles, norms,
};

/// The bytes of a QModel file; equal models give equal bytes.
pub fn to_bytes(model: &QModel) -> Vec<u8> {
    let mut tensors = tensors(model);
    // Wide elements first, so that each tensor is aligned to its element.
    tensors.sort_by_key(|t| std::cmp::Reverse(t.dtype.size()));
    let mut table = Map::new();
    table.insert("__metadata__".into(), metadata(model));
    let mut end = 0;
    for Tensor { name, dtype, shape, bytes } in &tensors {
        let offsets = [end, end + bytes.len()];
        table.insert(name.clone(), json!({"dtype": dtype, "shape": shape, "data_offsets": offsets}));
        end += bytes.len();
    }
    let mut header = json_text(&table);
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.reserve(header.len() + end);
    bytes.extend(header.as_bytes());
    for tensor in tensors {
        bytes.extend(tensor.bytes);
    }
    let place = checksum_place(&bytes).expect("the header was just written with a checksum");
    let digits = checksum(&bytes, place);
    bytes[place..place + CHECKSUM_DIGITS].copy_from_slice(digits.as_bytes());
    bytes
}

fn json_text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data has a JSON form")
}

fn metadata(model: &QModel) -> serde_json::Value {
    let layers: Vec<LayerMeta> = model.linears().map(LayerMeta::of).collect();
    let norms: Vec<NormMeta> = norms(model).map(NormMeta::of).collect();
    let caches: Vec<CacheMeta> = model.blocks.iter().map(|block| CacheMeta::of(&block.cache)).collect();
    json!({
        "format": FORMAT,
        "version": VERSION,
        "sha256": "0".repeat(CHECKSUM_DIGITS),
        "options": json_text(&model.options),
        "layers": json_text(&layers),
        "norms": json_text(&norms),
        "caches": json_text(&caches),
        "config": model.config_json,
        "tokenizer": model.tokenizer_json,
    })
}

/// A tensor in the making.
struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn tensors(model: &QModel) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    let mut put = |name: String, dtype: Dtype, shape: &[usize], bytes: Vec<u8>| {
        tensors.push(Tensor { name, dtype, shape: shape.to_vec(), bytes });
    };
    let u16_bytes = |values: &[u16]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let i16_bytes = |values: &[i16]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let matrix = |t: &spec::Tensor<i16>| ([t.rows, t.cols], i16_bytes(&t.data));

    let (shape, bytes) = matrix(&model.embedding.codes);
    put(EMBEDDING_CODES.into(), Dtype::I16, &shape, bytes);
    let shift = &model.embedding.shift;
    put(EMBEDDING_SHIFT.into(), Dtype::I8, &[shift.len()], shift.iter().map(|&s| s as u8).collect());
    for (name, table) in [(ROPE_COS, &model.rope.cos), (ROPE_SIN, &model.rope.sin)] {
        let (shape, bytes) = matrix(table);
        put(name.into(), Dtype::I16, &shape, bytes);
    }
    for (i, norm) in norms(model).enumerate().filter(|(_, norm)| !norm.gain.is_empty()) {
        put(gain_name(i, model.blocks.len()), Dtype::U16, &[norm.gain.len()], u16_bytes(&norm.gain));
    }
    for (i, QBlock { cache, .. }) in model.blocks.iter().enumerate() {
        for (field, values) in
            [("k_factor", &cache.k_factor), ("q_factor", &cache.q_factor), ("o_align", &cache.o_align)]
        {
            put(cache_name(i, field), Dtype::U16, &[values.len()], u16_bytes(values));
        }
    }
    for layer in model.linears() {
        let linear = &layer.linear;
        let name = |part: &str| format!("{}.{part}", linear.name);
        let operand = linear.format.weight();
        let (dtype, row_bytes) = nibbles::layout(operand, linear.weight.cols);
        put(name("weight"), dtype, &[linear.weight.rows, row_bytes], nibbles::pack(operand, &linear.weight));
        put(name("align"), Dtype::U16, &[linear.align.len()], u16_bytes(&linear.align));
        let sums = linear.sum.iter().flat_map(|v| v.to_le_bytes()).collect();
        put(name("sum"), Dtype::I32, &[linear.sum.len()], sums);
        if layer.scales.cols > 0 {
            put(name("scales"), Dtype::U8, &[layer.scales.rows, layer.scales.cols], layer.scales.data.clone());
        }
    }
    tensors
}
