//! The driver over the step simulator as a host: identity, programs at any address, soft reset.

use golden::iss;
use golden::layers::random::{Coding, Shape, random_model};
use hdl::rtl::Design;
use hdl::unit::top::top;
use sim::accel::Accelerator;
use sim::host::{Host, driver};
use sim::lower::program::{Job, lower};
use sim::memory::Timing;
use spec::isa::{OutputKind, Program, image};
use spec::{Config, Format};

const SHAPE: Shape =
    Shape { hidden: 12, ffn: 9, blocks: 1, heads: 2, kv_heads: 1, head_dim: 4, vocab: 13, positions: 8 };

fn config() -> Config {
    let mut config = Config::from_toml(hdl::presets::preset("small").unwrap()).unwrap();
    config.pe.formats = vec![Format::W8a8];
    config
}

fn program(config: &Config) -> Program {
    let model = random_model(&SHAPE, &[Coding::new(Format::W8a8)], 3);
    lower(config, &model, &Job { prompt: &[3, 1], tokens: 2, logits: true }).unwrap()
}

/// Loads and runs a program on any host; rows of outputs that were compared with the instruction-set simulator's.
fn runs(host: &mut impl Host, program: &Program) -> usize {
    let run = iss::run(program, &mut iss::Blind).unwrap_or_else(|e| panic!("{e}"));
    let placed = driver::load(host, program).unwrap();
    driver::start(host, placed).unwrap();
    driver::finish(host, 1_000_000).unwrap_or_else(|e| panic!("{e}"));
    let mut rows = 0;
    for kind in [OutputKind::Tokens, OutputKind::Logits] {
        for row in 0..program.output(kind).unwrap().rows {
            let found = driver::output(host, program, kind, row).unwrap().unwrap();
            assert_eq!(found, run.output(kind, row).unwrap(), "{kind:?}, row {row}");
            rows += 1;
        }
    }
    let counters = driver::counters(host).unwrap();
    assert_eq!(counters.get("cycles"), Some(counters.causes()));
    assert_eq!(counters.get("instructions"), Some(program.instrs.len() as u64));
    rows
}

#[test]
fn the_driver_knows_the_hardware_and_runs_programs_anywhere_in_memory() {
    let config = config();
    let design = Design::new(top(&config).unwrap());
    let mut host = Accelerator::new(&design, Timing::latency(10)).unwrap();
    let identity = driver::expect(&mut host, &config).unwrap();
    assert_eq!(identity.config_hash, config.hash());
    let version = env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse().unwrap()).collect::<Vec<u8>>();
    assert_eq!([identity.version.0, identity.version.1, identity.version.2], version[..]);
    let array = identity.words.iter().find(|(name, _)| *name == "CONFIG_ARRAY").unwrap().1;
    assert_eq!((array & 0xff, array >> 8 & 0xff), (config.array.rows, config.array.cols));
    let mut other = config.clone();
    other.vec.params *= 2;
    let error = driver::expect(&mut host, &other).unwrap_err().to_string();
    assert!(error.contains(&config.hash()) && error.contains(&other.hash()), "{error}");

    let program = program(&config);
    assert_eq!(runs(&mut host, &program), 4);
    assert_eq!(runs(&mut host, &image::moved(&program, 0x1000_0000).unwrap()), 4);
    let top = (1_u64 << 32) - image::end(&program).next_multiple_of(image::PAGE_BYTES);
    assert_eq!(runs(&mut host, &image::moved(&program, top as u32).unwrap()), 4);

    // A run that is cut off has no outcome; the next one is sound.
    let placed = driver::load(&mut host, &program).unwrap();
    driver::start(&mut host, placed).unwrap();
    assert!(driver::finish(&mut host, 50).unwrap_err().to_string().contains("50 cycles"));
    assert!(driver::outcome(&mut host).is_err());
    driver::soft_reset(&mut host, 1000).unwrap();
    assert_eq!(runs(&mut host, &program), 4);
}
