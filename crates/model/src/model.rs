//! A loaded model: its signature, and the way from feature columns to answers.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use sha2::{Digest, Sha256};

use crate::border::{
    Spelling, answer_array, expand, import, probabilities_array, probabilities_type, raw_array, struct_array,
    takes_as_given,
};
use crate::error::{Error, Result};
use crate::format;
use crate::interface::{Answers, OutputColumns, Reading};
use crate::limits::Limits;
use crate::passes::{self, PassOptions};
use crate::program::{self, ColumnId, Op, Plan, Program, Step};
use crate::signature::{NullPolicy, Signature};

/// How a model is loaded.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Bounds on what the file may ask for.
    pub limits: Limits,
    /// Names, and types if given, of all features in their order; the file's own names otherwise.
    pub features: Option<Vec<DeclaredFeature>>,
    /// How many features there are, for a file that leaves it open and a caller who has no names for them.
    pub feature_count: Option<usize>,
    /// What NULL means for every feature; found for each feature by itself otherwise. `Missing` leaves text, integer and
    /// boolean features as they are, since these types have no missing value.
    pub on_null: Option<NullPolicy>,
    /// Which optimisations run; all of them by default.
    pub passes: PassOptions,
}

/// A feature as the user declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredFeature {
    /// Name that binds a column.
    pub name: String,
    /// Type of the column, if declared; the model must accept it.
    pub data_type: Option<DataType>,
}

/// What a call asks a model for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    /// The label, the number or the vector.
    Prediction,
    /// The probability of each class.
    Probabilities,
    /// All outputs of the file by name.
    Raw,
}

impl Answer {
    const ALL: [Self; 3] = [Self::Prediction, Self::Probabilities, Self::Raw];
}

/// What happens to a row that the model refuses, such as one with an unknown category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnRefusedRow {
    /// The call fails with the row and the reason.
    Fail,
    /// Its answers are NULL.
    Null,
}

/// A line of [`Model::describe`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanLine {
    /// What is computed, such as `Trees` or `OneHot`.
    pub kernel: &'static str,
    /// How the first of them is computed on this processor, where there was a choice.
    pub choice: Option<String>,
    /// `native`, `tract` or `tensors`.
    pub backend: &'static str,
    /// Number of steps of this kind.
    pub steps: usize,
    /// The node of the file that the first of them comes from.
    pub node: String,
}

/// A model, ready to run. Immutable, and shared between threads in an [`Arc`].
#[derive(Debug)]
pub struct Model {
    signature: Signature,
    program: Program,
    answers: Answers,
    /// How the program reads the column of each feature.
    spellings: Vec<Spelling>,
    /// Plans by the set of answers asked for.
    plans: [OnceLock<Plan>; 8],
    /// Types of the answers, in the order of [`Answer::ALL`].
    types: [OnceLock<DataType>; 3],
    load_time: Duration,
}

/// Bytes of a file that is digested while it is read, by a thread of its own.
const LARGE_FILE: usize = 1 << 20;

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a file and digests it, each by a thread if there may be another one.
fn read_and_digest(bytes: &[u8], options: &LoadOptions) -> Result<(Reading, String)> {
    thread::scope(|scope| {
        let digest = thread::Builder::new().spawn_scoped(scope, || sha256(bytes));
        let reading = format::read(bytes, options)?;
        let sha256 = match digest {
            Ok(digest) => digest.join().map_err(|_| Error::Internal("a file that cannot be digested".to_string()))?,
            Err(_) => sha256(bytes),
        };
        Ok((reading, sha256))
    })
}

impl Model {
    /// Loads a model from the bytes of its file.
    ///
    /// # Errors
    /// When the bytes are no model, the model needs something that foretell does not have, or it exceeds the limits.
    pub fn from_bytes(bytes: &[u8], options: &LoadOptions) -> Result<Self> {
        let start = Instant::now();
        format::check_size(bytes, &options.limits)?;
        let (reading, sha256) = match bytes.len() {
            0..LARGE_FILE => (format::read(bytes, options)?, sha256(bytes)),
            _ => read_and_digest(bytes, options)?,
        };
        let mut signature = reading.interface.signature;
        signature.sha256 = sha256;
        signature.file_bytes = bytes.len();
        if let Some(policy) = options.on_null {
            apply_policy(&mut signature, policy);
        }
        let answers = reading.interface.answers;
        let wanted = wanted_columns(&answers, &Answer::ALL);
        let program = passes::optimise(reading.program, &wanted, &options.passes);
        let bytes_max = Plan::new(&program, &wanted).bytes_max();
        Limits::check("bytes of columns in one batch", "run_bytes", bytes_max, options.limits.run_bytes)?;
        let spellings = spellings(&program, &wanted);
        let (plans, types, load_time) = Default::default();
        let mut model = Self { signature, program, answers, spellings, plans, types, load_time };
        if let Some(features) = &options.features {
            model.declare(features)?;
        }
        model.load_time = start.elapsed();
        Ok(model)
    }

