//! Switching activity (SAIF 2.0, backward) of registers and ports, bit by bit: cycles at 0 and at 1, and toggles.

use std::io::Write;

use hdl::rtl::module::{Module, SignalKind};

use super::wide::MAX_LIMBS;
use super::{Port, Stepper};
use crate::error::Error;

/// A signal and what its bits did.
#[derive(Debug)]
struct Net {
    name: String,
    port: Port,
    value: Vec<u64>,
    /// Of each bit: toggles, cycles at 1 until the last change, and the cycle of that change.
    bits: Vec<(u64, u64, u64)>,
}

/// Instances of the Verilog, loops of grids among them.
#[derive(Debug, Default)]
struct Scope {
    name: String,
    nets: Vec<Net>,
    inside: Vec<Scope>,
}

/// A SAIF file in the making: shown every cycle before its clock edge.
#[derive(Debug)]
pub struct Saif {
    top: Scope,
    cycles: u64,
}

fn io(error: std::io::Error) -> Error {
    Error::Wave(error.to_string())
}

/// The names of a grid's loops in the Verilog, around the instance at that row and column.
fn loops(name: &str, (rows, cols): (u32, u32), (row, col): (u32, u32)) -> Vec<String> {
    let stem = name.strip_prefix("u_").unwrap_or(name);
    match rows > 1 && cols > 1 {
        true => vec![format!("g_{stem}_row[{row}]"), format!("g_{stem}_col[{col}]")],
        false => vec![format!("g_{stem}[{}]", row + col)],
    }
}

impl Scope {
    fn new(stepper: &Stepper, module: &Module, name: &str, path: &str) -> Self {
        let wanted = module.signals.iter().filter(|s| s.kind != SignalKind::Wire);
        let net = |s: &hdl::rtl::module::Signal| {
            let port = stepper.signal(&format!("{path}{}", s.name)).ok()?;
            let bits = vec![(0, 0, 0); port.width() as usize];
            Some(Net { name: s.name.clone(), port, value: vec![0; port.limbs()], bits })
        };
        let mut scope = Self { name: name.into(), nets: wanted.filter_map(net).collect(), inside: Vec::new() };
        for instance in module.instances() {
            let Some((rows, cols)) = instance.grid else {
                let path = format!("{path}{}.", instance.name);
                scope.inside.push(Self::new(stepper, &instance.module, &instance.name, &path));
                continue;
            };
            for place in 0..rows * cols {
                let (row, col) = (place / cols, place % cols);
                let path = format!("{path}{}[{row}][{col}].", instance.name);
                let mut into = &mut scope.inside;
                for name in loops(&instance.name, (rows, cols), (row, col)) {
                    let at = into.iter().position(|s| s.name == name).unwrap_or_else(|| {
                        into.push(Self { name, ..Self::default() });
                        into.len() - 1
                    });
                    into = &mut into[at].inside;
                }
                into.push(Self::new(stepper, &instance.module, &instance.name, &path));
            }
        }
        scope
    }

    fn sample(&mut self, stepper: &Stepper, cycle: u64, buffer: &mut [u64]) {
        for net in &mut self.nets {
            let now = &mut buffer[..net.value.len()];
            stepper.get_limbs(net.port, now);
            if cycle > 0 && *now == net.value[..] {
                continue;
            }
            for (k, (now, before)) in now.iter().zip(&mut net.value).enumerate() {
                let mut changed = if cycle == 0 { *now } else { *now ^ *before };
                while changed != 0 {
                    let bit = changed.trailing_zeros();
                    changed &= changed - 1;
                    let (toggles, ones, since) = &mut net.bits[64 * k + bit as usize];
                    *toggles += u64::from(cycle > 0);
                    if now >> bit & 1 == 0 {
                        *ones += cycle - *since;
                    }
                    *since = cycle;
                }
                *before = *now;
            }
        }
        self.inside.iter_mut().for_each(|scope| scope.sample(stepper, cycle, buffer));
    }

