//! Reading a log. GitHub answers with the address of another host, which is asked without our login, and the answer is
//! read line by line.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::{Request, Response, StatusCode, header};
use reqwest::Url;

use super::{
    GitHubError,
    answer::cut,
    ask::{Ask, To},
    call::{Body, Try, Wire, chain},
    logs::Log,
};
use crate::config::models::is_loopback;

/// A longer log is read no further than this.
const MAX_LOG: usize = 256 << 20;
/// A longer line is cut.
const MAX_LINE: usize = 16 << 10;
/// How long reading one log may take.
const TIMEOUT: Duration = Duration::from_secs(180);
/// How often it is tried.
const TRIES: u32 = 3;

impl Wire {
    /// Reads a log, line by line.
    pub(super) async fn lines(&self, ask: &Ask, log: &mut Log) -> Result<(), GitHubError> {
        let unreachable = |why: String| GitHubError::Unreachable {
            doing: ask.doing.clone(),
            why,
        };
        let not_given = |message: String| GitHubError::Gone {
            doing: ask.doing.clone(),
            message,
        };
        let (mut why, mut answered) = (String::new(), false);
        for round in 0..TRIES {
            if round > 0 {
                tokio::time::sleep(self.first_wait * 2_u32.pow(round)).await;
            }
            log.clear();
            let location = match self.place(ask).await? {
                Place::Elsewhere(location) => location,
                Place::Here(body) => {
                    for line in body.split(|byte| *byte == b'\n') {
                        log.line(line);
                    }
                    return Ok(());
                }
            };
            let url = self.elsewhere(&location).map_err(not_given)?;
            answered = false;
            match tokio::time::timeout(TIMEOUT, self.read(&url, log, &mut answered)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(Cut::Gone)) => return Err(not_given("the log is not kept any more".to_owned())),
                // The address in these words lets anybody read the log for a minute.
                Ok(Err(Cut::Failed(text))) => why = cut(&text.replace(url.as_str(), "the log's address")),
                Err(_) => why = format!("it took more than {} s", TIMEOUT.as_secs()),
            }
        }
        // A host that answers and does not give it may do so for days; one that does not answer is asked again.
        Err(if answered {
            not_given(why)
        } else {
            unreachable(why)
        })
    }

    async fn place(&self, ask: &Ask) -> Result<Place, GitHubError> {
        let mut ask = ask.clone();
        for _ in 0..3 {
            match self.first(&ask).await? {
                Try::Done(answer) => return Ok(Place::Here(answer.body)),
                Try::Leads(address) => {
                    let here = Url::parse(&address).is_ok_and(|url| url.origin() == self.api.origin());
                    // A renamed repository leads to the API; the log leads elsewhere, or nearby where both are one host.
                    if here && address.contains("/repositories/") {
                        ask.to = To::Address(address);
                        continue;
                    }
                    return Ok(Place::Elsewhere(address));
                }
                _ => break,
            }
        }
        Err(GitHubError::Renamed { doing: ask.doing })
    }

    /// An address that GitHub gave, if it is safe to go there.
    fn elsewhere(&self, location: &str) -> Result<Url, String> {
        let url = Url::parse(location).map_err(|_| "the log's address cannot be read".to_owned())?;
        let near = is_loopback(&self.api) && is_loopback(&url);
        if url.scheme() == "https" || url.scheme() == "http" && near {
            Ok(url)
        } else {
            Err("the log's address is not encrypted".to_owned())
        }
    }

    /// Reads what stands there. `answered`: whether whoever keeps it said anything at all.
    async fn read(&self, url: &Url, log: &mut Log, answered: &mut bool) -> Result<(), Cut> {
        let failed = |text: String| Cut::Failed(text);
        let request = Request::builder()
            .uri(url.as_str())
            .header(header::ACCEPT, "text/plain")
            .body(String::new())
            .map_err(|error| failed(error.to_string()))?;
        let response: Response<Body> = self.send(request).await.map_err(|tried| match tried {
            Try::Unsent(why) | Try::Lost(why) => failed(why),
            _ => failed("no answer".to_owned()),
        })?;
        *answered = true;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Cut::Gone),
            status => return Err(failed(format!("the log's host answered {}", status.as_u16()))),
        }
        let mut body = response.into_body();
        let (mut line, mut read) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| failed(chain(&error)))?;
            let Some(data) = frame.data_ref() else { continue };
            for part in data.split_inclusive(|byte| *byte == b'\n') {
                let ended = part.ends_with(b"\n");
                let part = part.strip_suffix(b"\n").unwrap_or(part);
                let room = MAX_LINE.saturating_sub(line.len()).min(part.len());
                line.extend_from_slice(&part[..room]);
                if ended {
                    log.line(&line);
                    line.clear();
                }
            }
            read += data.len();
            if read > MAX_LOG {
                break;
            }
        }
        if !line.is_empty() {
            log.line(&line);
        }
        Ok(())
    }
}

/// Where a log is.
enum Place {
    Here(bytes::Bytes),
    Elsewhere(String),
}

/// Why a log was not read.
enum Cut {
    Gone,
    Failed(String),
}
