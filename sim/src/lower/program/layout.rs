//! Everything that a program finds in memory, by address.

use spec::isa::{Machine, Output, OutputKind, Segment};
use spec::model::{QBlock, QModel, QNorm};

use super::image::{self, Image, Linear};
use super::shape::Shape;
use crate::error::Error;

/// Addresses of a model, its cache and its results.
pub(super) struct Layout {
    pub embedding: u32,
    /// Bytes from one row of the embedding table to the next.
    pub embedding_stride: usize,
    pub rope: u32,
    /// Bytes from one position's tables to the next.
    pub rope_stride: usize,
    pub blocks: Vec<Block>,
    /// Gain of the last norm, if it has any.
    pub gain: Option<u32>,
    pub head: Linear,
    /// Bytes from one token of the cache to the next, whole beats.
    pub cache_stride: usize,
    pub tokens: u32,
    /// 4 bytes of 0.
    pub zero: u32,
    /// Logits and steps, if they are wanted.
    pub logits: Option<(Output, Output)>,
}

/// Addresses of a block.
pub(super) struct Block {
    pub attn_gain: Option<u32>,
    pub ffn_gain: Option<u32>,
    /// `q`, `k`, `v`, `o`, `gate`, `up`, `down`.
    pub linears: Vec<Linear>,
    pub q_factor: u32,
    pub k_factor: u32,
    /// Alignment factors of outputs, one a channel of all query heads.
    pub o_align: u32,
    /// Keys and values of each key head `[token][head_dim]`.
    pub keys: Vec<u32>,
    pub values: Vec<u32>,
}

/// What a program asks of the layout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Positions of the cache.
    pub positions: usize,
    /// Tokens that are generated.
    pub tokens: usize,
    /// Whether logits are kept.
    pub logits: bool,
    /// N tiles of a part of the head.
    pub head_tiles: usize,
    /// Whether memory is to hold anything.
    pub is_filled: bool,
}

impl Layout {
    /// Lays out a model; also gives the segments, the outputs and the ranges that are written and read again.
    #[allow(clippy::type_complexity, reason = "one caller, which takes it apart")]
    pub fn new(
        machine: &Machine,
        model: &QModel,
        shape: &Shape,
        wanted: &Wanted,
    ) -> Result<(Self, Vec<Segment>, Vec<Output>, Vec<(u32, u32)>), Error> {
        let mut image = Image::new(machine.clone(), wanted.is_filled);
        let (embedding, embedding_stride) = image::embedding(&mut image, model, shape)?;
        let (rope, rope_stride) = image::rope(&mut image, model, wanted.positions)?;
        let cache_stride = machine.whole_beats(shape.head_dim as u32) as usize;
        let cache_len = cache_stride * wanted.positions;
        let (mut blocks, mut written) = (vec![], vec![]);
        for (index, block) in model.blocks.iter().enumerate() {
            blocks.push(Self::block(&mut image, shape, block, index, cache_len, &mut written)?);
        }
        let gain = gain(&mut image, "model.norm.gain", &model.norm)?;
        let head = image::linear(&mut image, &model.head, wanted.head_tiles)?;
        let zero = image.add("zero", 4, vec![])?;
        let stride = machine.beat_bytes;
        let tokens = image.add("tokens", stride as usize * wanted.tokens, vec![])?;
        let rows = wanted.tokens as u32;
        let mut outputs = vec![Output { kind: OutputKind::Tokens, addr: tokens, rows, cols: 1, stride }];
        let mut logits = None;
        if wanted.logits {
            let mut output = |kind, name: &str, cols: usize| {
                let stride = machine.whole_beats(8 * cols as u32);
                let addr = image.add(name, stride as usize * wanted.tokens, vec![])?;
                Ok::<_, Error>(Output { kind, addr, rows, cols: cols as u32, stride })
            };
            let both = (output(OutputKind::Logits, "logits", shape.vocab)?, output(OutputKind::Steps, "steps", 1)?);
            outputs.extend([both.0.clone(), both.1.clone()]);
            logits = Some(both);
        }
        let layout = Self {
            embedding,
            embedding_stride,
            rope,
            rope_stride,
            blocks,
            gain,
            head,
            cache_stride,
            tokens,
            zero,
            logits,
        };
        Ok((layout, image.segments, outputs, written))
    }

    fn block(
        image: &mut Image,
        shape: &Shape,
        block: &QBlock,
        index: usize,
        cache_len: usize,
        written: &mut Vec<(u32, u32)>,
    ) -> Result<Block, Error> {
        let name = |part: &str| format!("model.layers.{index}.{part}");
        let linears = block.linears().map(|layer| image::linear(image, layer, usize::MAX));
        let linears = linears.into_iter().collect::<Result<_, _>>()?;
        let cache = &block.cache;
        let spread = (0..shape.q_size()).map(|c| cache.o_align[c / shape.head_dim / shape.group()]);
        let mut store = |what: &str| {
            (0..shape.kv_heads)
                .map(|head| {
                    let addr = image.add(&name(&format!("cache.{what}.{head}")), cache_len, vec![])?;
                    written.push((addr, addr + cache_len as u32));
                    Ok(addr)
                })
                .collect::<Result<Vec<u32>, Error>>()
        };
        let (keys, values) = (store("keys")?, store("values")?);
        Ok(Block {
            attn_gain: gain(image, &name("input_layernorm.gain"), &block.attn_norm)?,
            ffn_gain: gain(image, &name("post_attention_layernorm.gain"), &block.ffn_norm)?,
            linears,
            q_factor: image.u16s(&name("self_attn.cache.q_factor"), cache.q_factor.iter().copied())?,
            k_factor: image.u16s(&name("self_attn.cache.k_factor"), cache.k_factor.iter().copied())?,
            o_align: image.u16s(&name("self_attn.cache.o_align"), spread)?,
            keys,
            values,
        })
    }
}

/// The gain of a norm, if it has any.
fn gain(image: &mut Image, name: &str, norm: &QNorm) -> Result<Option<u32>, Error> {
    if norm.gain.is_empty() {
        return Ok(None);
    }
    image.u16s(name, norm.gain.iter().copied()).map(Some)
}
