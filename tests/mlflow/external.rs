//! Models whose tensors are in files beside them.

use std::fs;

use insta::assert_snapshot;

use super::{copy_model, fixture, run};
use crate::util::{Answer, Sandbox};

/// A sandbox with the network of the fixtures, and the name of the file that has its weights.
fn network() -> (Sandbox, String) {
    with_weights("net_onnx")
}

fn with_weights(model: &str) -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    copy_model(&sandbox, model);
    let files = fs::read_dir(sandbox.path(model)).expect("a folder").flatten();
    let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let data = names.find(|name| name.ends_with(".data")).expect("MLflow puts large tensors into a file of their own");
    (sandbox, data)
}

/// How far the answers of `m` are from ONNX Runtime's.
fn check() -> String {
    check_of("net_onnx")
}

fn check_of(model: &str) -> String {
    format!(
        "SELECT count(*) AS rows, sum(CASE WHEN abs(answer - expected) < 1e-5 * abs(expected) THEN 1 ELSE 0 END) AS near \
         FROM (SELECT predict('m', *) AS answer, expected FROM '{}')",
        fixture(3, &format!("tables/{model}.parquet")).display()
    )
}

fn create(sandbox: &Sandbox, uri: &str) -> Answer {
    run(sandbox, &[format!("CREATE MODEL m FROM '{uri}'"), check()], &[])
}

#[test]
fn weights_beside_the_model_are_read() {
    let (sandbox, _) = network();
    for uri in ["net_onnx", "net_onnx/model.onnx", "./net_onnx/"] {
        assert_eq!(create(&sandbox, uri).output(), "rows,near\n24,24\n", "{uri}");
    }
}

#[test]
fn the_database_keeps_the_weights_with_the_model() {
    let (sandbox, _) = network();
    sandbox.run(["db", "-c", "CREATE MODEL m FROM 'net_onnx'"]).output();
    fs::remove_dir_all(sandbox.path("net_onnx")).expect("the folder goes");
    let answer = sandbox.run(["db", "--format", "csv", "-c", &check()]).output();
    assert_eq!(answer, "rows,near\n24,24\n");
    assert_eq!(fs::read_dir(sandbox.path("db/models/files")).expect("a folder").count(), 1);
}

/// The types of maps are among what nobody but ONNX itself reads.
#[test]
fn a_model_with_maps_keeps_them_with_its_weights() {
    let (sandbox, _) = with_weights("words_onnx");
    sandbox.run(["db", "-c", "CREATE MODEL m FROM 'words_onnx'"]).output();
    fs::remove_dir_all(sandbox.path("words_onnx")).expect("the folder goes");
    let answer = sandbox.run(["db", "--format", "csv", "-c", &check_of("words_onnx")]).output();
    assert_eq!(answer, "rows,near\n24,24\n");
}

/// Puts another place, padded to the same length, where the model says that its weights are.
fn with_place(place: &str) -> Sandbox {
    let (sandbox, data) = network();
    let path = sandbox.path("net_onnx/model.onnx");
    let mut bytes = fs::read(&path).expect("the model");
    let other = format!("{place:/<width$}", width = data.len());
    assert_eq!(other.len(), data.len(), "{place} is too long");
    let places: Vec<usize> =
        bytes.windows(data.len()).enumerate().filter(|(_, part)| *part == data.as_bytes()).map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the model names its weights");
    places.iter().for_each(|&at| bytes[at..at + other.len()].copy_from_slice(other.as_bytes()));
    fs::write(&path, bytes).expect("the model is changed");
    sandbox
}

#[test]
fn weights_stay_in_the_models_directory() {
    let refused = |place: &str| create(&with_place(place), "net_onnx/model.onnx").error(1);
    assert_snapshot!(refused("../net_onnx/weights"), @"error: -c#1:1:1: cannot use `net_onnx/model.onnx`: `../net_onnx/weights//////////////////////` is no path inside the model's directory: it goes up");
    assert_snapshot!(refused("/etc/passwd"), @"error: -c#1:1:1: cannot use `net_onnx/model.onnx`: `/etc/passwd//////////////////////////////` is no path inside the model's directory: it is absolute");
    assert_snapshot!(refused("nowhere"), @"error: -c#1:1:1: cannot use `net_onnx/model.onnx`: there is no `nowhere` in `net_onnx`");
    #[cfg(unix)]
    {
        let (sandbox, data) = network();
        fs::rename(sandbox.path("net_onnx").join(&data), sandbox.path("weights")).expect("moved");
        std::os::unix::fs::symlink("../weights", sandbox.path("net_onnx").join(&data)).expect("a link");
        assert_snapshot!(create(&sandbox, "net_onnx").error(1).replace(&data, "<data>"), @"error: -c#1:1:1: cannot use `net_onnx`: `<data>` in `net_onnx` is a link to a file outside of it; put the file itself there");
    }
}

#[test]
fn weights_that_are_missing_short_or_large_are_refused() {
    let (sandbox, data) = network();
    let path = sandbox.path("net_onnx").join(&data);
    let whole = fs::read(&path).expect("the weights");
    let shown = |error: String| error.replace(&data, "<data>");
    let limited = ["SET foretell.limit_file_bytes = 2000".to_owned(), "CREATE MODEL m FROM 'net_onnx'".to_owned()];
    assert_snapshot!(shown(run(&sandbox, &limited, &[]).error(1)), @"error: -c#2:1:1: cannot use `net_onnx`: the model has 3520 bytes, the limit is 2000; raise it with `SET foretell.limit_file_bytes = ...` if you trust the file");
    fs::write(&path, &whole[..whole.len() - 4]).expect("cut");
    assert_snapshot!(shown(create(&sandbox, "net_onnx").error(1)), @"error: -c#1:1:1: cannot use `net_onnx`: not a valid ONNX model: tensor `coefficient1` needs 1920 bytes at 1600 of `<data>`, which has 3516 bytes; copy the file again");
    fs::remove_file(&path).expect("removed");
    assert_snapshot!(shown(create(&sandbox, "net_onnx").error(1)), @"error: -c#1:1:1: cannot use `net_onnx`: there is no `<data>` in `net_onnx`");
}

/// A field of a protocol buffer whose content has a length.
fn field(tag: usize, content: &[u8]) -> Vec<u8> {
    let (mut bytes, mut length) = (vec![(tag << 3 | 2) as u8], content.len());
    while length > 0x7f {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    [&bytes, content].concat()
}

#[test]
fn weights_in_thousands_of_files_are_refused() {
    let tensor = |at: usize| {
        let place = [field(1, b"location"), field(2, format!("w{at}").as_bytes())].concat();
        field(5, &[field(13, &place), vec![14 << 3, 1]].concat())
    };
    let graph: Vec<u8> = (0..5000).flat_map(tensor).collect();
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("many.onnx"), [vec![8, 8], field(7, &graph)].concat()).expect("written");
    assert_snapshot!(create(&sandbox, "many.onnx").error(1), @"error: -c#1:1:1: cannot use `many.onnx`: the model keeps its tensors in 5000 files, and at most 4096 are read; save it with all of them in one file (`onnx.save(..., save_as_external_data=True)`)");
}
