use proptest::prelude::*;

use super::*;
use crate::{Config, Format, ScaleRule, Scaling};

fn machine() -> Machine {
    Machine {
        rows: 8,
        cols: 8,
        preload_rows: 2,
        chunk_rows: 8,
        lanes: 4,
        beat_bytes: 8,
        weight_words: 16,
        act_words: 1 << 14,
        acc_words: 1 << 14,
        acc_bits: 48,
        elements: 1 << 16,
        params: 1 << 16,
        formats: vec![Format::W8a8, Format::W4a8],
    }
}

/// Any operation with any values of its fields, from random bits.
fn instr(op: Op, seed: [u64; 8], waits: u8, signals: u8) -> Instr {
    let fields: Vec<(Field, i64)> = op
        .spec()
        .fields
        .iter()
        .enumerate()
        .map(|(i, spec)| {
            let (low, high) = spec.range();
            let span = i128::from(high) - i128::from(low) + 1;
            // The edges, too.
            let draw = seed[i % 8].rotate_left(7 * i as u32);
            let offset = match draw % 8 {
                0 => 0,
                1 => span - 1,
                _ => i128::from(draw) % span,
            };
            (spec.field, (i128::from(low) + offset) as i64)
        })
        .collect();
    let mut instr = Instr::new(op, &fields).unwrap();
    if op.queue() != Queue::Control {
        for (bit, queue) in Queue::ALL.into_iter().enumerate() {
            instr = if waits >> bit & 1 == 1 { instr.waiting(queue) } else { instr };
            instr = if signals >> bit & 1 == 1 { instr.signalling(queue) } else { instr };
        }
    }
    instr
}

fn any_instr() -> impl Strategy<Value = Instr> {
    (0..Op::ALL.len(), any::<[u64; 8]>(), 0..16_u8, 0..16_u8)
        .prop_map(|(op, seed, w, s)| instr(Op::ALL[op], seed, w, s))
}

/// A program that passes its check: addresses, sizes and tokens that fit.
fn any_program() -> impl Strategy<Value = Program> {
    let segment = ("[a-z][a-z0-9_]{0,6}(\\.[a-z0-9]{1,4}){0,2}", 0..60_u32, 0..9_u32, any::<Vec<u8>>());
    let parts = (prop::collection::vec(segment, 0..6), prop::collection::vec(any_instr(), 0..40));
    (parts, prop::collection::vec((1..9_u32, any::<u32>(), any::<Option<u32>>(), "[a-z_]{1,8}"), 0..9)).prop_map(
        |((segments, instrs), marks)| {
            let mut program =
                Program { machine: machine(), segments: vec![], instrs: vec![], marks: vec![], outputs: vec![] };
            let mut at = 0;
            for (i, (name, len, gap, mut data)) in segments.into_iter().enumerate() {
                at += 8 * gap;
                data.truncate(len as usize);
                program.segments.push(Segment { name: format!("{name}{i}"), addr: at, len, data });
                at = (at + len).next_multiple_of(8);
            }
            let mut tag = 0;
            for (step, token, layer, operator) in marks {
                tag += step;
                let (macs, compulsory_bytes) = (u64::from(token) << (token % 32), u64::from(token % 5));
                let (tokens, compulsory_written) = (1 + token % 3, u64::from(token % 7));
                program.marks.push(Mark {
                    tag,
                    token,
                    tokens,
                    layer,
                    operator,
                    macs,
                    compulsory_bytes,
                    compulsory_written,
                });
            }
            let kinds = [OutputKind::Tokens, OutputKind::Logits, OutputKind::Steps];
            program.outputs = kinds[..(at as usize / 8) % 4]
                .iter()
                .map(|&kind| Output { kind, addr: at / 2, rows: 3, cols: 7, stride: 24 })
                .collect();
            program.instrs = instrs.into_iter().filter(|i| i.op() != Op::Halt).collect();
            program.instrs.push(Instr::new(Op::Halt, &[]).unwrap());
            // What the program's check refuses of a single instruction goes; then its tokens, which are random.
            let instrs = std::mem::take(&mut program.instrs);
            for instr in instrs {
                let fields: Vec<_> = instr.op().spec().fields.iter().map(|s| (s.field, instr.get(s.field))).collect();
                let fixed = fields.iter().map(|&(field, value)| match field {
                    Field::Addr => (field, value & !7),
                    _ => (field, value),
                });
                let instr = Instr::new(instr.op(), &fixed.collect::<Vec<_>>()).unwrap();
                if program.problem_of(&instr).is_none() {
                    program.instrs.push(instr);
                }
            }
            let mut given = None;
            for instr in &mut program.instrs {
                match (instr.op().queue(), given) {
                    (Queue::Control, _) => {}
                    (queue, None) => {
                        given = Some(queue);
                        *instr = instr.signalling(Queue::Store).signalling(queue);
                    }
                    (Queue::Store, Some(from)) => {
                        *instr = instr.waiting(from);
                        break;
                    }
                    _ => {}
                }
            }
            if program.check().is_err() {
                program.instrs.iter_mut().for_each(|i| {
                    let fields: Vec<_> = i.op().spec().fields.iter().map(|s| (s.field, i.get(s.field))).collect();
                    *i = Instr::new(i.op(), &fields).unwrap();
                });
            }
            program
        },
    )
}