    /// Names the features, in their order, and checks the types declared for them.
    ///
    /// # Errors
    /// When there are more or fewer, a name is given twice, or a feature cannot be of the type declared.
    pub fn declare(&mut self, features: &[DeclaredFeature]) -> Result<()> {
        let (expected, got) = (self.signature.features.len(), features.len());
        if expected != got {
            return Err(Error::Signature(format!("the model takes {expected} features, {got} are named")));
        }
        let mut seen = HashSet::new();
        for (feature, declared) in self.signature.features.iter_mut().zip(features) {
            if !seen.insert(declared.name.to_lowercase()) {
                return Err(Error::Signature(format!("feature `{}` is named twice", declared.name)));
            }
            feature.name.clone_from(&declared.name);
            declared.data_type.as_ref().map_or(Ok(()), |data_type| feature.accepts(data_type))?;
        }
        Ok(())
    }

    /// What the model takes and returns.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Type of the arrays that [`Model::run`] returns for an answer.
    ///
    /// # Errors
    /// [`Error::Arguments`] when the model has no such answer.
    pub fn answer_type(&self, answer: Answer) -> Result<DataType> {
        self.known_type(answer).cloned()
    }

    fn known_type(&self, answer: Answer) -> Result<&DataType> {
        let known = &self.types[answer as usize];
        match known.get() {
            Some(data_type) => Ok(data_type),
            None => {
                let data_type = self.find_type(answer)?;
                Ok(known.get_or_init(|| data_type))
            }
        }
    }

    fn find_type(&self, answer: Answer) -> Result<DataType> {
        match answer {
            Answer::Prediction => Ok(self.signature.prediction.clone()),
            Answer::Probabilities => match (&self.signature.classes, self.signature.has_probabilities) {
                (Some(classes), true) => probabilities_type(classes),
                _ => Err(Error::Arguments(format!(
                    "the model gives no probabilities ({}); call predict or predict_raw",
                    self.signature.task.as_str()
                ))),
            },
            Answer::Raw => Ok(DataType::Struct(self.raw_fields())),
        }
    }

    /// Computes answers for `rows` rows.
    ///
    /// `features` has one column per feature of the signature, of any accepted Arrow type, or one list column for all of
    /// them. The arrays returned have the types that [`Model::answer_type`] says and `rows` elements each, in the order of
    /// the rows; a row without an answer is NULL.
    ///
    /// # Errors
    /// When the columns do not fit, or a row is refused and `refused` says [`OnRefusedRow::Fail`].
    pub fn run(
        &self,
        features: &[ArrayRef],
        rows: usize,
        answers: &[Answer],
        refused: OnRefusedRow,
    ) -> Result<Vec<ArrayRef>> {
        let types: Vec<&DataType> = answers.iter().map(|&answer| self.known_type(answer)).collect::<Result<_>>()?;
        let (inputs, mut mask) = self.import(features, rows, refused)?;
        let plan = self.plan(answers);
        let (columns, failures) = program::run(&self.program, plan, &inputs, rows)?;
        for (row, why) in failures.iter() {
            mask.refuse(row, why, refused)?;
        }
        let nulls = mask.into_nulls();
        let find = |columns_of: &[ColumnId]| -> Result<Vec<ArrayRef>> {
            let place = |column| plan.wanted().binary_search(column).map(|at| Arc::clone(&columns[at]));
            let found = columns_of.iter().map(place);
            found.collect::<Result<_, _>>().map_err(|_| Error::Internal("an answer that was not computed".to_string()))
        };
        let mut arrays = Vec::with_capacity(answers.len());
        for (answer, data_type) in answers.iter().zip(types) {
            arrays.push(match answer {
                Answer::Prediction => {
                    let source = &self.answers.prediction;
                    answer_array(source, &find(source.columns())?, data_type, nulls.as_ref())?
                }
                Answer::Probabilities => {
                    let source = self.answers.probabilities.as_deref().unwrap_or_default();
                    probabilities_array(&find(source)?, data_type, nulls.as_ref())?
                }
                Answer::Raw => self.raw(&find, data_type, nulls.as_ref())?,
            });
        }
        Ok(arrays)
    }

