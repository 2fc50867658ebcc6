//! What a service manager sees and does: it is told how things are, and its sockets are taken.

mod common;

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};

use common::backend::{Backend, Mood};
use common::dns::ask;
use common::{Folder, PATIENCE, PROGRAM, Server, ZONE_HEAD, find, kill};

/// A service manager's end of the line.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    /// The program under it, which is to tell so often that it lives.
    fn command(&self, watchdog_microseconds: u64) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .env("WATCHDOG_USEC", watchdog_microseconds.to_string());
        command
    }

    /// The next message that is no sign of life, as lines.
    fn next(&self) -> Vec<String> {
        loop {
            let message = self.next_of_all();
            if message != ["WATCHDOG=1"] {
                return message;
            }
        }
    }

    fn next_of_all(&self) -> Vec<String> {
        let mut buffer = [0; 1024];
        let octets = self.socket.recv(&mut buffer).expect("a message in time");
        let text = std::str::from_utf8(&buffer[..octets]).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for RELOADING=1 with the clock it must come with.
    fn expect_reloading(&self) {
        let message = self.next();
        assert_eq!(message[0], "RELOADING=1", "{message:?}");
        let time: u64 = message[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
        assert!(time > 0);
    }
}

#[test]
fn a_service_manager_is_told_how_things_are() {
    let backends = [(); 2].map(|()| Backend::start());
    let [one, two] = backends.each_ref().map(|backend| backend.address);
    let folder = Folder::with_config(&format!(
        "[site.one]\n[check.web]\ntype = \"http\"\ninterval = \"100ms\"\ntimeout = \"100ms\"\n\
         [service.www]\nnames = [\"www.example.com\"]\npolicy = \"random\"\ncheck = \"web\"\n\
         endpoints = [{{ site = \"one\", address = \"192.0.2.1\", probe = \"{one}\" }},\n\
         {{ site = \"one\", address = \"192.0.2.2\", probe = \"{two}\" }}]\n"
    ));
    let manager = Manager::new();
    let mut command = manager.command(400_000);
    let mut server = Server::spawn(command.arg("serve").arg("-c").arg(folder.config()));
    assert_eq!(manager.next(), ["STATUS=1 services; targets: 0 up, 0 down, 2 not known yet"]);
    assert_eq!(manager.next(), ["READY=1"]);
    assert_eq!(ask(server.address, "www.example.com").udp().addresses().len(), 1);
    // One after the other may be found up, a second apart.
    while manager.next() != ["STATUS=1 services; targets: 2 up, 0 down"] {}
    backends[1].set(Mood::WrongStatus);
    assert_eq!(manager.next(), ["STATUS=1 services; targets: 1 up, 1 down"]);
    assert_eq!(manager.next_of_all(), ["WATCHDOG=1"]);
    server.signal("-HUP");
    manager.expect_reloading();
    assert_eq!(manager.next(), ["READY=1"]);
    // What is refused is no reload without an end.
    let config = folder.read("meridian.toml");
    folder.write("meridian.toml", "[server");
    manager.expect_reloading();
    assert_eq!(manager.next(), ["READY=1"]);
    folder.write("meridian.toml", &config);
    manager.expect_reloading();
    assert_eq!(manager.next(), ["READY=1"]);
    server.signal("-TERM");
    assert_eq!(manager.next(), ["STOPPING=1"]);
    assert_eq!(server.wait_for_end(), Some(0));
}

#[test]
fn after_a_handover_the_new_process_is_the_service() {
    let folder = Folder::with_config("");
    let manager = Manager::new();
    let mut command = manager.command(300_000);
    let mut server = Server::spawn(command.arg("serve").arg("-c").arg(folder.config()));
    assert_eq!(manager.next(), ["STATUS=0 services; targets: 0 up, 0 down"]);
    assert_eq!(manager.next(), ["READY=1"]);
    server.signal("-USR2");
    manager.expect_reloading();
    // The two speak at the same time.
    let mut messages = [(); 3].map(|()| manager.next()).concat();
    messages.sort();
    assert_eq!(messages[1..], ["READY=1", "STATUS=0 services; targets: 0 up, 0 down"]);
    let process: u32 = messages[0].strip_prefix("MAINPID=").unwrap().parse().unwrap();
    let _guard = Killed(process);
    assert_eq!(server.wait_for_end(), Some(0), "and says nothing of stopping");
    assert_eq!(manager.next_of_all(), ["WATCHDOG=1"], "the new process tells that it lives");
    assert!(kill("-TERM", process));
    assert_eq!(manager.next(), ["STOPPING=1"]);
}

/// A process that is no child of ours, killed with the value.
struct Killed(u32);

impl Drop for Killed {
    fn drop(&mut self) {
        kill("-KILL", self.0);
    }
}

/// A free port with a UDP and a TCP socket.
fn sockets() -> (UdpSocket, TcpListener, SocketAddr) {
    let free = || {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        Some((UdpSocket::bind(address).ok()?, tcp, address))
    };
    (0..32).find_map(|_| free()).expect("a port that is free for both")
}

/// A folder with a configuration that listens on an address.
fn listening(address: SocketAddr) -> Folder {
    let config = format!(
        "[server]\nlisten = [\"{address}\"]\nworkers = 2\n\
         [[zone]]\nname = \"example.com\"\nfile = \"example.com.zone\"\n"
    );
    Folder::new(&[("meridian.toml", &config), ("example.com.zone", ZONE_HEAD)])
}

/// The program, started by a service manager that passes on two sockets.
fn activated(folder: &Folder, first: OwnedFd, second: OwnedFd) -> Command {
    let mut command = Command::new("sh");
    let config = folder.config();
    let script = format!(
        "exec 3<&0 4<&1 </dev/null >&2\n\
         LISTEN_FDS=2 LISTEN_FDNAMES=dns:more LISTEN_PID=$$ exec {PROGRAM} serve -c {}",
        config.display()
    );
    command.args(["-c", &script]).stdin(Stdio::from(first)).stdout(Stdio::from(second));
    command
}

/// As [`Server::spawn`], but with the standard input the command has.
fn run(mut command: Command) -> Output {
    command
        .stderr(Stdio::piped())
        .env_remove("RUST_LOG")
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap()
}

#[test]
fn sockets_of_a_service_manager_are_served_from() {
    let (udp, tcp, address) = sockets();
    // As systemd does, and nothing is to depend on it.
    udp.set_nonblocking(true).unwrap();
    let folder = listening(address);
    // Asked before anybody is there to answer.
    let early = UdpSocket::bind("127.0.0.1:0").unwrap();
    early.set_read_timeout(Some(PATIENCE)).unwrap();
    early.send_to(&common::dns::packet(7, "ns1.example.com", 1, None), address).unwrap();
    let mut server = Server::spawn_as_is(&mut activated(&folder, udp.into(), tcp.into()));
    assert_eq!(server.address, address);
    assert_eq!(server.count_lines("sockets=1 workers=2"), 1, "workers share it");
    let mut buffer = [0; 512];
    assert!(early.recv(&mut buffer).unwrap() > 12 && buffer[7] == 1, "an answer");
    for _ in 0..10 {
        assert_eq!(ask(address, "ns1.example.com").udp().addresses().len(), 1);
    }
    assert_eq!(ask(address, "ns1.example.com").tcp().addresses().len(), 1);
    // They can be handed over like any others.
    server.signal("-USR2");
    let taken = server.wait_for("has taken over");
    let process = taken.split("process=").nth(1).unwrap().trim().parse().unwrap();
    let _guard = Killed(process);
    server.wait_for("stopped: handed over");
    assert_eq!(ask(address, "ns1.example.com").udp().addresses().len(), 1);
    assert_eq!(ask(address, "ns1.example.com").tcp().addresses().len(), 1);
}

#[test]
fn sockets_that_are_not_listed_are_an_error() {
    let (udp, tcp, address) = sockets();
    let (other, _, stray) = sockets();
    for (folder, first, second, says) in [
        (
            listening(stray),
            OwnedFd::from(udp),
            OwnedFd::from(tcp),
            vec![format!("UDP {address}, TCP {address}"), "`server.listen`".to_owned()],
        ),
        (
            listening(address),
            other.into(),
            fs::File::open("/dev/null").unwrap().into(),
            vec!["socket 2".to_owned(), "`more`".to_owned(), "neither".to_owned()],
        ),
    ] {
        let output = run(activated(&folder, first, second));
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        for word in says {
            assert!(text.contains(&word), "{word:?} in {text}");
        }
    }
}

/// The unit files, as the machine's systemd understands them.
#[test]
fn systemd_finds_nothing_wrong_with_the_units_and_little_exposed() {
    let Some(analyze) = find("systemd-analyze") else {
        eprintln!("skipped: systemd-analyze not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let units = ["meridian.service", "meridian.socket"];
    for unit in units {
        let text = fs::read_to_string(format!("contrib/systemd/{unit}")).unwrap();
        // The program has to be where the unit says it is.
        fs::write(folder.path().join(unit), text.replace("/usr/bin/meridian", PROGRAM)).unwrap();
    }
    let run = |arguments: &[&str]| {
        let output = Command::new(&analyze).args(arguments).current_dir(folder.path()).output();
        let output = output.unwrap();
        let [out, err] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.success(), format!("{out}{err}"))
    };
    for unit in units {
        let (is_good, text) = run(&["verify", "--man=no", &format!("./{unit}")]);
        let about_ours: Vec<_> = text.lines().filter(|line| line.contains("meridian")).collect();
        assert!(is_good && about_ours.is_empty(), "{unit}: {text}");
    }
    // Of 100, which systemd shows as 10.0.
    let limit = ["--offline=yes", "--no-pager", "--threshold=17", "./meridian.service"];
    let (is_good, text) = run(&[&["security"][..], &limit[..]].concat());
    assert!(is_good, "{text}");
}
