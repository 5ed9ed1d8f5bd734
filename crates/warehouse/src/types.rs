//! Arrow types as a stored table holds them. Delta Lake has fewer types than Arrow; this is the one place that says
//! which Arrow type becomes which, and that turns batches into it. No value is changed beyond what SQL's own
//! conversion does (timestamps are stored in microseconds); what has no home is an error that names the column.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};

use crate::{Error, Result};

/// Delta Lake's widest decimal.
const DECIMAL_DIGITS_MAX: u8 = 38;

/// The schema with which a table of `schema` is stored: no types that Delta lacks, no field metadata.
///
/// # Errors
///
/// No columns, two columns with the same name, or a type that cannot be stored.
pub(crate) fn storable_schema(table: &str, schema: &Schema) -> Result<Schema> {
    if schema.fields().is_empty() {
        return Err(Error::NoColumns { table: table.to_string() });
    }
    let fields = storable_fields(table, "", schema.fields())?;
    Ok(Schema::new(fields))
}

/// The same schema with every column, however deep, allowed to be NULL.
pub(crate) fn nullable_schema(schema: &Schema) -> Schema {
    Schema::new(schema.fields().iter().map(nullable_field).collect::<Vec<_>>())
}

fn nullable_field(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(nullable_field).collect()),
        DataType::List(item) => DataType::List(nullable_field(item)),
        DataType::Map(entries, sorted) => DataType::Map(nullable_entries(entries), *sorted),
        other => other.clone(),
    };
    Arc::new(Field::new(field.name(), data_type, true))
}

/// The entries of a map and their keys are never NULL.
fn nullable_entries(entries: &FieldRef) -> FieldRef {
    let DataType::Struct(fields) = entries.data_type() else { return Arc::clone(entries) };
    let fields = fields.iter().enumerate();
    let fields = fields.map(|(index, field)| if index == 0 { Arc::clone(field) } else { nullable_field(field) });
    Arc::new(Field::new(entries.name(), DataType::Struct(fields.collect()), false))
}

fn storable_fields(table: &str, parent: &str, fields: &Fields) -> Result<Fields> {
    let mut seen = HashSet::new();
    fields
        .iter()
        .map(|field| {
            let column = child(parent, field.name());
            if !seen.insert(field.name().to_lowercase()) {
                return Err(Error::DuplicateColumn { table: table.to_string(), column });
            }
            storable_field(table, &column, field, field.name())
        })
        .collect()
}

fn storable_field(table: &str, column: &str, field: &Field, name: &str) -> Result<FieldRef> {
    let data_type = storable_type(table, column, field.data_type())?;
    Ok(Arc::new(Field::new(name, data_type, field.is_nullable())))
}

/// The type that stores `data_type`.
fn storable_type(table: &str, column: &str, data_type: &DataType) -> Result<DataType> {
    use DataType::*;
    let unsupported = |cure| Error::UnsupportedType {
        table: table.to_string(),
        column: column.to_string(),
        data_type: data_type.clone(),
        cure,
    };
    Ok(match data_type {
        Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Date32 => data_type.clone(),
        UInt8 => Int16,
        UInt16 => Int32,
        UInt32 => Int64,
        UInt64 => Decimal128(20, 0),
        Float16 => Float32,
        Utf8 | LargeUtf8 | Utf8View => Utf8,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        Date64 => Date32,
        Timestamp(_, zone) => Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| "UTC".into())),
        Decimal32(digits, scale) | Decimal64(digits, scale) | Decimal128(digits, scale) | Decimal256(digits, scale) => {
            let scale_ok = u8::try_from(*scale).is_ok_and(|scale| scale <= *digits);
            if *digits > DECIMAL_DIGITS_MAX || !scale_ok {
                return Err(unsupported("write CAST(... AS DECIMAL(38, s)) or CAST(... AS DOUBLE)"));
            }
            Decimal128(*digits, *scale)
        }
        Dictionary(_, value) => storable_type(table, column, value)?,
        RunEndEncoded(_, values) => storable_type(table, column, values.data_type())?,
        List(item) | LargeList(item) | ListView(item) | LargeListView(item) | FixedSizeList(item, _) => {
            List(storable_field(table, &child(column, "element"), item, "element")?)
        }
        Struct(fields) if fields.is_empty() => return Err(unsupported("give the struct a field or leave it out")),
        Struct(fields) => Struct(storable_fields(table, column, fields)?),
        Map(entries, _) => storable_map(table, column, entries)?,
        Null => return Err(unsupported("give it a type, for example CAST(NULL AS DOUBLE)")),
        Time32(_) | Time64(_) | Duration(_) | Interval(_) => return Err(unsupported("write CAST(... AS VARCHAR)")),
        Union(..) => return Err(unsupported("take its parts into columns of their own")),
    })
}

