//! The Pareto front: points that no other point beats in everything.

/// Which of the points no other is at least as good as in every figure and better in one; smaller is better. Points with
/// the same figures stand or fall together.
pub fn front(points: &[Vec<f64>]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| compare(&points[a], &points[b]));
    // In ascending order nothing that comes later beats what comes before.
    let mut kept: Vec<usize> = Vec::new();
    let mut is_in = vec![false; points.len()];
    for index in order {
        let point = &points[index];
        if !kept.iter().any(|&other| beats(&points[other], point)) {
            kept.push(index);
            is_in[index] = true;
        }
    }
    is_in
}

fn compare(a: &[f64], b: &[f64]) -> std::cmp::Ordering {
    a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
}

fn beats(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(x, y)| x <= y) && a.iter().zip(b).any(|(x, y)| x < y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_comparing_all_pairs_gives() {
        let mut state = 1u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % 12) as f64
        };
        let points: Vec<Vec<f64>> = (0..300).map(|_| (0..3).map(|_| draw()).collect()).collect();
        let expected: Vec<bool> = points.iter().map(|p| !points.iter().any(|q| beats(q, p))).collect();
        assert_eq!(front(&points), expected);
        assert!(expected.iter().any(|x| *x) && expected.iter().any(|x| !*x));
    }

    #[test]
    fn equal_points_stand_together() {
        assert_eq!(front(&[vec![1.0, 2.0], vec![1.0, 2.0], vec![2.0, 2.0]]), [true, true, false]);
        assert!(front(&[]).is_empty());
    }
}
