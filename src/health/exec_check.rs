//! The program an exec check runs, and the words it is given.
//!
//! A command is a list of words, never a line for a shell. Nothing here runs anything.

use std::net::SocketAddr;

use super::HealthError;

/// A program, its arguments, and how its exit status is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecCheck {
    program: String,
    arguments: Vec<Vec<Piece>>,
    /// Whether exit status 1 passes with a warning, as with the plugins of Nagios.
    pub nagios: bool,
}

/// A part of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `{address}`
    Address,
    /// `{port}`
    Port,
    /// `{name}`
    Name,
}

impl ExecCheck {
    /// A command as the configuration writes it: the absolute path of a program, and its
    /// arguments.
    ///
    /// ```text
    /// in an argument            stands for
    /// {address}                 the address of the target
    /// {port}                    its port
    /// {name}                    the name of the check
    /// {another lowercase word}  nothing: it is an error
    /// anything else             itself
    /// ```
    ///
    /// # Errors
    /// When the path is not absolute, a placeholder is unknown, or a word holds a NUL.
    pub fn new(command: &[String], nagios: bool) -> Result<Self, HealthError> {
        let (program, arguments) = command.split_first().ok_or(HealthError::NoCommand)?;
        if !program.starts_with('/') || program.ends_with('/') {
            return Err(HealthError::CommandPath(program.clone()));
        }
        if let Some(word) = command.iter().find(|word| word.contains('\0')) {
            return Err(HealthError::CommandNul(word.replace('\0', "\\0")));
        }
        let arguments = arguments.iter().map(|word| pieces(word)).collect::<Result<_, _>>()?;
        Ok(Self { program: program.clone(), arguments, nagios })
    }

    /// The absolute path of the program.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Whether the arguments name the port, so that there must be one.
    pub fn needs_port(&self) -> bool {
        self.arguments.iter().flatten().any(|piece| *piece == Piece::Port)
    }

    /// The arguments for a target under the check `name`.
    pub fn arguments(&self, address: SocketAddr, name: &str) -> impl Iterator<Item = String> {
        let text = move |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Address => address.ip().to_string(),
            Piece::Port => address.port().to_string(),
            Piece::Name => name.to_owned(),
        };
        self.arguments.iter().map(move |pieces| pieces.iter().map(&text).collect())
    }
}

fn pieces(word: &str) -> Result<Vec<Piece>, HealthError> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = word;
    while let Some(open) = rest.find('{') {
        let inner = &rest[open + 1..];
        let length = inner.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(inner.len());
        text.push_str(&rest[..open]);
        if length == 0 || !inner[length..].starts_with('}') {
            text.push('{');
            rest = inner;
            continue;
        }
        let piece = match &inner[..length] {
            "address" => Piece::Address,
            "port" => Piece::Port,
            "name" => Piece::Name,
            other => return Err(HealthError::Placeholder(other.to_owned())),
        };
        pieces.extend([Piece::Text(std::mem::take(&mut text)), piece]);
        rest = &inner[length + 1..];
    }
    text.push_str(rest);
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Result<ExecCheck, HealthError> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        ExecCheck::new(&words, false)
    }

    #[test]
    fn placeholders_are_filled_in() {
        for (word, expected) in [
            ("-H", "-H"),
            ("", ""),
            ("{address}", "2001:db8::1"),
            ("http://[{address}]:{port}/{name}", "http://[2001:db8::1]:81/web"),
            ("{name}{name}", "webweb"),
            ("{\"a\": {}}", "{\"a\": {}}"),
            ("{address", "{address"),
            ("{{port}}", "{81}"),
            ("{Address}", "{Address}"),
        ] {
            let check = command(&["/bin/x", word]).expect("a good command");
            let address = "[2001:db8::1]:81".parse().expect("a literal address");
            assert_eq!(check.arguments(address, "web").collect::<Vec<_>>(), [expected], "{word}");
            assert_eq!(check.needs_port(), word.contains("{port}"), "{word}");
        }
    }

    #[test]
    fn a_command_is_an_absolute_path_and_known_words() {
        for (words, error) in [
            (&[][..], HealthError::NoCommand),
            (&["sh", "-c"], HealthError::CommandPath("sh".into())),
            (&["./x"], HealthError::CommandPath("./x".into())),
            (&["/bin/"], HealthError::CommandPath("/bin/".into())),
            (&["/bin/x", "{host}"], HealthError::Placeholder("host".into())),
            (&["/bin/x", "a\0b"], HealthError::CommandNul("a\\0b".into())),
        ] {
            assert_eq!(command(words), Err(error));
        }
    }
}
