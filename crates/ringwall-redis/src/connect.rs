//! From a configuration to a connection whose server was looked at.

use core::future::Future;
use core::pin::Pin;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo, Value};
use ringwall_core::clock::Timestamp;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cluster::{self, Node, Slots};
use crate::error::TooSlow;
use crate::server::Facts;
use crate::{Error, RedisConfig};

/// What moves bytes between the connection's handles and the socket. It ends when the connection does.
pub(crate) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How many times a command's time-out a connection may take: it is several exchanges, and nobody
/// waits for it.
const PATIENCE: u32 = 10;
/// How many times a command's time-out a look at the server may take, behind the commands of others.
const LOOK_PATIENCE: u32 = 4;

/// Connects, encrypts, authenticates. Each claim has a time-out of its own, so the client library
/// gets none.
pub(crate) async fn open(
    config: &RedisConfig,
    node: &Node,
) -> Result<(MultiplexedConnection, Driver), Error> {
    config.check_node(node)?;
    let limit = config.timeout.saturating_mul(PATIENCE);
    let connection = timeout(limit, async {
        let stream = TcpStream::connect((node.host.as_str(), node.port))
            .await
            .map_err(Error::unreachable)?;
        stream.set_nodelay(true).map_err(Error::unreachable)?;
        encrypted(config, node, stream).await
    })
    .await;
    connection.map_err(|_| Error::unreachable(TooSlow))?
}

#[cfg(feature = "tls")]
async fn encrypted(
    config: &RedisConfig,
    node: &Node,
    stream: TcpStream,
) -> Result<(MultiplexedConnection, Driver), Error> {
    use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

    let Some(tls) = &config.tls else {
        return authenticated(config, stream).await;
    };
    let name = ServerName::try_from(node.host.clone())
        .map_err(|_| Error::Configuration("the host is no name that a certificate can have"))?;
    let stream = TlsConnector::from(tls.config())
        .connect(name, stream)
        .await
        .map_err(Error::unreachable)?;
    authenticated(config, stream).await
}

#[cfg(not(feature = "tls"))]
async fn encrypted(
    config: &RedisConfig,
    _node: &Node,
    stream: TcpStream,
) -> Result<(MultiplexedConnection, Driver), Error> {
    authenticated(config, stream).await
}

async fn authenticated<S>(
    config: &RedisConfig,
    stream: S,
) -> Result<(MultiplexedConnection, Driver), Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    // Without the library's introduction, which needs one more permission.
    let mut info = RedisConnectionInfo::default()
        .set_db(i64::from(config.database))
        .set_protocol(ProtocolVersion::RESP2)
        .set_skip_set_lib_name();
    if let Some(user) = &config.user {
        info = info.set_username(user);
    }
    if let Some(password) = &config.password {
        info = info.set_password(password.expose());
    }
    let options = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_pipeline_buffer_size(config.in_flight);
    let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, options)
        .await
        .map_err(Error::of_redis)?;
    Ok((connection, Box::pin(driver)))
}

/// Asks a node of a cluster which one serves `slot`, and whether it is that one; the driver must be polled
/// meanwhile.
pub(crate) async fn find(
    config: &RedisConfig,
    slot: u16,
    node: &Node,
    connection: &mut MultiplexedConnection,
) -> Result<(Slots, bool), Error> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("CLUSTER").arg("SLOTS");
    pipeline.cmd("CLUSTER").arg("MYID");
    pipeline.cmd("CLUSTER").arg("INFO");
    let limit = config.timeout.saturating_mul(LOOK_PATIENCE);
    let answers = timeout(limit, connection.req_packed_commands(&pipeline, 0, 3)).await;
    let answers = answers.map_err(|_| Error::unreachable(TooSlow))?;
    let answers = answers.map_err(Error::of_redis)?;
    let [slots, Value::BulkString(id), Value::BulkString(info)] = answers.as_slice() else {
        return Err(Error::Unsafe(
            "it does not answer as a node of a cluster does",
        ));
    };
    // One that is cut off from the others believes that all is as it was.
    if !cluster::is_whole(info) {
        return Err(Error::unreachable(Unserved));
    }
    let slots = cluster::read(slots, slot, node).ok_or(Error::unreachable(Unserved))?;
    let is_owner = slots.owner_id.as_bytes() == id.as_slice();
    Ok((slots, is_owner))
}

/// Nobody serves the slot at the moment.
#[derive(Debug, thiserror::Error)]
#[error("no node of the cluster serves the slot of the keys")]
struct Unserved;

/// Asks the server about itself; the driver must be polled meanwhile. Answers with the time at which
/// the answer came.
pub(crate) async fn look(
    config: &RedisConfig,
    connection: &mut MultiplexedConnection,
) -> Result<(Facts, Timestamp), Error> {
    let command = redis::cmd("INFO");
    let info = timeout(
        config.timeout.saturating_mul(LOOK_PATIENCE),
        connection.req_packed_command(&command),
    )
    .await
    .map_err(|_| Error::unreachable(TooSlow))?
    .map_err(Error::of_redis)?;
    let now = config.clock.now().map_err(Error::unreachable)?;
    let Value::BulkString(bytes) = info else {
        return Err(Error::Unsafe("it does not answer as Redis does"));
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok((Facts::read(&text, now, config.cluster_node)?, now))
}
