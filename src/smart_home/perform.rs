//! Runs an action of Smart Home: sends its commands together, and answers when all of them have ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::commands::{CommandRef, Commands, Completion, Responder};
use crate::http::exchange::Exchange;
use crate::http::response::Response;
use crate::json;
use crate::runtime::log_limit::target;
use crate::smart_home::actions::code;
use crate::smart_home::request_id::loggable;
use crate::sync::{Mutex, lock};

/// How long an action waits for the agent. Yandex waits 3 s, both ways included (docs/facts/smart_home.md, 2).
pub const ACTION_TIMEOUT: Duration = Duration::from_millis(1500);

/// The part of it during which commands wait for proof that a quiet connection is alive.
pub const ACTION_PROBE: Duration = Duration::from_secs(1);

/// The result of one capability, or Yandex' error code.
pub type Result = std::result::Result<(), &'static str>;

/// The devices and capabilities of an action, with their results. Plain data.
#[derive(Debug, Default)]
pub struct Report {
    devices: Vec<Reported>,
    results: Vec<Result>,
}

#[derive(Debug)]
struct Reported {
    id: String,
    /// Types and instances, as they came.
    asked: Vec<(String, String)>,
    /// Whether the device exists; reported only if no capability was asked of it.
    is_known: bool,
}

impl Report {
    /// Adds a device, to which the capabilities that follow belong.
    pub fn device(&mut self, id: String, is_known: bool) {
        self.devices.push(Reported { id, asked: Vec::new(), is_known });
    }

    /// Adds a capability with the result that stands unless its command ends otherwise. Returns its index.
    pub fn capability(&mut self, kind: String, instance: String, result: Result) -> usize {
        let device = self.devices.last_mut().expect("a capability is a device's");
        device.asked.push((kind, instance));
        self.results.push(result);
        self.results.len() - 1
    }

    /// Encodes the payload of the answer (docs/facts/smart_home.md, 1.3).
    fn json(&self) -> String {
        let status = |result: &Result| match *result {
            Ok(()) => Status { status: "DONE", error_code: None },
            Err(code) => Status { status: "ERROR", error_code: Some(code) },
        };
        let mut results = self.results.iter().map(status);
        let devices = self.devices.iter().map(|Reported { id, asked, is_known }| {
            let is_unknown = asked.is_empty() && !is_known;
            let capabilities =
                asked.iter().zip(&mut results).map(|((kind, instance), action_result)| {
                    CapabilityResult { kind, state: CapabilityState { instance, action_result } }
                });
            DeviceResult {
                id,
                capabilities: (!is_unknown).then(|| capabilities.collect()),
                action_result: is_unknown.then(|| status(&Err(code::DEVICE_UNREACHABLE))),
            }
        });
        json::of(&Results { devices: devices.collect() })
    }
}

#[derive(Serialize)]
struct Results<'a> {
    devices: Vec<DeviceResult<'a>>,
}

#[derive(Serialize)]
struct DeviceResult<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<Vec<CapabilityResult<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action_result: Option<Status>,
}

#[derive(Serialize)]
struct CapabilityResult<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    state: CapabilityState<'a>,
}

#[derive(Serialize)]
struct CapabilityState<'a> {
    instance: &'a str,
    action_result: Status,
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
}

/// An action that waits for its commands.
pub struct PendingAction {
    /// The request's id, echoed and logged.
    pub request_id: String,
    begun: Instant,
    state: Mutex<State>,
}

struct State {
    /// Taken by the last part to end.
    exchange: Option<Exchange>,
    report: Report,
    /// Parts that have not ended: the commands, and their beginning.
    left: usize,
}

impl PendingAction {
    /// Creates an action of so many `commands`, which arrived at `begun`. It is answered once they have ended, and
    /// [`PendingAction::begun`] was called.
    pub fn new(
        exchange: Exchange,
        request_id: String,
        report: Report,
        commands: usize,
        begun: Instant,
    ) -> Arc<Self> {
        let state = State { exchange: Some(exchange), report, left: commands + 1 };
        Arc::new(Self { request_id, begun, state: Mutex::new(state) })
    }

    /// Called when every command was begun.
    pub fn begun(&self) {
        self.settle(None, true, self.begun);
    }

