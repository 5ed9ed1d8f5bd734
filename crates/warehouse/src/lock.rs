//! The writer lock of a database directory: one advisory lock on the file `lock`, held only for the moment in which
//! something becomes visible or disappears (a commit, a rename, a record), never while rows are computed.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// Nobody holds the lock for long; a holder that does is stuck or stopped.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The held lock; dropping it releases it, and so does the end of the process.
#[derive(Debug)]
pub(crate) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Waits for the lock on `path`. Blocks the thread.
    pub(crate) fn acquire(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|source| Error::io("write", path, source))?;
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if start.elapsed() < WAIT_MAX => {
                    thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(50));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Locked { path: path.to_path_buf(), seconds: WAIT_MAX.as_secs() });
                }
                Err(TryLockError::Error(source)) => return Err(Error::io("lock", path, source)),
            }
        }
    }
}
