//! Waves of both models side by side: the same signals in a scope `step` and in a scope `rtl`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sim::engine::frame::Frame;
use vcd::{IdCode, TimescaleUnit, VarType};

use crate::error::Error;

/// Time units of a clock cycle; the rising edge is in its middle.
const CYCLE_NS: u64 = 10;

/// A wave file that is being written; it gets its name when it is complete.
pub struct Wave {
    writer: vcd::Writer<BufWriter<File>>,
    /// What is written until then; none if the path is a device or a pipe, which renaming would replace.
    temporary: Option<PathBuf>,
    path: PathBuf,
    clock: IdCode,
    differs: IdCode,
    signals: Vec<Signal>,
}

/// One signal of one model.
struct Signal {
    id: IdCode,
    /// Which of the frames (inputs, step's outputs, rtl's outputs) it is taken from, and which field of it.
    frame: usize,
    field: sim::engine::frame::Field,
    last: Option<Vec<u64>>,
}

impl Wave {
    /// A wave file for those frames.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: &Path, inputs: &Frame, outputs: &Frame) -> Result<Self, Error> {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}.part", std::process::id()));
        let is_special = path.metadata().is_ok_and(|data| !data.is_file());
        let temporary = (!is_special).then(|| path.with_file_name(name));
        let file = File::create(temporary.as_deref().unwrap_or(path)).map_err(Error::io("write", path))?;
        let writer = vcd::Writer::new(BufWriter::new(file));
        let (clock, differs) = (IdCode::FIRST, IdCode::FIRST);
        let mut wave = Self { writer, temporary, path: path.to_path_buf(), clock, differs, signals: Vec::new() };
        wave.header(inputs, outputs).map_err(Error::io("write", path))?;
        Ok(wave)
    }

    fn header(&mut self, inputs: &Frame, outputs: &Frame) -> std::io::Result<()> {
        self.writer.timescale(1, TimescaleUnit::NS)?;
        self.writer.add_module("compare")?;
        self.clock = self.writer.add_wire(1, "clk_i")?;
        self.differs = self.writer.add_wire(1, "differs")?;
        self.writer.upscope()?;
        for (scope, output_frame) in [("step", 1), ("rtl", 2)] {
            self.writer.add_module(scope)?;
            for (frame, fields) in [(0, &inputs.fields), (output_frame, &outputs.fields)] {
                for field in fields {
                    let reference = if field.width > 1 {
                        Some(vcd::ReferenceIndex::Range(field.width as i32 - 1, 0))
                    } else {
                        None
                    };
                    let id = self.writer.add_var(VarType::Wire, field.width, &field.name, reference)?;
                    self.signals.push(Signal { id, frame, field: field.clone(), last: None });
                }
            }
            self.writer.upscope()?;
        }
        self.writer.enddefinitions()
    }

    /// One cycle.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn cycle(&mut self, index: u64, inputs: &[u64], step: &[u64], rtl: &[u64]) -> Result<(), Error> {
        self.changes(index, [inputs, step, rtl]).map_err(Error::io("write", &self.path))
    }

    fn changes(&mut self, index: u64, frames: [&[u64]; 3]) -> std::io::Result<()> {
        self.writer.timestamp(index * CYCLE_NS)?;
        self.writer.change_scalar(self.clock, vcd::Value::V0)?;
        self.writer.change_scalar(self.differs, frames[1] != frames[2])?;
        let body = self.writer.writer();
        let mut text = String::new();
        for signal in &mut self.signals {
            let value = signal.field.get_limbs(frames[signal.frame]);
            if signal.last.as_ref() == Some(&value) {
                continue;
            }
            text.clear();
            if signal.field.width == 1 {
                text.push(if value[0] == 1 { '1' } else { '0' });
            } else {
                binary(&value, &mut text);
                text.push(' ');
            }
            writeln!(body, "{text}{}", signal.id)?;
            signal.last = Some(value);
        }
        self.writer.timestamp(index * CYCLE_NS + CYCLE_NS / 2)?;
        self.writer.change_scalar(self.clock, vcd::Value::V1)
    }

    /// Completes the file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(mut self) -> Result<(), Error> {
        let body = self.writer.writer();
        let written = body.flush().and_then(|()| match &self.temporary {
            Some(temporary) => body.get_ref().sync_all().and_then(|()| std::fs::rename(temporary, &self.path)),
            None => Ok(()),
        });
        written.map_err(Error::io("write", &self.path))
    }
}

impl Drop for Wave {
    fn drop(&mut self) {
        // Nothing to remove once the file has its name; otherwise what led here matters more.
        let _ = self.temporary.as_ref().map(std::fs::remove_file);
    }
}

/// `b` and the bits without leading zeros, as wave files have them.
fn binary(limbs: &[u64], text: &mut String) {
    use std::fmt::Write as _;
    text.push('b');
    let mut is_leading = true;
    for (i, limb) in limbs.iter().enumerate().rev() {
        // Writing to a String cannot fail.
        let _ = match (is_leading, *limb) {
            (true, 0) if i > 0 => continue,
            (true, limb) => write!(text, "{limb:b}"),
            (false, limb) => write!(text, "{limb:064b}"),
        };
        is_leading = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_has_no_leading_zeros() {
        let text = |limbs: &[u64]| {
            let mut text = String::new();
            binary(limbs, &mut text);
            text
        };
        assert_eq!(text(&[0]), "b0");
        assert_eq!(text(&[5, 0]), "b101");
        assert_eq!(text(&[1, 1]), format!("b1{:064b}", 1));
    }

    #[test]
    fn both_models_stand_side_by_side_and_only_changes_are_written() {
        let folder = std::env::temp_dir().join(format!("systole-wave-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("w.vcd");
        let inputs = Frame::new([("a_i".to_string(), 1)]);
        let outputs = Frame::new([("y_o".to_string(), 70)]);
        let mut wave = Wave::create(&path, &inputs, &outputs).unwrap();
        wave.cycle(7, &[1], &[3, 0], &[3, 0]).unwrap();
        wave.cycle(8, &[1], &[3, 0], &[3, 1]).unwrap();
        assert!(!path.exists());
        wave.finish().unwrap();
        let mut parser = vcd::Parser::new(std::io::BufReader::new(File::open(&path).unwrap()));
        let header = parser.parse_header().unwrap();
        let code = |path: &[&str]| header.find_var(path).unwrap().code;
        let (step, rtl) = (code(&["step", "y_o"]), code(&["rtl", "y_o"]));
        assert!(header.find_var(&["rtl", "a_i"]).is_some());
        let mut changes = Vec::new();
        let mut time = 0;
        for command in parser {
            match command.unwrap() {
                vcd::Command::Timestamp(at) => time = at,
                vcd::Command::ChangeVector(id, value) => changes.push((time, id == rtl, value.to_string())),
                _ => {}
            }
        }
        assert_ne!(step, rtl);
        let one = format!("1{:064b}", 3);
        assert_eq!(changes, [(70, false, "11".into()), (70, true, "11".into()), (80, true, one)]);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
