//! Models from addresses: `http` and `s3`, served by a small server in this process.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::util::{foretell, repository};

/// Serves `sql/models/late.onnx` at any path that ends with its name, and nothing else; returns its address.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the port is known");
    let model = std::fs::read(repository().join("sql/models/late.onnx")).expect("the model is there");
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let model = model.clone();
            thread::spawn(move || answer(connection, &model));
        }
    });
    format!("http://{address}")
}

/// Answers the requests of one connection until the client closes it.
fn answer(connection: TcpStream, model: &[u8]) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut connection = connection;
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        while reader.read_line(&mut header)? > 2 {
            header.clear();
        }
        let found = request.split(' ').nth(1).is_some_and(|path| path.ends_with("/late.onnx"));
        let (status, body) = if found { ("200 OK", model) } else { ("404 Not Found", &b""[..]) };
        write!(
            connection,
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"1\"\r\nLast-Modified: Tue, 01 Jan 2013 05:00:00 GMT\r\n\r\n",
            body.len()
        )?;
        connection.write_all(body)?;
    }
}

fn run(statements: &[&str], environment: &[(&str, &str)]) -> (String, String) {
    let mut command = foretell();
    command.current_dir(repository()).args(["--format", "csv"]).envs(environment.iter().copied());
    for statement in statements {
        command.args(["-c", statement]);
    }
    let output = command.output().expect("foretell starts");
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

const PREDICT: &str = "SELECT late(120, 719, 17, 'UA', 'EWR', 'ORD') AS late";

#[test]
fn a_model_comes_over_http() {
    let server = serve();
    let create = format!("CREATE MODEL late FROM '{server}/some%20models/late.onnx'");
    assert_eq!(run(&[&create, PREDICT], &[]), ("late\nlate\n".to_owned(), String::new()));
}

#[test]
fn a_model_comes_from_s3() {
    let server = serve();
    let environment = [
        ("AWS_ENDPOINT", server.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let create = "CREATE MODEL late FROM 's3://bucket/models/late.onnx'";
    assert_eq!(run(&[create, PREDICT], &environment), ("late\nlate\n".to_owned(), String::new()));
}

#[test]
fn a_missing_address_and_a_large_file_are_errors() {
    let server = serve();
    let missing = format!("CREATE MODEL late FROM '{server}/none.onnx'");
    let (_, error) = run(&[&missing], &[]);
    assert!(error.starts_with(&format!("error: -c:1:1: cannot read `{server}/none.onnx`")), "{error}");

    let large = format!("CREATE MODEL late FROM '{server}/late.onnx'");
    let (_, error) = run(&["SET foretell.limit_file_bytes = 1000", &large], &[]);
    let expected = "error: -c#2:1:1: the model has 3383 bytes, the limit is 1000; \
                    raise it with `SET foretell.limit_file_bytes = ...` if you trust the file\n";
    assert_eq!(error, expected);
}
