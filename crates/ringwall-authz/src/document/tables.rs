//! Tables that are tables. For a struct, serde takes a list too, with its fields in the order of their declaration: of
//! `manager = ["analyst"]` the role's description would be made.

use core::fmt;
use core::marker::PhantomData;
use std::collections::BTreeMap;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What stands in a table, and in no list.
pub(crate) struct Table<T>(pub(crate) T);

struct TableVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TableVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_map(TableVisitor(PhantomData))
            .map(Self)
    }
}

/// One.
pub(crate) fn one<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Table::deserialize(deserializer).map(|Table(table)| table)
}

/// One, or none.
pub(crate) fn perhaps<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let table = Option::<Table<T>>::deserialize(deserializer)?;
    Ok(table.map(|Table(table)| table))
}

/// One under each name.
pub(crate) fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    let tables = BTreeMap::<String, Table<T>>::deserialize(deserializer)?;
    let tables = tables.into_iter();
    Ok(tables.map(|(name, Table(table))| (name, table)).collect())
}

/// A list of them.
pub(crate) fn listed<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let tables = Vec::<Table<T>>::deserialize(deserializer)?;
    Ok(tables.into_iter().map(|Table(table)| table).collect())
}
