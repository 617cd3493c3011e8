//! An imitated site in this process: the demonstration.

use std::collections::BTreeMap;
use std::sync::Arc;

use color_eyre::eyre::{Result, eyre};
use serde_json::Value as Json;

use crate::core::name::NodeName;
use crate::core::plan::Plan;
use crate::engine::Clock;
use crate::remote::Host;
use crate::remote::sim::{Answers, SimHost, Site, World};
use crate::runbook::{self, Runbook};

/// The world of the demonstration.
pub const DEMO: &str = include_str!("../../config/demo.json");

/// The plan of a runbook for a world.
pub fn plan(runbook: &Runbook, world: &World) -> Result<Plan> {
    let coordinator = world.machines().into_iter().find(|m| world.machine(m)["role"] == "coordinator");
    let site = runbook::Site {
        cluster: world.top("cluster")["name"].as_str().unwrap_or_default().to_owned(),
        nodes: world.nodes().iter().map(|n| NodeName::new(n)).collect(),
        coordinator: coordinator.map(|c| NodeName::new(&c)),
        consoles: Default::default(),
        target: None,
        settings: [("task_account".to_owned(), Json::from("CORP\\upgradeadmin"))].into(),
        terms: Default::default(),
    };
    runbook.plan(&site).map_err(|e| eyre!(e))
}

/// What the simulator answers to the scripts of a runbook.
///
/// # Errors
/// A `.sim.toml` has a mistake: which one, and where.
pub fn answers(runbook: &Runbook) -> Result<Answers> {
    let mut answers = Answers::embedded().map_err(|e| eyre!(e))?;
    for (path, answer) in &runbook.answers {
        if let Some(script) = runbook.scripts.get(path) {
            answers.add(path, &script.text, answer).map_err(|e| eyre!(e))?;
        }
    }
    Ok(answers)
}

/// Every machine of a world, under the engine's clock.
pub fn hosts(runbook: &Runbook, world: World, clock: Clock) -> Result<BTreeMap<NodeName, Arc<dyn Host>>> {
    let answers = answers(runbook)?;
    let site = Site::new(world, answers, Arc::new(move || clock.now()), clock.scale());
    Ok(site
        .machines()
        .into_iter()
        .filter_map(|name| {
            let host: Arc<dyn Host> = Arc::new(SimHost::new(&site, &name)?);
            Some((NodeName::new(&name), host))
        })
        .collect())
}
