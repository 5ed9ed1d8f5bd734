//! Types of tensor elements, by the numbers ONNX gives them.

use half::{bf16, f16};

use crate::narrow::Narrow;
use crate::tensor::Data;

/// Type of the elements of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElementType {
    /// One truth value.
    Bool,
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// IEEE half precision.
    F16,
    /// The upper half of an `f32`.
    Bf16,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
    /// Text.
    Text,
    /// A format of 8 bits or fewer that is stored and converted, but not computed with.
    Narrow(Narrow),
}

/// Every type, its number in ONNX and its name there.
const TYPES: [(ElementType, i32, &str); 24] = [
    (ElementType::F32, 1, "float"),
    (ElementType::U8, 2, "uint8"),
    (ElementType::I8, 3, "int8"),
    (ElementType::U16, 4, "uint16"),
    (ElementType::I16, 5, "int16"),
    (ElementType::I32, 6, "int32"),
    (ElementType::I64, 7, "int64"),
    (ElementType::Text, 8, "string"),
    (ElementType::Bool, 9, "bool"),
    (ElementType::F16, 10, "float16"),
    (ElementType::F64, 11, "double"),
    (ElementType::U32, 12, "uint32"),
    (ElementType::U64, 13, "uint64"),
    (ElementType::Bf16, 16, "bfloat16"),
    (ElementType::Narrow(Narrow::F8E4M3Fn), 17, "float8e4m3fn"),
    (ElementType::Narrow(Narrow::F8E4M3Fnuz), 18, "float8e4m3fnuz"),
    (ElementType::Narrow(Narrow::F8E5M2), 19, "float8e5m2"),
    (ElementType::Narrow(Narrow::F8E5M2Fnuz), 20, "float8e5m2fnuz"),
    (ElementType::Narrow(Narrow::U4), 21, "uint4"),
    (ElementType::Narrow(Narrow::I4), 22, "int4"),
    (ElementType::Narrow(Narrow::F4E2M1), 23, "float4e2m1"),
    (ElementType::Narrow(Narrow::F8E8M0), 24, "float8e8m0"),
    (ElementType::Narrow(Narrow::U2), 25, "uint2"),
    (ElementType::Narrow(Narrow::I2), 26, "int2"),
];

impl ElementType {
    /// The type with this number in `TensorProto.DataType`; complex numbers have none here.
    pub fn from_onnx(number: i64) -> Option<Self> {
        TYPES.iter().find(|(_, known, _)| i64::from(*known) == number).map(|(element, ..)| *element)
    }

    /// The number in `TensorProto.DataType`.
    pub fn to_onnx(self) -> i32 {
        self.row().1
    }

    /// The name ONNX uses.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> &'static (Self, i32, &'static str) {
        TYPES.iter().find(|(element, ..)| *element == self).unwrap_or(&TYPES[0])
    }

    /// Bytes of one element in memory; what a text holds besides is not counted.
    pub fn width(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 | Self::Narrow(_) => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::Bf16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
            Self::Text => size_of::<String>(),
        }
    }

    /// True for the floating types that are computed with.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }

    /// True for the two types of 16 bits, which are computed in single precision.
    pub(crate) fn is_half(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16)
    }
}

/// A Rust type that tensors hold.
pub trait Element: Clone + Default + PartialEq + Send + Sync + 'static {
    /// The type it is.
    const TYPE: ElementType;

    /// Elements as the data of a tensor.
    fn into_data(values: Vec<Self>) -> Data;

    /// The elements, if they are of this type.
    fn slice(data: &Data) -> Option<&[Self]>;
}

macro_rules! element {
    ($($native:ty, $variant:ident;)*) => {$(
        impl Element for $native {
            const TYPE: ElementType = ElementType::$variant;

            fn into_data(values: Vec<Self>) -> Data {
                Data::$variant(values)
            }

            fn slice(data: &Data) -> Option<&[Self]> {
                match data {
                    Data::$variant(values) => Some(values),
                    _ => None,
                }
            }
        }
    )*};
}

element! {
    bool, Bool;
    i8, I8;
    i16, I16;
    i32, I32;
    i64, I64;
    u8, U8;
    u16, U16;
    u32, U32;
    u64, U64;
    f16, F16;
    bf16, Bf16;
    f32, F32;
    f64, F64;
    String, Text;
}
