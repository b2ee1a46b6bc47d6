//! `agent-backend member`.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use ringwall_core::secret::SecretString;
use ringwall_gate::authz::SubjectDirectory;
use ringwall_postgres::{PostgresConfig, PostgresDatabase, PostgresDirectory};

use crate::authorization;
use crate::cli::MemberArgs;
use crate::credentials;
use crate::postgres::SCHEMA;

/// Gives roles and departments, and says what the member is then.
#[expect(
    clippy::print_stdout,
    reason = "what the member is now is the program's answer"
)]
pub(crate) fn run(args: &MemberArgs) -> Result<(), Box<dyn Error>> {
    let policy = authorization::policy()?;
    let roles = &policy.document().roles;
    if let Some(unknown) = args
        .role
        .iter()
        .find(|role| !roles.contains_key(role.as_str()))
    {
        let known: Vec<&str> = roles.keys().map(String::as_str).collect();
        return Err(format!("there is no role {unknown}; there are {}", known.join(", ")).into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let facts = runtime.block_on(async {
        let directory: Arc<dyn SubjectDirectory> = match &args.postgres {
            Some(url) => Arc::new(in_postgres(url, args.password_file.as_deref()).await?),
            None => Arc::new(credentials::directory_of(&args.data_dir).await?),
        };
        let (org, subject) = (&args.org, &args.sub);
        for role in &args.role {
            directory.grant_role(org, subject, role.as_str()).await?;
        }
        for name in &args.department {
            directory.add_department(org, subject, name).await?;
        }
        Ok::<_, Box<dyn Error>>(directory.facts(org, subject).await?)
    })?;
    println!("{} in {}", args.sub, args.org);
    println!("  roles        {}", facts.roles.join(", "));
    println!("  departments  {}", facts.departments.join(", "));
    Ok(())
}

async fn in_postgres(
    url: &str,
    password_file: Option<&Path>,
) -> Result<PostgresDirectory, Box<dyn Error>> {
    let mut config = PostgresConfig::from_url(&SecretString::new(url.to_owned()))?;
    if let Some(file) = password_file {
        let password = std::fs::read_to_string(file)?;
        config = config.password(SecretString::new(password.trim_end().to_owned()));
    }
    let database = PostgresDatabase::open(config.schema(SCHEMA)).await?;
    database.migrations().migrate().await?;
    Ok(PostgresDirectory::open(&database).await?)
}
