//! All roots of small systems of multi-affine polynomials, with proof.
//!
//! Branch and prune: a box is dropped if interval arithmetic shows that an equation has no root in
//! it, or that a polynomial that must not be positive is; it holds exactly one root if Krawczyk's
//! operator maps it into its interior (Krawczyk 1969; Neumaier, "Interval methods for systems of
//! equations", 1990, chapter 5); otherwise it is made smaller and cut in two.

use super::dense::{inverse, solve};
use super::interval::Interval;

/// A polynomial in groups of variables, affine in each group.
///
/// The groups are axes of a tensor of coefficients: index 0 of an axis is for terms without a
/// variable of that group, index `k` for terms with its variable `k - 1`.
#[derive(Clone, Debug)]
pub(crate) struct MultiAffine {
    /// Axis lengths: one more than the number of variables of each group.
    dims: Vec<usize>,
    /// Row-major.
    coefficients: Vec<Interval>,
    /// The same polynomial by its values where one weight of every axis is 1.
    corners: Vec<Interval>,
}

impl MultiAffine {
    /// The polynomial whose value is the weighted sum of `entries` (row-major), if the weights of
    /// every axis are `1 - sum(x)` for index 0 and `x[k - 1]` for index `k`.
    pub(crate) fn from_weighted(dims: Vec<usize>, entries: Vec<Interval>) -> Self {
        let mut coefficients = entries.clone();
        let mut stride = 1;
        for &length in dims.iter().rev() {
            for block in coefficients.chunks_exact_mut(stride * length) {
                let (base, others) = block.split_at_mut(stride);
                for other in others.chunks_exact_mut(stride) {
                    other.iter_mut().zip(&*base).for_each(|(entry, &base)| *entry = *entry - base);
                }
            }
            stride *= length;
        }
        Self { dims, coefficients, corners: entries }
    }

    /// Values that it takes in the part of a box where the weights of every axis are not negative.
    fn range_of_mixtures(&self, region: &[Vec<Interval>]) -> Interval {
        let mut entries = self.corners.clone();
        for (axis, &length) in self.dims.iter().enumerate().rev() {
            for at in 0..entries.len() / length {
                let fibre = &entries[at * length..(at + 1) * length];
                entries[at] = mixed(fibre, &region[axis][..length - 1]);
            }
            entries.truncate(entries.len() / length);
        }
        entries[0]
    }

    /// Values that it takes in a box, one list of intervals per group; with `of` (group and
    /// variable) those of its derivative by that variable.
    fn range(&self, region: &[Vec<Interval>], of: Option<(usize, usize)>) -> Interval {
        let mut entries = self.coefficients.clone();
        for (axis, &length) in self.dims.iter().enumerate().rev() {
            let derived = of.filter(|&(group, _)| group == axis);
            for at in 0..entries.len() / length {
                let fibre = &entries[at * length..(at + 1) * length];
                entries[at] = match derived {
                    Some((_, variable)) => {
                        fibre.get(variable + 1).copied().unwrap_or(Interval::ZERO)
                    }
                    None => fibre[1..]
                        .iter()
                        .zip(&region[axis])
                        .fold(fibre[0], |sum, (&factor, &x)| sum + factor * x),
                };
            }
            entries.truncate(entries.len() / length);
        }
        entries[0]
    }
}

/// Values of a weighted sum of `entries`, if the weights are not negative, sum to 1, and all but the
/// first lie in `shares`.
fn mixed(entries: &[Interval], shares: &[Interval]) -> Interval {
    if shares.is_empty() {
        return entries[0];
    }
    let clipped = |x: Interval| Interval::new(x.low.max(0.0), x.high.min(1.0));
    let sum = shares.iter().fold(Interval::ZERO, |sum, &x| sum + clipped(x));
    let first = clipped(Interval::point(1.0) - sum);
    let weight = |at: usize| if at == 0 { first } else { clipped(shares[at - 1]) };
    let least = |values: &mut dyn Iterator<Item = f64>| {
        let mut order: Vec<(f64, usize)> = values.enumerate().map(|(at, v)| (v, at)).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        // The level up to which cheap entries take all the weight they may.
        let mut left = 1.0 - (0..entries.len()).map(|at| weight(at).low).sum::<f64>();
        let mut level = order[0].0;
        for &(value, at) in &order {
            level = value;
            left -= weight(at).width();
            if left <= 0.0 {
                break;
            }
        }
        // Any level gives a bound (Lagrange); this one the best, up to rounding.
        let level = Interval::point(level);
        let excess = |&(value, at): &(f64, usize)| (Interval::point(value) - level) * weight(at);
        order.iter().map(excess).fold(level, |sum, term| sum + term).low
    };
    let low = least(&mut entries.iter().map(|entry| entry.low));
    Interval::new(low, -least(&mut entries.iter().map(|entry| -entry.high)))
}

