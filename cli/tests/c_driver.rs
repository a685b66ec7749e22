//! The generated C driver, compiled as strict C99, drives the step simulator of the generated hardware over a pipe.

mod common;

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::json;
use golden::iss;
use golden::layers::random::{Coding, Shape, random_model};
use hdl::rtl::Design;
use sim::accel::Accelerator;
use sim::host::Host;
use sim::lower::program::{Job, lower};
use sim::memory::Timing;
use spec::isa::{Field, Op, OutputKind, Program, container, image};
use spec::{Config, Format};
use tempfile::tempdir;

const SHAPE: Shape =
    Shape { hidden: 12, ffn: 9, blocks: 1, heads: 2, kv_heads: 1, head_dim: 4, vocab: 13, positions: 8 };
const STRICT: [&str; 5] = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"];
const BASE: u32 = 0x2000_0000;

fn config() -> Config {
    Config::from_toml(hdl::presets::preset("tiny").unwrap()).unwrap()
}

fn program(config: &Config) -> Program {
    let model = random_model(&SHAPE, &[Coding::new(Format::W8a8)], 3);
    lower(config, &model, &Job { prompt: &[3, 1], tokens: 3, logits: true }).unwrap()
}

/// Runs the driver; what it says, by name, the last of each, and all tokens.
fn drive(driver: &Path, image: &Path, host: &mut impl Host) -> (HashMap<String, String>, Vec<i64>) {
    let mut child = Command::new(driver).arg(image).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let (mut said, mut tokens) = (HashMap::new(), Vec::new());
    let hex = |text: &str| u32::from_str_radix(text, 16).unwrap();
    for line in from.lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let mut answer = 0;
        match words[..] {
            ["r", offset] => answer = host.read_reg(hex(offset)).unwrap(),
            ["w", offset, value] => host.write_reg(hex(offset), hex(value)).unwrap(),
            ["m", addr] => {
                let mut byte = [0];
                host.read_mem(hex(addr), &mut byte).unwrap();
                answer = byte[0].into();
            }
            ["M", addr, bytes] => {
                let bytes: Vec<u8> = (0..bytes.len() / 2).map(|i| hex(&bytes[2 * i..2 * i + 2]) as u8).collect();
                host.write_mem(hex(addr), &bytes).unwrap();
            }
            ["p"] => {
                host.wait(100).unwrap();
            }
            ["=", "token", id] => tokens.push(hex(id).into()),
            ["=", what, value] => {
                said.insert(what.to_string(), value.to_string());
            }
            _ => panic!("{line}"),
        }
        writeln!(to, "{answer:x}").unwrap();
    }
    assert!(child.wait().unwrap().success());
    (said, tokens)
}

/// A register file in which nothing answers.
struct Silent;

impl Host for Silent {
    fn read_reg(&mut self, _: u32) -> Result<u32, sim::Error> {
        Ok(u32::MAX)
    }
    fn write_reg(&mut self, _: u32, _: u32) -> Result<(), sim::Error> {
        panic!("nothing is written to what does not answer")
    }
    fn read_mem(&mut self, _: u32, _: &mut [u8]) -> Result<(), sim::Error> {
        panic!("no memory is read")
    }
    fn write_mem(&mut self, _: u32, _: &[u8]) -> Result<(), sim::Error> {
        panic!("no memory is written")
    }
    fn wait(&mut self, _: u64) -> Result<bool, sim::Error> {
        Ok(false)
    }
}

