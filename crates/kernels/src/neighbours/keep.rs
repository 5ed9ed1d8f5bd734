//! The nearest points of each row so far: kept in order where they are few, gathered where they are many.
//!
//! A point in its place among others moves all that are farther. Of many, twice as many as are wanted are gathered, of which the
//! nearer half stays when there are too many: however points come, each costs a few steps.

use std::cmp::Ordering;

use super::Distance;

/// A point that is kept.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kept {
    /// What is compared.
    pub(super) distance: f32,
    /// What was measured.
    pub(super) measured: f32,
    pub(super) place: usize,
}

impl Distance {
    pub(super) fn of(self, measured: f32, place: usize) -> Kept {
        let distance = match self {
            Self::Measured => measured,
            Self::Root => measured.sqrt(),
        };
        Kept { distance, measured, place }
    }
}

/// The nearest points of some rows, which meet all points in their order.
pub(super) trait Keep {
    /// Forgets all points, for so many rows.
    fn begin(&mut self, rows: usize);

    /// A row meets a point. What was measured with the last one that counts, if that is another one now: what is not less and
    /// comes later is no neighbour.
    fn meet(&mut self, row: usize, new: Kept) -> Option<f32>;

    /// The nearest points of a row that has met all, in order.
    fn nearest(&mut self, row: usize) -> &[Kept];
}

/// As many as are wanted, in order.
pub(super) struct InOrder {
    count: usize,
    /// `[row][rank]`
    kept: Vec<Kept>,
}

impl InOrder {
    pub(super) fn new(count: usize) -> Self {
        Self { count, kept: Vec::new() }
    }
}

impl Keep for InOrder {
    fn begin(&mut self, rows: usize) {
        self.kept.resize(rows * self.count, Kept::default());
    }

    fn meet(&mut self, row: usize, new: Kept) -> Option<f32> {
        let kept = &mut self.kept[row * self.count..][..self.count];
        let last = kept.len() - 1;
        // The first points are kept whatever they are.
        if new.place < last {
            insert(&mut kept[..=new.place], new);
            return None;
        }
        if new.place > last && !is_nearer(new.distance, kept[last].distance) {
            return None;
        }
        insert(kept, new);
        Some(kept[last].measured)
    }

    fn nearest(&mut self, row: usize) -> &[Kept] {
        &self.kept[row * self.count..][..self.count]
    }
}

/// Up to twice as many as are wanted, in any order.
pub(super) struct Gathered {
    count: usize,
    /// Points that a row has room for.
    room: usize,
    /// `[row][..]`
    kept: Vec<Kept>,
    /// Points that each row has.
    lengths: Vec<usize>,
}

impl Gathered {
    /// The nearest `count` of so many points.
    pub(super) fn new(count: usize, points: usize) -> Self {
        Self { count, room: points.min(2 * count), kept: Vec::new(), lengths: Vec::new() }
    }
}

impl Keep for Gathered {
    fn begin(&mut self, rows: usize) {
        self.kept.resize(rows * self.room, Kept::default());
        self.lengths.clear();
        self.lengths.resize(rows, 0);
    }

    fn meet(&mut self, row: usize, new: Kept) -> Option<f32> {
        let kept = &mut self.kept[row * self.room..][..self.room];
        let length = &mut self.lengths[row];
        let limit = (*length == self.room).then(|| {
            *length = self.count;
            choose(kept, self.count)
        });
        kept[*length] = new;
        *length += 1;
        limit
    }

    fn nearest(&mut self, row: usize) -> &[Kept] {
        let kept = &mut self.kept[row * self.room..][..self.lengths[row]];
        if kept.len() > self.count {
            choose(kept, self.count);
        }
        let nearest = &mut kept[..self.count];
        nearest.sort_unstable_by(order);
        nearest
    }
}

/// Puts the nearest so many before all others; what was measured with the last of them.
fn choose(kept: &mut [Kept], count: usize) -> f32 {
    let (_, last, _) = kept.select_nth_unstable_by(count - 1, order);
    last.measured
}

/// NaN is farther than every number, and of points that are as far the first is the nearer one.
fn order(one: &Kept, other: &Kept) -> Ordering {
    let (a, b) = (one.distance, other.distance);
    let by_distance = a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
    by_distance.then(one.place.cmp(&other.place))
}

/// NaN is farther than every number.
fn is_nearer(distance: f32, other: f32) -> bool {
    distance < other || other.is_nan() && !distance.is_nan()
}

/// Puts a point in its place among those that are kept, behind equal ones; the last one falls out.
fn insert(kept: &mut [Kept], new: Kept) {
    let mut place = kept.len() - 1;
    while place > 0 && is_nearer(new.distance, kept[place - 1].distance) {
        kept[place] = kept[place - 1];
        place -= 1;
    }
    kept[place] = new;
}
