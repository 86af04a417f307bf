//! serde over the located tree: what does not fit comes back with the number of the node that it is about.
//!
//! Nothing is repaired here, and no words for people are made; see `read`.

use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use super::tree::{Data, Key, Node};

/// What does not fit, and the innermost key or value that it is about.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) node: Option<usize>,
    pub(super) what: What,
}

/// What does not fit.
#[derive(Debug)]
pub(super) enum What {
    UnknownKey {
        key: String,
        allowed: &'static [&'static str],
    },
    UnknownWord {
        word: String,
        allowed: &'static [&'static str],
    },
    Missing {
        key: &'static str,
    },
    Other {
        found: String,
        wanted: String,
    },
    Words(String),
}

impl Fault {
    fn new(what: What) -> Self {
        Self { node: None, what }
    }

    fn at(mut self, id: usize) -> Self {
        self.node.get_or_insert(id);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(words: T) -> Self {
        Self::new(What::Words(words.to_string()))
    }
    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::new(What::Other {
            found: found.to_string(),
            wanted: wanted.to_string(),
        })
    }
    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(found, wanted)
    }
    fn unknown_variant(word: &str, allowed: &'static [&'static str]) -> Self {
        Self::new(What::UnknownWord {
            word: word.to_owned(),
            allowed,
        })
    }
    fn unknown_field(key: &str, allowed: &'static [&'static str]) -> Self {
        Self::new(What::UnknownKey {
            key: key.to_owned(),
            allowed,
        })
    }
    fn missing_field(key: &'static str) -> Self {
        Self::new(What::Missing { key })
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.data {
            Data::Null => visitor.visit_unit(),
            Data::Bool(value) => visitor.visit_bool(*value),
            Data::Whole(value) => visitor.visit_i64(*value),
            Data::Real(value) => visitor.visit_f64(*value),
            Data::Text(value) => visitor.visit_borrowed_str(value),
            Data::List(items) => visitor.visit_seq(Items(items.iter())),
            Data::Map(entries) => visitor.visit_map(Entries {
                rest: entries.iter(),
                value: None,
            }),
            Data::Filler => visitor.visit_borrowed_str("-"),
        }
        .map_err(|fault| fault.at(self.id))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.data {
            Data::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.data {
            Data::Filler => visitor.visit_seq(Items([].iter())),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.data {
            // serde would take a list for a struct, its items in the order of the fields.
            Data::List(_) => {
                let fault: Fault = de::Error::invalid_type(Unexpected::Seq, &visitor);
                Err(fault.at(self.id))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.data {
            Data::Text(word) => visitor.visit_enum(OneOf {
                word,
                id: self.id,
                value: None,
            }),
            Data::Filler => visitor.visit_enum(OneOf {
                word: variants[0],
                id: self.id,
                value: None,
            }),
            Data::Map(entries) => match entries.as_slice() {
                [(key, value)] => visitor.visit_enum(OneOf {
                    word: &key.text,
                    id: key.id,
                    value: Some(value),
                }),
                [] => Err(Fault::new(What::Words(
                    "one key is wanted here, and there is none".to_owned(),
                ))),
                _ => Err(Fault::new(What::Words(
                    "one key is wanted here; give each an entry (`- `) of its own".to_owned(),
                ))),
            },
            _ => {
                let word = self.scalar().unwrap_or_default();
                Err(Fault::new(What::UnknownWord {
                    word,
                    allowed: variants,
                }))
            }
        }
        .map_err(|fault| fault.at(self.id))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct map identifier ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }
}

struct Entries<'de> {
    rest: std::slice::Iter<'de, (Key, Node)>,
    value: Option<&'de Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        let text: de::value::BorrowedStrDeserializer<'de, Fault> =
            de::value::BorrowedStrDeserializer::new(&key.text);
        seed.deserialize(text).map(Some).map_err(|fault| fault.at(key.id))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        match self.value.take() {
            Some(value) => seed.deserialize(value),
            None => Err(de::Error::custom("a value was asked for before its key")),
        }
    }
}

/// A choice: a word alone, or a key with a value.
struct OneOf<'de> {
    word: &'de str,
    id: usize,
    value: Option<&'de Node>,
}

impl<'de> EnumAccess<'de> for OneOf<'de> {
    type Error = Fault;
    type Variant = Self;
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let word: de::value::StrDeserializer<'_, Fault> = self.word.into_deserializer();
        let choice = seed.deserialize(word).map_err(|fault| fault.at(self.id))?;
        Ok((choice, self))
    }
}

impl<'de> VariantAccess<'de> for OneOf<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.value {
            None => Ok(()),
            Some(_) => Err(Fault::new(What::Words(format!(
                "`{}` is a word of its own and takes no value",
                self.word
            )))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        match self.value {
            Some(value) => seed.deserialize(value),
            None => Err(Fault::new(What::Words(format!(
                "`{}` needs a value: write `{}: …`",
                self.word, self.word
            )))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Fault> {
        Err(de::Error::invalid_type(Unexpected::TupleVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        Err(de::Error::invalid_type(Unexpected::StructVariant, &visitor))
    }
}
