//! Orders that hold and orders with one error each, which is found and named.

use proptest::prelude::*;

use super::*;
use crate::iss::tests::small;

/// The message of a program that must not pass.
fn message(text: &str) -> String {
    match check(&small(text, &[])) {
        Err(error) => error.to_string(),
        Ok(()) => panic!("{text}: nothing was found"),
    }
}

fn fails(text: &str, parts: &[&str]) {
    let message = message(text);
    assert!(parts.iter().all(|part| message.contains(part)), "{text}\n{message}\n{parts:?}");
}

const MEMORY: &str = ".segment m addr=0 len=256\n.segment out addr=256 len=256\n";

/// Two rows one after the other, with two halves of act and two banks of acc, the KV cache read behind the store.
const PIPELINE: &str = "
    LDP addr=m n=8 dst=0 type=i8 signal=vec
    LDW addr=m words=2 format=w8a8
    SETA rows=1 base=0 used=3
    SETO width=0
    ST addr=out bytes=2 signal=load
    VPAR n=3 b=0 to=act wait=load signal=mm
    MM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0 format=w8a8 wait=vec signal=vec
    VRAW n=2 a=0 imm=1 dst=0 wait=mm
    VPAR n=2 b=3 to=out signal=load
    LDP addr=m n=8 dst=0 type=i8 wait=vec signal=vec
    LDH addr=out tokens=1 dim=2 stride=1 mode=transposed tiles=1 wait=store
    SETA rows=1 base=0 used=3
    VPAR n=3 b=0 to=act wait=load signal=mm
    MM rows=1 k_tiles=1 n_tiles=1 act=0 acc=1 format=w8a8 wait=vec signal=vec
    VRAW n=2 a=1 imm=1 dst=0 wait=mm";

#[test]
fn a_pipeline_holds_and_every_token_of_it_is_needed() {
    let text = format!("{MEMORY}{PIPELINE}");
    check(&small(&text, &[])).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut cut = 0;
    for (giver, line) in lines.iter().enumerate() {
        let Some((_, to)) = line.split_once(" signal=") else { continue };
        let from = if line.contains("LD") {
            "load"
        } else if line.contains("MM") {
            "mm"
        } else if line.contains("ST ") {
            "store"
        } else {
            "vec"
        };
        let is_taker = |(at, line): &(usize, &&str)| {
            let is_of = match to {
                "load" => line.contains("LD"),
                "mm" => line.contains("MM "),
                _ => line.trim_start().starts_with('V'),
            };
            *at > giver && is_of && line.contains(&format!("wait={from}"))
        };
        let (taker, _) = lines.iter().enumerate().find(is_taker).unwrap();
        let without = |at: usize, line: &str| match at {
            at if at == giver => line.replace(&format!(" signal={to}"), ""),
            at if at == taker => line.replace(&format!(" wait={from}"), ""),
            _ => line.to_string(),
        };
        let text: Vec<String> = lines.iter().enumerate().map(|(at, line)| without(at, line)).collect();
        fails(&text.join("\n"), &["ordered by tokens", "both at"]);
        cut += 1;
    }
    assert_eq!(cut, 8);
}

/// All that is written of VB, DRAM and S does not depend on the order; it does where a token is missing.
#[test]
fn every_order_of_a_pipeline_gives_the_same() {
    let data: Vec<u8> = (0..=255).map(|i: u8| i.wrapping_mul(37)).collect();
    let of = |program: &Program| {
        let iss = crate::iss::run(program, &mut crate::iss::Blind).map_err(|e| e.to_string())?;
        Ok::<_, String>(iss.memory(256, 256).map(<[u8]>::to_vec).unwrap_or_default())
    };
    // What the second product gives goes to memory.
    let text = format!("{MEMORY}{PIPELINE}\nSETO width=3\nST addr=out+8 bytes=16\nVRAW n=2 a=1 imm=1 to=out");
    let program = small(&text, &[&data]);
    check(&program).unwrap();
    let expected = of(&program).unwrap();
    let orders: Vec<Program> = (0..200).map(|seed| shuffled(&program, seed).unwrap()).collect();
    assert!(orders.iter().all(|order| of(order).as_ref() == Ok(&expected)));
    assert!(orders.iter().any(|order| order.instrs != program.instrs));
    // The second row's codes are no longer held back until the first is multiplied.
    let racing = text.replacen("LDP addr=m n=8 dst=0 type=i8 wait=vec", "LDP addr=m+64 n=8 dst=0 type=i8", 1);
    let racing = small(&racing.replacen("to=out signal=load", "to=out", 1), &[&data]);
    assert!(check(&racing).is_err());
    let expected = of(&racing).unwrap();
    assert!((0..200).any(|seed| of(&shuffled(&racing, seed).unwrap()).as_ref() != Ok(&expected)));
    let never = small("SIMM d=0 value=1 wait=mm\nMM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0 signal=vec", &[]);
    assert_eq!(shuffled(&never, 1), None);
}

