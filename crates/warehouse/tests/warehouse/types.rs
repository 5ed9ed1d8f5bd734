//! Every Arrow type that can be stored comes back with the same values.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::*;
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use foretell_warehouse::OnExisting;

use crate::helpers::Database;

/// Stores `columns` as table `t` and shows it with its types.
async fn round_trip(columns: Vec<(&str, ArrayRef)>) -> String {
    let db = Database::new();
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).expect("batch");
    let input = MemTable::try_new(batch.schema(), vec![vec![batch]]).expect("table");
    db.ctx.register_table("input", Arc::new(input)).expect("register");
    db.create("t", "SELECT * FROM input", OnExisting::Fail).await.expect("create");
    // What came back fits into the table it came from.
    db.append("t", "SELECT * FROM t").await.expect("append");
    let rows = db.sql("SELECT DISTINCT * FROM t ORDER BY 1").await.expect("rows");
    let types =
        rows[0].schema().fields().iter().map(|f| format!("{}: {}", f.name(), f.data_type())).collect::<Vec<_>>();
    format!("{}\n{}", types.join("\n"), pretty_format_batches(&rows).expect("table"))
}

#[tokio::test]
async fn numbers() {
    let shown = round_trip(vec![
        ("i8", Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(i8::MAX)]))),
        ("i16", Arc::new(Int16Array::from(vec![i16::MIN, 0, i16::MAX]))),
        ("i32", Arc::new(Int32Array::from(vec![i32::MIN, 0, i32::MAX]))),
        ("i64", Arc::new(Int64Array::from(vec![i64::MIN, 0, i64::MAX]))),
        ("u8", Arc::new(UInt8Array::from(vec![0, 1, u8::MAX]))),
        ("u16", Arc::new(UInt16Array::from(vec![0, 1, u16::MAX]))),
        ("u32", Arc::new(UInt32Array::from(vec![0, 1, u32::MAX]))),
        ("u64", Arc::new(UInt64Array::from(vec![0, 1, u64::MAX]))),
        (
            "f16",
            Arc::new(arrow::compute::cast(&Float32Array::from(vec![0.5, -1.0, 2.0]), &DataType::Float16).expect("f16")),
        ),
        ("f32", Arc::new(Float32Array::from(vec![f32::MIN, 0.1, f32::INFINITY]))),
        ("f64", Arc::new(Float64Array::from(vec![f64::MIN, 0.1, f64::NAN]))),
        ("d32", Arc::new(Decimal32Array::from(vec![1, -2, 3]).with_precision_and_scale(9, 2).expect("decimal"))),
        ("d128", Arc::new(Decimal128Array::from(vec![1, -2, 3]).with_precision_and_scale(38, 10).expect("decimal"))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
    ]);
    insta::assert_snapshot!(shown.await, @r"
    i8: Int8
    i16: Int16
    i32: Int32
    i64: Int64
    u8: Int16
    u16: Int32
    u32: Int64
    u64: Decimal128(20, 0)
    f16: Float32
    f32: Float32
    f64: Float64
    d32: Decimal128(9, 2)
    d128: Decimal128(38, 10)
    b: Boolean
    +------+--------+-------------+----------------------+-----+-------+------------+----------------------+------+---------------+-------------------------+-------+---------------+-------+
    | i8   | i16    | i32         | i64                  | u8  | u16   | u32        | u64                  | f16  | f32           | f64                     | d32   | d128          | b     |
    +------+--------+-------------+----------------------+-----+-------+------------+----------------------+------+---------------+-------------------------+-------+---------------+-------+
    | -128 | -32768 | -2147483648 | -9223372036854775808 | 0   | 0     | 0          | 0                    | 0.5  | -3.4028235e38 | -1.7976931348623157e308 | 0.01  | 0.0000000001  | true  |
    | 127  | 32767  | 2147483647  | 9223372036854775807  | 255 | 65535 | 4294967295 | 18446744073709551615 | 2.0  | inf           | NaN                     | 0.03  | 0.0000000003  | false |
    |      | 0      | 0           | 0                    | 1   | 1     | 1          | 1                    | -1.0 | 0.1           | 0.1                     | -0.02 | -0.0000000002 |       |
    +------+--------+-------------+----------------------+-----+-------+------------+----------------------+------+---------------+-------------------------+-------+---------------+-------+
    ");
}

