//! Names: legal in Verilog and SystemVerilog, in the house style, each once.

use std::collections::BTreeSet;

use crate::rtl::module::{Item, Module};

/// Words that Verilog or SystemVerilog reserves (IEEE 1364-2005 annex B, IEEE 1800-2017 annex B), for tools read `.v`
/// files as either.
const RESERVED: &str = "accept_on alias always always_comb always_ff always_latch and assert assign assume automatic \
    before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class \
    clocking cmos config const constraint context continue cover covergroup coverpoint cross deassign default \
    defparam design disable dist do edge else end endcase endchecker endclass endclocking endconfig endfunction \
    endgenerate endgroup endinterface endmodule endpackage endprimitive endprogram endproperty endsequence \
    endspecify endtable endtask enum event eventually expect export extends extern final first_match for force \
    foreach forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone ignore_bins \
    illegal_bins implements implies import incdir include initial inout input inside instance int integer \
    interconnect interface intersect join join_any join_none large let liblist library local localparam logic \
    longint macromodule matches medium modport module nand negedge nettype new nexttime nmos nor \
    noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive priority \
    program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc \
    randcase randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran \
    rtranif0 rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal \
    showcancelled signed small soft solve specify specparam static string strong strong0 strong1 struct super \
    supply0 supply1 sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit \
    tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned until \
    until_with untyped use uwire var vectored virtual void wait wait_order wand weak weak0 weak1 while wildcard \
    wire with within wor xnor xor";

pub(super) fn check(module: &Module) -> Vec<String> {
    let mut problems = Vec::new();
    let mut taken = BTreeSet::from(["clk_i", "rst_ni"]);
    snake(&module.name, "module", &mut problems);
    let mut take = |name, what, problems: &mut Vec<String>| {
        if !taken.insert(name) {
            problems.push(format!("{what} {name}: the name is taken"));
        }
    };
    for signal in &module.signals {
        snake(&signal.name, "signal", &mut problems);
        take(&signal.name, "signal", &mut problems);
    }
    for array in &module.arrays {
        snake(&array.name, "net array", &mut problems);
        take(&array.name, "net array", &mut problems);
    }
    for (name, _) in &module.constants {
        let mut chars = name.chars();
        if !chars.next().is_some_and(|c| c.is_ascii_uppercase()) || !chars.all(|c| c.is_ascii_alphanumeric()) {
            problems.push(format!("constant {name}: UpperCamelCase wanted"));
        }
        take(name, "constant", &mut problems);
    }
    ascii(&module.doc, "the description", &mut problems);
    for item in &module.items {
        match item {
            Item::Memory(memory) => {
                snake(&memory.name, "memory", &mut problems);
                take(&memory.name, "memory", &mut problems);
            }
            Item::Instance(instance) => {
                snake(&instance.name, "instance", &mut problems);
                if !instance.name.starts_with("u_") {
                    problems.push(format!("instance {}: a name that begins with u_ wanted", instance.name));
                }
                take(&instance.name, "instance", &mut problems);
            }
            Item::Section(text) => ascii(text, "section", &mut problems),
            Item::Comb(text, _) => ascii(text, "block", &mut problems),
            _ => {}
        }
    }
    problems
}

fn snake(name: &str, what: &str, problems: &mut Vec<String>) {
    let begins = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    if !begins || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        problems.push(format!("{what} {name:?}: lower_snake_case wanted"));
    }
    if RESERVED.split_whitespace().any(|word| word == name) {
        problems.push(format!("{what} {name}: a word that Verilog or SystemVerilog reserves"));
    }
}

fn ascii(text: &str, what: &str, problems: &mut Vec<String>) {
    if let Some(c) = text.chars().find(|c| !c.is_ascii()) {
        problems.push(format!("{what} {text:?}: {c:?} is not ASCII"));
    }
}
