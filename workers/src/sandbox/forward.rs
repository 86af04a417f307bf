//! The loopback port inside a sandbox that leads to the gateway's socket, for programs that know proxies and no sockets.
//! It moves bytes and judges nothing: who ends it, or takes its place, is inside already, and can reach the socket itself.

use std::{
    convert::Infallible,
    ffi::OsStr,
    net::{Ipv4Addr, TcpListener},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Command, Stdio},
    sync::Arc,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener as Listener, UnixStream},
    sync::Semaphore,
};

use super::{
    launch::{LaunchError, system},
    plan::{GATEWAY_SOCKET, HELPER},
};

/// The port, on the sandbox's own loopback address.
pub(super) const PORT: u16 = 4141;
/// The stage that leaves the port's server to the sandbox's first process, and the server.
pub(super) const APART: &str = "--forward-apart";
pub(super) const SERVE: &str = "--forward";
/// How many connections are open at once; more wait. The gateway takes fewer.
const CONNECTIONS: usize = 64;

/// Opens the port and starts who serves it, behind all walls. When this returns, programs can connect.
pub(super) fn begin() -> Result<(), LaunchError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).map_err(system("the gateway's port"))?;
    let ended = ourselves(APART)
        .stdin(OwnedFd::from(listener))
        .status()
        .map_err(system("the gateway's port"))?;
    if ended.success() {
        Ok(())
    } else {
        let error = std::io::Error::other(ended.to_string());
        Err(system("the gateway's port")(error))
    }
}

/// Starts the server and ends, so that it becomes nobody's child: the program that the sandbox is for must not find a
/// child that it never made.
pub(super) fn leave_apart() -> Result<(), LaunchError> {
    ourselves(SERVE)
        .stdin(Stdio::inherit())
        .spawn()
        .map(drop)
        .map_err(system("the gateway's port"))
}

/// Serves the port that is our standard input, until the sandbox ends.
pub(super) fn serve() -> Result<Infallible, LaunchError> {
    let listener = std::io::stdin().as_fd().try_clone_to_owned();
    let listener = TcpListener::from(listener.map_err(system("the gateway's port"))?);
    listener
        .set_nonblocking(true)
        .map_err(system("the gateway's port"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(system("the gateway's port"))?;
    runtime.block_on(async {
        let listener = Listener::from_std(listener).map_err(system("the gateway's port"))?;
        accept(listener).await
    })
}

async fn accept(listener: Listener) -> Result<Infallible, LaunchError> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let place = place.map_err(|closed| system("the gateway's port")(std::io::Error::other(closed)))?;
        let (mut program, _) = listener.accept().await.map_err(system("the gateway's port"))?;
        tokio::spawn(async move {
            // Whoever connected sees the end; there is nobody else to tell.
            if let Ok(mut gateway) = UnixStream::connect(GATEWAY_SOCKET).await {
                let _ = program.set_nodelay(true);
                let _ = copy_bidirectional(&mut program, &mut gateway).await;
            }
            drop(place);
        });
    }
}

/// Our own binary again, which holds nobody's pipe open and is in nobody's process group.
fn ourselves(stage: &str) -> Command {
    let mut command = Command::new(HELPER);
    command
        .args([OsStr::new("sandbox-launch"), OsStr::new(stage)])
        .env_clear()
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command
}