#[tokio::test]
async fn text_and_bytes() {
    let dictionary: DictionaryArray<Int16Type> = vec![Some("x"), None, Some("x")].into_iter().collect();
    let shown = round_trip(vec![
        ("utf8", Arc::new(StringArray::from(vec![Some(""), None, Some("zażółć")]))),
        ("large", Arc::new(LargeStringArray::from(vec!["a", "b", "c"]))),
        ("view", Arc::new(StringViewArray::from(vec!["a", "longer than twelve bytes", "c"]))),
        ("dictionary", Arc::new(dictionary)),
        ("binary", Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..], b"", b"c"]))),
        (
            "fixed",
            Arc::new(FixedSizeBinaryArray::try_from_iter([[1u8, 2], [3, 4], [5, 6]].into_iter()).expect("fixed")),
        ),
    ]);
    insta::assert_snapshot!(shown.await, @r"
    utf8: Utf8View
    large: Utf8View
    view: Utf8View
    dictionary: Utf8View
    binary: BinaryView
    fixed: BinaryView
    +--------+-------+--------------------------+------------+--------+-------+
    | utf8   | large | view                     | dictionary | binary | fixed |
    +--------+-------+--------------------------+------------+--------+-------+
    |        | a     | a                        | x          | 00ff   | 0102  |
    | zażółć | c     | c                        | x          | 63     | 0506  |
    |        | b     | longer than twelve bytes |            |        | 0304  |
    +--------+-------+--------------------------+------------+--------+-------+
    ");
}

#[tokio::test]
async fn times() {
    let shown = round_trip(vec![
        ("date32", Arc::new(Date32Array::from(vec![-1, 0, 20000]))),
        ("date64", Arc::new(Date64Array::from(vec![-86_400_000, 0, 86_400_000]))),
        ("seconds", Arc::new(TimestampSecondArray::from(vec![-1, 0, 1]))),
        ("millis", Arc::new(TimestampMillisecondArray::from(vec![-1, 0, 1]))),
        ("micros", Arc::new(TimestampMicrosecondArray::from(vec![-1, 0, 1]))),
        ("nanos", Arc::new(TimestampNanosecondArray::from(vec![-1000, 0, 1999]))),
        ("zoned", Arc::new(TimestampMillisecondArray::from(vec![-1, 0, 1]).with_timezone("Europe/Warsaw"))),
    ]);
    insta::assert_snapshot!(shown.await, @r#"
    date32: Date32
    date64: Date32
    seconds: Timestamp(µs)
    millis: Timestamp(µs)
    micros: Timestamp(µs)
    nanos: Timestamp(µs)
    zoned: Timestamp(µs, "UTC")
    +------------+------------+---------------------+-------------------------+----------------------------+----------------------------+--------------------------+
    | date32     | date64     | seconds             | millis                  | micros                     | nanos                      | zoned                    |
    +------------+------------+---------------------+-------------------------+----------------------------+----------------------------+--------------------------+
    | 1969-12-31 | 1969-12-31 | 1969-12-31T23:59:59 | 1969-12-31T23:59:59.999 | 1969-12-31T23:59:59.999999 | 1969-12-31T23:59:59.999999 | 1969-12-31T23:59:59.999Z |
    | 1970-01-01 | 1970-01-01 | 1970-01-01T00:00:00 | 1970-01-01T00:00:00     | 1970-01-01T00:00:00        | 1970-01-01T00:00:00        | 1970-01-01T00:00:00Z     |
    | 2024-10-04 | 1970-01-02 | 1970-01-01T00:00:01 | 1970-01-01T00:00:00.001 | 1970-01-01T00:00:00.000001 | 1970-01-01T00:00:00.000001 | 1970-01-01T00:00:00.001Z |
    +------------+------------+---------------------+-------------------------+----------------------------+----------------------------+--------------------------+
    "#);
}

#[tokio::test]
async fn nested() {
    let list = LargeListArray::from_iter_primitive::<UInt8Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let fixed = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
        [Some(vec![Some(0.5), Some(1.5)]), None, Some(vec![None, Some(2.5)])],
        2,
    );
    let probabilities = StructArray::from(vec![
        (
            Arc::new(Field::new("no", DataType::Float32, false)),
            Arc::new(Float32Array::from(vec![0.1, 0.2, 0.3])) as ArrayRef,
        ),
        (Arc::new(Field::new("label", DataType::Utf8View, true)), Arc::new(StringViewArray::from(vec!["a", "b", "c"]))),
    ]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), UInt16Builder::new());
    for key in ["a", "b", "c"] {
        map.keys().append_value(key);
        map.values().append_value(7);
        map.append(true).expect("map");
    }
    let shown = round_trip(vec![
        ("id", Arc::new(Int32Array::from(vec![1, 2, 3]))),
        ("list", Arc::new(list)),
        ("fixed", Arc::new(fixed)),
        ("p", Arc::new(probabilities)),
        ("map", Arc::new(map.finish())),
    ]);
    insta::assert_snapshot!(shown.await, @r#"
    id: Int32
    list: List(Int16, field: 'element')
    fixed: List(Float32, field: 'element')
    p: Struct("no": Float32, "label": Utf8View)
    map: Map("key_value": non-null Struct("key": non-null Utf8, "value": Int32), unsorted)
    +----+-------+------------+---------------------+--------+
    | id | list  | fixed      | p                   | map    |
    +----+-------+------------+---------------------+--------+
    | 1  | [1, ] | [0.5, 1.5] | {no: 0.1, label: a} | {a: 7} |
    | 2  |       |            | {no: 0.2, label: b} | {b: 7} |
    | 3  | []    | [, 2.5]    | {no: 0.3, label: c} | {c: 7} |
    +----+-------+------------+---------------------+--------+
    "#);
}

