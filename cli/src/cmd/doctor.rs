//! `systole doctor`: which external programs are there, and how to install those that are not.

use serde_json::json;

use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::report::{Report, Table};

/// Say which external programs are there, what needs them and how to install those that are missing
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  systole doctor\n  SYSTOLE_VERILATOR=/opt/verilator/bin/verilator systole doctor\n\n\
    Exit code 3 if a program is missing or too old."
)]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// None: what is missing is the result.
pub fn run(_: &Args, output: &Output) -> Result<Report, Error> {
    let mut table = Table::new(&["program", "version", "where", "needed for"]);
    let mut list = Vec::new();
    let mut problems = Vec::new();
    let mut packages = Vec::new();
    let bar = output.bar(tool::ALL.len() as u64, "asking for versions");
    for tool in tool::ALL {
        let path = tool.find().map(|path| path.display().to_string());
        let version = tool.version();
        bar.inc(1);
        let (shown, place) = match (&version, &path) {
            (Ok(version), Ok(path)) => (version.to_string(), path.clone()),
            (_, Ok(path)) => ("unusable".to_string(), path.clone()),
            _ => ("missing".to_string(), "-".to_string()),
        };
        table.row([tool.name.to_string(), shown, place, tool.needed_for.to_string()]);
        let problem = version.as_ref().err().map(ToString::to_string);
        if let Some(problem) = &problem {
            problems.push(problem.clone());
            if !packages.contains(&tool.package) {
                packages.push(tool.package);
            }
        }
        list.push(json!({
            "name": tool.name,
            "ok": version.is_ok(),
            "version": version.as_ref().ok().map(ToString::to_string),
            "path": path.ok(),
            "needed_for": tool.needed_for,
            "install": tool.install(),
            "variable": tool.variable,
            "problem": problem,
        }));
    }
    bar.finish_and_clear();
    let optional = optional(&mut table);
    let cache = cache();
    if let Err(problem) = &cache {
        problems.push(problem.clone());
    }
    let is_ok = problems.is_empty();
    let install = format!("apt-get install -y {}", packages.join(" "));
    let mut text = format!("systole {}\n\n{}\n", env!("CARGO_PKG_VERSION"), table.render());
    if let Ok(folder) = &cache {
        text.push_str(&format!("\nModels built by Verilator are kept in {folder}.\n"));
    }
    let mut brief = if is_ok { "All external programs are there.".to_string() } else { problems.join("\n") };
    if !packages.is_empty() {
        brief.push_str(&format!("\n\nTo install what is missing, as root:\n  {install}"));
    }
    text.push_str(&format!("\n{brief}\n"));
    let json = json!({
        "ok": is_ok,
        "version": env!("CARGO_PKG_VERSION"),
        "tools": list,
        "optional": optional,
        "install": if packages.is_empty() { None } else { Some(install) },
        "cache": {"ok": cache.is_ok(), "folder": cache.as_ref().ok(), "problem": cache.as_ref().err()},
    });
    let brief = if is_ok { String::new() } else { brief };
    Ok(Report { text, brief, json, exit: if is_ok { Exit::Match } else { Exit::Tool } })
}

/// Programs without which `synth` says less: a row each, and what scripts read. Their absence is no failure.
fn optional(table: &mut Table) -> Vec<serde_json::Value> {
    let row = |tool: &tool::Tool| {
        let path = tool.find().map(|path| path.display().to_string()).ok();
        let shown = if path.is_some() { "there" } else { "optional" };
        let place = path.clone().unwrap_or_else(|| format!("`{}`", tool.install()));
        table.row([tool.name.to_string(), shown.to_string(), place, tool.needed_for.to_string()]);
        json!({
            "name": tool.name,
            "ok": path.is_some(),
            "path": path,
            "needed_for": tool.needed_for,
            "install": tool.install(),
            "variable": tool.variable,
        })
    };
    tool::OPTIONAL.iter().map(row).collect()
}

/// Bytes that are written to see whether the cache takes any.
const PROBE_BYTES: usize = 1 << 20;

/// The folder of built models, if it can be written.
fn cache() -> Result<String, String> {
    let folder = cosim::cache::folder().map_err(|e| e.to_string())?;
    let probe = folder.join(format!("doctor-{}", std::process::id()));
    let written = std::fs::create_dir_all(&folder)
        .map_err(|e| e.to_string())
        .and_then(|()| tool::write_atomic(&probe, &vec![0; PROBE_BYTES]).map_err(|e| e.to_string()));
    // Whether it was there or not, it is gone.
    let _ = std::fs::remove_file(&probe);
    let folder = folder.display().to_string();
    match written {
        Ok(()) => Ok(folder),
        Err(e) => Err(format!("{folder}: {e}; models built by Verilator are kept there; set SYSTOLE_CACHE to another")),
    }
}
