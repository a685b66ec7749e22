//! Hand-computed small modules.

use std::sync::Arc;

use hdl::rtl::module::Item;
use hdl::rtl::{Bits, Design, Expr, ModuleBuilder, Ty, index_bits};

use super::Stepper;
use super::vcd::{WaveOptions, Waves};
use crate::error::Error;

fn stepper(builder: ModuleBuilder) -> Stepper {
    match builder.build() {
        Ok(top) => Stepper::new(&Design::new(top)).unwrap_or_else(|e| panic!("{e}")),
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn counter_with_enable_and_reset() -> Result<(), Error> {
    let mut m = ModuleBuilder::new("t_counter", "A counter.");
    let enable = m.input("en_i", Ty::bit());
    let q = m.reg("count_q", Ty::u(5));
    m.next_reset(&q, 3, Some(&enable), &(&q + q.k(1)));
    m.output_is("count_o", &q);
    let mut s = stepper(m);
    let (rst, en, out) = (s.input("rst_ni")?, s.input("en_i")?, s.output("count_o")?);
    s.tick();
    assert_eq!(s.get(out), 3);
    s.set(en, 1);
    s.tick();
    assert_eq!(s.get(out), 3);
    s.set(rst, 1);
    for k in 0..40 {
        s.settle();
        assert_eq!(s.get(out), (3 + k) % 32);
        s.tick();
    }
    s.set(en, 0);
    s.tick();
    assert_eq!(s.get(out), 43 % 32);
    let q = s.signal("count_q")?;
    s.set(q, 31);
    s.set(en, 1);
    s.tick();
    assert_eq!(s.get(q), 0);
    assert!(s.input("count_o").is_err() && s.signal("u_x.count_q").is_err());
    Ok(())
}

#[test]
fn an_instance_with_a_reset_of_its_own() -> Result<(), Error> {
    let counter = |name: &str, inner: Option<Arc<hdl::rtl::Module>>| {
        let mut m = ModuleBuilder::new(name, "A counter, perhaps with another one inside.");
        let q = m.reg("count_q", Ty::u(5));
        m.next_reset(&q, 3, None, &(&q + q.k(1)));
        m.output_is("count_o", &q);
        if let Some(inner) = inner {
            let inner = m.instance("u_inner", &inner, &[]).out("count_o");
            m.output_is("inner_o", &inner);
        }
        m.build().unwrap()
    };
    let inner = counter("t_inner", None);
    let outer = counter("t_outer", Some(inner.clone()));
    let mut m = ModuleBuilder::new("t_top", "Instances under two resets.");
    let own = m.input("own_rst_ni", Ty::bit());
    let under = m.instance_in_reset("u_under", &outer, &[], &own);
    m.output_is("under_o", &under.out("count_o"));
    m.output_is("inner_o", &under.out("inner_o"));
    let beside = m.instance("u_beside", &inner, &[]).out("count_o");
    m.output_is("beside_o", &beside);
    let mut s = stepper(m);
    let (rst, own) = (s.input("rst_ni")?, s.input("own_rst_ni")?);
    let outs = [s.output("under_o")?, s.output("inner_o")?, s.output("beside_o")?];
    let mut cycle = |rst_n: u64, own_n: u64| {
        s.set(rst, rst_n);
        s.set(own, own_n);
        s.tick();
        s.settle();
        outs.map(|out| s.get(out))
    };
    assert_eq!(cycle(0, 0), [3, 3, 3]);
    assert_eq!(cycle(1, 1), [4, 4, 4]);
    assert_eq!(cycle(1, 0), [3, 3, 5]);
    assert_eq!(cycle(0, 1), [4, 4, 3]);
    assert_eq!(cycle(1, 1), [5, 5, 4]);
    Ok(())
}

#[test]
fn registers_that_read_each_other_swap() -> Result<(), Error> {
    for width in [7, 40, 100] {
        let mut m = ModuleBuilder::new("t_swap", "Three registers in a ring.");
        let [a, b, c] = ["a_q", "b_q", "c_q"].map(|n| m.reg(n, Ty::s(width)));
        m.next(&a, &b);
        m.next(&b, &c);
        m.next(&c, &a);
        m.output_is("a_o", &a);
        let mut s = stepper(m);
        for (name, value) in [("a_q", 1), ("b_q", 2), ("c_q", 3)] {
            let q = s.signal(name)?;
            s.set(q, value);
        }
        let out = s.output("a_o")?;
        for want in [2, 3, 1, 2] {
            s.tick();
            assert_eq!(s.get(out), want);
        }
    }
    Ok(())
}

#[test]
fn memory_reads_old_words_and_holds() -> Result<(), Error> {
    for width in [8u32, 48, 192] {
        let mut m = ModuleBuilder::new("t_ram", "A memory.");
        let (we, wa, wd) = (m.input("we_i", Ty::bit()), m.input("wa_i", Ty::u(3)), m.input("wd_i", Ty::u(width)));
        let lanes = m.input("lanes_i", Ty::u(4));
        let (re, ra) = (m.input("re_i", Ty::bit()), m.input("ra_i", Ty::u(3)));
        let ram = m.memory("ram", width, 5);
        assert_eq!(ram.addr_bits, index_bits(5));
        let rd = m.memory_ports(ram, (&we, &wa, &wd), Some(&lanes), (&re, &ra), "rd_q");
        m.output_is("rd_o", &rd);
        let mut s = stepper(m);
        let ports = ["we_i", "wa_i", "wd_i", "lanes_i", "re_i", "ra_i"].map(|n| s.input(n));
        let [we, wa, wd, lanes, re, ra] = ports.map(|p| p.unwrap_or_else(|e| panic!("{e}")));
        let out = s.output("rd_o")?;
        let n = width.div_ceil(64) as usize;
        let read = |s: &Stepper| {
            let mut value = vec![0; n];
            s.get_limbs(out, &mut value);
            value
        };
        let ones = Bits::from_i128(width, -1).limbs().to_vec();
        s.set_limbs(wd, &ones);
        s.set(lanes, 0b1111);
        s.set(we, 1);
        s.set(wa, 2);
        s.set(re, 1);
        s.set(ra, 2);
        s.tick();
        assert_eq!(read(&s), vec![0; n], "the old word");
        s.set(lanes, 0b0101);
        s.set_limbs(wd, &[]);
        s.tick();
        assert_eq!(read(&s), ones);
        s.set(we, 0);
        s.tick();
        let mut want = vec![0u64; n];
        for bit in (0..width).filter(|b| (b / (width / 4)) % 2 == 1) {
            want[bit as usize / 64] |= 1 << (bit % 64);
        }
        assert_eq!(read(&s), want, "lanes 0 and 2 cleared");
        s.set(re, 0);
        s.set(ra, 0);
        s.tick();
        assert_eq!(read(&s), want, "held");
        s.set(re, 1);
        s.set(ra, 6);
        s.set(we, 1);
        s.set(wa, 7);
        s.tick();
        assert_eq!(read(&s), vec![0; n], "beyond the depth");
        let memory = s.memory("ram")?;
        assert_eq!((memory.width(), memory.depth()), (width, 5));
        assert_eq!(s.peek(memory, 2), &want[..]);
        s.poke(memory, 4, &ones);
        s.set(ra, 4);
        s.tick();
        assert_eq!(read(&s), ones);
        assert!(s.peek(memory, 5).is_empty());
    }
    Ok(())
}

/// A cell that adds what comes from the west to what comes from the north, registered to the east, straight to the south.
fn grid(rows: u32, cols: u32, width: u32) -> Stepper {
    let mut cell = ModuleBuilder::new("t_cell", "A cell.");
    let (west, north) = (cell.input("west_i", Ty::u(width)), cell.input("north_i", Ty::u(width)));
    let en = cell.input("en_i", Ty::bit());
    let east = cell.pipe_if("east_q", &en, &west);
    cell.output_is("east_o", &east);
    cell.output_is("south_o", &(&north + &east));
    let cell = cell.build().unwrap_or_else(|e| panic!("{e}"));
    let mut m = ModuleBuilder::new("t_grid", "A grid.");
    let en = m.input("en_i", Ty::bit());
    let west_in = m.input("west_i", Ty::u(rows * width));
    let h = m.nets("h", Ty::u(width), rows * (cols + 1));
    let v = m.nets("v", Ty::u(width), (rows + 1) * cols);
    m.split(&west_in, &h, 0, cols + 1, rows);
    for c in 0..cols {
        m.assign(&v.at(c), &Expr::u(width, u64::from(c)));
    }
    let conns = [
        ("west_i", h.step(cols + 1, 1, 0)),
        ("north_i", v.step(cols, 1, 0)),
        ("en_i", hdl::rtl::module::Conn::In(en)),
        ("east_o", h.step(cols + 1, 1, 1)),
        ("south_o", v.step(cols, 1, cols)),
    ];
    m.grid("u_cell", &cell, rows, cols, &conns);
    let south = m.join("south", &v, rows * cols, 1, cols);
    let east = m.join("east", &h, cols, cols + 1, rows);
    m.output_is("south_o", &south);
    m.output_is("east_o", &east);
    stepper(m)
}

#[test]
fn grids_shift_east_and_ripple_south() -> Result<(), Error> {
    for (rows, cols, width) in [(1, 1, 8), (3, 2, 8), (5, 7, 16), (4, 4, 33), (2, 3, 70)] {
        let mut s = grid(rows, cols, width);
        let (west, en) = (s.input("west_i")?, s.input("en_i")?);
        let south = s.output("south_o")?;
        let limbs = south.limbs();
        let mut model = vec![vec![0u64; cols as usize]; rows as usize];
        for cycle in 0..20u64 {
            let enabled = cycle % 5 != 3;
            s.set(en, enabled.into());
            let inputs: Vec<u64> = (0..u64::from(rows)).map(|r| (cycle * 7 + r * 3) % 10).collect();
            let mut packed = vec![0; west.limbs()];
            for (r, value) in inputs.iter().enumerate() {
                let at = r * width as usize;
                packed[at / 64] |= value << (at % 64);
                if at % 64 > 60 {
                    packed[at / 64 + 1] |= value >> (64 - at % 64);
                }
            }
            s.set_limbs(west, &packed);
            s.settle();
            let mut value = vec![0; limbs];
            s.get_limbs(south, &mut value);
            for c in 0..cols as usize {
                let want = c as u64 + model.iter().map(|row| row[c]).sum::<u64>();
                let at = c * width as usize;
                let mut got = value[at / 64] >> (at % 64);
                if at % 64 > 48 && at / 64 + 1 < limbs {
                    got |= value[at / 64 + 1] << (64 - at % 64);
                }
                assert_eq!(got & 0xff, want & 0xff, "{rows}x{cols} of {width}, column {c}, cycle {cycle}");
            }
            s.tick();
            if enabled {
                for (row, input) in model.iter_mut().zip(&inputs) {
                    row.rotate_right(1);
                    row[0] = *input;
                }
            }
            for (r, row) in model.iter().enumerate() {
                for (c, want) in row.iter().enumerate() {
                    let port = s.signal(&format!("u_cell[{r}][{c}].east_q"))?;
                    assert_eq!(s.get(port), *want);
                }
            }
        }
        let paths: Vec<String> = s.signals().map(|(path, _)| path).collect();
        assert!(paths.iter().any(|p| p == "u_cell[0][0].east_q") && paths.iter().any(|p| p == "v[0]"));
        for path in &paths {
            s.signal(path)?;
        }
    }
    Ok(())
}

#[test]
fn loops_through_instances_are_named() {
    let mut cell = ModuleBuilder::new("t_inv", "An inverter.");
    let a = cell.input("a_i", Ty::bit());
    cell.output_is("y_o", &!&a);
    let cell = cell.build().unwrap_or_else(|e| panic!("{e}"));
    let mut m = ModuleBuilder::new("t_ring", "A ring of inverters.");
    let back = m.net("back", Ty::bit());
    let first = m.instance("u_first", &cell, &[("a_i", &back)]);
    let second = m.instance("u_second", &cell, &[("a_i", &first.out("y_o"))]);
    m.assign(&back, &Expr::u(1, 0));
    m.output_is("y_o", &second.out("y_o"));
    let top = m.build().unwrap_or_else(|e| panic!("{e}"));
    // The builder refuses the loop itself: it is closed behind its back.
    let mut top = (*top).clone();
    for item in &mut top.items {
        match item {
            Item::Assign(id, value) if top.signals[id.0 as usize].name == "back" => *value = second.out("y_o"),
            _ => {}
        }
    }
    match Stepper::new(&Design::new(Arc::new(top))) {
        Err(Error::Loop { signals }) => {
            assert!(signals.iter().any(|s| s == "u_first.y_o"), "{signals:?}");
            assert!(signals.iter().any(|s| s == "back"), "{signals:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn random_starts_follow_the_seed() -> Result<(), Error> {
    let mut s = grid(4, 4, 33);
    let q = s.signal("u_cell[2][1].east_q")?;
    s.randomize(1);
    let first = s.get(q);
    s.randomize(2);
    assert_ne!(s.get(q), first);
    s.randomize(1);
    assert_eq!(s.get(q), first);
    s.zero();
    assert_eq!(s.get(q), 0);
    Ok(())
}

#[test]
fn toggles_count_flipped_bits() -> Result<(), Error> {
    for width in [9, 40, 70] {
        let mut m = ModuleBuilder::new("t_toggle", "Two registers.");
        let (d, e) = (m.input("d_i", Ty::s(width)), m.input("e_i", Ty::bit()));
        let q = m.pipe("q_q", &d);
        let held = m.pipe_if("held_q", &e, &q);
        m.output_is("held_o", &held);
        let mut s = stepper(m);
        assert_eq!(s.toggles().count(), 0);
        let (d, e) = (s.input("d_i")?, s.input("e_i")?);
        s.count_toggles(true);
        // -1 flips every bit, and no bit of a sign extension; then 5, which leaves two of them.
        s.set_limbs(d, &[u64::MAX; 2]);
        s.tick();
        s.set(d, 5);
        s.tick();
        s.set(e, 1);
        s.tick();
        let counts: Vec<(String, u64)> = s.toggles().collect();
        let wide = u64::from(width);
        assert_eq!(counts, [("q_q".into(), 2 * wide - 2), ("held_q".into(), 2)]);
        s.count_toggles(false);
        assert_eq!(s.toggles().count(), 0);
    }
    Ok(())
}

#[test]
fn wave_files_read_back() -> Result<(), Error> {
    let mut s = grid(2, 2, 70);
    s.randomize(5);
    let (west, en) = (s.input("west_i")?, s.input("en_i")?);
    s.set(en, 1);
    let options = WaveOptions { filter: vec!["u_cell[1][?].*_q".into(), "south_o".into()], cycles: 3..8 };
    let path = std::env::temp_dir().join(format!("systole_wave_{}.vcd", std::process::id()));
    let file = std::fs::File::create(&path).map_err(|e| Error::Wave(e.to_string()))?;
    let mut waves = Waves::new(file, &[("left", &s), ("right", &s)], &options)?;
    let watched = s.signal("u_cell[1][1].east_q")?;
    let mut want = Vec::new();
    for cycle in 0..10u64 {
        s.set_limbs(west, &[cycle.wrapping_mul(0x1234_5678_9abc), cycle, cycle << 50]);
        s.settle();
        waves.sample(cycle, &[&s, &s])?;
        let mut value = [0; 2];
        s.get_limbs(watched, &mut value);
        want.push(format!("{:06b}{:064b}", value[1], value[0]));
        s.tick();
    }
    waves.finish(10)?;
    let mut back = wellen::simple::read(&path).map_err(|e| Error::Wave(e.to_string()))?;
    std::fs::remove_file(&path).map_err(|e| Error::Wave(e.to_string()))?;
    let names: Vec<String> = back.hierarchy().iter_vars().map(|v| v.full_name(back.hierarchy())).collect();
    for name in ["left.u_cell[1][0].east_q", "left.u_cell[1][1].east_q", "left.u_cell[1][1].south_o", "right.south_o"] {
        assert!(names.iter().any(|n| n == name), "{name} of {names:?}");
    }
    assert!(!names.iter().any(|n| n.contains("west_i")));
    let wanted = back.hierarchy().iter_vars().find(|v| v.full_name(back.hierarchy()) == "right.u_cell[1][1].east_q");
    let Some(var) = wanted.map(|v| v.signal_ref()) else { panic!("{names:?}") };
    back.load_signals(&[var]);
    let times = back.time_table().to_vec();
    assert_eq!((times.first(), times.last()), (Some(&3), Some(&10)));
    let Some(signal) = back.get_signal(var) else { panic!("not loaded") };
    for (i, time) in times.iter().enumerate().take(times.len() - 1) {
        let Some(at) = signal.get_offset(i as u32) else { panic!("no value at {time}") };
        let got = signal.get_value_at(&at, 0).to_bit_string().unwrap_or_default();
        assert_eq!(got, want[*time as usize], "at {time}");
    }
    assert!(Waves::new(Vec::new(), &[("s", &s)], &WaveOptions { filter: vec!["nothing".into()], ..options }).is_err());
    Ok(())
}
