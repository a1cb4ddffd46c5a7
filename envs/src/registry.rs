//! Lists of things that a scenario file may name, open to entries from other crates.

use serde::de::DeserializeOwned;

/// Reads one configuration, whatever its type, from any deserializer.
pub type Parse<T> =
    fn(&mut dyn erased_serde::Deserializer<'_>) -> Result<Box<T>, erased_serde::Error>;

/// One name that a scenario file may use.
pub struct Entry<T: ?Sized> {
    /// The name in RON, such as `Foraging`.
    pub name: &'static str,
    /// One line for `gambol list`.
    pub summary: &'static str,
    /// Reads the parameters that follow the name.
    pub parse: Parse<T>,
    /// Small valid configurations, walked by the conformance tests.
    pub examples: fn() -> Vec<Box<T>>,
}

impl<T: ?Sized> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { name: self.name, summary: self.summary, parse: self.parse, examples: self.examples }
    }
}

/// A configuration type that can stand in a [`Registry`] of `T`.
pub trait Registered<T: ?Sized>: DeserializeOwned + 'static {
    /// The name in RON.
    const NAME: &'static str;
    /// One line for `gambol list`.
    const SUMMARY: &'static str;
    /// Small valid configurations, walked by the conformance tests; everything in this repository has some.
    fn examples() -> Vec<Self> {
        Vec::new()
    }
    /// Erases the type.
    fn boxed(self) -> Box<T>;

    /// The entry to put into the list.
    fn entry() -> Entry<T> {
        Entry {
            name: Self::NAME,
            summary: Self::SUMMARY,
            parse: |deserializer| Ok(erased_serde::deserialize::<Self>(deserializer)?.boxed()),
            examples: || Self::examples().into_iter().map(Self::boxed).collect(),
        }
    }
}

/// An ordered list of entries with distinct names.
pub struct Registry<T: ?Sized> {
    entries: Vec<Entry<T>>,
}

impl<T: ?Sized> Clone for Registry<T> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone() }
    }
}

impl<T: ?Sized> Registry<T> {
    /// A list of these entries, in this order.
    pub fn new(entries: Vec<Entry<T>>) -> Self {
        let mut registry = Self { entries: Vec::new() };
        for entry in entries {
            registry.add(entry);
        }
        registry
    }

    /// Adds an entry; one of the same name is replaced, so that a user can put an own version in its place.
    pub fn add(&mut self, entry: Entry<T>) {
        match self.entries.iter_mut().find(|other| other.name == entry.name) {
            Some(other) => *other = entry,
            None => self.entries.push(entry),
        }
    }

    /// Adds a configuration type.
    pub fn register<C: Registered<T>>(&mut self) {
        self.add(C::entry());
    }

    /// The entry of that name.
    pub fn get(&self, name: &str) -> Option<&Entry<T>> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Every entry, in order.
    pub fn entries(&self) -> &[Entry<T>] {
        &self.entries
    }

    /// Every name, in order.
    pub fn names(&self) -> Vec<&'static str> {
        self.entries.iter().map(|entry| entry.name).collect()
    }
}