#[tokio::test]
async fn types_without_a_home_say_what_to_do() {
    let db = Database::new();
    let error = db.create("x", "SELECT TIME '10:00:00' AS t", OnExisting::Fail).await.expect_err("time");
    insta::assert_snapshot!(error, @"column `t` of table `x` has type Time64(ns), which a stored table cannot hold; write CAST(... AS VARCHAR)");
    let error = db.create("x", "SELECT [NULL] AS l", OnExisting::Fail).await.expect_err("a list of nothing");
    insta::assert_snapshot!(error, @"column `l.element` of table `x` has type Null, which a stored table cannot hold; give it a type, for example CAST(NULL AS DOUBLE)");
}

/// Statistics in the log are rounded (decimals are doubles, times have milliseconds); filters must not see that.
#[tokio::test]
async fn statistics_never_hide_rows() {
    let db = Database::new();
    let big = "9007199254740995";
    let sql = format!(
        "SELECT {big}::BIGINT::DECIMAL(20, 0) AS wide, 18446744073709551615::BIGINT UNSIGNED AS huge, \
         TIMESTAMP '2024-01-01 00:00:00.000900' AS at, TIMESTAMP '1960-01-01 00:00:00.000900' AS early, 'z' AS s"
    );
    db.create("t", &sql, OnExisting::Fail).await.expect("create");
    for filter in [
        format!("wide = {big}"),
        format!("wide <= {big}"),
        "huge > 18446744073709551614".to_string(),
        "at > TIMESTAMP '2024-01-01 00:00:00.000500'".to_string(),
        "at = TIMESTAMP '2024-01-01 00:00:00.000900'".to_string(),
        "early < TIMESTAMP '1960-01-01 00:00:00.000950'".to_string(),
        "early > TIMESTAMP '1960-01-01 00:00:00.000850'".to_string(),
        "s >= 'z'".to_string(),
    ] {
        let rows = db.sql(&format!("SELECT 1 FROM t WHERE {filter}")).await.expect(&filter);
        assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1, "{filter}");
    }
}