    fn write(&self, out: &mut impl Write, cycles: u64, period: u64, depth: usize) -> std::io::Result<()> {
        let pad = "  ".repeat(depth);
        writeln!(out, "{pad}(INSTANCE {}", escaped(&self.name))?;
        if !self.nets.is_empty() {
            writeln!(out, "{pad}  (NET")?;
            for net in &self.nets {
                for (i, (toggles, ones, since)) in net.bits.iter().enumerate() {
                    let is_one = net.value[i / 64] >> (i % 64) & 1 == 1;
                    let ones = ones + if is_one { cycles - since } else { 0 };
                    let name = if net.bits.len() > 1 { format!("{}\\[{i}\\]", net.name) } else { net.name.clone() };
                    let (t0, t1) = ((cycles - ones) * period, ones * period);
                    writeln!(out, "{pad}    ({name} (T0 {t0}) (T1 {t1}) (TX 0) (TC {toggles}) (IG 0))")?;
                }
            }
            writeln!(out, "{pad}  )")?;
        }
        for scope in &self.inside {
            scope.write(out, cycles, period, depth + 1)?;
        }
        writeln!(out, "{pad})")
    }
}

fn escaped(name: &str) -> String {
    name.replace('[', "\\[").replace(']', "\\]")
}

impl Saif {
    /// For a design that is about to run.
    pub fn new(stepper: &Stepper) -> Self {
        let module = stepper.flat.templates[0].module.clone();
        Self { top: Scope::new(stepper, &module, &module.name, ""), cycles: 0 }
    }

    /// A cycle, settled, before its clock edge.
    pub fn sample(&mut self, stepper: &Stepper) {
        self.top.sample(stepper, self.cycles, &mut [0; MAX_LIMBS]);
        self.cycles += 1;
    }

    /// Writes the file; a cycle lasts `period_ps` picoseconds.
    ///
    /// # Errors
    /// [`Error::Wave`].
    pub fn write(&self, mut out: impl Write, period_ps: u64) -> Result<(), Error> {
        let head = format!(
            "(SAIFILE\n  (SAIFVERSION \"2.0\")\n  (DIRECTION \"backward\")\n  (DESIGN \"{}\")\n  (VENDOR \"systole\")\n  \
             (PROGRAM_NAME \"systole\")\n  (VERSION \"{}\")\n  (DIVIDER / )\n  (TIMESCALE 1 ps)\n  (DURATION {})\n",
            self.top.name,
            env!("CARGO_PKG_VERSION"),
            self.cycles * period_ps
        );
        out.write_all(head.as_bytes()).map_err(io)?;
        self.top.write(&mut out, self.cycles, period_ps, 1).map_err(io)?;
        out.write_all(b")\n").and_then(|()| out.flush()).map_err(io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::rtl::{Design, ModuleBuilder, Ty};

    #[test]
    fn times_and_toggles_of_each_bit() {
        let mut m = ModuleBuilder::new("m", "Test.");
        let on = m.input("on_i", Ty::bit());
        let count = m.reg("count_q", Ty::u(2));
        m.next_if(&count, &on, &(&count + count.k(1)));
        m.output_is("count_o", &count);
        let mut stepper = Stepper::new(&Design::new(m.build().unwrap())).unwrap();
        let on = stepper.input("on_i").unwrap();
        let mut saif = Saif::new(&stepper);
        // count: 0 1 2 3 0 1 2 2 2 2
        for cycle in 0..10 {
            stepper.set(on, u64::from(cycle < 6));
            stepper.settle();
            saif.sample(&stepper);
            stepper.tick();
        }
        let mut text = Vec::new();
        saif.write(&mut text, 2).unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in [
            "(DURATION 20)",
            "  (INSTANCE m\n    (NET\n      (on_i (T0 8) (T1 12) (TX 0) (TC 1) (IG 0))",
            "(count_q\\[0\\] (T0 14) (T1 6) (TX 0) (TC 6) (IG 0))",
            "(count_q\\[1\\] (T0 8) (T1 12) (TX 0) (TC 3) (IG 0))",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert_eq!(text.matches('(').count(), text.matches(')').count());
        assert_eq!(loops("u_pe", (2, 3), (1, 2)), ["g_pe_row[1]", "g_pe_col[2]"]);
        assert_eq!(loops("u_pe", (1, 3), (0, 2)), ["g_pe[2]"]);
    }
}