proptest! {
    #[test]
    fn instructions_come_back_from_their_bits_and_their_text(instr in any_instr()) {
        prop_assert_eq!(Instr::decode(instr.encode()), Ok(instr));
        for spec in instr.op().spec().fields {
            let (low, high) = spec.range();
            prop_assert!((low..=high).contains(&instr.get(spec.field)));
        }
    }

    /// Whatever decodes is what it was decoded from, so that there is one encoding of each instruction.
    #[test]
    fn bits_that_decode_encode_to_themselves(bits in any::<u128>(), op in 0..Op::ALL.len()) {
        let bits = bits & !0xff | u128::from(Op::ALL[op].spec().code);
        if let Ok(instr) = Instr::decode(bits) {
            prop_assert_eq!(instr.encode(), bits);
        }
    }

    #[test]
    fn programs_come_back_from_their_text_and_their_file(program in any_program()) {
        prop_assert!(program.check().is_ok(), "{:?}", program.check());
        let text = disassemble(&program, Shown::Everything);
        prop_assert_eq!(assemble(&text).map_err(|e| e.to_string()), Ok(program.clone()), "{}", text);
        prop_assert_eq!(&container::from_bytes(&container::to_bytes(&program)).unwrap(), &program);
    }

    #[test]
    fn damaged_files_and_texts_are_refused_without_panic(
        program in any_program(), at in any::<prop::sample::Index>(), bit in 0..8_u8, cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = container::to_bytes(&program);
        let short = bytes[..cut.index(bytes.len())].to_vec();
        prop_assert!(container::from_bytes(&short).is_err());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(container::from_bytes(&bytes).is_err());
        let mut text = disassemble(&program, Shown::Everything).into_bytes();
        let at = at % text.len();
        text[at] = bytes[0] ^ bit;
        let _ = assemble(&String::from_utf8_lossy(&text));
    }
}

#[test]
fn fields_of_an_operation_do_not_overlap_and_names_are_unique() {
    for op in Op::ALL {
        let spec = op.spec();
        assert!(spec.queue != Queue::Control || spec.fields.len() < 2, "{}", spec.name);
        let mut used = if spec.queue == Queue::Control { 0xff_u128 } else { 0xffff };
        for field in spec.fields {
            assert!(field.lsb + field.bits <= INSTR_BITS, "{} {}", spec.name, field.field);
            assert_eq!(used & field.mask() << field.lsb, 0, "{} {}", spec.name, field.field);
            used |= field.mask() << field.lsb;
            if let Kind::Names(names) = field.kind {
                assert!(names.len() <= 1 << field.bits);
            }
            assert!(!field.meaning.is_empty() && field.range().0 <= field.default());
        }
        assert_eq!(Op::from_code(spec.code), Some(*op), "opcodes are unique");
        assert_eq!(Op::from_name(spec.name), Some(*op), "names are unique");
        assert!(spec.meaning.ends_with('.'));
        assert_eq!(op.is_row(), spec.field(Field::N).is_some() && spec.queue == Queue::Vec, "{}", spec.name);
    }
    assert!(Op::ALL.is_sorted_by_key(|op| op.spec().code));
    for &field in Field::ALL {
        assert_eq!(Field::from_name(field.name()), Some(field));
        assert!(Op::ALL.iter().any(|op| op.spec().field(field).is_some()), "{field} is used");
    }
}

