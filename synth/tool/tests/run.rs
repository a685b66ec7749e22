//! Children: their output, failures, time-outs and descendants.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, process, thread};

use tool::{Command, Error};

fn sh(script: &str) -> Command {
    Command::new("/bin/sh").arg("-c").arg(script)
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whether the process runs; a zombie that nobody reaped does not.
fn is_alive(pid: &str) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", pid.trim())) else { return false };
    !stat.rsplit(')').next().unwrap().trim_start().starts_with(['Z', 'X'])
}

fn is_dead_soon(pid: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while is_alive(pid) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    !is_alive(pid)
}

#[test]
fn output_environment_and_folder() {
    let folder = folder("surroundings");
    let output = sh("echo \"$X $LC_ALL\"; pwd; echo err >&2; cat").env("X", "y z").cwd(&folder).run().unwrap();
    assert_eq!(output.stdout_text(), format!("y z C\n{}\n", fs::canonicalize(&folder).unwrap().display()));
    assert_eq!(output.stderr_text(), "err\n");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn time_out_kills_grandchildren() {
    let folder = folder("timeout");
    let file = folder.join("pids");
    let start = Instant::now();
    let script = format!("sleep 100 & echo $! > {0}; echo $$ >> {0}; echo so far; sleep 100", file.display());
    let error = sh(&script).timeout(Duration::from_millis(700)).run().unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(matches!(&error, Error::TimedOut { tail, .. } if tail == "so far"), "{error}");
    assert!(error.is_tool() && error.to_string().contains("did not finish in 0.7 s"), "{error}");
    let pids = fs::read_to_string(&file).unwrap();
    assert_eq!(pids.lines().count(), 2);
    assert!(pids.lines().all(is_dead_soon));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn descendants_left_behind_are_killed_and_do_not_hold_the_pipes() {
    let start = Instant::now();
    let output = sh("sleep 100 & echo $!").run().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(is_dead_soon(&output.stdout_text()));
}

#[test]
fn the_group_dies_with_this_process() {
    // The child is this test binary, running the test below, which starts a tool and is killed like a user would.
    let folder = folder("guard");
    let file = folder.join("pid");
    let mut child = process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "start_a_tool_and_wait", "--ignored"])
        .env("SYSTOLE_TEST_PID_FILE", &file)
        .stdout(process::Stdio::null())
        .stderr(process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::read_to_string(&file).map_or(true, |text| !text.ends_with('\n')) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    let pid = fs::read_to_string(&file).unwrap();
    assert!(is_alive(&pid));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_dead_soon(&pid));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
#[ignore = "a child process of the_group_dies_with_this_process"]
fn start_a_tool_and_wait() {
    if let Ok(file) = std::env::var("SYSTOLE_TEST_PID_FILE") {
        let result = sh(&format!("sleep 60 & echo $! > {file}; wait")).timeout(Duration::from_secs(60)).run();
        assert!(result.is_ok());
    }
}

#[test]
fn a_killed_child_is_reported() {
    let error = sh("echo before; kill -KILL $$").run().unwrap_err();
    let Error::Failed { status, tail, log, .. } = &error else { panic!("{error}") };
    assert_eq!((status.as_str(), tail.as_str(), log), ("signal: 9 (SIGKILL)", "before", &None));
}

#[test]
fn a_failure_shows_the_last_lines_and_the_log() {
    let folder = folder("failure");
    let log = folder.join("tool.log");
    let error = sh("seq 1 1000; echo reason >&2; exit 3").log(&log).run().unwrap_err();
    assert!(error.is_tool());
    let message = error.to_string();
    assert!(message.starts_with("`/bin/sh -c 'seq 1 1000; echo reason >&2; exit 3'` failed: exit status: 3\n  990"));
    assert!(message.ends_with(&format!("  1000\n  reason\n  full log: {}", log.display())), "{message}");
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.starts_with("$ /bin/sh -c ") && text.contains("\n500\n") && text.ends_with("\nexit status: 3\n"));

    let error = sh("seq 1 1000; exit 1").run().unwrap_err();
    let Error::Failed { log: Some(path), .. } = &error else { panic!("{error}") };
    assert!(fs::read_to_string(path).unwrap().contains("\n500\n"));
    fs::remove_file(path).unwrap();

    sh("echo fine").log(&log).run().unwrap();
    assert!(fs::read_to_string(&log).unwrap().contains("fine"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_log_that_cannot_be_written_is_an_error_of_ours() {
    let error = sh("echo").log("/nonexistent/log").run().unwrap_err();
    assert!(!error.is_tool() && error.to_string().contains("/nonexistent/log"), "{error}");
}

#[test]
fn large_output_on_both_pipes_does_not_dead_lock() {
    let bytes = 8 << 20;
    let script = format!("head -c {bytes} /dev/zero >&2; head -c {bytes} /dev/zero; head -c {bytes} /dev/zero >&2");
    let output = sh(&script).timeout(Duration::from_secs(60)).run().unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (bytes, 2 * bytes));
}

#[test]
fn a_file_not_written_is_a_failure() {
    let folder = folder("writes");
    let file = folder.join("out");
    fs::write(&file, "stale").unwrap();
    let error = sh("exit 0").writes(&file).run().unwrap_err();
    assert!(error.is_tool() && error.to_string().contains("did not write"), "{error}");
    let error = sh(&format!(": > {}", file.display())).writes(&file).run().unwrap_err();
    assert!(error.is_tool(), "{error}");
    sh(&format!("echo x > {}", file.display())).writes(&file).run().unwrap();
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = Command::new("/nonexistent/model").run().unwrap_err();
    assert!(matches!(error, Error::Start { .. }) && error.is_tool());
    assert!(error.to_string().starts_with("cannot start `/nonexistent/model`: No such file"), "{error}");
}