    /// The plan for these answers; made when they are asked for the first time.
    fn plan(&self, answers: &[Answer]) -> &Plan {
        let key = answers.iter().fold(0_usize, |key, answer| key | 1 << *answer as usize);
        self.plans[key].get_or_init(|| {
            let asked: Vec<Answer> =
                Answer::ALL.into_iter().filter(|answer| key >> *answer as usize & 1 == 1).collect();
            Plan::new(&self.program, &wanted_columns(&self.answers, &asked))
        })
    }

    /// How long it took to load the model.
    pub fn load_time(&self) -> Duration {
        self.load_time
    }

    /// Bytes of memory that the parameters of the model occupy: weights, trees, tables and constants. `None` where tract or the
    /// evaluator of tensors computes, since what they keep is not known.
    pub fn bytes(&self) -> Option<usize> {
        (self.backend() == "native").then(|| self.program.steps.iter().map(|step| step.op.bytes()).sum())
    }

    /// Which features the answers depend on; the others need not be read from a table.
    pub fn live_features(&self) -> Vec<bool> {
        let wanted = wanted_columns(&self.answers, &Answer::ALL);
        let read: HashSet<&ColumnId> = self.program.steps.iter().flat_map(|step| &step.inputs).chain(&wanted).collect();
        self.program.inputs.iter().map(|input| read.contains(input)).collect()
    }

    /// What the program does: steps by kernel, in the order of their first.
    pub fn describe(&self) -> Vec<PlanLine> {
        lines(self.program.steps.iter())
    }

    /// As [`Self::describe`], with no steps but those that these answers need.
    pub fn describe_answers(&self, answers: &[Answer]) -> Vec<PlanLine> {
        lines(self.plan(answers).steps().map(|at| &self.program.steps[at]))
    }

    /// Who computes: `native`, `tract`, `tensors`, or several of them, such as `native + tract`.
    pub fn backend(&self) -> &'static str {
        let engines = || self.program.steps.iter().map(|step| engine(&step.op));
        let moves = |op: &Op| matches!(op, Op::Pack | Op::Unpack);
        let native = self.program.steps.iter().any(|step| engine(&step.op) == "native" && !moves(&step.op));
        match (native, engines().any(|engine| engine == "tract"), engines().any(|engine| engine == "tensors")) {
            (_, false, false) => "native",
            (true, true, false) => "native + tract",
            (true, false, true) => "native + tensors",
            (true, true, true) => "native + tract + tensors",
            (false, true, false) => "tract",
            (false, false, true) => "tensors",
            (false, true, true) => "tract + tensors",
        }
    }

    fn raw_fields(&self) -> Fields {
        let outputs = self.signature.outputs.iter();
        outputs.map(|output| Field::new(&output.name, output.data_type.clone(), true)).collect()
    }

    fn raw(
        &self,
        find: &impl Fn(&[ColumnId]) -> Result<Vec<ArrayRef>>,
        data_type: &DataType,
        answered: Option<&NullBuffer>,
    ) -> Result<ArrayRef> {
        let DataType::Struct(fields) = data_type else {
            return Err(Error::Internal(format!("all outputs as {data_type}")));
        };
        let arrays: Result<Vec<ArrayRef>> = self
            .answers
            .raw
            .iter()
            .zip(fields)
            .map(|(source, field)| raw_array(source, &find(source.columns())?, field.data_type()))
            .collect();
        struct_array(fields, &arrays?, answered)
    }

    /// Whether the program reads these columns as they are, and all rows have all values.
    fn takes_as_given(&self, features: &[ArrayRef]) -> bool {
        let mut each = self.signature.features.iter().zip(&self.spellings).zip(features);
        features.len() == self.signature.features.len()
            && each.all(|((feature, &spelling), column)| takes_as_given(feature, spelling, column.as_ref()))
    }

    /// The columns as the program reads them, and the rows that get no answer.
    fn import<'f>(
        &self,
        features: &'f [ArrayRef],
        rows: usize,
        refused: OnRefusedRow,
    ) -> Result<(Cow<'f, [ArrayRef]>, Mask)> {
        let expected = self.signature.features.len();
        let mut mask = Mask::new(rows);
        if self.takes_as_given(features) {
            return Ok((Cow::Borrowed(features), mask));
        }
        let expanded;
        let features = match features {
            [list] if self.signature.takes_as_list(list.data_type()) => {
                let list = expand(list, expected)?;
                for (row, why) in &list.misfits {
                    mask.refuse(*row, why, refused)?;
                }
                expanded = list.columns;
                &expanded
            }
            features => features,
        };
        if features.len() != expected {
            return Err(Error::Arguments(format!("the model takes {expected} features, got {}", features.len())));
        }
        if let Some(column) = features.iter().find(|column| column.len() != rows) {
            return Err(Error::Internal(format!("a feature of {} rows in a batch of {rows}", column.len())));
        }
        let mut inputs = Vec::with_capacity(expected);
        for ((feature, &spelling), column) in self.signature.features.iter().zip(&self.spellings).zip(features) {
            let imported = import(feature, spelling, column)?;
            if imported.answered.is_some() {
                mask.nulls = NullBuffer::union(mask.nulls.as_ref(), imported.answered.as_ref());
            }
            for (row, why) in &imported.refused {
                mask.refuse(*row, why, refused)?;
            }
            inputs.push(imported.column);
        }
        Ok((Cow::Owned(inputs), mask))
    }
}

