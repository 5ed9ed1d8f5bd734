//! One forest of boosted trees as the file of each library, with numbers that no library would write once in a while.
//!
//! The structure is that of a sound file, so that whatever reads the trees is reached.

mod catboost;
mod lightgbm;
mod xgboost;

use foretell_testing::ubjson;

use crate::dice::Dice;
use crate::load_and_run;

const FEATURES_MAX: usize = 4;
const TREES_MAX: usize = 4;
const NODES_MAX: usize = 15;

/// Loads the forest that these bytes ask for in the form that they ask for.
///
/// # Panics
/// When the engine does, or two forms of the same file have different answers.
pub fn load_and_run_forest(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    match dice.below(3) {
        0 => {
            let file = xgboost::file(&mut dice);
            let json = load_and_run(file.to_string().as_bytes());
            let ubjson = load_and_run(&ubjson::encode(&file));
            assert_eq!(json.is_ok(), ubjson.is_ok(), "{json:?} as JSON, {ubjson:?} as UBJSON");
        }
        1 => drop(load_and_run(lightgbm::file(&mut dice).as_bytes())),
        _ => drop(load_and_run(catboost::file(&mut dice).to_string().as_bytes())),
    }
}

/// A tree of branches with two children each; leaves have none.
struct Tree {
    children: Vec<Option<[usize; 2]>>,
}

impl Tree {
    fn random(dice: &mut Dice) -> Self {
        let branches = dice.below(NODES_MAX / 2 + 1);
        let mut children = vec![None];
        for _ in 0..branches {
            let leaves: Vec<usize> = (0..children.len()).filter(|&at| children[at].is_none()).collect();
            let next = children.len();
            children[*dice.pick(&leaves)] = Some([next, next + 1]);
            children.extend([None, None]);
        }
        Self { children }
    }

    fn len(&self) -> usize {
        self.children.len()
    }
}

/// `count` numbers, rarely another count of them.
fn list<T>(dice: &mut Dice, count: usize, mut one: impl FnMut(&mut Dice, usize) -> T) -> Vec<T> {
    let count = if dice.is_rare() { dice.below(9) } else { count };
    (0..count).map(|at| one(dice, at)).collect()
}
