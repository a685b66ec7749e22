//! Snapshots of emitted Verilog.

use std::sync::Arc;

use hdl::rtl::{Design, Expr, Header, Module, ModuleBuilder, Ty};

/// A cell of the grid below: a product of signed operands, one of them passed on.
fn cell() -> Arc<Module> {
    let mut m = ModuleBuilder::new("demo_cell", "Product of two signed operands, 1 cycle.");
    let a = m.input("a_i", Ty::s(4));
    let b = m.input("b_i", Ty::s(4));
    let a_x = m.wire("a_x", &a.extend(8));
    let b_x = m.wire("b_x", &b.extend(8));
    let product_q = m.pipe("product_q", &(&a_x * &b_x));
    m.output_is("product_o", &product_q);
    let a_q = m.pipe("a_q", &a);
    m.output_is("a_o", &a_q);
    m.build().unwrap()
}

/// A buffer in front of a grid: a memory with lane enables, a state machine, registers with and without reset.
fn buffer() -> Arc<Module> {
    let doc = "Takes words while idle, drains them through a grid of products.\n\nLatency: 2 cycles.";
    let mut m = ModuleBuilder::new("demo_buffer", doc);
    let valid = m.input("in_valid_i", Ty::bit());
    let data = m.input("in_data_i", Ty::u(40));
    let lanes = m.input("in_lanes_i", Ty::u(5));
    let drain = m.input("drain_i", Ty::bit());

    m.section("Control");
    let [idle, fill, empty] = m.states(["StateIdle", "StateFill", "StateDrain"]);
    let state_q = m.reg("state_q", Ty::u(2));
    let count_q = m.reg("count_q", Ty::u(4));
    let state_d = m.net("state_d", Ty::u(2));
    let count_d = m.net("count_d", Ty::u(4));
    let write = m.net("write", Ty::bit());
    let last = m.wire("last", &count_q.eq_k(15));
    m.comb("Words enter until the buffer is full or `drain_i` asks for them.", |b| {
        b.set(&state_d, &state_q);
        b.set(&count_d, &count_q);
        b.set(&write, &Expr::u(1, 0));
        b.case(&state_q, |c| {
            c.arm_of(&[idle.clone(), fill.clone()], |b| {
                b.when_else(
                    &valid,
                    |b| {
                        b.set(&write, &Expr::u(1, 1));
                        b.set(&state_d, &fill);
                        b.set(&count_d, &(&count_q + &count_q.k(1)));
                    },
                    |b| b.when(&drain, |b| b.set(&state_d, &empty)),
                );
            });
            c.default(|b| {
                b.set(&count_d, &(&count_q - &count_q.k(1)));
                b.when(&(&last | &count_q.eq_k(0)), |b| b.set(&state_d, &idle));
            });
        });
    });
    m.next_reset(&state_q, 0, None, &state_d);
    m.next_reset(&count_q, 0, None, &count_d);
    let data_q = m.pipe_if("data_q", &valid, &data);
    let wide_q = m.pipe_if("wide_q", &valid, &data_q.slice(7, 0).as_signed().extend(40).as_unsigned());

    m.section("Storage");
    let mem = m.memory("mem", 40, 16);
    let mixed = &data_q ^ &wide_q;
    let word = m.memory_ports(mem, (&write, &count_q, &mixed), Some(&lanes), (&drain, &count_q), "word_q");

    m.section("Products, `a` from the left");
    let a = m.nets("a", Ty::s(4), 9);
    let products = m.nets("product", Ty::s(8), 6);
    let left = m.wire("left", &word.slice(11, 0));
    m.split(&left, &a, 0, 3, 3);
    let row_b = m.wire("row_b", &word.slice(15, 12).as_signed());
    use hdl::rtl::module::Conn;
    let conns = [
        ("a_i", a.step(3, 1, 0)),
        ("b_i", Conn::In(row_b)),
        ("a_o", a.step(3, 1, 1)),
        ("product_o", products.step(2, 1, 0)),
    ];
    m.grid("u_cell", &cell(), 3, 2, &conns);
    let all = m.join("all", &products, 0, 1, 6);
    let sum = m.wire("sum", &(&products.at(0) + &products.at(5)));
    let scaled = m.wire("scaled", &(&(&sum - &sum.k(-3)).extend(12).shr(&count_q) + &sum.extend(12)));
    m.output_is("all_o", &all);
    m.output_is("scaled_o", &scaled);
    m.output_is("parity_o", &(word.slice(39, 30).parity() ^ last));
    m.build().unwrap()
}

