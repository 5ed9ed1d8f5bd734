//! Every way in which Arrow holds the same values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, DictionaryArray, Int32Array, RunArray};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};

/// The type of a list's elements.
pub fn item(data_type: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(data_type.clone(), true))
}

/// All types of numbers; decimals once with three digits of fraction and once without any.
pub fn number_types() -> Vec<DataType> {
    use DataType::{
        Decimal32, Decimal64, Decimal128, Decimal256, Float16, Float32, Float64, Int8, Int16, Int32, Int64, UInt8,
        UInt16, UInt32, UInt64,
    };
    let decimals = |scale| [Decimal32(9, scale), Decimal64(18, scale), Decimal128(38, scale), Decimal256(76, scale)];
    let plain = [Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Float16, Float32, Float64];
    plain.into_iter().chain(decimals(3)).chain(decimals(0)).collect()
}

/// The values as they are, in dictionaries and in runs, and each of these as a slice of a longer array.
///
/// # Panics
/// When there is no value, or more than an `i8` counts.
pub fn encodings(plain: &ArrayRef) -> Vec<ArrayRef> {
    let rows = plain.len();
    let around = concat(&[&plain.slice(rows - 1, 1), plain, &plain.slice(0, 1)]).expect("values of one type");
    let sliced = encoded(&around).into_iter().map(|array| array.slice(1, rows));
    encoded(plain).into_iter().chain(sliced).collect()
}

/// The values as they are, in dictionaries of every key type with NULL among the keys or among the values, and in runs.
///
/// # Panics
/// When there are more values than an `i8` counts.
pub fn encoded(plain: &ArrayRef) -> Vec<ArrayRef> {
    use DataType::{Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64};
    let mut all = vec![Arc::clone(plain)];
    let rows = i32::from(i8::try_from(plain.len()).expect("few values"));
    let in_values = DictionaryArray::<Int32Type>::new((0..rows).collect(), Arc::clone(plain));
    let keys: Int32Array = (0..rows).map(|row| plain.is_valid(row as usize).then_some(row)).collect();
    let in_keys = DictionaryArray::<Int32Type>::new(keys, Arc::clone(plain));
    for key in [Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64] {
        let to = DataType::Dictionary(Box::new(key), Box::new(plain.data_type().clone()));
        all.push(cast(&in_keys, &to).expect("few keys"));
        all.push(cast(&in_values, &to).expect("few keys"));
    }
    let ends = Int32Array::from_iter_values(1..=rows);
    let runs = RunArray::<Int32Type>::try_new(&ends, plain).expect("one run for each value");
    for end in [Int16, Int32, Int64] {
        let ends = Field::new("run_ends", end, false);
        let values = Field::new("values", plain.data_type().clone(), true);
        all.push(cast(&runs, &DataType::RunEndEncoded(Arc::new(ends), Arc::new(values))).expect("short runs"));
    }
    all
}

/// A list column as every kind of list, of which one has a fixed size of `width`.
///
/// # Panics
/// When the column is no list, or a list has another length.
pub fn list_kinds(list: &ArrayRef, width: i32) -> Vec<ArrayRef> {
    let DataType::List(of) = list.data_type().clone() else { panic!("{} is no list", list.data_type()) };
    let kinds = [
        DataType::LargeList(Arc::clone(&of)),
        DataType::ListView(Arc::clone(&of)),
        DataType::LargeListView(Arc::clone(&of)),
        DataType::FixedSizeList(of, width),
    ];
    let others = kinds.iter().map(|kind| cast(list, kind).expect("lists of one length"));
    [Arc::clone(list)].into_iter().chain(others).collect()
}
