//! Hadamard rotations: outliers of single channels spread over all, the function stays.
//!
//! Where two linear maps meet with nothing between them a rotation is folded into both: the residual stream (embedding
//! and outputs on one side, inputs behind norms without gain on the other) and each head's values. Where a gate or the
//! softmax stands between, the input is rotated at run time and only the weights are rotated here.
//!
//! **Source**: QuaRot, arXiv 2404.00456.

use rayon::prelude::*;
use spec::Tensor;

use super::net::{Net, NetBlock, NetLinear, place};
use super::sim::{butterflies, hadamard};

/// The longest transform over a row of `k`: the largest power of two that divides it, at most `most`.
pub fn length(k: usize, most: usize) -> usize {
    (1 << k.trailing_zeros().min(30)).min(most)
}

/// Rotates the residual stream.
///
/// # Panics
/// If a norm has a gain: a rotation does not pass through it.
pub fn residual(net: &mut Net, most: usize) {
    let length = length(net.config.hidden_size, most);
    assert!(net.gain.is_empty(), "the stream is rotated before norms get gains");
    hadamard(&mut net.embedding, length);
    for block in &mut net.blocks {
        assert!(block.attn_gain.is_empty() && block.ffn_gain.is_empty(), "as above");
        for p in [place::Q, place::K, place::V, place::GATE, place::UP] {
            hadamard(&mut block.linears[p].weight, length);
        }
        for p in [place::O, place::DOWN] {
            outputs(&mut block.linears[p].weight, length);
        }
    }
    hadamard(&mut net.head.weight, length);
}

/// Rotates what one layer of a block gives to another, in blocks of `length` channels: folded into both.
pub fn between(block: &mut NetBlock, from: usize, to: usize, length: usize) {
    outputs(&mut block.linears[from].weight, length);
    hadamard(&mut block.linears[to].weight, length);
}

/// Has the input of a layer rotated at run time.
///
/// # Panics
/// If it is rotated already.
pub fn input(linear: &mut NetLinear, length: usize) {
    assert!(linear.rotation == 1, "{} is rotated already", linear.name);
    hadamard(&mut linear.weight, length);
    linear.rotation = length as u32;
}

/// Rotates the outputs of a layer, in blocks of `length` channels.
fn outputs(weight: &mut Tensor<f32>, length: usize) {
    if length == 1 {
        return;
    }
    let k = weight.cols;
    weight.data.par_chunks_exact_mut(length * k).for_each(|rows| {
        let mut column = vec![0.0; length];
        for c in 0..k {
            for (i, x) in column.iter_mut().enumerate() {
                *x = rows[i * k + c];
            }
            butterflies(&mut column);
            for (i, &x) in column.iter().enumerate() {
                rows[i * k + c] = x;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::sim::Sim;
    use super::*;
    use crate::load::model::open;

    #[test]
    fn rotations_leave_the_logits() {
        let net = Net::new(&open("fairy").unwrap()).unwrap();
        let ids: Vec<u32> = (0..24).map(|i| i * 19 % 512).collect();
        let exact = Sim::exact(&net).logits(&ids);
        let changes: [fn(&mut Net); 3] = [
            |net| residual(net, 4096),
            |net| net.blocks.iter_mut().for_each(|b| between(b, place::V, place::O, 32)),
            |net| {
                for p in [place::O, place::DOWN] {
                    for linear in net.blocks.iter_mut().map(|b| &mut b.linears[p]) {
                        let length = length(linear.weight.cols, 64);
                        input(linear, length);
                    }
                }
            },
        ];
        for change in changes {
            let mut turned = net.clone();
            change(&mut turned);
            let found = Sim::exact(&turned).logits(&ids);
            let most = found.data.iter().zip(&exact.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(most < 1e-3, "logits move by {most}");
            assert_ne!(turned.blocks[0].linears[place::O].weight, net.blocks[0].linears[place::O].weight);
        }
    }

    #[test]
    fn lengths_are_powers_of_two_that_divide() {
        for (k, most, expected) in [(128, 4096, 128), (172, 4096, 4), (288, 4096, 32), (768, 32, 32), (7, 64, 1)] {
            assert_eq!(length(k, most), expected);
        }
    }
}