#[test]
fn the_driver_probes_loads_runs_waits_and_decodes_errors() {
    let folder = tempdir().unwrap();
    let (code, value) = json(folder.path(), &["generate", "--preset", "tiny", "--unit", "top", "-o", "g"]);
    assert_eq!(code, 0, "{value}");
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/driver_pipe.c");
    let (g, driver) = (folder.path().join("g"), folder.path().join("driver"));
    let mut gcc = Command::new("gcc");
    gcc.args(STRICT).arg("-O1").arg("-I").arg(&g).arg(main).arg(g.join("systole_driver.c")).arg("-o").arg(&driver);
    let output = gcc.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && text.is_empty(), "{text}");

    let config = config();
    let program = program(&config);
    fs::write(folder.path().join("p.prog"), container::to_bytes(&program)).unwrap();
    let args = ["image", "p.prog", "--preset", "small", "-o", "p.img"];
    let (code, value) = json(folder.path(), &args);
    assert!(code == 2 && value.to_string().contains("configuration"), "{value}");
    let args = ["image", "p.prog", "--preset", "tiny", "--base", "0x20000000", "-o", "p.img"];
    let (code, value) = json(folder.path(), &args);
    assert_eq!((code, value["base"].as_u64()), (0, Some(BASE.into())), "{value}");
    let image = folder.path().join("p.img");
    let program = image::moved(&program, BASE).unwrap();
    let run = iss::run(&program, &mut iss::Blind).unwrap();
    let expected: Vec<i64> = (0..3).map(|row| run.output(OutputKind::Tokens, row).unwrap()[0]).collect();

    let design = Design::new(hdl::unit::top::top(&config).unwrap());
    let mut host = Accelerator::new(&design, Timing::latency(10)).unwrap();
    let (said, tokens) = drive(&driver, &image, &mut host);
    let number = |name: &str| u64::from_str_radix(&said[name], 16).unwrap();
    assert_eq!(tokens, expected);
    for (name, value) in [
        ("probe", 0),
        ("rows", config.array.rows.into()),
        ("cols", config.array.cols.into()),
        ("lanes", config.vec_lanes().into()),
        ("bus", config.bus.data_bits.into()),
        ("before", 8),
        ("damaged", 5),
        ("short", 5),
        ("foreign", 6),
        ("load", 0),
        ("busy", 1),
        ("timeout", 3),
        ("reset", 0),
        ("stopped", 8),
        ("wait", 0),
        ("events", 1),
        ("again", 0),
        ("code", 0),
        ("logits", 0),
        ("instructions", program.instrs.len() as u64),
    ] {
        assert_eq!(number(name), value, "{name}: {said:?}");
    }
    assert_eq!(said["name"], "none");
    assert_eq!(number("cycles"), number("causes"));
    assert!(number("pauses") > 0 && number("cycles") > 0);

    // The memory answers a read with an error.
    let addr = program.instrs.iter().find(|i| i.op() == Op::Ldw).unwrap().get(Field::Addr) as u32;
    host.memory.plant_error(addr..addr + 1, 2);
    host.reset().unwrap();
    let (said, tokens) = drive(&driver, &image, &mut host);
    assert!(tokens.is_empty(), "{tokens:?}");
    for (name, value) in [("wait", "2"), ("events", "2"), ("code", "2"), ("name", "read")] {
        assert_eq!(said[name], value, "{name}: {said:?}");
    }
    assert_eq!(said["fault_addr"], format!("{addr:x}"));

    let (said, _) = drive(&driver, &image, &mut Silent);
    assert_eq!(said, HashMap::from([("probe".to_string(), "4".to_string())]));
}

#[test]
fn the_header_has_every_register_field_error_and_counter() {
    let folder = tempdir().unwrap();
    assert_eq!(json(folder.path(), &["generate", "--preset", "tiny", "--unit", "top", "-o", "g"]).0, 0);
    let header = fs::read_to_string(folder.path().join("g/systole.h")).unwrap();
    let mut expected = Vec::new();
    for register in spec::regs::REGISTERS {
        expected.push(format!("#define SYSTOLE_{}_OFFSET {:#05x}u\n", register.name, register.offset));
        for field in register.fields {
            let mask = ((1_u64 << field.bits) - 1) << field.lsb;
            let name = format!("{}_{}", register.name, field.name.to_uppercase());
            expected.push(format!("#define SYSTOLE_{name}_MASK {mask:#010x}u "));
            expected.push(format!("#define SYSTOLE_{name}_LSB {}u\n", field.lsb));
        }
    }
    for index in 0..spec::regs::COUNTER_COUNT {
        let (name, _) = spec::regs::counter(index).unwrap();
        expected.push(format!("#define SYSTOLE_COUNTER_{} {index}u ", name.to_uppercase()));
    }
    for (code, (name, _)) in spec::regs::ERROR_CODES.iter().enumerate() {
        expected.push(format!("#define SYSTOLE_ERROR_{} {code}u ", name.to_uppercase()));
    }
    for line in expected {
        assert!(header.contains(&line), "{line}");
    }
}
