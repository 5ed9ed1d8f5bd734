//! What a run may take: bytes and work, both counted while it goes on.

use std::cell::Cell;

use crate::error::{Fault, Outcome};

/// What one run may take at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of the values alive at the same time.
    pub bytes: u64,
    /// Elementary operations, such as one multiplication of a product or one node of a loop.
    pub work: u64,
}

/// What one run took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of the values alive where most were.
    pub bytes: u64,
    /// Elementary operations.
    pub work: u64,
}

/// What a run has taken so far.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    live: Cell<u64>,
    peak: Cell<u64>,
    worked: Cell<u64>,
}

impl Meter {
    pub(crate) fn new(budget: Budget) -> Self {
        Self { budget, live: Cell::new(0), peak: Cell::new(0), worked: Cell::new(0) }
    }

    /// What was taken up to now.
    pub(crate) fn usage(&self) -> Usage {
        Usage { bytes: self.peak.get(), work: self.worked.get() }
    }

    /// Checks that `count` elements of `width` bytes can be had besides what is alive.
    pub(crate) fn room(&self, count: usize, width: usize) -> Outcome<()> {
        self.room_for_bytes((count as u64).saturating_mul(width as u64))
    }

    pub(crate) fn room_for_bytes(&self, needed: u64) -> Outcome<()> {
        let left = self.budget.bytes.saturating_sub(self.live.get());
        if needed > left {
            return Err(Fault::Memory { needed, left, limit: self.budget.bytes });
        }
        self.peak.set(self.peak.get().max(self.live.get().saturating_add(needed)));
        Ok(())
    }

    /// Notes a value that stays alive, whose bytes may be shared with others.
    pub(crate) fn keep(&self, bytes: u64) -> Outcome<()> {
        self.room_for_bytes(bytes)?;
        self.live.set(self.live.get().saturating_add(bytes));
        Ok(())
    }

    /// Notes the end of a value.
    pub(crate) fn release(&self, bytes: u64) {
        self.live.set(self.live.get().saturating_sub(bytes));
    }

    /// Notes work.
    pub(crate) fn work(&self, operations: u64) -> Outcome<()> {
        let worked = self.worked.get().saturating_add(operations);
        self.worked.set(worked);
        if worked > self.budget.work {
            return Err(Fault::Work { limit: self.budget.work });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_released_can_be_had_again() {
        let meter = Meter::new(Budget { bytes: 100, work: 10 });
        assert!(meter.room(25, 4).is_ok());
        assert!(meter.keep(60).is_ok());
        assert_eq!(meter.room(25, 4), Err(Fault::Memory { needed: 100, left: 40, limit: 100 }));
        meter.release(60);
        assert!(meter.room(25, 4).is_ok());
        assert!(meter.room(usize::MAX, 8).is_err());
        assert_eq!(meter.usage(), Usage { bytes: 100, work: 0 });
        assert!(meter.work(10).is_ok());
        assert_eq!(meter.work(1), Err(Fault::Work { limit: 10 }));
    }
}
