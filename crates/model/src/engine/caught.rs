//! tract's panics, as errors.
//!
//! Rust tells of a panic on the standard error stream before anybody can catch it. While tract runs in a thread, and only in
//! that thread, the process's panic hook keeps silent; what the panic says is in the error. Every other panic is told to the
//! hook that was there before.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// What tract says is wrong.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

thread_local! {
    /// Whether this thread's panics will be caught here.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs tract, with its panics as errors.
pub(crate) fn caught<T>(run: impl FnOnce() -> Result<T, Cause>) -> Result<T, Cause> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| set_hook(silent_when_caught(take_hook())));
    let before = IS_CAUGHT.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(run));
    IS_CAUGHT.set(before);
    match outcome {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(text.unwrap_or_else(|| "tract panicked".to_string()).into())
        }
    }
}

/// A hook that tells `previous` of those panics that nobody catches here.
fn silent_when_caught(previous: Hook) -> Hook {
    Box::new(move |panic| {
        if !IS_CAUGHT.get() {
            previous(panic);
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_panic_of_tract_is_an_error_and_silent_and_others_are_not() {
        let told = Arc::new(AtomicUsize::new(0));
        let (me, counter) = (std::thread::current().id(), Arc::clone(&told));
        // Below the hook of this module, so that it sees what that lets through. Other tests run beside this one.
        let before = take_hook();
        set_hook(silent_when_caught(Box::new(move |panic| match std::thread::current().id() == me {
            true => drop(counter.fetch_add(1, Ordering::Relaxed)),
            false => before(panic),
        })));

        let error = caught::<()>(|| panic!("row {} is odd", 7)).expect_err("it panics");
        assert_eq!(error.to_string(), "row 7 is odd");
        assert_eq!(told.load(Ordering::Relaxed), 0);

        assert!(catch_unwind(|| panic!("nobody expects this")).is_err());
        assert_eq!(told.load(Ordering::Relaxed), 1);

        // After one inside another, the outer one is still silent.
        let outer = caught::<()>(|| {
            let inner = caught::<()>(|| panic!("inside"));
            assert!(inner.is_err());
            panic!("outside")
        });
        assert_eq!(outer.expect_err("it panics").to_string(), "outside");
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }
}
