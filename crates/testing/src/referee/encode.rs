//! Categories and what they become.

/// A category, or a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Category {
    /// A text.
    Text(String),
    /// An integer.
    Integer(i64),
}

/// Several categories or labels of one type.
#[derive(Debug, Clone)]
pub enum Keys {
    /// Texts.
    Texts(Vec<String>),
    /// Integers.
    Integers(Vec<i64>),
}

impl Keys {
    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Integers(integers) => integers.len(),
        }
    }

    /// The one at a position.
    pub fn at(&self, position: usize) -> Category {
        match self {
            Self::Texts(texts) => Category::Text(texts[position].clone()),
            Self::Integers(integers) => Category::Integer(integers[position]),
        }
    }

    fn positions<'k>(&'k self, category: &'k Category) -> impl DoubleEndedIterator<Item = usize> + 'k {
        (0..self.len()).filter(move |&position| self.at(position) == *category)
    }
}

/// A column of categories.
#[derive(Debug, Clone)]
pub struct CategoryColumn {
    /// The categories that the model knows.
    pub keys: Keys,
    /// What they become.
    pub encoder: Encoder,
}

/// What a category becomes.
#[derive(Debug, Clone)]
pub enum Encoder {
    /// A number for each category, of which one is 1. An unknown category gives zeros, or else refuses the row.
    OneHot {
        /// Whether an unknown category gives zeros.
        unknown_is_zeros: bool,
    },
    /// One number.
    Numbers {
        /// The number of each category; the first of equal categories counts.
        values: Vec<f64>,
        /// That of unknown ones.
        default: f64,
    },
}

impl CategoryColumn {
    /// How many numbers a category becomes.
    pub(super) fn width(&self) -> usize {
        match &self.encoder {
            Encoder::OneHot { .. } => self.keys.len(),
            Encoder::Numbers { .. } => 1,
        }
    }

    /// The numbers of a category; `None` if the model refuses it.
    pub(super) fn encode(&self, category: &Category) -> Option<Vec<f64>> {
        let mut positions = self.keys.positions(category);
        match &self.encoder {
            Encoder::OneHot { unknown_is_zeros } => {
                let found = positions.next_back();
                let one_at = |position| if Some(position) == found { 1.0 } else { 0.0 };
                (found.is_some() || *unknown_is_zeros).then(|| (0..self.keys.len()).map(one_at).collect())
            }
            Encoder::Numbers { values, default } => Some(vec![positions.next().map_or(*default, |at| values[at])]),
        }
    }
}
