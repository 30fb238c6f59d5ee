//! Arrays of bounded length: a longer one is refused where it passes the limit, before it fills memory.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// An array of at most `MAX` elements.
#[derive(Debug)]
pub(super) struct Limited<T, const MAX: usize>(pub(super) Vec<T>);

impl<T, const MAX: usize> Default for Limited<T, MAX> {
    fn default() -> Self {
        Limited(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Limited<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

struct Elements<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Elements<T, MAX> {
    type Value = Limited<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of at most {MAX} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = array.next_element()? {
            if elements.len() == MAX {
                return Err(A::Error::custom(format_args!(
                    "the array has more than {MAX} elements, the limit: split it"
                )));
            }
            elements.push(element);
        }
        Ok(Limited(elements))
    }
}

#[cfg(test)]
mod tests {
    use super::Limited;

    #[test]
    fn takes_as_many_as_the_limit_and_no_more() {
        let three: Limited<u8, 3> = serde_json::from_str("[1,2,3]").unwrap();
        assert_eq!(three.0, [1, 2, 3]);
        let four = serde_json::from_str::<Limited<u8, 3>>("[1,2,3,4]").unwrap_err().to_string();
        assert!(four.starts_with("the array has more than 3 elements"), "{four}");
        assert!(serde_json::from_str::<Limited<u8, 3>>("{}").is_err());
    }
}