    /// Counts one part as ended. The last one responds, on this thread if it `may`, else on a worker's.
    fn settle(&self, ended: Option<(usize, Result)>, may: bool, now: Instant) {
        let mut state = lock(&self.state);
        if let Some((place, result)) = ended {
            state.report.results[place] = result;
        }
        state.left -= 1;
        if state.left > 0 {
            return;
        }
        let Some(exchange) = state.exchange.take() else { return };
        let report = std::mem::take(&mut state.report);
        drop(state);
        let (all, done) = (report.results.len(), report.results.iter().filter(|r| r.is_ok()).count());
        let after = now.saturating_duration_since(self.begun).as_millis();
        let id = loggable(&self.request_id);
        log::info!(
            target: target::SMART_HOME,
            "Smart Home action {id}: {done} of {all} done after {after} ms"
        );
        let answer = answer(&self.request_id, Some(&report.json()));
        if may { exchange.respond(answer) } else { exchange.respond_by_worker(answer) }
    }
}

/// Returns an answer that echoes the request's id, with `payload`, which is JSON.
pub fn answer(request_id: &str, payload: Option<&str>) -> Response {
    #[derive(Serialize)]
    struct Body<'a> {
        request_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<&'a RawValue>,
    }
    let payload = payload.map(|json| serde_json::from_str(json).expect("it was just encoded"));
    Response::json(json::of(&Body { request_id, payload }).into_bytes())
}

/// One command of an action.
pub struct ActionPart {
    /// The action.
    pub action: Arc<PendingAction>,
    /// The index of the capability's result.
    pub place: usize,
    /// Whether it switches the PC off, which may break the link.
    pub is_off: bool,
}

impl Responder for ActionPart {
    /// No answer is kept, since a command of Smart Home belongs to no person.
    fn complete(
        self: Box<Self>,
        ended: Completion,
        _: Option<CommandRef<'_>>,
        _: &Commands,
        now: Instant,
    ) {
        let result = match &ended {
            Completion::Answered(speech) if speech.failed() => Err(code::INTERNAL_ERROR),
            Completion::Answered(_) | Completion::TooLate { .. } => Ok(()),
            Completion::LinkLost if self.is_off => Ok(()),
            Completion::LinkLost | Completion::Unsent(_) => Err(code::DEVICE_UNREACHABLE),
            Completion::Busy => Err(code::DEVICE_BUSY),
        };
        // As with a turn: answers go out on the agent's own thread, all else on a worker's.
        let may = matches!(ended, Completion::Answered(_));
        self.action.settle(Some((self.place, result)), may, now);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::response::Ending;

    #[test]
    fn there_is_one_result_for_each_capability_in_order() {
        let mut report = Report::default();
        report.device("pc".into(), true);
        report.capability("t.range".into(), "volume".into(), Ok(()));
        report.capability("t.\"odd\"".into(), String::new(), Err(code::INVALID_ACTION));
        report.device("gone".into(), false);
        report.capability("t.on_off".into(), "on".into(), Err(code::DEVICE_UNREACHABLE));
        report.device("nothing".into(), true);
        report.device("nobody".into(), false);
        let done = json!({ "status": "DONE" });
        let error = |code: &str| json!({ "status": "ERROR", "error_code": code });
        assert_eq!(
            serde_json::from_str::<Value>(&report.json()).unwrap(),
            json!({ "devices": [
                { "id": "pc", "capabilities": [
                    { "type": "t.range", "state": { "instance": "volume", "action_result": done } },
                    { "type": "t.\"odd\"", "state": { "instance": "", "action_result": error("INVALID_ACTION") } },
                ] },
                { "id": "gone", "capabilities": [
                    { "type": "t.on_off", "state": { "instance": "on", "action_result": error("DEVICE_UNREACHABLE") } },
                ] },
                { "id": "nothing", "capabilities": [] },
                { "id": "nobody", "action_result": error("DEVICE_UNREACHABLE") },
            ] })
        );
        assert_eq!(Report::default().json(), r#"{"devices":[]}"#);
    }

    #[test]
    fn an_answer_repeats_the_requests_id() {
        let text = |payload| {
            String::from_utf8(answer("r\"1", payload).into_bytes(Ending::Stays, false)).unwrap()
        };
        assert!(text(None).ends_with("\r\n\r\n{\"request_id\":\"r\\\"1\"}"));
        assert!(text(Some("{}")).ends_with("\r\n\r\n{\"request_id\":\"r\\\"1\",\"payload\":{}}"));
    }
}
