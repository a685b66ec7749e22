use spec::profile::{Profile, Section};

use super::*;

fn section(layer: Option<u32>, operator: &str, cycles: u64, macs: u64) -> Section {
    let (operator, compulsory_bytes, read_bytes) = (operator.into(), macs / 3 + 1, macs / 2 + 1);
    let stalls = [cycles / 2, cycles - cycles / 2 - cycles / 5, 0, cycles / 5, 0, 0, 0, 0];
    Section { layer, operator, cycles, stalls, macs, compulsory_bytes, read_bytes, ..Section::default() }
}

fn run(title: &str, scale: u64) -> Run {
    let sections = vec![
        section(None, "embedding", 90 * scale, 0),
        section(Some(0), "q_proj", 1000 * scale, 16_000),
        section(Some(0), "attention <all>", 500 * scale, 1000),
        section(Some(1), "q_proj", 1100 * scale, 16_000),
    ];
    let quantity = |name: &str, value: f64, unit: &str| Quantity {
        name: name.into(),
        value,
        unit: unit.into(),
        note: "measured & said".into(),
    };
    let rows = (0..30).map(|i| (format!("u_unit_{i}"), vec![f64::from(i), 2.0])).collect();
    Run {
        title: title.into(),
        origin: vec![("command".into(), "systole report".into())],
        quantities: vec![quantity("cycles", 2690.0 * scale as f64, ""), quantity("energy", 1.2e-6, "J")],
        profile: Some(Profile::new(sections, "hash".into(), 64, 8)),
        breakdowns: vec![Breakdown {
            name: "energy-units".into(),
            title: "Energy by unit".into(),
            caption: "Largest first.".into(),
            unit: "pJ".into(),
            parts: vec!["registers".into(), "clock".into()],
            rows,
        }],
        power: vec![(0.0, 10.0), (1.0, 12.0), (2.0, 11.0)],
        remarks: vec!["Glitches are not counted.".into()],
    }
}

#[test]
fn a_page_stands_alone_and_says_everything() {
    let page = page(&run("A run", 1)).unwrap();
    for text in ["<svg", "q_proj", "measured &amp; said", "1.2 µJ", "Glitches are not counted", "systole report"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<all>"), "names are escaped");
    for outside in ["src=", "href=", "url(", "<script", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page, super::page(&run("A run", 1)).unwrap());
}

#[test]
fn small_bars_are_drawn_together_and_nothing_is_lost() {
    let breakdown = &run("A run", 1).breakdowns[0];
    let largest = breakdown.largest(8);
    assert_eq!(largest.rows.len(), 9);
    assert_eq!(largest.rows[8].0, "22 others");
    assert!((largest.total() - breakdown.total()).abs() < 1e-9);
}

#[test]
fn shares_of_every_table_add_up_to_a_hundred() {
    let tables = tables(&run("A run", 1));
    assert_eq!(tables.len(), 3);
    for table in tables {
        let tenths: f64 = table.rows.iter().map(|row| (row[2].parse::<f64>().unwrap() * 10.0).round()).sum();
        assert_eq!(tenths, 1000.0, "{}", table.title);
    }
}

#[test]
fn the_summary_fits_a_terminal() {
    let mut run = run("A run", 1);
    run.remarks.push("word ".repeat(60));
    let text = summary(&run);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("22 others") && text.contains("q_proj"), "{text}");
}

#[test]
fn two_runs_side_by_side() {
    let (a, b) = (run("one", 1), run("two", 2));
    assert_eq!(compared(&a, &b)[0], ["cycles", "2.69 k", "5.38 k", "2.000"]);
    let page = compare(&a, &b).unwrap();
    assert_eq!(page.matches("<svg").count(), 10);
    assert!(page.contains("one: Roofline") && page.contains("two: Roofline"));
}

#[test]
fn files_of_a_run_are_written_and_read_back() {
    let folder = std::env::temp_dir().join(format!("systole-report-{}", std::process::id()));
    let run = run("A run", 1);
    let names = write(&run, &folder).unwrap();
    assert_eq!(names.len(), 2 + 2 * 5);
    let mut found: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    let mut wanted = names.clone();
    wanted.sort();
    assert_eq!(found, wanted, "nothing else is left");
    let text = std::fs::read_to_string(folder.join("report.json")).unwrap();
    assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
    assert!(std::fs::read(folder.join("roofline.png")).unwrap().starts_with(b"\x89PNG"));
    std::fs::remove_dir_all(&folder).unwrap();
}