/// What is to be solved.
#[derive(Clone, Debug)]
pub(crate) struct System {
    /// Polynomials that must be 0, as many as there are unknowns.
    pub(crate) equations: Vec<MultiAffine>,
    /// More polynomials that must be 0.
    pub(crate) more_equations: Vec<MultiAffine>,
    /// Polynomials that must not be positive.
    pub(crate) never_positive: Vec<MultiAffine>,
    /// Number of variables per group; all lie in `0..=1`, and so do the sums of groups.
    pub(crate) groups: Vec<usize>,
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Boxes narrower than this are not cut further.
    pub(crate) least_width: f64,
    /// Boxes looked at, at most.
    pub(crate) most_boxes: u64,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Isolation {
    /// Roots, each the only one in a box around it; one list per group.
    pub(crate) roots: Vec<Vec<Vec<f64>>>,
    /// Middles of boxes that could neither be dropped nor shown to hold one root; a few of them end
    /// the search, because a continuum would give ever more.
    pub(crate) doubtful: Vec<Vec<Vec<f64>>>,
    /// Whether a limit ended the search.
    pub(crate) cut_short: bool,
    /// Boxes looked at.
    pub(crate) boxes: u64,
}

type Region = Vec<Vec<Interval>>;

/// Doubtful boxes that end a search.
const MOST_DOUBTFUL: usize = 16;

/// A step that makes no box narrower than this share of before is followed by a cut.
const SLOW: f64 = 0.7;

/// What happened to a box.
enum Fate {
    Dropped,
    Isolated(Vec<Vec<f64>>),
    /// What is left of it, and the unknown to cut.
    Open(Region, usize),
}

impl System {
    /// All roots.
    pub(crate) fn isolate(&self, effort: Effort) -> Isolation {
        let mut found = Isolation::default();
        let whole = self.groups.iter().map(|&count| vec![Interval::new(0.0, 1.0); count]).collect();
        let unknowns: Vec<(usize, usize)> = self.unknowns();
        let mut open: Vec<Region> = vec![whole];
        while let Some(region) = open.pop() {
            if found.boxes >= effort.most_boxes || found.doubtful.len() >= MOST_DOUBTFUL {
                found.cut_short = true;
                break;
            }
            match self.examine(region, &unknowns, &mut found.boxes) {
                Fate::Dropped => {}
                Fate::Isolated(root) => {
                    // Neighbouring boxes may both claim a root on their common face.
                    if !found.roots.iter().any(|known| close(known, &root)) {
                        found.roots.push(root);
                    }
                }
                Fate::Open(region, cut) => {
                    let (group, variable) = unknowns[cut];
                    let side = region[group][variable];
                    if side.width() < effort.least_width {
                        found.doubtful.push(middle(&region));
                        continue;
                    }
                    let mut low = region.clone();
                    let mut high = region;
                    low[group][variable].high = side.mid();
                    high[group][variable].low = side.mid();
                    open.extend([high, low]);
                }
            }
        }
        found
    }

    /// Gauss-Newton steps of least length from a point to a common root of all equations, if they
    /// get there; for singular roots and continua, of which that gives one point.
    pub(crate) fn nearby(&self, start: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
        const STEPS: usize = 60;
        let unknowns = self.unknowns();
        let mut at: Vec<Vec<f64>> = start.to_vec();
        for _ in 0..STEPS {
            let point: Region = at
                .iter()
                .map(|group| group.iter().map(|&x| Interval::point(x)).collect())
                .collect();
            let equations = || self.equations.iter().chain(&self.more_equations);
            let values: Vec<f64> = equations().map(|p| p.range(&point, None).mid()).collect();
            let slopes: Vec<Vec<f64>> = equations()
                .map(|p| unknowns.iter().map(|&of| p.range(&point, Some(of)).mid()).collect())
                .collect();
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let damping = 1e-10 * slopes.iter().map(|row| dot(row, row)).sum::<f64>();
            if damping <= 0.0 {
                // Constant equations: nowhere to go.
                break;
            }
            let gram = |i: usize| -> Vec<f64> {
                let entry = |j: usize| dot(&slopes[i], &slopes[j]);
                (0..slopes.len()).map(|j| entry(j) + if i == j { damping } else { 0.0 }).collect()
            };
            let weights = solve((0..slopes.len()).map(gram).collect(), values)?;
            for (column, &(group, variable)) in unknowns.iter().enumerate() {
                let step: f64 = slopes.iter().zip(&weights).map(|(row, w)| row[column] * w).sum();
                at[group][variable] -= step;
            }
        }
        Some(at)
    }

    fn unknowns(&self) -> Vec<(usize, usize)> {
        let of = |(group, &count): (usize, &usize)| (0..count).map(move |v| (group, v));
        self.groups.iter().enumerate().flat_map(of).collect()
    }

