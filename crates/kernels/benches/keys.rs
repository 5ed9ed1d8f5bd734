//! Texts as they stand in columns, looked up: `cargo bench -p foretell-kernels --bench keys`.
//!
//! The columns are those of a census, in which short and long texts follow each other in any order.

#[path = "../src/samples/views.rs"]
mod views;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use foretell_kernels::keys::TextTable;
use views::view;

/// Categories with the frequent ones first.
const COLUMNS: [&str; 8] = [
    "Private Self-emp-not-inc Local-gov ? State-gov Self-emp-inc Federal-gov Without-pay Never-worked",
    "HS-grad Some-college Bachelors Masters Assoc-voc 11th Assoc-acdm 10th 7th-8th Prof-school 9th 12th Doctorate 5th-6th \
     1st-4th Preschool",
    "Married-civ-spouse Never-married Divorced Separated Widowed Married-spouse-absent Married-AF-spouse",
    "Prof-specialty Craft-repair Exec-managerial Adm-clerical Sales Other-service Machine-op-inspct ? Transport-moving \
     Handlers-cleaners Farming-fishing Tech-support Protective-serv Priv-house-serv Armed-Forces",
    "Husband Not-in-family Own-child Unmarried Wife Other-relative",
    "White Black Asian-Pac-Islander Amer-Indian-Eskimo Other",
    "Male Female",
    "United-States Mexico ? Philippines Germany Canada Puerto-Rico El-Salvador India Cuba England Jamaica South China Italy \
     Dominican-Republic Vietnam Guatemala Japan Poland Columbia Taiwan Haiti Iran Portugal Nicaragua Peru Greece France \
     Ecuador Ireland Hong Trinadad&Tobago Cambodia Laos Thailand Yugoslavia Outlying-US(Guam-USVI-etc) Hungary Honduras \
     Scotland Holand-Netherlands",
];
const ROWS: [usize; 2] = [1, 8192];
/// Batches that take turns, so that a branch cannot be learnt by heart.
const BATCHES: usize = 32;

fn main() {
    let mut criterion = Criterion::default().sample_size(20).without_plots().configure_from_args();
    let columns: Vec<Column> = COLUMNS.iter().zip(1..).map(|(text, seed)| Column::new(text, seed)).collect();
    for rows in ROWS {
        let group = |name: &str| format!("{name}, {rows} rows");
        run(&mut criterion, &group("8 columns of views"), rows, &columns, |column, batch, positions| {
            let views = &column.views[batch * rows..][..rows];
            column.table.find_views(views, &[column.dictionary.as_bytes()], positions);
        });
        run(
            &mut criterion,
            &group("8 columns of views, each text in a place of its own"),
            rows,
            &columns,
            |column, batch, positions| {
                let views = &column.own_views[batch * rows..][..rows];
                column.table.find_views(views, &[column.texts.as_bytes()], positions);
            },
        );
        run(
            &mut criterion,
            &group("8 columns of texts between offsets"),
            rows,
            &columns,
            |column, batch, positions| {
                let starts = &column.starts[batch * rows..][..=rows];
                let parts = starts.windows(2).map(|ends| ends[0]..ends[1]);
                column.table.find_parts(column.texts.as_bytes(), parts, positions);
            },
        );
    }
    criterion.final_summary();
}

fn run(
    criterion: &mut Criterion,
    name: &str,
    rows: usize,
    columns: &[Column],
    find: impl Fn(&Column, usize, &mut Vec<u32>),
) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements((rows * columns.len()) as u64));
    group.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
        let (mut batch, mut positions) = (0, Vec::new());
        bencher.iter(|| {
            for column in black_box(columns) {
                positions.clear();
                find(column, batch % BATCHES, &mut positions);
                black_box(&positions);
            }
            batch += 1;
        });
    });
    group.finish();
}

struct Column {
    table: TextTable,
    dictionary: String,
    /// Long texts are in the dictionary.
    views: Vec<u128>,
    texts: String,
    /// Long texts are in `texts`.
    own_views: Vec<u128>,
    starts: Vec<usize>,
}

impl Column {
    fn new(text: &str, seed: u64) -> Self {
        let categories: Vec<&str> = text.split_whitespace().collect();
        let dictionary = categories.concat();
        let places: Vec<usize> =
            categories.iter().scan(0, |end, text| Some(std::mem::replace(end, *end + text.len()))).collect();
        let keys: Vec<(&str, u32)> = categories.iter().copied().zip(0..).collect();
        let shares: Vec<f64> = (1..=categories.len()).map(|rank| (rank as f64).powf(-1.2)).collect();
        let (mut texts, mut views, mut own_views, mut starts) = (String::new(), vec![], vec![], vec![0]);
        let mut random = Random(seed);
        for _ in 0..BATCHES * ROWS[1] {
            let chosen = random.choose(&shares);
            views.push(view(categories[chosen], places[chosen]));
            own_views.push(view(categories[chosen], texts.len()));
            texts.push_str(categories[chosen]);
            starts.push(texts.len());
        }
        Self { table: TextTable::of(&keys), dictionary, views, texts, own_views, starts }
    }
}

struct Random(u64);

impl Random {
    /// One of the places, by their shares.
    fn choose(&mut self, shares: &[f64]) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut rest = (self.0 >> 11) as f64 / (1_u64 << 53) as f64 * shares.iter().sum::<f64>();
        let chosen = shares.iter().position(|share| {
            rest -= share;
            rest < 0.0
        });
        chosen.unwrap_or(0)
    }
}
