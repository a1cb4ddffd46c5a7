//! "Did you mean ..?"

/// The name that was probably meant: the same but for case, hyphens and underscores, or else the most alike.
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
    let likely = names.into_iter().map(distance).filter(|(distance, _)| *distance <= allowed);
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
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(closest(written, names), meant, "{written}");
        }
    }
}