    /// Whether a box certainly holds no root.
    fn excluded(&self, region: &Region) -> bool {
        let no_root = |p: &MultiAffine| !p.range_of_mixtures(region).contains(0.0);
        let too_much =
            |group: &Vec<Interval>| group.iter().fold(Interval::ZERO, |sum, &x| sum + x).low > 1.0;
        region.iter().flatten().any(|x| x.high < 0.0)
            || region.iter().any(too_much)
            || self.equations.iter().any(no_root)
            || self.more_equations.iter().any(no_root)
            || self.never_positive.iter().any(|p| p.range_of_mixtures(region).low > 0.0)
    }

    fn examine(&self, region: Region, unknowns: &[(usize, usize)], boxes: &mut u64) -> Fate {
        let mut region = region;
        let mut isolated = false;
        loop {
            *boxes += 1;
            if self.excluded(&region) {
                return Fate::Dropped;
            }
            if unknowns.is_empty() {
                return Fate::Isolated(middle(&region));
            }
            // A root on the face of a box is inside a slightly larger one.
            let larger: Region = region
                .iter()
                .map(|group| group.iter().map(|x| x.inflated(0.1)).collect())
                .collect();
            let jacobian: Vec<Vec<Interval>> = self
                .equations
                .iter()
                .map(|p| unknowns.iter().map(|&of| p.range(&larger, Some(of))).collect())
                .collect();
            let Some(image) = self.krawczyk(&larger, &jacobian, unknowns) else {
                let cut = steepest(&region, &jacobian, unknowns);
                return Fate::Open(region, cut);
            };
            let all = |test: &dyn Fn(Interval, Interval) -> bool, other: &Region| {
                image.iter().zip(unknowns).all(|(&x, &(g, v))| test(x, other[g][v]))
            };
            let proven = isolated || all(&Interval::inside, &larger);
            let (mut narrowed, mut wider) = (region.clone(), 0.0_f64);
            for (&x, &(group, variable)) in image.iter().zip(unknowns) {
                let before = if proven { larger[group][variable] } else { region[group][variable] };
                let Some(common) = x.intersection(before) else { return Fate::Dropped };
                narrowed[group][variable] = common;
                wider = wider.max(common.width() / before.width());
            }
            if isolated || (proven && wider <= SLOW) {
                isolated = true;
                let settled = widest(&narrowed) > 0.9 * widest(&region);
                region = narrowed;
                if settled {
                    return Fate::Isolated(middle(&region));
                }
            } else if wider > SLOW {
                // A proof that narrows little would leave the root inaccurate, so that is cut too.
                let cut = steepest(&region, &jacobian, unknowns);
                return Fate::Open(if proven { region } else { narrowed }, cut);
            } else {
                region = narrowed;
            }
        }
    }

