//! When the service does not start.

use std::error::Error;
use std::fs;
use std::path::Path;

use ringwall_authn::TokenIssuer;

use crate::dev_issuer;
use crate::tour::Tour;
use crate::tour::outside::{AUDIENCE, ISSUER, new_key};
use crate::tour::service;

pub(crate) async fn run(tour: &mut Tour, dev_data: &Path) -> Result<(), Box<dyn Error>> {
    tour.area("Refusing to start");
    refused(
        tour,
        "nothing is set",
        &["serve"],
        &["data_dir", "tokens.audience", "tokens.issuer"],
    )
    .await?;
    let anywhere = ["serve", "--dev", "--listen", "0.0.0.0:0"];
    refused(
        tour,
        "--dev, where other machines can reach it",
        &anywhere,
        &["listen"],
    )
    .await?;

    let jwks = tour.folder.join("copied-jwks.json");
    fs::write(&jwks, dev_issuer::open(dev_data)?.jwks())?;
    let copied = config(&jwks, &tour.folder.join("fresh"), ISSUER, "");
    refused_file(
        tour,
        "the keys of a development issuer, copied",
        &copied,
        &["tokens.jwks_file"],
    )
    .await?;
    let renamed = fs::read_to_string(&jwks)?.replace(dev_issuer::KEY_ID, "production");
    fs::write(&jwks, renamed)?;
    let renamed = config(&jwks, dev_data, ISSUER, "");
    refused_file(
        tour,
        "the same under another id, in the data folder of --dev",
        &renamed,
        &["data_dir", "tokens.jwks_file"],
    )
    .await?;
    let missing = tour.folder.join("missing.json");
    let all = config(
        &missing,
        dev_data,
        dev_issuer::ISSUER,
        "profile = \"development\"\nlisten_on = 1\n",
    );
    refused_file(
        tour,
        "everything wrong at once",
        &all,
        &[
            "data_dir",
            "listen_on",
            "profile",
            "tokens.issuer",
            "tokens.jwks_file",
        ],
    )
    .await?;
    let watched = format!(
        "{}[metrics]\nlisten = \"0.0.0.0:0\"\n",
        config(
            &tour.folder.join("missing.json"),
            &tour.folder.join("fresh"),
            ISSUER,
            ""
        ),
    );
    refused_file(
        tour,
        "metrics for other machines, without saying so",
        &watched,
        &["metrics.listen", "tokens.jwks_file"],
    )
    .await?;
    refused_file(tour, "no TOML", "= what?", &["configuration"]).await?;
    let nobody = "data_dir = \"fresh\"\nmodes = [\"none\"]\n";
    let tried = "production, and nobody is authenticated";
    refused_file(tour, tried, nobody, &["modes"]).await?;
    let good = tour.folder.join("good-jwks.json");
    let issuer = TokenIssuer::new(ISSUER, new_key("good")?);
    fs::write(&good, issuer.jwks())?;
    let unused = format!(
        "{}[api_keys]\nhash = \"sha256\"\n",
        config(&good, &tour.folder.join("fresh"), ISSUER, "")
    );
    let tried = "keys for programs, and nobody said that they are accepted";
    refused_file(tour, tried, &unused, &["api_keys"]).await?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = tour.folder.join("loose.toml");
        fs::write(&path, "")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
        let path = path.display().to_string();
        refused(
            tour,
            "a configuration that everybody may write",
            &["serve", "--config", &path],
            &["configuration"],
        )
        .await?;
    }
    Ok(())
}

fn config(jwks: &Path, data_dir: &Path, issuer: &str, more: &str) -> String {
    let text = |path: &Path| serde_json::Value::from(path.to_string_lossy()).to_string();
    format!(
        "{more}data_dir = {}\n[tokens]\nissuer = \"{issuer}\"\naudience = \"{AUDIENCE}\"\njwks_file = {}\n",
        text(data_dir),
        text(jwks),
    )
}

async fn refused_file(
    tour: &mut Tour,
    tried: &str,
    config: &str,
    fields: &[&str],
) -> Result<(), Box<dyn Error>> {
    let path = tour.folder.join("refused.toml");
    fs::write(&path, config)?;
    let path = path.display().to_string();
    refused(tour, tried, &["serve", "--config", &path], fields).await
}

/// Exit code 1, and these fields named, all of them and no other.
async fn refused(
    tour: &mut Tour,
    tried: &str,
    args: &[&str],
    fields: &[&str],
) -> Result<(), Box<dyn Error>> {
    let refusal = service::refusal(&tour.program, args, &tour.folder).await?;
    let lines = refusal
        .says
        .lines()
        .filter_map(|line| line.strip_prefix("  "));
    let mut named: Vec<_> = lines
        .filter_map(|line| Some(line.split_once(" (")?.0))
        .collect();
    named.sort_unstable();
    named.dedup();
    let code = refusal
        .code
        .map_or_else(|| "killed".to_owned(), |code| code.to_string());
    let expected = format!("exit 1: {}", fields.join(", "));
    tour.note(
        tried,
        expected,
        format!("exit {code}: {}", named.join(", ")),
    );
    Ok(())
}
