use super::*;

fn point(index: usize, format: &str, area: f64, energy: f64, is_front: bool) -> Point {
    let found = Found {
        config_hash: "00".into(),
        cycles: 1000,
        roofline_cycles: 900,
        area_mm2: area,
        freq_mhz: 500.0,
        latency_us: 2.0,
        energy_uj: energy,
        power_mw: 10.0,
        perplexity: Some(12.5),
    };
    Point {
        index,
        model: "fairy".into(),
        format: format.into(),
        technology: "nangate45".into(),
        mem_latency: 30,
        work: "a token after 32".into(),
        values: vec!["8".into(), format!("{}", 4 + index)],
        found: Some(found),
        reason: None,
        is_front,
    }
}

fn explored() -> Explored {
    let mut points = vec![
        point(0, "w8a8", 1.0, 4.0, true),
        point(1, "w8a8", 2.0, 5.0, false),
        point(2, "w4a8", 0.5, 6.0, true),
        point(3, "w4a8", 3.0, 1.0, true),
    ];
    let reason = Some("array.rows = 0: allowed 1..=128, or \"less\"".into());
    points.push(Point { found: None, reason, is_front: false, ..point(4, "w4a8", 1.0, 1.0, false) });
    Explored {
        title: "sweep.toml".into(),
        origin: vec![("command".into(), "systole explore sweep.toml".into())],
        fields: vec!["array.rows".into(), "array.cols".into()],
        models: vec![ModelFormat { model: "fairy".into(), format: "w8a8".into(), ..ModelFormat::default() }],
        points,
        ..Explored::default()
    }
}

#[test]
fn every_point_has_its_line_and_nothing_is_wider_than_a_terminal() {
    let explored = explored();
    let csv = explored.csv();
    assert_eq!(csv.lines().count(), 6);
    let columns = |line: &str| line.split(',').count();
    let head = columns(csv.lines().next().unwrap());
    assert!(csv.lines().take(5).all(|line| columns(line) == head), "{csv}");
    assert!(csv.ends_with("0,\"array.rows = 0: allowed 1..=128, or \"\"less\"\"\"\n"), "{csv}");
    let text = explored.summary();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("5 points: 4 measured, 1 left out; 3 that no other beats"), "{text}");
    assert!(text.contains("1 x array.rows = 0"), "{text}");
    let many = Explored { fields: (0..30).map(|i| format!("array.field_{i}")).collect(), ..explored };
    assert!(many.summary().lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn the_front_begins_with_the_least_product() {
    let explored = explored();
    let all: Vec<&Point> = explored.points.iter().collect();
    let front: Vec<usize> = Explored::front(&all).iter().map(|p| p.index).collect();
    assert_eq!(front, [2, 3, 0]);
}

#[test]
fn plots_tell_formats_and_settings_apart() {
    let mut explored = explored();
    let names = |e: &Explored| e.figures().into_iter().map(|f| f.name).collect::<Vec<_>>();
    assert_eq!(names(&explored), ["area-energy", "area-time", "energy-perplexity", "area-perplexity"]);
    let svg = explored.figures()[0].svg().unwrap();
    for text in ["w8a8", "w4a8", "beaten by others", "mm²", "µJ", "nangate45"] {
        assert!(svg.contains(text), "{text}");
    }
    // The two that no other beats in these figures differ in the columns alone.
    assert!(svg.contains("\n6\n") && svg.contains("\n7\n") && !svg.contains("8/6"), "{svg}");
    assert!(explored.figures()[0].caption.ends_with("Labels: array.cols."));
    assert_eq!(explored.page().unwrap(), explored.page().unwrap());
    explored.points[3].mem_latency = 100;
    assert_eq!(names(&explored).len(), 8);
    assert!(names(&explored)[4].ends_with("-2"));
    explored.points.iter_mut().for_each(|p| p.found = None);
    assert!(names(&explored).is_empty() && explored.page().is_ok());
}