#[test]
fn lists_of_names_are_those_of_the_vocabulary() {
    assert_eq!(FORMATS.to_vec(), Format::ALL.map(Format::name));
    assert_eq!(SCALINGS.to_vec(), Scaling::ALL.map(Scaling::name));
    assert_eq!(RULES.to_vec(), ScaleRule::ALL.map(ScaleRule::name));
}

#[test]
fn the_documentation_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/isa.md");
    let page = doc::page();
    if std::env::var_os("SYSTOLE_WRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap();
    assert!(found == page, "docs/isa.md: run the test with SYSTOLE_WRITE_DOCS=1");
}

#[test]
fn values_out_of_range_and_foreign_fields_are_named() {
    let message = |op, fields: &[(Field, i64)]| Instr::new(op, fields).unwrap_err().to_string();
    assert_eq!(message(Op::Vshr, &[(Field::N, 0)]), "VSHR.n = 0: allowed 1..=65535; choose a value in that range");
    assert!(message(Op::Vquo, &[(Field::Qbits, 33)]).contains("VQUO.qbits = 33: allowed 1..=32"));
    assert!(message(Op::Sscl, &[(Field::Places, -129)]).contains("allowed -128..=127"));
    assert!(message(Op::Halt, &[(Field::N, 1)]).contains("HALT.n = 1: allowed fields none"));
    assert_eq!(Instr::new(Op::Simm, &[(Field::Value, i64::MIN)]).unwrap().get(Field::Value), i64::MIN);
    assert!(Instr::decode(0xff).unwrap_err().to_string().contains("op = 0xff"));
    assert!(Instr::decode(1 << 127).unwrap_err().to_string().contains("HALT.unused bits"));
    assert!(Instr::decode(0x12 | 5 << 80).unwrap_err().to_string().contains("LDP.n = 0"));
}

