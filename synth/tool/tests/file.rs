//! Files that are whole or not there.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use tool::{Error, write_atomic, write_atomic_with};

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_file_is_written_replaced_and_nothing_else_is_left() {
    let folder = folder("write");
    let path = folder.join("a");
    for bytes in [&b"first"[..], b"", &[7; 1_000_000]] {
        write_atomic(&path, bytes).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    write_atomic(&folder.join("x".repeat(255)), b"long name").unwrap();
    assert_eq!(names(&folder).len(), 2);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_error_while_filling_keeps_the_old_contents() {
    let folder = folder("fill");
    let path = folder.join("a");
    write_atomic(&path, b"old").unwrap();
    let error = write_atomic_with(&path, |writer| {
        writer.write_all(b"half")?;
        Err(std::io::Error::other("no more"))
    });
    assert!(error.unwrap_err().to_string().ends_with("a: no more"));
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(&folder), ["a"]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn errors_name_the_path() {
    let error = write_atomic(Path::new("/nonexistent/x"), b"").unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if path == Path::new("/nonexistent/x")) && !error.is_tool());
    let error = write_atomic(&env::temp_dir(), b"").unwrap_err();
    assert!(error.to_string().contains("directory"), "{error}");
}

#[test]
fn a_link_is_followed() {
    let folder = folder("link");
    write_atomic(&folder.join("target"), b"old").unwrap();
    std::os::unix::fs::symlink("target", folder.join("link")).unwrap();
    write_atomic(&folder.join("link"), b"new").unwrap();
    assert_eq!(fs::read(folder.join("target")).unwrap(), b"new");
    assert!(folder.join("link").symlink_metadata().unwrap().is_symlink());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_full_device_is_reported_and_not_replaced() {
    let error = write_atomic(Path::new("/dev/full"), &[0; 100_000]).unwrap_err();
    assert!(error.to_string().starts_with("cannot write /dev/full: No space left on device"), "{error}");
    assert!(!Path::new("/dev/full").metadata().unwrap().is_file());
}

#[test]
fn a_disk_that_fills_up_leaves_nothing() {
    // A limit on the size of files stands for the full disk: the write fails part of the way in both cases.
    let folder = folder("limit");
    let path = folder.join("a");
    let output = process::Command::new("/bin/sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact write_more_than_fits --ignored"])
        .arg(env::current_exe().unwrap())
        .env("SYSTOLE_TEST_FILE", &path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(names(&folder).is_empty());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
#[ignore = "a child process of a_disk_that_fills_up_leaves_nothing"]
fn write_more_than_fits() {
    if let Some(path) = env::var_os("SYSTOLE_TEST_FILE") {
        let error = write_atomic(Path::new(&path), &[0; 1 << 20]).unwrap_err();
        assert!(error.to_string().contains("File too large"), "{error}");
    }
}