/// How a program reads its inputs: text that is only looked up, in any spelling.
fn spellings(program: &Program, wanted: &[ColumnId]) -> Vec<Spelling> {
    let mut any_text = vec![true; program.columns.len()];
    wanted.iter().for_each(|column| any_text[column.index()] = false);
    for step in &program.steps {
        for (place, input) in step.inputs.iter().enumerate() {
            any_text[input.index()] &= step.op.looks_up(place);
        }
    }
    let is_text = |input: &&ColumnId| *program.data_type(**input) == DataType::Utf8 && any_text[input.index()];
    let spelling = |input| if is_text(&input) { Spelling::AnyText } else { Spelling::Own };
    program.inputs.iter().map(spelling).collect()
}

/// Steps by kernel, in the order of their first.
fn lines<'s>(steps: impl Iterator<Item = &'s Step>) -> Vec<PlanLine> {
    let mut lines: Vec<PlanLine> = Vec::new();
    for step in steps {
        let kernel = step.op.name();
        let backend = engine(&step.op);
        match lines.iter_mut().find(|line| (line.kernel, line.backend) == (kernel, backend)) {
            Some(line) => line.steps += 1,
            None => {
                let (choice, node) = (step.op.choice(), step.node.to_string());
                lines.push(PlanLine { kernel, choice, backend, steps: 1, node });
            }
        }
    }
    lines
}

/// Who computes a step.
fn engine(op: &Op) -> &'static str {
    match op {
        Op::Island(island) => island.engine(),
        Op::Network(network) => network.engine(),
        _ => "native",
    }
}

/// Rows without an answer.
struct Mask {
    rows: usize,
    nulls: Option<NullBuffer>,
    refused: Vec<usize>,
}

impl Mask {
    fn new(rows: usize) -> Self {
        Self { rows, nulls: None, refused: Vec::new() }
    }

    /// Notes a row that cannot be computed. One that has no answer anyway is no failure.
    fn refuse(&mut self, row: usize, why: &str, refused: OnRefusedRow) -> Result<()> {
        let unanswered = self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        match refused {
            OnRefusedRow::Fail if !unanswered => Err(Error::Row { row, why: why.to_string() }),
            _ => {
                self.refused.push(row);
                Ok(())
            }
        }
    }

    fn into_nulls(self) -> Option<NullBuffer> {
        if self.refused.is_empty() {
            return self.nulls.filter(|nulls| nulls.null_count() > 0);
        }
        let mut valid = vec![true; self.rows];
        self.refused.iter().for_each(|&row| valid[row] = false);
        let refused = NullBuffer::new(BooleanBuffer::from(valid));
        NullBuffer::union(self.nulls.as_ref(), Some(&refused))
    }
}

/// The columns behind these answers, each once, sorted.
fn wanted_columns(answers: &Answers, asked: &[Answer]) -> Vec<ColumnId> {
    let mut columns: Vec<ColumnId> = Vec::new();
    for answer in asked {
        match answer {
            Answer::Prediction => columns.extend(answers.prediction.columns()),
            Answer::Probabilities => columns.extend(answers.probabilities.iter().flatten()),
            Answer::Raw => columns.extend(answers.raw.iter().flat_map(OutputColumns::columns)),
        }
    }
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The caller's wish about NULL, where a feature can have it.
fn apply_policy(signature: &mut Signature, policy: NullPolicy) {
    for feature in &mut signature.features {
        if policy != NullPolicy::Missing || feature.data_type.is_floating() {
            feature.null_policy = policy;
        }
    }
}