#[test]
fn the_assembler_names_every_line_with_a_problem() {
    let text = "; nothing\n.machine rows=8 cols=8\nVSHR n=1 k=3\n  FOO\nLDW addr=nowhere words=4\n\
                VSHR n=70000 dst=0\nVSHR n=1 n=2\nHALT wait=mm\n.data gone\n.mark 7 token=x";
    let message = assemble(text).unwrap_err().to_string();
    for part in [
        "line 2: preload_rows",
        "line 3: VSHR = k",
        "line 4: instruction = FOO",
        "line 5: LDW.addr = nowhere",
        "line 6: VSHR.n = 70000",
        "line 7: VSHR.n",
        "line 8: HALT",
        "line 9: segment = gone",
        "line 10: token = x",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(message.lines().count(), 9, "{message}");
}

#[test]
fn programs_that_no_machine_can_run_are_refused() {
    let halt = Instr::new(Op::Halt, &[]).unwrap();
    let base = Program { machine: machine(), segments: vec![], instrs: vec![halt], marks: vec![], outputs: vec![] };
    assert!(base.check().is_ok());
    let with = |instr: Instr| Program { instrs: vec![instr, halt], ..base.clone() }.check().unwrap_err().to_string();
    let make = |op, fields: &[(Field, i64)]| Instr::new(op, fields).unwrap();
    assert!(with(make(Op::Ldw, &[(Field::Addr, 4)])).contains("instruction 0: LDW.addr = 0x4"));
    assert!(with(make(Op::Ldp, &[(Field::Dst, 65535), (Field::N, 2)])).contains("LDP.dst = 65537"));
    assert!(with(make(Op::Vadd, &[(Field::Dst, 65535), (Field::N, 2)])).contains("VADD.dst"));
    assert!(with(make(Op::Mm, &[(Field::Rows, 2000), (Field::KTiles, 9)])).contains("MM.act"));
    assert!(with(make(Op::Mm, &[(Field::Format, 7)])).contains("MM.format = nvfp4: allowed w8a8, w4a8"));
    assert!(with(make(Op::St, &[]).waiting(Queue::Vec)).contains("tokens from vec to store = 1 taken"));
    assert!(with(halt).contains("HALT = 2 times"));
    let overlap = |name: &str, addr| Segment { name: name.into(), addr, len: 16, data: vec![] };
    let program = Program { segments: vec![overlap("a", 0), overlap("b", 8), overlap("a", 16)], ..base.clone() };
    let message = program.check().unwrap_err().to_string();
    assert!(message.contains("segment b = 0x8") && message.contains("segment a = twice"), "{message}");
    let program = Program { machine: Machine { lanes: 0, beat_bytes: 3, ..machine() }, ..base };
    let message = program.check().unwrap_err().to_string();
    assert!(message.contains("machine.lanes = 0") && message.contains("machine.beat_bytes = 3"), "{message}");
}

#[test]
fn tiles_and_headers_of_a_machine() {
    let m = machine();
    assert_eq!((m.tile_words(), m.word_bits(Format::W8a8), m.word_bits(Format::W4a8)), (4, 128, 64));
    assert_eq!(
        (m.header_words(Format::W4a8, Scaling::Group32), m.header_words(Format::W8a8, Scaling::Channel)),
        (1, 0)
    );
    assert_eq!(
        (m.k_tiles(40, Scaling::Channel), m.k_tiles(40, Scaling::Group32), m.k_tiles(33, Scaling::Mx32)),
        (5, 5, 5)
    );
    assert_eq!(m.column_words(40, Format::W4a8, Scaling::Group32), 5 * 4 + 2);
    let m = Machine { rows: 5, cols: 12, preload_rows: 1, ..machine() };
    // 32 in tiles of 5 takes 7 tiles, the last of 2.
    assert_eq!((m.k_tiles(64, Scaling::Group32), m.block_tiles(Scaling::Group32)), (14, 7));
    assert_eq!((m.k_tiles(64, Scaling::Group16), m.k_tiles(67, Scaling::Group32)), (16, 15));
    // 96 bits of scales in words of 48.
    assert_eq!(m.header_words(Format::Mxfp4, Scaling::Mx32), 2);
    let m = Machine { rows: 128, ..machine() };
    assert_eq!((m.used_rows(Scaling::Nv16), m.k_tiles(40, Scaling::Nv16)), (16, 3));
}

#[test]
fn a_config_gives_its_machine() {
    let text = "[design]\nprefix = \"s\"\n[array]\nrows = 12\ncols = 8\ndataflow = \"ws\"\npreload_rows = 2\nchunk_rows = 8\n[pe]\n\
                kind = \"mac\"\nformats = [\"w8a8\", \"w4a8\"]\nproduct_register = false\n[requant]\nlanes = 4\n\
                dividers = 1\nquotient_bits = 1\nmodes = [\"dynamic\"]\n[buffer]\nact_bytes = 2600\nacc_bytes = 9600\n\
                weight_tiles = 3\nchannels = 100\n[vec]\nlanes = 16\nelements = 1000\nparams = 500\ndividers = 2\n\
                quotient_bits = 1\n[bus]\ndata_bits = 128\n[dma]\noutstanding = 4\nburst_beats = 16\n";
    let m = Machine::new(&Config::from_toml(text).unwrap());
    assert_eq!((m.lanes, m.act_words, m.acc_bits, m.acc_words), (4, 100, 48, 100));
    assert_eq!((m.weight_words, m.beat_bytes, m.elements, m.params), (18, 16, 1000, 500));
}
