//! Kills processes: when, is a matter of chance and of what can be seen of their work.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::DATABASE;
use super::disk::entries;
use crate::util::{Answer, Sandbox};

/// What makes a change visible takes a few milliseconds; a kill that is to hit it comes within this time of its first sign.
const COMMIT: Duration = Duration::from_millis(8);
/// No statement of these tests takes nearly as long.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// The environment variable that repeats the delays of a test that failed.
const SEED: &str = "FORETELL_TEST_SEED";

/// Kills processes that run one kind of statement.
pub struct Killer {
    random: u64,
    /// Folders of the database. Something changes in the first when work begins, in the second when it becomes visible.
    signs: [&'static str; 2],
    /// How long the statement takes; the first one is left alone to learn it.
    takes: Option<Duration>,
    kills: usize,
}

impl Killer {
    /// A killer that watches these two folders of the database.
    pub fn new(signs: [&'static str; 2]) -> Self {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64);
        let random = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or(clock | 1);
        // Seen only if the test fails.
        println!("delays: {SEED}={random}");
        Self { random, signs, takes: None, kills: 0 }
    }

    /// Starts a process that runs `statement` and kills it. True if it had answered that the statement is done.
    ///
    /// A third of the kills come at any time, from the start of the process to after its expected end, a third
    /// while rows are being written, a third around the moment in which they become visible.
    pub fn kill(&mut self, sandbox: &Sandbox, statement: &str) -> bool {
        let start = Instant::now();
        let mut child = sandbox.start(["--format", "csv", DATABASE, "-c", statement]);
        let Some(takes) = self.takes else {
            Answer::of(child).output();
            self.takes = Some(start.elapsed());
            return true;
        };
        let (sign, delay_max) = match self.kills % 3 {
            0 => (None, takes * 5 / 4),
            1 => (Some(self.signs[0]), takes),
            _ => (Some(self.signs[1]), COMMIT),
        };
        self.kills += 1;
        let delay = self.below(delay_max);
        println!("{statement}: killed {delay:?} after {}", sign.unwrap_or("the start"));
        if let Some(folder) = sign {
            wait_for_change(&mut child, &sandbox.path(DATABASE).join(folder));
        }
        thread::sleep(delay);
        let is_done = kill(child);
        let under_way = entries(&sandbox.path(DATABASE).join("pending")).len();
        println!("  it {} done, {under_way} writes are under way", if is_done { "was" } else { "was not" });
        is_done
    }

    /// A time between nothing and `max`, by Marsaglia's xorshift.
    fn below(&mut self, max: Duration) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        max.mul_f64((self.random >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

/// Kills a process. True if it had answered that its statement is done.
pub fn kill(mut child: Child) -> bool {
    child.kill().expect("a process of our own can be killed");
    let answer = Answer::of(child);
    assert!(
        matches!(answer.code, None | Some(0)) && answer.stderr.is_empty(),
        "failed before it was killed: {answer:?}"
    );
    answer.code == Some(0) || !answer.stdout.is_empty()
}

/// Waits until `is_so`, looking often.
#[track_caller]
pub fn wait_until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < WAIT_MAX, "waited for {WAIT_MAX:?}");
        thread::sleep(Duration::from_micros(100));
    }
}

/// Waits until something in `folder` is new or gone, or the process has ended.
fn wait_for_change(child: &mut Child, folder: &Path) {
    let names = || -> Vec<PathBuf> { entries(folder) };
    let before = names();
    wait_until(|| names() != before || child.try_wait().expect("a process of our own").is_some());
}
