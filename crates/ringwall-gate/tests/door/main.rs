//! Doors by themselves, without any web framework.

#[cfg(test)]
mod asking;
#[cfg(test)]
mod authorization;
#[cfg(test)]
mod binding;
#[cfg(test)]
mod building;
#[cfg(test)]
mod challenges;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod deciding;
#[cfg(test)]
mod demands;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod organisations;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod subjects;
#[cfg(test)]
mod support;
#[cfg(test)]
mod telling;
#[cfg(test)]
mod waiting;
