//! Calls over D-Bus (D-Bus Specification 0.43), each with an end.

use std::time::{Duration, Instant};

use rustbus::connection::{Error, Timeout};
use rustbus::message_builder::{MarshalledMessage, MarshalledMessageBody, MessageBuilder};
use rustbus::signature::{Base, Type};
use rustbus::wire::marshal::traits::SignatureBuffer;
use rustbus::wire::unmarshal::traits::Variant;
use rustbus::wire::unmarshal::{UnmarshalContext, UnmarshalResult};
use rustbus::{MessageType, RpcConn, Signature, Unmarshal};

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Why a call has failed.
#[derive(Debug)]
pub enum BusError {
    NotThere,
    Refused,
    /// What came can't be read.
    Odd,
}

impl From<Error> for BusError {
    fn from(_: Error) -> Self {
        Self::NotThere
    }
}

/// A connection to a bus.
pub struct Bus(RpcConn);

/// An object of somebody's, by one of its interfaces.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    pub name: &'a str,
    pub path: &'a str,
    pub interface: &'a str,
}

impl Bus {
    /// Connects to the session's bus.
    /// It fails where there is none.
    pub fn session() -> Result<Self, BusError> {
        Ok(Self(RpcConn::session_conn(Timeout::Duration(TIMEOUT))?))
    }

    /// Connects to the system's bus.
    /// It fails where there is none.
    pub fn system() -> Result<Self, BusError> {
        Ok(Self(RpcConn::system_conn(Timeout::Duration(TIMEOUT))?))
    }

    /// Calls a method with what `push` puts into it. Returns the answer.
    ///
    /// # Errors
    /// Nobody answers, or it is an error.
    pub fn call(
        &mut self,
        object: Object<'_>,
        method: &str,
        push: impl FnOnce(&mut MarshalledMessageBody),
    ) -> Result<MarshalledMessage, BusError> {
        let Object { name, path, interface } = object;
        let builder = MessageBuilder::new().call(method).with_interface(interface);
        let mut call = builder.on(path).at(name).build();
        push(&mut call.body);
        let sent = self.0.send_message(&mut call)?.write_all();
        let serial = sent.map_err(|(_, error)| BusError::from(error))?;
        let answer = self.0.wait_response(serial, Timeout::Duration(TIMEOUT))?;
        match (answer.typ, answer.dynheader.error_name.as_deref()) {
            (MessageType::Error, Some(name)) if is_absence(name) => Err(BusError::NotThere),
            (MessageType::Error, _) => Err(BusError::Refused),
            _ => Ok(answer),
        }
    }

    /// Returns a property of an object.
    ///
    /// # Errors
    /// As [`Bus::call`]; or it is of another type.
    pub fn property<T: for<'a, 'b> Unmarshal<'a, 'b>>(
        &mut self,
        object: Object<'_>,
        property: &str,
    ) -> Result<T, BusError> {
        let properties = Object { interface: "org.freedesktop.DBus.Properties", ..object };
        let answer = self.call(properties, "Get", |body| {
            // Texts always fit.
            let _ = body.push_param2(object.interface, property);
        })?;
        let value: Variant<'_, '_> = answer.body.parser().get().map_err(|_| BusError::Odd)?;
        value.get().map_err(|_| BusError::Odd)
    }

    /// Has the changes of this object's properties told by [`Bus::wait_for_change`].
    /// Its errors are those of [`Bus::call`].
    pub fn watch(&mut self, object: Object<'_>) -> Result<(), BusError> {
        let rule = format!(
            "type='signal',interface='org.freedesktop.DBus.Properties',sender='{}',path='{}'",
            object.name, object.path
        );
        self.call(BUS, "AddMatch", |body| _ = body.push_param(&*rule)).map(drop)
    }

    /// Waits for a change, but not beyond `until`. Returns whether there may be one.
    pub fn wait_for_change(&mut self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        !left.is_zero() && self.0.wait_signal(Timeout::Duration(left)).is_ok()
    }

    /// Returns the names on the bus that begin so, in their order.
    /// Its errors are those of [`Bus::call`].
    pub fn names(&mut self, prefix: &str) -> Result<Vec<String>, BusError> {
        let answer = self.call(BUS, "ListNames", |_| {})?;
        let names: Vec<String> = answer.body.parser().get().map_err(|_| BusError::Odd)?;
        let mut names: Vec<_> = names.into_iter().filter(|name| name.starts_with(prefix)).collect();
        names.sort();
        Ok(names)
    }
}

/// A number with a fraction, which rustbus knows only by its bits.
pub struct Double(pub f64);

impl Signature for Double {
    fn signature() -> Type {
        Type::Base(Base::Double)
    }

    fn alignment() -> usize {
        u64::alignment()
    }

    fn sig_str(signature: &mut SignatureBuffer) {
        signature.push_static("d");
    }

    fn has_sig(signature: &str) -> bool {
        signature.starts_with('d')
    }
}

impl<'buf, 'fds> Unmarshal<'buf, 'fds> for Double {
    fn unmarshal(context: &mut UnmarshalContext<'fds, 'buf>) -> UnmarshalResult<Self> {
        u64::unmarshal(context).map(|(read, bits)| (read, Self(f64::from_bits(bits))))
    }
}

/// The bus itself.
const BUS: Object<'static> =
    Object { name: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };

fn is_absence(error: &str) -> bool {
    matches!(error.strip_prefix("org.freedesktop.DBus.Error."), Some("ServiceUnknown" | "NameHasNoOwner" | "NoReply"))
}