#[test]
fn emitted_text_is_as_reviewed() {
    let header = Header { generator: "systole 0.1.0".into(), config_hash: "0123abcd".into() };
    let files = Design::new(buffer()).emit(&header).unwrap();
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["demo_buffer.v", "demo_cell.v"]);
    for (name, text) in &files {
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 100), "{name}");
        insta::assert_snapshot!(name.as_str(), text);
    }
    assert_eq!(files, Design::new(buffer()).emit(&header).unwrap(), "the same bytes twice");
}

/// The body that `describe` gives, without declarations of ports.
fn body(describe: impl FnOnce(&mut ModuleBuilder, &Expr, &Expr)) -> String {
    let mut m = ModuleBuilder::new("unit", "A module for tests.");
    let a = m.input("a_i", Ty::s(8));
    let b = m.input("b_i", Ty::u(8));
    describe(&mut m, &a, &b);
    hdl::rtl::emit::emit(&m.build().unwrap(), &Header::default()).unwrap()
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn signs_are_spelled_out_and_shielded() {
    let text = body(|m, a, b| {
        m.output_is("alone_o", &a.shr(b));
        m.output_is("beside_o", &(a.shr(b) ^ b.as_signed()));
        m.output_is("less_o", &a.lt(&b.as_signed()));
        m.output_is("wide_o", &(a + &b.as_signed()).extend(12));
    });
    says(&text, &["assign alone_o = $signed(a_i) >>> b_i;", "= $unsigned($signed(a_i) >>> b_i) ^ b_i;"]);
    says(&text, &["$signed(a_i) < $signed(b_i)"]);
    says(&text, &["wire [7:0] wide_o_x0 = a_i + b_i;", "assign wide_o = {{4{wide_o_x0[7]}}, wide_o_x0};"]);
}

#[test]
fn amounts_too_wide_for_the_tools_are_tested_apart() {
    let text = body(|m, a, b| {
        let amount = m.wire("amount", &Expr::concat(&[b.repeat(4), b.clone()]));
        m.output_is("y_o", &a.as_unsigned().shl(&amount));
    });
    says(&text, &["assign y_o = (|amount[39:4]) ? 8'd0 : a_i << amount[3:0];"]);
}

#[test]
fn chains_through_one_array_are_marked_for_verilator() {
    let chain = |registered: bool| {
        body(|m, a, b| {
            let p = m.nets("p", Ty::u(8), 2);
            m.assign(&p.at(0), &(b ^ &a.as_unsigned()));
            let next = if registered { m.pipe("next_q", &!p.at(0)) } else { !p.at(0) };
            m.assign(&p.at(1), &next);
            m.output_is("y_o", &p.at(1));
        })
    };
    says(&chain(false), &["wire [7:0] p [0:1] /* verilator split_var */;"]);
    says(&chain(true), &["wire [7:0] p [0:1];"]);
}

#[test]
fn leftovers_are_gathered() {
    let text = body(|m, a, b| {
        m.output_is("y_o", &Expr::concat(&[a.slice(7, 6), b.bit(0), a.bit(3)]));
    });
    says(&text, &["wire unused_ok = &{1'b0, a_i[2:0], a_i[5:4], b_i[7:1]};"]);
}