#[test]
fn a_race_names_both_instructions_and_the_region() {
    let fails = |text: &str, parts: &[&str]| fails(&format!("{MEMORY}{text}"), parts);
    fails(
        "LDP addr=m n=8 dst=3 type=i8\nSPAR d=0 b=10",
        &[
            "instruction 0 (LDP addr=m n=8 dst=3) and instruction 1 (SPAR d=0 b=10)",
            "both at PB 10..11",
            "let load signal vec at or after the first, and vec wait at or before the second",
        ],
    );
    fails(
        "SETO width=2\nLDP addr=m n=8 dst=0 type=i8 signal=vec\nST addr=out bytes=32\nVPAR n=8 b=0 to=out wait=load\nLDH addr=out+0x10 tokens=1 dim=2 stride=1 mode=direct tiles=1\nMM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0 format=w8a8",
        &["instruction 2 (ST addr=out bytes=32) and instruction 4 (LDH", "both at DRAM 0x110..0x112"],
    );
    fails(
        "LDP addr=m n=2 dst=0 type=i8 signal=vec\nSPAR d=0 b=0 wait=load\nSIDX a=0\nLDP addr=m n=1 dst=4 type=i8 indirect stride=4",
        &["both at IDX"],
    );
    // Any row of the table: to the end of its segment.
    let indirect = "LDP addr=m n=2 dst=0 type=i8 signal=vec\nSPAR d=0 b=0 wait=load\nSIDX a=0 signal=load\nSETO width=0\n\
                    LDP addr=m+16 n=1 dst=4 type=i8 indirect stride=4 wait=vec\n";
    fails(&format!("{indirect}ST addr=m+64 bytes=2\nVPAR n=2 b=0 to=out"), &["both at DRAM 0x40..0x42"]);
    check(&small(&format!("{MEMORY}{indirect}ST addr=m+4 bytes=2\nVPAR n=2 b=0 to=out"), &[])).unwrap();
    // Columns of an act row stand apart: row 1 does not touch row 0.
    let rows = |row: usize| {
        format!(
            "LDP addr=m n=8 dst=0 type=i8 signal=vec\nLDW addr=m words=4 format=w8a8\nSETA rows=1 base=0 used=3\nVPAR n=6 b=0 to=act wait=load signal=mm\n\
         MM rows=1 k_tiles=2 n_tiles=1 act=0 acc=0 format=w8a8 wait=vec\nSETA rows=4 row={row} base=0 used=3\nVPAR n=6 b=0 to=act"
        )
    };
    check(&small(&format!("{MEMORY}{}", rows(2)), &[])).unwrap();
    fails(&rows(1), &["MM", "VPAR", "both at act half 0, words 1..2"]);
    check(&small(&format!("{MEMORY}{}", rows(1).replace("SETA rows=4", "SETA half rows=4")), &[])).unwrap();
    // What SYNC stands between is ordered.
    check(&small(&format!("{MEMORY}LDP addr=m n=8 dst=3 type=i8\nSYNC\nSPAR d=0 b=10"), &[])).unwrap();
}

#[test]
fn knowledge_travels_with_products_and_stores() {
    // The product took the weights, so that its token says that the load before them is done.
    let product = "LDP addr=m n=8 dst=0 type=i8\nLDW addr=m words=2 format=w8a8\nMM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0 format=w8a8 signal=vec\nSPAR d=0 b=0 wait=mm";
    check(&small(&format!("{MEMORY}{product}"), &[])).unwrap();
    let early = product
        .replace("words=2", "words=4")
        .replace("signal=vec\n", "signal=vec\nMM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0 format=w8a8\n");
    fails(&format!("{MEMORY}{early}"), &["LDP", "SPAR", "both at PB 0..1"]);
    // The store took the row's bytes, so that its token says that the row was read.
    let store = "LDP addr=m n=8 dst=0 type=i8 signal=vec\nSETO width=0\nST addr=out bytes=8 signal=load\nVPAR n=8 b=0 to=out wait=load\nLDP addr=m n=8 dst=0 type=i8 wait=store signal=vec\nSPAR d=0 b=0 wait=load";
    check(&small(&format!("{MEMORY}{store}"), &[])).unwrap();
}

