//! A key that is either the word `none` or a set of keys of its own.

macro_rules! none_or {
    ($($choice:ident::$variant:ident($inner:ident);)*) => {$(
        impl<'de> serde::Deserialize<'de> for $choice {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Either;
                impl<'de> serde::de::Visitor<'de> for Either {
                    type Value = $choice;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("`none` or a set of keys")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$choice, E> {
                        match text {
                            "none" => Ok($choice::None),
                            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                        }
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$choice, A::Error> {
                        $inner::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map($choice::$variant)
                    }
                }
                deserializer.deserialize_any(Either)
            }
        }
        impl serde::Serialize for $choice {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $choice::None => serializer.serialize_str("none"),
                    $choice::$variant(inner) => inner.serialize(serializer),
                }
            }
        }
        impl schemars::JsonSchema for $choice {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($choice).into()
            }
            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let inner = generator.subschema_for::<$inner>();
                schemars::json_schema!({ "anyOf": [{ "const": "none" }, inner] })
            }
        }
    )*};
}

pub(super) use none_or;
