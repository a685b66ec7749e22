//! `systole report` as users call it.

mod common;

use common::{json, run};

#[test]
fn a_page_of_a_layer_and_two_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let report = |technology: &str, to: &str| {
        let layer =
            ["report", "--preset", "tiny", "--gemm", "4x16x12", "--unit", "top", "--technology", technology, "-o", to];
        let (code, value) = json(folder.path(), &layer);
        assert_eq!(code, 0, "{value}");
        value
    };
    let (a, b) = (report("nangate45", "a"), report("sky130", "b"));
    assert_eq!(a["match"], true);
    assert_eq!(a["cycles"], b["cycles"], "the technology changes no cycle");
    let page = std::fs::read_to_string(folder.path().join("a/report.html")).unwrap();
    assert!(page.contains("Energy by unit") && page.contains("Roofline") && page.contains("--technology nangate45"));
    assert_eq!(report("nangate45", "c")["quantities"], a["quantities"]);

    let (code, text, error) = run(folder.path(), &["report", "--compare", "a", "b", "both.html"]);
    assert_eq!(code, 0, "{error}");
    assert!(text.lines().any(|line| line.starts_with("cycles") && line.trim_end().ends_with("1.000")), "{text}");
    assert!(folder.path().join("both.html").is_file());
    let (code, _, error) = run(folder.path(), &["report", "--compare", "a", "none"]);
    assert_eq!(code, 2);
    assert!(error.contains("none"), "the folder is named: {error}");
}
