//! What models are for, and the types of their answers, over the whole zoo.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use foretell_model::{Answer, DeclaredFeature, LoadOptions, Model, OnRefusedRow, Signature};

use crate::compare::elements;
use crate::fixtures::{Fixture, load};

#[test]
fn signatures_of_all_models() {
    let mut text = String::new();
    for fixture in load("flights").into_iter().chain(load("zoo")) {
        let model = Model::from_bytes(&fixture.model, &LoadOptions::default()).expect("a model of the zoo");
        describe(&mut text, &fixture, &model);
    }
    insta::assert_snapshot!("signatures", text);
}

pub fn describe(text: &mut String, fixture: &Fixture, model: &Model) {
    let signature = model.signature();
    let nulls = signature.features.iter().map(|feature| &feature.null_policy.as_str()[..1]).collect::<String>();
    let classes =
        signature.classes.as_ref().map_or(String::new(), |classes| format!(" [{}]", labels(classes).join(", ")));
    let probabilities = if signature.has_probabilities { " with probabilities" } else { "" };
    let (name, task) = (&fixture.name, signature.task.as_str());
    writeln!(text, "{name}: {task}, {}{classes}{probabilities}, NULL {nulls}", short(&signature.prediction))
        .expect("writing to a text");
}

fn short(data_type: &DataType) -> String {
    match data_type {
        DataType::List(item) => format!("List<{}>", item.data_type()),
        other => other.to_string(),
    }
}

fn labels(classes: &ArrayRef) -> Vec<String> {
    let texts = cast(classes, &DataType::Utf8).expect("labels print");
    texts.as_string::<i32>().iter().map(|label| label.unwrap_or("NULL").to_string()).collect()
}

#[test]
fn answers_have_the_types_they_were_planned_with() {
    for fixture in load("flights").into_iter().chain(load("zoo")) {
        let model = Model::from_bytes(&fixture.model, &LoadOptions::default()).expect("a model of the zoo");
        let mut asked = vec![Answer::Raw, Answer::Prediction];
        if model.signature().has_probabilities {
            asked.insert(1, Answer::Probabilities);
        }
        let answers = model.run(&fixture.features, fixture.rows, &asked, OnRefusedRow::Fail).expect("its own features");
        for (answer, array) in asked.iter().zip(&answers) {
            assert_eq!(array.data_type(), &model.answer_type(*answer).expect("an answer"), "{}", fixture.name);
            assert_eq!(array.len(), fixture.rows);
        }
        check_label(model.signature(), &fixture, &answers);
    }
}

/// Where the scores are probabilities of a classifier, the label is one of the classes, or its number: ONNX Runtime calls
/// the two classes of trees that have weights for both 0 and 1 whatever the file says.
fn check_label(signature: &Signature, fixture: &Fixture, answers: &[ArrayRef]) {
    let (Some(classes), Some(prediction)) = (&signature.classes, answers.last()) else { return };
    let classes = labels(classes);
    let predicted = labels(&elements(prediction));
    let known =
        |label: &String| classes.contains(label) || (classes.len() == 2 && ["0", "1"].contains(&label.as_str()));
    let unknown = (0..fixture.rows).find(|&row| prediction.is_valid(row) && !known(&predicted[row]));
    assert_eq!(unknown, None, "{}: {predicted:?} of {classes:?}", fixture.name);
}

#[test]
fn features_are_called_as_declared_as_in_the_file_or_by_position() {
    let fixtures = load("flights");
    let find = |name: &str| fixtures.iter().find(|fixture| fixture.name == name).expect("a flight model");
    let names = |fixture: &Fixture, options: &LoadOptions| {
        let model = Model::from_bytes(&fixture.model, options).expect("a flight model");
        model.signature().features.iter().map(|feature| feature.name.clone()).collect::<Vec<_>>()
    };
    let (late, forest) = (find("late"), find("origin_rf"));
    assert_eq!(names(late, &LoadOptions::default()), late.names);
    assert_eq!(names(forest, &LoadOptions::default()), ["f0", "f1", "f2", "f3", "f4"]);
    let declared = forest.names.iter().map(|name| DeclaredFeature { name: name.clone(), data_type: None }).collect();
    assert_eq!(names(forest, &LoadOptions { features: Some(declared), ..LoadOptions::default() }), forest.names);
}
