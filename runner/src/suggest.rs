//! "Did you mean ..?"

/// The name that was probably meant: the same but for case, hyphens and underscores, or else the most alike, or else
/// one that is the beginning of what was written or the reverse.
pub(crate) fn closest<'a>(
    written: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |name: &str| -> String {
        name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let wanted = plain(written);
    // One slip in three letters, and at least one.
    let allowed = (wanted.chars().count() / 3).max(1);
    let distance = |name| (strsim::osa_distance(&wanted, &plain(name)), name);
    let begins = |name: &str| {
        let (name, least) = (plain(name), 3);
        name.len().min(wanted.len()) >= least
            && (name.starts_with(&wanted) || wanted.starts_with(&name))
    };
    let likely = names.into_iter().map(distance).filter_map(|(distance, name)| match () {
        () if distance <= allowed => Some((distance, name)),
        () if begins(name) => Some((usize::MAX, name)),
        () => None,
    });
    // The first of equals wins, so that the answer depends on nothing but the list.
    likely.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// `; did you mean "x"?`, or nothing.
pub(crate) fn hint<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    closest(written, names).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn finds_what_was_meant_or_nothing() {
        let names = ["lemke-howson", "rae", "extreme"];
        for (written, meant) in [
            ("LemkeHowson", Some("lemke-howson")),
            ("lemke_howsen", Some("lemke-howson")),
            ("extrem", Some("extreme")),
            ("RAE", Some("rae")),
            ("rea", Some("rae")),
            ("lem", Some("lemke-howson")),
            ("extremely-good", Some("extreme")),
            ("ra", Some("rae")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(closest(written, names), meant, "{written}");
        }
    }
}
