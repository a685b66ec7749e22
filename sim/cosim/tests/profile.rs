//! Every cycle of a run belongs to one section of its program and one cause, as the hardware's own counters have it.

use golden::layers::random::{Coding, Shape, random_model};
use hdl::rtl::Design;
use hdl::unit::top::top;
use sim::accel::Accelerator;
use sim::accel::profile::Profiler;
use sim::lower::program::{Job, lower, roofline};
use sim::memory::Timing;
use spec::{Config, Format, regs};

const SHAPE: Shape =
    Shape { hidden: 20, ffn: 29, blocks: 2, heads: 4, kv_heads: 2, head_dim: 6, vocab: 33, positions: 40 };

#[test]
fn sections_add_up_to_the_counters() {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.pe.formats = vec![Format::W8a8, Format::W4a8];
    let model = random_model(&SHAPE, &[Coding::new(Format::W4a8)], 4);
    let job = Job { prompt: &[3, 1, 4, 1, 5], tokens: 3, logits: true };
    let program = lower(&config, &model, &job).unwrap();
    let design = Design::new(top(&config).unwrap());
    for seed in [None, Some(3)] {
        let mut accelerator = Accelerator::new(&design, Timing { stall_seed: seed, ..Timing::latency(30) }).unwrap();
        // The second run finds what the first one left.
        for _ in 0..2 {
            let mut profiler = Profiler::new(&accelerator.bench.stepper, &program).unwrap();
            accelerator.start(&program).unwrap();
            accelerator.finish_run(4_000_000, &mut |stepper| profiler.see(stepper)).unwrap();
            let profile = profiler.profile(&config.hash());
            let counters = accelerator.counters().unwrap();
            let counted = |name: &str| counters.get(name).unwrap();
            assert_eq!(profile.cycles, counted("cycles"));
            assert_eq!(profiler.cycles(), profile.cycles);
            for ((name, _), cycles) in regs::STALLS.iter().zip(profile.stalls()) {
                assert_eq!(cycles, counted(name), "{name}");
            }
            let beat = u64::from(config.beat_bytes());
            assert_eq!(profile.read_bytes, beat * counted("read_beats"));
            assert_eq!(profile.write_bytes, beat * counted("write_beats"));
            let instructions: u64 = profile.sections.iter().map(|s| s.instructions).sum();
            assert_eq!(instructions, counted("instructions"));
            assert_eq!(profile.roofline_cycles, roofline(&program));
            assert!(profile.macs > 0 && profile.roofline_cycles < profile.cycles);
            for section in &profile.sections {
                assert_eq!(section.stalls.iter().sum::<u64>(), section.cycles, "{section:?}");
            }
            // Sections are those of the model, and what is stored is stored where the program says so.
            let of = |operator: &'static str| profile.sections.iter().filter(move |s| s.operator == operator);
            assert!(of("down_proj").all(|s| s.cycles > 0 && s.layer.is_some()), "{profile:?}");
            assert!(of("gate_proj").all(|s| s.write_bytes == 0 && s.read_bytes > 0), "{profile:?}");
            assert!(of("lm_head").all(|s| s.write_bytes > 0 && s.tokens == 1), "{profile:?}");
            assert_eq!(of("lm_head").map(|s| s.token).collect::<Vec<_>>(), [4, 5, 6]);
            assert_eq!(of("down_proj").count(), 3 * SHAPE.blocks);
        }
    }
}