fn storable_map(table: &str, column: &str, entries: &FieldRef) -> Result<DataType> {
    let DataType::Struct(fields) = entries.data_type() else { return Ok(DataType::Map(Arc::clone(entries), false)) };
    let fields = fields
        .iter()
        .zip(["key", "value"])
        .map(|(field, name)| storable_field(table, &child(column, name), field, name))
        .collect::<Result<Fields>>()?;
    Ok(DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(fields), false)), false))
}

fn child(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_string() } else { format!("{parent}.{name}") }
}

/// How rows of one schema become rows of a stored table: by column name, missing columns are NULL.
#[derive(Debug, Clone)]
pub(crate) struct Conversion {
    table: Arc<str>,
    target: SchemaRef,
    /// For each column of the table, the column of the rows.
    sources: Vec<Option<usize>>,
}

impl Conversion {
    /// Checks that rows of `input` fit into `table`, whose stored schema is `target`.
    ///
    /// # Errors
    ///
    /// A column the table has not, a missing column that is NOT NULL, or a type that would lose values.
    pub(crate) fn try_new(table: &str, input: &Schema, target: &SchemaRef) -> Result<Self> {
        let stored = storable_schema(table, input)?;
        let mut sources = vec![None; target.fields().len()];
        for (index, field) in stored.fields().iter().enumerate() {
            let Some((position, column)) = target.column_with_name(field.name()) else {
                return Err(Error::UnknownColumn {
                    table: table.to_string(),
                    column: field.name().clone(),
                    columns: target.fields().iter().map(|field| field.name().clone()).collect(),
                });
            };
            if !fits(field.data_type(), column.data_type()) {
                return Err(Error::TypeMismatch {
                    table: table.to_string(),
                    column: field.name().clone(),
                    expected: column.data_type().clone(),
                    got: input.field(index).data_type().clone(),
                });
            }
            sources[position] = Some(index);
        }
        for (field, source) in target.fields().iter().zip(&sources) {
            if source.is_none() && !field.is_nullable() {
                return Err(Error::MissingColumn { table: table.to_string(), column: field.name().clone() });
            }
        }
        Ok(Self { table: table.into(), target: Arc::clone(target), sources })
    }

    /// The schema of the stored rows.
    pub(crate) fn target(&self) -> &SchemaRef {
        &self.target
    }

    /// The stored form of `batch`.
    ///
    /// # Errors
    ///
    /// A NULL in a NOT NULL column, or a value outside the range of the stored type.
    pub(crate) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let columns = self
            .target
            .fields()
            .iter()
            .zip(&self.sources)
            .map(|(field, source)| match source {
                Some(index) => self.column(field, batch.column(*index)),
                None => Ok(new_null_array(field.data_type(), rows)),
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.target), columns, &options)
            .map_err(|error| Error::delta("write", &self.table, error))
    }

    fn column(&self, field: &Field, array: &ArrayRef) -> Result<ArrayRef> {
        let stored = if array.data_type() == field.data_type() {
            Arc::clone(array)
        } else {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(array, field.data_type(), &options)
                .map_err(|error| Error::delta("write", &self.table, error))?
        };
        if !field.is_nullable() && stored.null_count() > 0 {
            return Err(Error::NullValue {
                table: self.table.to_string(),
                column: field.name().clone(),
                nulls: stored.null_count(),
            });
        }
        Ok(stored)
    }
}

