//! Every structural check finds its problem, names it, and leaves sound modules alone.

use std::sync::Arc;

use hdl::rtl::module::Conn;
use hdl::rtl::{Expr, Module, ModuleBuilder, Ty};

fn bit() -> Ty {
    Ty::bit()
}

/// Builds a module that has input `a_i`, output `y_o` and what `describe` adds; `describe` returns what drives `y_o`.
fn build(describe: impl FnOnce(&mut ModuleBuilder, &Expr) -> Expr) -> Result<Arc<Module>, String> {
    let mut m = ModuleBuilder::new("unit", "A module for tests.");
    let a = m.input("a_i", Ty::u(8));
    let y = describe(&mut m, &a);
    m.output_is("y_o", &y);
    m.build().map_err(|e| e.to_string())
}

#[track_caller]
fn fails(wanted: &[&str], describe: impl FnOnce(&mut ModuleBuilder, &Expr) -> Expr) {
    let message = build(describe).expect_err("a problem");
    for part in wanted {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

#[test]
fn a_sound_module_passes() {
    build(|m, a| m.pipe("a_q", a)).unwrap();
}

#[test]
fn undriven_signals() {
    fails(&["floating: undriven", "state_q: undriven"], |m, a| {
        let floating = m.net("floating", Ty::u(8));
        let state = m.reg("state_q", Ty::u(8));
        &(a ^ &floating) ^ &state
    });
}

#[test]
fn doubly_driven_signals() {
    fails(&["w: driven 2 times: by an assignment and block \"Both.\""], |m, a| {
        let w = m.wire("w", a);
        m.comb("Both.", |b| b.set(&w, a));
        w
    });
    fails(&["q: driven 2 times"], |m, a| {
        let q = m.pipe("q", a);
        m.next(&q, &!a);
        q
    });
}

#[test]
fn wrong_kinds_of_driver() {
    fails(&["a_i: an input is driven"], |m, a| {
        m.assign(a, &a.k(1));
        a.clone()
    });
    fails(&["w: a Wire cannot be driven by a register's next value"], |m, a| {
        let w = m.net("w", Ty::u(8));
        m.next(&w, a);
        w
    });
    fails(&["q: a Reg cannot be driven by an assignment"], |m, a| {
        let q = m.reg("q", Ty::u(8));
        m.assign(&q, a);
        q
    });
}

#[test]
fn partly_driven_arrays() {
    fails(&["p: undriven: element 2"], |m, a| {
        let p = m.nets("p", Ty::u(4), 3);
        m.split(a, &p, 0, 1, 2);
        let all = m.join("all", &p, 0, 1, 3);
        all.slice(7, 0)
    });
    fails(&["p: driven more than once: element 1"], |m, a| {
        let p = m.nets("p", Ty::u(4), 2);
        m.split(a, &p, 0, 1, 2);
        m.assign(&p.at(1), &a.slice(3, 0));
        m.join("all", &p, 0, 1, 2)
    });
    fails(&["p: element 1 is never read"], |m, a| {
        let p = m.nets("p", Ty::u(4), 2);
        m.split(a, &p, 0, 1, 2);
        p.at(0)
    });
}

#[test]
fn unused_signals() {
    fails(&["w: the wire is never read", "q: the register is never read", "b_i: the input is never read"], |m, a| {
        m.wire("w", a);
        m.pipe("q", a);
        m.input("b_i", bit());
        a.clone()
    });
}

#[test]
fn registers_that_never_change() {
    fails(&["q: the register is never enabled"], |m, a| m.pipe_if("q", &Expr::u(1, 0), a));
}

#[test]
fn latches_and_blocks_that_read_their_targets() {
    fails(&["w has no default before it is set in a branch"], |m, a| {
        let w = m.net("w", Ty::u(8));
        let en = a.bit(0);
        m.comb("Half.", |b| b.when(&en, |b| b.set(&w, a)));
        w
    });
    fails(&["reads its own target w"], |m, a| {
        let w = m.net("w", Ty::u(8));
        let v = m.net("v", Ty::u(8));
        m.comb("Two steps.", |b| {
            b.set(&w, a);
            b.set(&v, &!&w);
        });
        v
    });
    fails(&["reads no signal"], |m, a| {
        let w = m.net("w", Ty::u(8));
        m.comb("Constant.", |b| b.set(&w, &a.k(3)));
        &w ^ a
    });
}

#[test]
fn combinational_loops_inside_a_module() {
    fails(&["combinational loop through", "v", "w"], |m, a| {
        let w = m.net("w", Ty::u(8));
        let v = m.wire("v", &(&w ^ a));
        m.assign(&w, &!&v);
        v
    });
    fails(&["combinational loop through p["], |m, a| {
        let p = m.nets("p", Ty::u(8), 2);
        m.assign(&p.at(0), &(&p.at(1) ^ a));
        m.assign(&p.at(1), &!p.at(0));
        p.at(1)
    });
}

#[test]
fn independent_targets_of_one_block_make_no_loop() {
    build(|m, a| {
        let u = m.net("u", Ty::u(8));
        let v = m.net("v", Ty::u(8));
        let not_u = m.wire("not_u", &!&u);
        m.comb("Both.", |b| {
            b.set(&u, a);
            b.set(&v, &not_u);
        });
        v
    })
    .unwrap();
}

/// Outputs: `through_o` depends on `a_i` within the cycle, `registered_o` on `b_i` a cycle later.
fn half_registered(name: &str, invert: bool) -> Arc<Module> {
    let mut m = ModuleBuilder::new(name, "One path within the cycle, one with a register.");
    let a = m.input("a_i", Ty::u(8));
    let b = m.input("b_i", Ty::u(8));
    m.output_is("through_o", &if invert { !&a } else { a.clone() });
    let b_q = m.pipe("b_q", &b);
    m.output_is("registered_o", &b_q);
    m.build().unwrap()
}

#[test]
fn combinational_loops_through_instances() {
    let child = half_registered("child", false);
    fails(&["combinational loop through", "x_through"], |m, a| {
        let back = m.net("back", Ty::u(8));
        let x = m.instance("u_x", &child, &[("a_i", &back), ("b_i", a)]);
        m.assign(&back, &!x.out("through_o"));
        x.out("registered_o")
    });
    build(|m, a| {
        let back = m.net("back", Ty::u(8));
        let x = m.instance("u_x", &child, &[("a_i", a), ("b_i", &back)]);
        m.assign(&back, &!x.out("registered_o"));
        x.out("through_o")
    })
    .unwrap();
    // In a grid, from each instance to the next: a chain is sound, a ring is not.
    let ring = |close: u32| {
        build(|m, a| {
            let p = m.nets("p", Ty::u(8), 4);
            let q = m.nets("q", Ty::u(8), 3);
            if close == 3 {
                m.assign(&p.at(0), a);
            }
            let conns = [
                ("a_i", p.step(0, 1, 0)),
                ("b_i", Conn::In(a.clone())),
                ("through_o", p.step(0, 1, close - 2)),
                ("registered_o", q.step(0, 1, 0)),
            ];
            m.grid("u_x", &child, 1, 3, &conns);
            &p.at(2) ^ &q.at(0)
        })
    };
    ring(3).unwrap();
    let message = ring(2).expect_err("each instance drives its own input");
    assert!(message.contains("combinational loop through p["), "{message}");
}

#[test]
fn names() {
    fails(&["signal always: a word that Verilog"], |m, a| m.wire("always", a));
    fails(&["signal logic: a word that Verilog"], |m, a| m.wire("logic", a));
    fails(&["signal \"CamelCase\": lower_snake_case"], |m, a| m.wire("CamelCase", a));
    fails(&["signal w: the name is taken"], |m, a| {
        let w = m.wire("w", a);
        &m.wire("w", a) ^ &w
    });
    fails(&["signal clk_i: the name is taken"], |m, a| &m.input("clk_i", Ty::u(8)) ^ a);
    fails(&["constant not_camel: UpperCamelCase"], |m, a| a ^ &m.constant("not_camel", Ty::u(8), 1));
    fails(&["instance x: a name that begins with u_"], |m, a| {
        let child = half_registered("child", false);
        m.instance("x", &child, &[("a_i", a), ("b_i", a)]).out("through_o")
    });
    fails(&["is not ASCII"], |m, a| {
        m.section("caf\u{e9}");
        a.clone()
    });
}

#[test]
fn different_modules_of_one_name() {
    let nested = |invert| {
        let child = half_registered("child", invert);
        let mut m = ModuleBuilder::new(if invert { "left" } else { "right" }, "Wraps a child.");
        let a = m.input("a_i", Ty::u(8));
        let out = m.instance("u_child", &child, &[("a_i", &a), ("b_i", &a)]);
        m.output_is("y_o", &(&out.out("through_o") ^ &out.out("registered_o")));
        m.build().unwrap()
    };
    fails(&["contains two different modules called child"], |m, a| {
        let left = m.instance("u_left", &nested(true), &[("a_i", a)]).out("y_o");
        let right = m.instance("u_right", &nested(false), &[("a_i", a)]).out("y_o");
        &left ^ &right
    });
    build(|m, a| {
        let x = m.instance("u_x", &half_registered("child", true), &[("a_i", a), ("b_i", a)]).out("through_o");
        m.instance("u_y", &half_registered("child", true), &[("a_i", a), ("b_i", &x)]).out("registered_o")
    })
    .unwrap();
    fails(&["contains another module of its own name unit"], |m, a| {
        m.instance("u_x", &half_registered("unit", true), &[("a_i", a), ("b_i", a)]).out("through_o")
    });
}

#[test]
fn memories_need_both_ports() {
    fails(&["memory mem: never written nor read"], |m, a| {
        m.memory("mem", 8, 16);
        a.clone()
    });
    fails(&["memory mem: never written", "data: the memory is never read"], |m, a| {
        let mem = m.memory("mem", 8, 16);
        let (on, off, addr) = (Expr::u(1, 1), Expr::u(1, 0), a.slice(3, 0));
        m.memory_ports(mem, (&off, &addr, a), None, (&on, &addr), "data");
        a.clone()
    });
    fails(&["memory mem: never read"], |m, a| {
        let mem = m.memory("mem", 8, 16);
        let (on, off, addr) = (Expr::u(1, 1), Expr::u(1, 0), a.slice(3, 0));
        m.memory_ports(mem, (&on, &addr, a), None, (&off, &addr), "data")
    });
}

#[test]
fn types_and_strays() {
    fails(&["Add of u8 and u4"], |_, a| a + &a.slice(3, 0));
    fails(&["bits 8:8 of u8"], |_, a| a.bit(8));
    fails(&["a signal of another module"], |_, a| {
        let mut other = ModuleBuilder::new("other", "Somewhere else.");
        a ^ &other.input("a_i", Ty::u(8))
    });
    fails(&["net array p: 0 elements"], |m, a| {
        m.nets("p", Ty::u(8), 0);
        a.clone()
    });
}

#[test]
fn outputs_of_instances_may_be_left() {
    build(|m, a| {
        let child = half_registered("child", false);
        m.instance("u_x", &child, &[("a_i", a), ("b_i", a)]).out("through_o")
    })
    .unwrap();
}
