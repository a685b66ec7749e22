use super::*;

fn bars(shares: bool) -> Figure {
    let chart = Chart::Bars(Bars {
        unit: "cycles".into(),
        categories: vec!["layer 0, q_proj".into(), "layer 0, attention".into()],
        parts: vec![("array".into(), vec![900.0, 100.0]), ("weights".into(), vec![100.0, 0.0])],
        shares,
    });
    Figure { name: "stalls".into(), title: "Cycles by cause".into(), caption: String::new(), chart }
}

fn scatter(points: Vec<(f64, f64, String)>) -> Figure {
    let axis = |label: &str| Axis { label: label.into(), log: true };
    let series = vec![Series { name: "all".into(), points, mark: Mark::Dots }];
    let chart = Chart::Axes(Axes { x: axis("area, mm²"), y: axis("energy, µJ"), series });
    Figure { name: "front".into(), title: "Front".into(), caption: String::new(), chart }
}

#[test]
fn the_same_data_give_the_same_bytes_and_every_name_is_in_the_picture() {
    let svg = bars(false).svg().unwrap();
    assert_eq!(svg, bars(false).svg().unwrap());
    for text in ["Cycles by cause", "layer 0, attention", "array", "weights", "cycles", "1 k"] {
        assert!(svg.contains(text), "{text}");
    }
    assert!(bars(true).svg().unwrap().contains("share of cycles, %"));
}

#[test]
fn data_that_cannot_be_drawn_are_refused() {
    let nothing = scatter(Vec::new()).svg().unwrap_err().to_string();
    assert!(nothing.contains("plot front: area, mm²: no points"), "{nothing}");
    let zero = scatter(vec![(0.0, 1.0, String::new())]).svg().unwrap_err().to_string();
    assert!(zero.contains("area, mm²: 0 cannot be drawn"), "{zero}");
    let mut broken = bars(false);
    if let Chart::Bars(bars) = &mut broken.chart {
        bars.parts[0].1.pop();
    }
    assert!(broken.svg().unwrap_err().to_string().contains("array: 1 values for 2 categories"));
}

#[test]
fn labels_do_not_stand_on_each_other() {
    let points = (0..40).map(|i| (1.0 + f64::from(i) * 0.001, 1.0, format!("point {i}"))).collect();
    let svg = scatter(points).svg().unwrap();
    let shown = (0..40).filter(|i| svg.contains(&format!("point {i}\n"))).count();
    assert!((1..=5).contains(&shown), "{shown} labels beside one place");
}

#[test]
fn values_with_commas_are_quoted() {
    assert_eq!(bars(false).csv(), "cycles,array,weights\n\"layer 0, q_proj\",900,100\n\"layer 0, attention\",100,0\n");
}

#[test]
fn numbers_keep_three_digits() {
    let cases = [(0.0, "0"), (1.0, "1"), (1234.0, "1.23 k"), (999.96, "1 k"), (0.0125, "12.5 m"), (2.5e6, "2.5 M")];
    for (value, text) in cases {
        assert_eq!(short(value), text);
    }
}
