//! What a step keeps from one run to the next: weights that are always the same, packed.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A place for one thing, whoever keeps it there.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Option<Arc<dyn Any + Send + Sync>>>);

impl fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Kept")
    }
}

impl Kept {
    /// What is kept, if it is `this`; else it is made, and kept instead.
    pub(crate) fn get_or_make<T: Any + Send + Sync>(
        &self,
        is_this: impl FnOnce(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        // Whoever held it did nothing that could be left half done.
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = place.as_ref().and_then(|kept| Arc::clone(kept).downcast::<T>().ok());
        if let Some(kept) = kept.filter(|kept| is_this(kept)) {
            return kept;
        }
        let made = Arc::new(make());
        *place = Some(Arc::<T>::clone(&made));
        made
    }
}
