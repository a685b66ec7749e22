//! Both readers and the writer on one port, at once.

use hdl::unit::burst::Bursts;
use hdl::unit::memory_port::memory_port;

use crate::reads::{STRETCHES, transfers};
use crate::rig::{Rig, Rng, WIDTHS, config, limbs, noise, timings};

#[test]
fn two_readers_and_a_writer_share_the_port() {
    let mut rng = Rng(8);
    for data_bits in WIDTHS {
        for timing in timings(u64::from(data_bits) + 7) {
            let beat = data_bits / 8;
            let module = memory_port(&config(data_bits), Bursts { outstanding: 4, beats: 16 }).unwrap();
            let mut rig = Rig::new(module, noise(&STRETCHES, 5), timing);
            let held = rig.memory.memory.clone();
            let commands = [transfers(&mut rng, beat, 12), transfers(&mut rng, beat, 12)];
            let expected = commands.each_ref().map(|list| {
                let beats = list.iter().flat_map(|&(addr, n)| (0..n).map(move |i| addr + i * beat));
                beats.collect::<Vec<u32>>()
            });
            let stores: Vec<(u32, u32)> = (0..8)
                .map(|i| (0x80_0000 + 0x1000 * (i + 1) - 3 * beat, 1 + rng.below(20 * u64::from(beat)) as u32))
                .collect();
            let store_beats: Vec<Vec<u8>> = stores
                .iter()
                .flat_map(|&(_, bytes)| 0..bytes.div_ceil(beat))
                .map(|_| (0..beat).map(|_| rng.next() as u8).collect())
                .collect();
            let (mut given, mut taken, mut stored, mut sent, mut done) = ([0; 2], [0; 2], 0, 0, 0);
            let mut quiet = 0;
            while taken[0] < expected[0].len() || taken[1] < expected[1].len() || done < stores.len() {
                for (i, name) in ["fetch", "load"].into_iter().enumerate() {
                    if let Some(&(addr, count)) = commands[i].get(given[i]) {
                        rig.set(&format!("{name}_cmd_valid_i"), 1);
                        rig.set(&format!("{name}_cmd_beat_i"), u64::from(addr / beat));
                        rig.set(&format!("{name}_cmd_count_i"), count.into());
                    }
                    // A reader that is not ready for long must not hold up the other one.
                    let ready = i == 0 || taken[0] == expected[0].len() || taken[1] < 5;
                    rig.set(&format!("{name}_ready_i"), ready.into());
                }
                if let Some(&(addr, bytes)) = stores.get(stored) {
                    rig.set("store_cmd_valid_i", 1);
                    rig.set("store_cmd_beat_i", u64::from(addr / beat));
                    rig.set("store_cmd_bytes_i", bytes.into());
                }
                if let Some(bytes) = store_beats.get(sent) {
                    rig.set("store_valid_i", 1);
                    rig.set_limbs("store_data_i", &limbs(bytes));
                }
                let readies = [true, taken[0] == expected[0].len() || taken[1] < 5];
                rig.cycle();
                quiet += 1;
                for (i, name) in ["fetch", "load"].into_iter().enumerate() {
                    given[i] +=
                        usize::from(given[i] < commands[i].len() && rig.get(&format!("{name}_cmd_ready_o")) == 1);
                    if readies[i] && rig.get(&format!("{name}_valid_o")) == 1 {
                        let mut want = vec![0; beat as usize];
                        held.read(expected[i][taken[i]], &mut want);
                        assert_eq!(rig.bytes(&format!("{name}_data_o")), want, "{name}, beat {}", taken[i]);
                        taken[i] += 1;
                        quiet = 0;
                    }
                }
                stored += usize::from(stored < stores.len() && rig.get("store_cmd_ready_o") == 1);
                sent += usize::from(sent < store_beats.len() && rig.get("store_ready_o") == 1);
                done += rig.get("store_done_o") as usize;
                assert!(quiet < 6000, "stuck: {given:?} {taken:?}, {stored} stores given, {sent} beats, {done} done");
            }
            let mut beats = store_beats.iter();
            for &(addr, bytes) in &stores {
                let content: Vec<u8> = beats.by_ref().take(bytes.div_ceil(beat) as usize).flatten().copied().collect();
                for i in 0..bytes {
                    assert_eq!(rig.memory.memory.get(addr + i), content[i as usize]);
                }
                assert_eq!(rig.memory.memory.get(addr + bytes), 0xee);
            }
        }
    }
}
