//! A small HTTP server in this process, for tests of what is read from addresses.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What a client asks.
#[derive(Debug, Default)]
pub struct Question {
    /// `GET` or `POST`.
    pub method: String,
    /// The page with the part after `?`, as it was sent.
    pub page: String,
    /// The header `Authorization`; empty if there is none.
    pub authorization: String,
    /// What was sent with it.
    pub body: Vec<u8>,
}

/// What the server does about it.
#[derive(Debug)]
pub enum Reply {
    /// Answers with this status, such as `200 OK`, type and body.
    Answer(&'static str, &'static str, Vec<u8>),
    /// Sends these bytes, be they HTTP or not, and closes the connection.
    Raw(&'static [u8]),
    /// Sends the client on with this status, such as `302 Found`, to this place.
    Redirect(&'static str, String),
    /// Begins an answer that has no end.
    Endless,
    /// Begins an answer that comes byte by byte, for as long as somebody waits.
    Trickle,
    /// Says nothing and keeps the connection open.
    Silence,
}

impl Reply {
    /// The page that is not there.
    pub fn not_found() -> Self {
        Self::Answer("404 Not Found", "text/html", Vec::new())
    }
}

/// Starts the server; returns its address. It ends with the process.
pub fn serve(reply: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the port is known");
    let reply = Arc::new(reply);
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let reply = Arc::clone(&reply);
            // A client that goes away ends its connection, and nothing else.
            thread::spawn(move || converse(connection, &*reply).ok());
        }
    });
    format!("http://{address}")
}

/// Answers the questions of one connection until the client closes it.
fn converse(connection: TcpStream, reply: &dyn Fn(&Question) -> Reply) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut connection = connection;
    while let Some(question) = read_question(&mut reader)? {
        match reply(&question) {
            Reply::Answer(status, content_type, body) => {
                write!(
                    connection,
                    "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nETag: \"1\"\r\n\
                     Last-Modified: Tue, 01 Jan 2013 05:00:00 GMT\r\n\r\n",
                    body.len()
                )?;
                connection.write_all(&body)?;
            }
            Reply::Raw(bytes) => return connection.write_all(bytes),
            Reply::Redirect(status, place) => {
                write!(connection, "HTTP/1.1 {status}\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n")?;
            }
            Reply::Trickle => {
                connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
                loop {
                    connection.write_all(b" ")?;
                    thread::sleep(Duration::from_millis(20));
                }
            }
            Reply::Endless => {
                connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")?;
                loop {
                    connection.write_all(&[b' '; 65536])?;
                }
            }
            // The client's next question does not come; this waits until it leaves.
            Reply::Silence => {}
        }
    }
    Ok(())
}

fn read_question(reader: &mut impl BufRead) -> std::io::Result<Option<Question>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, page) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut question = Question { method, page, ..Question::default() };
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? <= 2 {
            break;
        }
        match header.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap_or(0),
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                question.authorization = value.to_owned();
            }
            _ => {}
        }
    }
    question.body = vec![0; length];
    reader.read_exact(&mut question.body)?;
    Ok(Some(question))
}