#[test]
fn waits_that_nobody_serves_and_counters_that_overflow() {
    let fails = |text: &str, parts: &[&str]| fails(&format!("{MEMORY}{text}"), parts);
    fails(
        "SIMM d=0 value=1 wait=mm\nMM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0 signal=vec",
        &["waits for a token that no"],
    );
    fails(
        "ST addr=out bytes=8",
        &["instruction 0 (ST addr=out bytes=8) = never retires", "stuck: fetch at 1 (HALT), store at 0"],
    );
    fails("SIMM d=0 value=1\nMM rows=1 k_tiles=1 n_tiles=1 act=0 acc=0", &["takes 2 words more", "stuck", "mm at 1"]);
    fails("LDW addr=m words=2 format=w8a8", &["the weight FIFO = 2 left at HALT"]);
    let gives = |n: usize| {
        "SIMM d=0 value=1 signal=store\n".repeat(n)
            + &"SETO width=0\nST addr=out bytes=4 wait=vec\nVPAR n=4 b=0 to=out\n".repeat(n)
    };
    let start = "LDP addr=m n=8 dst=0 type=i8 signal=vec\nSIMM d=0 value=1 wait=load\n";
    check(&small(&format!("{MEMORY}{start}{}", gives(255)), &[])).unwrap();
    fails(&format!("{start}{}", gives(256)), &["instruction 257", "may give token 256 from vec to store", "0..=255"]);
    // In program order never more than one, but the giver does not wait for the taker.
    let ahead = "SIMM d=0 value=1 signal=store\nSETO width=0\nST addr=out bytes=4 wait=vec\nVPAR n=4 b=0 to=out\n";
    check(&small(&format!("{MEMORY}{start}{}", ahead.repeat(255)), &[])).unwrap();
    fails(&format!("{start}{}", ahead.repeat(256)), &["may give token 256 from vec to store"]);
    let both =
        ahead.replacen(" signal=store", " signal=store wait=store", 1).replace("wait=vec", "wait=vec signal=vec");
    let both = both.repeat(256).replacen(" wait=store", "", 1) + "SIMM d=0 value=1 wait=store\n";
    check(&small(&format!("{MEMORY}{start}{both}"), &[])).unwrap();
    let ahead = "LDP addr=m n=1 dst=60 type=i8 signal=vec\nSIMM d=0 value=1 wait=load\n".repeat(256);
    fails(&ahead, &["may give token 256 from load to vec"]);
    let ahead = "LDP addr=m n=1 dst=60 type=i8 signal=vec\nSIMM d=0 value=1 wait=load\n".repeat(255);
    check(&small(&format!("{MEMORY}{ahead}"), &[])).unwrap();
}

#[test]
fn fifos_of_finite_length_do_not_get_stuck() {
    // 16 words of FIFO: the second load cannot start, and the fetch does not reach the product behind it.
    let load = "LDW addr=m words=30 format=w8a8\n";
    let product = "MM rows=1 k_tiles=15 n_tiles=1 act=0 acc=0 format=w8a8\n";
    check(&small(&format!("{MEMORY}{load}{product}{load}{product}"), &[])).unwrap();
    check(&small(&format!("{MEMORY}{load}{load}{product}{product}"), &[])).unwrap();
    let three = format!("{MEMORY}{}{}", load.repeat(3), product.repeat(3));
    fails(
        &three,
        &["stuck: fetch at 2 (LDW", "load at 0", "16 words in the weight FIFO", "queues of 1, 16 weight words"],
    );
    check_with(&small(&three, &[]), Lengths { queue: 2, out_beats: 1 }).unwrap();
    // A row fills the stream before its store is fetched.
    let start = format!("{MEMORY}LDP addr=m n=8 dst=0 type=i8 signal=vec\nSETO width=3 wait=load\n");
    let (row, store) = ("VPAR n=8 b=0 to=out\n", "ST addr=out bytes=64\n");
    check(&small(&format!("{start}{store}{row}"), &[])).unwrap();
    check(&small(&format!("{start}{row}{store}"), &[])).unwrap();
    fails(&format!("{start}{}{}", row.repeat(3), store.repeat(3)), &["stuck", "vec at 2", "1 beats in the out stream"]);
}

proptest! {
    /// Against every place on its own, with all its accesses; queues learn of each other as tokens let them.
    #[test]
    fn intervals_find_what_places_find(
        accesses in prop::collection::vec(
            (0..40_u64, 1..12_u64, any::<bool>(), 0..4_usize, prop::collection::vec(0..4_usize, 0..4)),
            1..30,
        ),
    ) {
        let mut places: Vec<Vec<(usize, u32, bool)>> = vec![vec![]; 60];
        let mut intervals = intervals::Intervals::default();
        let mut clocks = [clock::Clock::default(); 4];
        for (start, len, is_write, queue, learns_of) in accesses {
            let known = learns_of.iter().fold(clocks[queue], |known, &other| known.join(clocks[other]));
            let count = known.0[queue] + 1;
            let conflicts = |&(q, c, was_write): &(usize, u32, bool)| {
                q != queue && (is_write || was_write) && !known.knows(q, c)
            };
            let range = start..start + len;
            let touched = &mut places[start as usize..(start + len) as usize];
            let expected = touched.iter().flatten().any(conflicts);
            let found = intervals.access(&range, is_write, queue, count, &known);
            prop_assert_eq!(found.is_some(), expected);
            if let Some((q, c, part)) = found {
                let at = part.start.max(start) as usize;
                prop_assert!(places[at].iter().any(|place| place.0 == q && place.1 == c && conflicts(place)));
                // A write that is not ordered behind others hides them.
                break;
            }
            touched.iter_mut().for_each(|place| place.push((queue, count, is_write)));
            clocks[queue] = known.after(spec::isa::Queue::ALL[queue], count);
        }
    }
}
