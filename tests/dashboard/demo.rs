//! A running demo: where its dashboard is, its back ends, and what it answers.

use std::io::BufRead as _;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};

use crate::common::dns::ask;
use crate::common::{Folder, PROGRAM, Server, http_get};

/// A network in Germany: Frankfurt is nearest.
pub const GERMANY: &str = "193.99.144.0";

/// The demo's address at Frankfurt.
pub const FRANKFURT: &str = "192.0.2.3";

/// A running demo and what it printed.
pub struct Demo {
    pub server: Server,
    guide: Vec<String>,
    _folder: Folder,
}

impl Demo {
    /// Starts one, and waits until all its back ends are known to be up.
    pub fn settled() -> Self {
        let folder = Folder::new(&[]);
        let mut server = Server::spawn(
            Command::new(PROGRAM)
                .args(["demo", "--listen", "127.0.0.1:0"])
                .env_remove("RUNTIME_DIRECTORY")
                .env("XDG_RUNTIME_DIR", folder.directory())
                .stdout(Stdio::piped()),
        );
        // The guide ends with an empty line after the list of back ends.
        let mut guide: Vec<String> = Vec::new();
        for line in server.stdout().lines() {
            let line = line.unwrap();
            if line.is_empty() && guide.last().is_some_and(|line| line.contains("sydney")) {
                break;
            }
            guide.push(line);
        }
        (0..6).for_each(|_| drop(server.wait_for("to=up")));
        Self { server, guide, _folder: folder }
    }

    /// The dashboard's address, with the token in it.
    pub fn dashboard(&self) -> String {
        let words = self.guide.iter().flat_map(|line| line.split_whitespace());
        words
            .into_iter()
            .find(|word| word.contains("#token="))
            .expect("the guide has it")
            .to_owned()
    }

    /// The dashboard's address without the token, and the token.
    pub fn apart(&self) -> (String, String) {
        let whole = self.dashboard();
        let (address, token) = whole.split_once("#token=").expect("a token");
        (address.to_owned(), token.to_owned())
    }

    /// What a client gets for www.example.com.
    pub fn www(&self, client: &str) -> String {
        let client: IpAddr = client.parse().unwrap();
        ask(self.server.address, "www.example.com").subnet(client, 24).udp().address().to_string()
    }

    /// Has a site's back end do `what`: `break` or `mend`.
    pub fn tell(&self, site: &str, what: &str) {
        let line = self.guide.iter().find(|line| line.trim_start().starts_with(site));
        let address = line.expect("the site is listed").split("http://").nth(1).unwrap();
        let address: SocketAddr = address.trim_end_matches('/').parse().unwrap();
        assert_eq!(http_get(address, &format!("/{what}")).0, 200);
    }
}
