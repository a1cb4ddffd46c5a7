//! Which fields a registered configuration takes, asked of its own parser.

use gambol_envs::registry::Entry;
use serde::Deserializer;
use serde::de::value::Error;
use serde::de::{Error as _, Visitor};
use serde::forward_to_deserialize_any;

/// A text that is no text: it only notes which fields the parser asks for.
struct Asked<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.extend(fields);
        Err(Error::custom("asked"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("asked"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The fields of an entry's configuration, in the order of its declaration; none when it is not a struct.
pub(crate) fn of<T: ?Sized>(entry: &Entry<T>) -> Vec<&'static str> {
    let mut fields = Vec::new();
    let mut asked = <dyn erased_serde::Deserializer<'_>>::erase(Asked(&mut fields));
    // It cannot succeed, since there is no text.
    let _ = (entry.parse)(&mut asked);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_that_the_parser_takes() {
        let registries = crate::Registries::standard();
        let fields = of(registries.envs.get("Matrix").unwrap());
        assert_eq!(fields, ["game", "rounds", "memory", "stop"]);
        for entry in registries.agents.entries() {
            assert!(!of(entry).is_empty(), "{}", entry.name);
        }
    }
}
