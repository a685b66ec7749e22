//! Children that are fed and read in batches.

use std::thread;
use std::time::{Duration, Instant};

use tool::{Command, Error, Piped};

fn sh(script: &str, timeout: Duration) -> Piped {
    Command::new("/bin/sh").arg("-c").arg(script).timeout(timeout).spawn_piped().unwrap()
}

/// Process id that a script printed with `echo $$`, padded to eight characters.
fn pid(piped: &mut Piped) -> u32 {
    let mut text = [0; 8];
    piped.receive(&mut text).unwrap();
    std::str::from_utf8(&text).unwrap().trim().parse().unwrap()
}

fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with(['Z', 'X']))
}

#[test]
fn batches_come_back_in_order() {
    let mut piped = sh("exec cat", Duration::from_secs(30));
    let batch = |number: usize| vec![number as u8; 300_000 + number];
    let mut spare = piped.send(batch(0)).unwrap();
    for number in 1..100 {
        spare.extend_from_slice(&batch(number));
        spare = piped.send(spare).unwrap();
        assert!(spare.is_empty());
        let mut bytes = vec![0; batch(number - 1).len()];
        piped.receive(&mut bytes).unwrap();
        assert_eq!(bytes, batch(number - 1));
    }
    let output = piped.finish().unwrap();
    assert_eq!(output.stdout, batch(99));
}

#[test]
fn both_ends_work_from_two_threads() {
    let (mut writer, mut reader) = sh("exec cat", Duration::from_secs(30)).split();
    let feeder = thread::spawn(move || {
        for number in 0..200u8 {
            writer.send(vec![number; 100_000]).unwrap();
        }
    });
    let mut bytes = vec![0; 100_000];
    for number in 0..200u8 {
        reader.receive(&mut bytes).unwrap();
        assert!(bytes.iter().all(|&byte| byte == number));
    }
    feeder.join().unwrap();
    assert!(reader.finish().unwrap().stdout.is_empty());
}

#[test]
fn a_child_that_dies_is_reported_with_its_stderr() {
    let mut piped = sh("head -c 3; echo broken >&2; exit 7", Duration::from_secs(30));
    piped.send(b"abc".to_vec()).unwrap();
    let error = piped.receive(&mut [0; 4]).unwrap_err();
    let Error::Failed { status, tail, .. } = &error else { panic!("{error}") };
    assert_eq!((status.as_str(), tail.as_str()), ("it ended early, exit status: 7", "broken"));
    assert!(error.is_tool());
}

#[test]
fn a_killed_child_is_reported_by_both_ends() {
    for end in ["send", "receive", "finish"] {
        let mut piped = sh("printf '%8d' $$; sleep 100", Duration::from_secs(30));
        let pid = pid(&mut piped);
        // The whole group: the shell's own child would hold the pipes.
        Command::new("/bin/sh").args(["-c", "kill -s KILL -- -$0", &pid.to_string()]).run().unwrap();
        let error = match end {
            "send" => (0..100).find_map(|_| piped.send(vec![0; 1 << 20]).err()).unwrap(),
            "receive" => piped.receive(&mut [0]).unwrap_err(),
            _ => piped.finish().unwrap_err(),
        };
        assert!(error.to_string().contains("signal: 9 (SIGKILL)"), "{end}: {error}");
    }
}

#[test]
fn a_child_that_hangs_is_killed_at_the_deadline() {
    let start = Instant::now();
    let mut piped = sh("printf '%8d' $$; echo stuck >&2; sleep 100", Duration::from_millis(500));
    let leader = pid(&mut piped);
    let error = piped.receive(&mut [0]).unwrap_err();
    assert!(matches!(&error, Error::TimedOut { tail, .. } if tail == "stuck"), "{error}");
    assert!(!is_running(leader));

    let mut piped = sh("sleep 100", Duration::from_millis(500));
    let error = (0..100).find_map(|_| piped.send(vec![0; 1 << 20]).err()).unwrap();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");

    let piped = sh("exec >&-; sleep 100", Duration::from_millis(500));
    assert!(matches!(piped.finish().unwrap_err(), Error::TimedOut { .. }));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn drop_kills_the_group() {
    let mut piped = sh("sleep 100 & printf '%8d%8d' $$ $!; wait", Duration::from_secs(30));
    let (leader, child) = (pid(&mut piped), pid(&mut piped));
    assert!(is_running(leader) && is_running(child));
    drop(piped);
    let deadline = Instant::now() + Duration::from_secs(5);
    while is_running(child) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    assert!(!is_running(leader) && !is_running(child));
}
