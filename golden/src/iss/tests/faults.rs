//! Programs with one error each: it is found, at its instruction, by name.

use super::*;

/// The message of a program that must fail, run on zeros.
fn message(text: &str) -> String {
    let program = small(text, &[]);
    match run(&program, &mut Blind) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{text}: nothing was found"),
    }
}

/// `text` fails with a message that has all these parts.
fn fails(text: &str, parts: &[&str]) {
    let message = message(text);
    assert!(parts.iter().all(|part| message.contains(part)), "{text}\n{message}\n{parts:?}");
}

/// Rows of 4 in VB, a row of act codes and a tile in the FIFO.
const READY: &str = ".segment m addr=0 len=256
    SIMM d=0 value=0
    SIMM d=1 value=3
    LDP addr=m n=8 dst=0 type=i8 signal=vec
    VPAR n=8 dst=0 b=0 wait=load
    SETA rows=1 base=0 used=3
    LDW addr=m words=2 format=w8a8
    VPAR n=3 b=0 to=act signal=mm
    MM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0 format=w8a8 wait=vec signal=vec
    VRAW n=2 dst=20 a=0 imm=1 wait=mm\n";

#[test]
fn memories_end() {
    let fails = |text: &str, parts: &[&str]| fails(&format!("{READY}{text}"), parts);
    fails("LDW addr=0x100 words=2 format=w8a8", &["instruction 9, LDW addr=0x100", "DRAM = 0x100, 8 bytes"]);
    fails("LDP addr=m+0xfc n=2 dst=0 type=i32", &["DRAM = 0xfc, 8 bytes: allowed bytes of one segment"]);
    fails("LDH addr=m tokens=2 dim=4 stride=200 mode=transposed tiles=2", &["DRAM = 0x320, 4 bytes"]);
    fails("SETO width=3\nVPAR n=2 b=0 to=out\nST addr=m+0xf4 bytes=16", &["ST addr=m+0xf4", "0xf4, 16 bytes"]);
    fails("VPAR n=4 b=61 dst=0", &["PB = [64]: allowed below 64"]);
    fails("VMUL n=4 a=0 b=62 dst=0", &["VB = [65]: allowed below 64"]);
    fails("VRAW n=2 a=16 imm=1 to=none", &["acc = [33]: allowed below 32"]);
    fails("VRAW n=4 a=15 imm=1 to=none", &["acc = [30], never written"]);
    fails("SETA rows=1 base=16 used=3\nVPAR n=2 b=0 to=act", &["act scales = [16]: allowed below 16"]);
    fails("VPAR n=2 b=0 to=none red=range d=255", &["S = [256]: allowed below 256"]);
    fails("SIDX a=1\nLDP addr=m n=1 dst=0 type=i8 indirect stride=100", &["addr + IDX·stride = 300: allowed 0..=255"]);
}

#[test]
fn what_was_never_written_cannot_be_read() {
    fails(&format!("{READY}VSHR n=4 dst=0 a=6 s=0"), &["VB = [8], never written"]);
    fails(&format!("{READY}VMLP n=4 dst=0 a=0 b=5"), &["PB = [8], never written"]);
    fails(&format!("{READY}VSHR n=4 dst=0 a=0 s=2"), &["S = [2], never written"]);
    fails(&format!("{READY}SPAR d=0 b=8"), &["PB = [8], never written"]);
    fails(&format!("{READY}VRAW n=3 dst=0 a=0 imm=1"), &["acc = [2], never written"]);
    fails(
        &format!("{READY}LDW addr=m words=2 format=w8a8\nMM rows=1 k_tiles=1 n_tiles=1 act=1 acc=0 format=w8a8"),
        &["instruction 10, MM", "act scales = [1], never written"],
    );
    fails(".segment m addr=0 len=16\nLDP addr=m n=1 dst=0 type=i8 indirect stride=4", &["IDX = never written"]);
    fails(&format!("{READY}VPAR n=2 b=0 to=out"), &["to = out: allowed out, after SETO"]);
    fails("SIMM d=1 value=1\nVPAR n=2 b=0 to=act", &["never written"]);
    fails(
        ".segment m addr=0 len=16\nLDP addr=m n=2 dst=0 type=i8 signal=vec\nVPAR n=2 b=0 to=act wait=load",
        &["to = act: allowed act, after SETA"],
    );
}