    /// Krawczyk's operator on a box, preconditioned by the inverse of the middle of the Jacobian;
    /// none if that is singular.
    fn krawczyk(
        &self,
        region: &Region,
        jacobian: &[Vec<Interval>],
        unknowns: &[(usize, usize)],
    ) -> Option<Vec<Interval>> {
        let middles = |row: &Vec<Interval>| row.iter().map(|entry| entry.mid()).collect();
        let inverse = inverse(jacobian.iter().map(middles).collect())?;
        let centre: Region = region
            .iter()
            .map(|group| group.iter().map(|x| Interval::point(x.mid())).collect())
            .collect();
        let values: Vec<Interval> = self.equations.iter().map(|p| p.range(&centre, None)).collect();
        let image = inverse.iter().enumerate().map(|(i, row)| {
            let (group, variable) = unknowns[i];
            let dot = |column: &mut dyn Iterator<Item = Interval>| {
                row.iter()
                    .zip(column)
                    .fold(Interval::ZERO, |sum, (&y, f)| sum + Interval::point(y) * f)
            };
            let mut x = centre[group][variable] - dot(&mut values.iter().copied());
            for (j, &(g, v)) in unknowns.iter().enumerate() {
                let unit = Interval::point(f64::from(u8::from(i == j)));
                let slope = unit - dot(&mut jacobian.iter().map(|row| row[j]));
                x = x + slope * (region[g][v] - centre[g][v]);
            }
            x
        });
        Some(image.collect())
    }
}

/// The unknown along which the equations vary most over the box.
fn steepest(region: &Region, jacobian: &[Vec<Interval>], unknowns: &[(usize, usize)]) -> usize {
    let mut smear = vec![0.0; unknowns.len()];
    for row in jacobian {
        let scale = row.iter().fold(f64::MIN_POSITIVE, |scale, entry| scale.max(entry.magnitude()));
        for ((smear, entry), &(group, variable)) in smear.iter_mut().zip(row).zip(unknowns) {
            *smear += entry.magnitude() / scale * region[group][variable].width();
        }
    }
    let steeper = |best: usize, at: usize| if smear[at] > smear[best] { at } else { best };
    (0..unknowns.len()).fold(0, steeper)
}

fn widest(region: &Region) -> f64 {
    region.iter().flatten().fold(0.0, |widest, x| x.width().max(widest))
}

fn middle(region: &Region) -> Vec<Vec<f64>> {
    region.iter().map(|group| group.iter().map(|x| x.mid()).collect()).collect()
}

fn close(a: &[Vec<f64>], b: &[Vec<f64>]) -> bool {
    a.iter().flatten().zip(b.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFORT: Effort = Effort { least_width: 1e-4, most_boxes: 10_000 };

    fn polynomial(dims: &[usize], entries: &[f64]) -> MultiAffine {
        let entries = entries.iter().map(|&entry| Interval::point(entry)).collect();
        MultiAffine::from_weighted(dims.to_vec(), entries)
    }

    fn system(equations: Vec<MultiAffine>) -> System {
        let groups = vec![1; equations.len()];
        System { equations, more_equations: vec![], never_positive: vec![], groups }
    }

    #[test]
    fn values_and_derivatives() {
        // Weights (1 - x, x) and (1 - y, y): 1 + 2x + 4y + 3xy.
        let p = polynomial(&[2, 2], &[1.0, 5.0, 3.0, 10.0]);
        let at = [vec![Interval::point(0.5)], vec![Interval::point(0.25)]];
        assert!((p.range(&at, None).mid() - 3.375).abs() < 1e-14);
        assert!((p.range(&at, Some((0, 0))).mid() - 2.75).abs() < 1e-14);
        assert!((p.range(&at, Some((1, 0))).mid() - 5.5).abs() < 1e-14);
    }

    #[test]
    fn mixtures_stay_within_the_simplex() {
        let entries = [3.0, 1.0, 7.0].map(Interval::point);
        let near = |found: Interval, low: f64, high: f64| {
            assert!(found.low <= low && found.high >= high, "{found:?}");
            assert!(found.low > low - 1e-12 && found.high < high + 1e-12, "{found:?}");
        };
        let whole = [Interval::new(0.0, 1.0); 2];
        near(mixed(&entries, &whole), 1.0, 7.0);
        // Weights (1/4..3/4, 0..1/2, 1/4): least at (1/4, 1/2, 1/4), largest at (3/4, 0, 1/4).
        let part = [Interval::new(0.0, 0.5), Interval::point(0.25)];
        near(mixed(&entries, &part), 3.0, 4.0);
    }

    #[test]
    fn both_roots_of_a_quadratic() {
        // xy = 3/16 and x + y = 1, cut at the root y = 1/4 first.
        let product = polynomial(&[2, 2], &[-0.1875, -0.1875, -0.1875, 0.8125]);
        let sum = polynomial(&[2, 2], &[-1.0, 0.0, 0.0, 1.0]);
        let found = system(vec![product, sum]).isolate(EFFORT);
        assert!(found.doubtful.is_empty() && !found.cut_short);
        let mut roots: Vec<[f64; 2]> = found.roots.iter().map(|r| [r[0][0], r[1][0]]).collect();
        roots.sort_by(|a, b| a[0].total_cmp(&b[0]));
        assert_eq!(roots.len(), 2);
        let expected = [[0.25, 0.75], [0.75, 0.25]];
        let errors = roots.iter().flatten().zip(expected.iter().flatten());
        assert!(errors.clone().all(|(a, b)| (a - b).abs() < 1e-14), "{roots:?}");
    }

    #[test]
    fn other_conditions_drop_roots() {
        let product = polynomial(&[2, 2], &[-0.1875, -0.1875, -0.1875, 0.8125]);
        let sum = polynomial(&[2, 2], &[-1.0, 0.0, 0.0, 1.0]);
        let mut both = system(vec![product, sum]);
        // x - 0.5 <= 0.
        both.never_positive = vec![polynomial(&[2, 1], &[-0.5, 0.5])];
        assert_eq!(both.isolate(EFFORT).roots.len(), 1);
        // x - 0.5 = 0.
        both.more_equations = std::mem::take(&mut both.never_positive);
        assert!(both.isolate(EFFORT).roots.is_empty());
    }

    #[test]
    fn a_double_root_stays_in_doubt() {
        // xy = 1/4 and x + y = 1.
        let product = polynomial(&[2, 2], &[-0.25, -0.25, -0.25, 0.75]);
        let sum = polynomial(&[2, 2], &[-1.0, 0.0, 0.0, 1.0]);
        let found = system(vec![product, sum]).isolate(EFFORT);
        assert!(found.roots.is_empty());
        assert!(found.doubtful.iter().all(|r| (r[0][0] - 0.5).abs() < 0.02));
        assert!(!found.doubtful.is_empty());
    }
}