/// Can every value of `from` be stored in a column of type `to`? Both are stored types.
fn fits(from: &DataType, to: &DataType) -> bool {
    use DataType::*;
    match (from, to) {
        (List(from), List(to)) => fits(from.data_type(), to.data_type()),
        (Struct(from), Struct(to)) => {
            let same =
                |(from, to): (&FieldRef, &FieldRef)| from.name() == to.name() && fits(from.data_type(), to.data_type());
            from.len() == to.len() && from.iter().zip(to).all(same)
        }
        (Map(from, _), Map(to, _)) => fits(from.data_type(), to.data_type()),
        (Int8, Int16 | Int32 | Int64 | Float32 | Float64)
        | (Int16, Int32 | Int64 | Float32 | Float64)
        | (Int32, Int64 | Float64)
        | (Float32, Float64) => true,
        (Decimal128(digits, scale), Decimal128(to_digits, to_scale)) => {
            let whole = |digits: u8, scale: i8| i16::from(digits) - i16::from(scale);
            scale <= to_scale && whole(*digits, *scale) <= whole(*to_digits, *to_scale)
        }
        _ => from == to,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int32Array, StringArray};

    fn schema(fields: &[(&str, DataType)]) -> Schema {
        Schema::new(
            fields.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect::<Vec<_>>(),
        )
    }

    fn stored(data_type: DataType) -> Result<DataType> {
        Ok(storable_schema("t", &schema(&[("c", data_type)]))?.field(0).data_type().clone())
    }

    #[test]
    fn every_number_keeps_its_range() {
        use DataType::*;
        for (arrow, delta) in [
            (UInt8, Int16),
            (UInt16, Int32),
            (UInt32, Int64),
            (UInt64, Decimal128(20, 0)),
            (Float16, Float32),
            (Decimal256(30, 2), Decimal128(30, 2)),
            (Utf8View, Utf8),
            (Timestamp(TimeUnit::Second, Some("+02:00".into())), Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
            (Dictionary(Box::new(Int32), Box::new(LargeUtf8)), Utf8),
        ] {
            assert_eq!(stored(arrow).expect("storable"), delta);
        }
    }

    #[test]
    fn types_inside_types_are_stored_too() {
        let item = Arc::new(Field::new("item", DataType::UInt8, true));
        let inner = DataType::Struct(vec![Field::new("v", DataType::LargeList(item), true)].into());
        let DataType::Struct(fields) = stored(inner).expect("storable") else { panic!("a struct") };
        let DataType::List(element) = fields[0].data_type() else { panic!("a list") };
        assert_eq!((element.name().as_str(), element.data_type()), ("element", &DataType::Int16));
    }

    #[test]
    fn what_has_no_home_names_the_column() {
        let item = Arc::new(Field::new("item", DataType::Time64(TimeUnit::Nanosecond), true));
        let nested = DataType::Struct(vec![Field::new("times", DataType::List(item), true)].into());
        let error = storable_schema("t", &schema(&[("day", nested)])).expect_err("no times in Delta");
        assert!(error.to_string().contains("column `day.times.element` of table `t`"), "{error}");
        assert!(stored(DataType::Decimal256(50, 2)).is_err());
        assert!(stored(DataType::Decimal128(5, -2)).is_err());
    }

    #[test]
    fn names_that_differ_in_case_collide() {
        let error = storable_schema("t", &schema(&[("Id", DataType::Int32), ("id", DataType::Int32)]));
        assert!(matches!(error, Err(Error::DuplicateColumn { .. })));
    }

    #[test]
    fn rows_are_matched_by_name_and_widened() {
        let target = Arc::new(schema(&[("a", DataType::Float64), ("b", DataType::Utf8)]));
        let input = Arc::new(schema(&[("b", DataType::Utf8), ("a", DataType::Int32)]));
        let conversion = Conversion::try_new("t", &input, &target).expect("fits");
        let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec!["x"])), Arc::new(Int32Array::from(vec![7]))];
        let batch = RecordBatch::try_new(input, columns).expect("batch");
        let stored = conversion.apply(&batch).expect("converted");
        assert_eq!(stored.column(0).as_ref(), &Float64Array::from(vec![7.0]) as &dyn Array);
    }

    #[test]
    fn narrowing_is_refused() {
        let target = Arc::new(schema(&[("a", DataType::Int32)]));
        for data_type in [DataType::Int64, DataType::Float64, DataType::Utf8, DataType::UInt32] {
            let result = Conversion::try_new("t", &schema(&[("a", data_type)]), &target);
            assert!(matches!(result, Err(Error::TypeMismatch { .. })));
        }
    }
}