#[test]
fn fifos_run_dry_or_over() {
    let mm = "MM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0 format=w8a8";
    fails(&format!("{READY}{mm}"), &["instruction 9, MM", "weight FIFO = 0 words: allowed 2 or more"]);
    fails(&format!("{READY}LDW addr=m words=1 format=w8a8\n{mm}"), &["weight FIFO = 1 words"]);
    fails(&format!("{READY}LDW addr=m words=3 format=w8a8\n{mm}"), &["HALT", "weight FIFO = 1 words: allowed empty"]);
    fails(&format!("{READY}LDW addr=m words=2 format=w4a8\n{mm}"), &["weight FIFO = words of int4: allowed int8"]);
    fails(&format!("{READY}SETO width=2\nVPAR n=2 b=0 to=out"), &["HALT", "out stream = 8 bytes: allowed empty"]);
    fails(&format!("{READY}SETO width=0\nVPAR n=2 b=0 to=out\nST addr=m bytes=5"), &["HALT", "a store = waiting"]);
    fails(
        &format!("{READY}SETO width=0\nVPAR n=2 b=0 to=out\nVPAR n=4 b=0 to=out\nST addr=m bytes=6"),
        &["ST", "out stream = a beat of 2 bytes after 0: allowed 4 of 6"],
    );
    fails(&format!("{READY}SETO width=0\nVPAR n=4 b=0 to=out\nST addr=m bytes=3"), &["a beat of 4 bytes"]);
    fails(&format!("{READY}ST addr=m bytes=3\nSYNC"), &["SYNC", "a store = waiting, instruction 9"]);
    fails(
        &format!("{READY}SIMM d=3 value=1000\nSETO width=0\nVSHR n=1 dst=30 a=0 s=0\nVADS n=1 a=30 s=3 to=out"),
        &["x[0] = 1000: allowed 1 bytes"],
    );
}

#[test]
fn tokens_come_before_they_are_taken() {
    fails(
        "SIMM d=0 value=1 wait=mm\nMM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0 signal=vec",
        &["instruction 0, SIMM", "tokens from mm to vec = 0: allowed 1 or more"],
    );
    let flood = "SIMM d=0 value=1 signal=vec\n".repeat(256) + &"SIMM d=0 value=1 wait=vec\n".repeat(256);
    fails(&flood, &["instruction 255", "tokens from vec to vec = 256: allowed 0..=255"]);
}

#[test]
fn values_stay_within_stated_widths() {
    let fails = |text: &str, parts: &[&str]| fails(&format!("{READY}{text}"), parts);
    fails(
        "VADS n=2 dst=30 a=0 s=1\nSIMM d=5 value=3\nVQUO n=2 a=30 q=100 s=5 qbits=6 to=none",
        &["instruction 11, VQUO", "quotient[0] = 100: allowed 6 bits of magnitude"],
    );
    fails("VQUO n=2 a=0 q=1 s=0 qbits=6 to=none", &["S[s] = 0: allowed >= 1"]);
    fails("SIMM d=5 value=0x7fffffffffffffff\nSADD d=0 a=5 b=5", &["SADD", "S[d] = beyond 64 bits"]);
    fails("SIMM d=5 value=-5\nSIDX a=5", &["S[a] = -5: allowed 0..=4294967295"]);
    fails("SIMM d=5 value=-5\nSBIT d=0 a=5", &["S[a] = -5"]);
    fails("VSHR n=2 dst=1 a=0 s=0", &["dst = 1: allowed 0, or clear of 0..2"]);
    fails("VSHR n=2 dst=2 a=0 s=0\nVMUL n=2 dst=3 a=0 b=2", &["dst = 3: allowed 2, or clear of 2..4"]);
    fails("SETA rows=1 row=1 base=0 used=3", &["row = 1: allowed 0..=0"]);
    fails("LDH addr=m tokens=3 dim=4 stride=1 mode=transposed tiles=2", &["tokens = 3: allowed 1..=2"]);
    fails("LDH addr=m tokens=4 dim=4 stride=1 mode=direct tiles=2", &["tokens = 4: allowed 1..=3"]);
    fails("LDH addr=m tokens=2 dim=4 stride=1 mode=direct tiles=1", &["tiles = 1: allowed 2"]);
    fails("LDW addr=m words=2 format=fp4", &["format = fp4: allowed w8a8, w4a8"]);
    fails("VCOD n=4 a=0 b=0 s=1 imm=17 kind=int4g", &["imm = 17: allowed 16, 32"]);
    fails("VCOD n=4 a=0 b=0 s=1 imm=16 kind=mx", &["imm = 16: allowed 32"]);
    fails("MM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0 format=w8a8 scaling=mx32", &["scaling = mx32"]);
}

/// 2^31 is one more than an accumulator of 32 bits holds.
#[test]
fn sums_stay_within_the_accumulator() {
    let load = "LDW addr=m words=2 format=w8a8\nMM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0 format=w8a8 add\n";
    let start = ".segment m addr=0 len=16
        LDP addr=m n=3 dst=0 type=i8 signal=vec
        SETA rows=1 base=0 used=3
        VPAR n=3 b=0 to=act wait=load signal=mm
        LDW addr=m words=2 format=w8a8
        MM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0 format=w8a8 wait=vec\n";
    // A product adds 3 · 2^14: 43690 of them stay below 2^31, one more does not.
    let run_of = |products: usize| {
        let program = small(&format!("{start}{}", load.repeat(products - 1)), &[&[0x80; 16]]);
        run(&program, &mut Blind).map(|_| ()).map_err(|e| e.to_string())
    };
    assert_eq!(run_of(43_690), Ok(()));
    let message = run_of(43_691).unwrap_err();
    assert!(message.contains("acc = 2147500032: allowed 32 bits signed"), "{message}");
}
