//! The errors of golden's operators, and the page that states them.

mod common;

use common::{json, run};
use tempfile::tempdir;

const PAGE: &str = include_str!("../../docs/numerics.md");

#[test]
fn page_states_what_the_command_measures() {
    let folder = tempdir().unwrap();
    let (code, text, _) = run(folder.path(), &["operators"]);
    assert_eq!(code, 0);
    assert!(PAGE.contains(text.trim_end()), "docs/numerics.md has another table than `systole operators`:\n{text}");
}

#[test]
fn errors_are_there_for_scripts_and_follow_the_seed() {
    let folder = tempdir().unwrap();
    let (code, value) = json(folder.path(), &["operators"]);
    assert_eq!((code, &value["seed"]), (0, &1.into()));
    let rows = value["operators"].as_array().unwrap();
    for row in rows {
        assert!(row["largest"].as_f64().unwrap() >= row["mean"].as_f64().unwrap(), "{row}");
        assert!(row["results"].as_u64().unwrap() > 0, "{row}");
    }
    let published = rows.iter().filter(|row| row["published"]["largest"].is_f64()).count();
    assert!(published > 0 && published < rows.len());
    assert!(value["formats"].as_array().unwrap().iter().all(|row| row["sqnr_db"].as_f64().unwrap() > 10.0));
    let (_, other) = json(folder.path(), &["operators", "--seed", "2"]);
    assert_ne!(value["operators"], other["operators"]);
}
