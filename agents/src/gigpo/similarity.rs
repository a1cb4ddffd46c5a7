//! Grouping of texts that are nearly the same.

use std::collections::BTreeMap;

use super::rows::Key;

/// Similarity of two texts in `[0, 1]`: twice the number of matching characters over the number of all, by the
/// method of Ratcliff and Obershelp as Python's `difflib.SequenceMatcher(None, a, b).ratio()` has it.
///
/// The longest common run is matched first (the earliest in `a`, then in `b`), then what is left and right of
/// it. Not symmetric. Where `b` has 200 characters or more, characters that make up more than 1 percent of it
/// plus one do not start a match (`autojunk`), though they may extend one.
///
/// Written here because the crate `difflib` 0.4.0 keeps the popular characters and drops the others.
pub fn ratio(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    match a.len() + b.len() {
        0 => 1.0,
        all => 2.0 * Matcher::new(&a, &b).matches() as f64 / all as f64,
    }
}

struct Matcher<'a> {
    a: &'a [char],
    b: &'a [char],
    /// Characters of `b` that may start a match, sorted, with the places where they stand.
    places: Vec<(char, Vec<usize>)>,
    /// Lengths of the runs that end at each place of `b`, for the last and the current character of `a`.
    runs: [Vec<usize>; 2],
}

impl<'a> Matcher<'a> {
    fn new(a: &'a [char], b: &'a [char]) -> Self {
        let mut sorted: Vec<(char, usize)> = b.iter().copied().zip(0..).collect();
        sorted.sort_unstable();
        let popular = if b.len() >= 200 { b.len() / 100 + 1 } else { usize::MAX };
        let places = sorted
            .chunk_by(|left, right| left.0 == right.0)
            .filter(|places| places.len() <= popular)
            .map(|places| (places[0].0, places.iter().map(|place| place.1).collect()))
            .collect();
        Self { a, b, places, runs: [vec![0; b.len() + 1], vec![0; b.len() + 1]] }
    }

    /// Number of matched characters.
    fn matches(mut self) -> usize {
        let mut matched = 0;
        let mut open = vec![(0..self.a.len(), 0..self.b.len())];
        while let Some((a, b)) = open.pop() {
            let (i, j, size) = self.longest(a.clone(), b.clone());
            if size > 0 {
                matched += size;
                open.push((a.start..i, b.start..j));
                open.push((i + size..a.end, j + size..b.end));
            }
        }
        matched
    }

    /// The longest common run of `a[i..]` and `b[j..]` within the ranges, and where it starts.
    fn longest(
        &mut self,
        a: std::ops::Range<usize>,
        b: std::ops::Range<usize>,
    ) -> (usize, usize, usize) {
        let (mut i, mut j, mut size) = (a.start, b.start, 0);
        let [last, current] = &mut self.runs;
        // Shifted by one: `last[place + 1]` is the run that ends at `place`.
        last[b.start..=b.end].fill(0);
        for row in a.clone() {
            current[b.start..=b.end].fill(0);
            if let Ok(found) = self.places.binary_search_by_key(&self.a[row], |place| place.0) {
                let places = &self.places[found].1;
                let from = places.partition_point(|&place| place < b.start);
                for &place in places[from..].iter().take_while(|&&place| place < b.end) {
                    let run = last[place] + 1;
                    current[place + 1] = run;
                    if run > size {
                        (i, j, size) = (row + 1 - run, place + 1 - run, run);
                    }
                }
            }
            std::mem::swap(last, current);
        }
        // Popular characters may still extend the run.
        while i > a.start && j > b.start && self.a[i - 1] == self.b[j - 1] {
            (i, j, size) = (i - 1, j - 1, size + 1);
        }
        while i + size < a.end && j + size < b.end && self.a[i + size] == self.b[j + size] {
            size += 1;
        }
        (i, j, size)
    }
}

/// Clusters of similar texts, formed greedily in the order in which texts arrive.
///
/// A text joins the first cluster whose first member it resembles, or opens a new one, as `build_step_group`
/// of the reference does with `enable_similarity`.
#[derive(Clone, Debug)]
pub struct Clusters {
    threshold: f64,
    first_members: Vec<String>,
    /// Clusters of the texts that were seen: the same text comes to the same end, for earlier clusters keep
    /// their first members.
    seen: BTreeMap<Key, usize>,
}

impl Clusters {
    /// No clusters yet. Texts belong together from a [`ratio`] of `threshold` on (between 0 and 1, both
    /// excluded; the reference's default is 0.95).
    pub const fn new(threshold: f64) -> Self {
        Self { threshold, first_members: Vec::new(), seen: BTreeMap::new() }
    }

    /// The number of the cluster that the text joins or opens.
    pub fn join(&mut self, text: &str) -> usize {
        let key = Key::text(text);
        if let Some(&cluster) = self.seen.get(&key) {
            return cluster;
        }
        let length = text.chars().count();
        let joins = |member: &String| {
            // No ratio is above what two texts of these lengths can reach.
            let other = member.chars().count();
            let most = 2.0 * length.min(other) as f64 / (length + other).max(1) as f64;
            most >= self.threshold && ratio(text, member) >= self.threshold
        };
        let cluster = self.first_members.iter().position(joins).unwrap_or_else(|| {
            self.first_members.push(text.to_owned());
            self.first_members.len() - 1
        });
        self.seen.insert(key, cluster);
        cluster
    }
}
