//! How rows are kept: as bytes, the columns of their key first, so that rows of one key are beside each other.

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use crate::codec::{Damaged, RowCodec, Rows};

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct RowLayout {
    /// Of the columns as they are kept.
    codec: RowCodec,
    /// Of the key alone.
    key_codec: RowCodec,
    /// Which column each of these is.
    places: Vec<usize>,
    /// How many of them are the key.
    key: usize,
}

impl RowLayout {
    /// Of rows with columns of these types, of which some are the key, by their numbers, each once; a type that cannot be kept otherwise.
    pub fn new(types: &[DataType], key: &[usize]) -> Result<RowLayout, DataType> {
        let others = (0..types.len()).filter(|column| !key.contains(column));
        let places: Vec<usize> = key.iter().copied().chain(others).collect();
        let of = |places: &[usize]| RowCodec::new(places.iter().map(|&place| types[place].clone()));
        Ok(RowLayout { codec: of(&places)?, key_codec: of(&places[..key.len()])?, places, key: key.len() })
    }

    /// The columns of the key.
    pub fn key(&self) -> &[usize] {
        &self.places[..self.key]
    }

    /// The types of these columns.
    pub fn key_types(&self) -> impl Iterator<Item = &DataType> {
        self.key_codec.types().iter()
    }

    /// Rows as they are kept.
    pub fn encode(&self, columns: &[ArrayRef], rows: usize) -> Rows {
        let columns: Vec<ArrayRef> = self.places.iter().map(|&place| columns[place].clone()).collect();
        self.codec.encode(&columns, rows)
    }

    /// What rows begin with that have one key, which is given as a row of its columns.
    pub fn key_bytes(&self, key: &[ArrayRef]) -> Vec<u8> {
        self.key_codec.encode(key, 1).row(0).to_vec()
    }

    /// The columns of rows as they were.
    pub fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>, Damaged> {
        let kept = self.codec.decode(rows)?;
        let mut columns: Vec<Option<ArrayRef>> = vec![None; kept.len()];
        for (column, &place) in kept.into_iter().zip(&self.places) {
            columns[place] = Some(column);
        }
        columns.into_iter().map(|column| column.ok_or(Damaged)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};
    use arrow_schema::TimeUnit;

    use super::*;

    /// The key comes first, and rows are what they were; what a row begins with is its key and no other.
    #[test]
    fn the_key_comes_first() {
        let types = [DataType::Int64, DataType::Utf8, DataType::Int64];
        let layout = RowLayout::new(&types, &[2, 1]).unwrap();
        assert_eq!((layout.key(), layout.key_types().count()), (&[2, 1][..], 2));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
            Arc::new(StringArray::from(vec![Some("a"), Some("b"), None])),
            Arc::new(Int64Array::from(vec![Some(9), Some(8), None])),
        ];
        let rows = layout.encode(&columns, 3);
        assert_eq!(layout.decode(rows.iter()).unwrap(), columns);
        let key =
            |number: usize| layout.key_bytes(&[columns[2].slice(number, 1), columns[1].slice(number, 1)]);
        for (row, bytes) in rows.iter().enumerate() {
            let begins: Vec<bool> = (0..3).map(|number| bytes.starts_with(&key(number))).collect();
            assert_eq!(begins, (0..3).map(|number| number == row).collect::<Vec<_>>());
        }
        assert_eq!(layout.decode([&rows.row(0)[1..]]), Err(Damaged));
        assert_eq!(
            RowLayout::new(&[DataType::Duration(TimeUnit::Second)], &[]),
            Err(DataType::Duration(TimeUnit::Second))
        );
    }
}
