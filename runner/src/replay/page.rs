//! One HTML file that holds the player and the episodes, and loads nothing.

use serde_json::Value;

/// The player; [`SLOT`] stands where the episodes go.
const PLAYER: &str = include_str!("player.html");

const SLOT: &str = "{\"slot\": true}";

/// JSON that may stand within a script element: nothing in it can end the element or begin a comment.
fn escaped(value: &Value) -> String {
    value
        .to_string()
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// The page for episodes in the form of [`Replay::json`](super::Replay::json).
pub(crate) fn page(replay: &Value) -> String {
    PLAYER.replacen(SLOT, &escaped(replay), 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_text_can_end_the_script() {
        let value =
            json!({ "scenario": "</script><script>alert(1)</script><!--", "more": "\u{2028}" });
        let page = page(&value);
        assert_eq!(page.matches("</script>").count(), PLAYER.matches("</script>").count());
        assert!(!page.contains("<!--"), "no comment begins");
        // What is between the element's ends is the same value.
        let start = "<script id=\"replay\" type=\"application/json\">";
        let data = page.split_once(start).unwrap().1.split_once("</script>").unwrap().0;
        assert_eq!(serde_json::from_str::<Value>(data).unwrap(), value);
    }

    #[test]
    fn the_page_loads_nothing() {
        assert_eq!(PLAYER.matches(SLOT).count(), 1);
        for sign in ["http:", "https:", "src=", "href=", "@import", "url(", "fetch(", "import("] {
            assert!(!PLAYER.contains(sign), "{sign}");
        }
    }
}
