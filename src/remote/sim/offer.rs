//! What the update service offers a node.

use serde_json::{Value as Json, json};

use super::world::{Fields, World, guid};

/// The plug-in of this upgrade.
pub(super) const ROLLING: &str = "Microsoft.RollingUpgradePlugin";

/// The plug-in that installs what Windows Update offers.
pub(super) const QUALITY: &str = "Microsoft.WindowsUpdatePlugin";

/// Build that is installed where the update names none.
pub(super) const DEFAULT_TARGET: f64 = 25398.0;

/// Updates for one node, or why it could not be asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Offer {
    pub updates: Vec<Json>,
    pub error: Option<String>,
    pub mock: bool,
}

impl World {
    /// What a plug-in offers a node.
    pub(super) fn offer(&self, node: &str, plugin: &str, arguments: &Json) -> Offer {
        if plugin == ROLLING { self.feature_offer(node, arguments) } else { self.quality_offer(node, arguments) }
    }

    fn feature_offer(&self, node: &str, arguments: &Json) -> Offer {
        if says_yes(arguments, "MockSetup") {
            let update = json!({"id": guid("mock"), "title": "Mock setup"});
            return Offer { updates: vec![update], mock: true, ..Offer::default() };
        }
        let m = self.machine(node);
        let build = m.get("os").and_then(|o| o.number("build")).unwrap_or(0.0);
        if argument(arguments, "WuConnected").is_some() && !says_yes(arguments, "WuConnected") {
            return self.media_offer(node, build, argument(arguments, "PathToSetupMedia").unwrap_or_default());
        }
        let service = self.top("update_service");
        if service.get("reachable") == Some(&Json::Bool(false)) {
            return timed_out();
        }
        let update = service.get("feature_update").filter(|u| u.is_object());
        let Some(update) = update.filter(|_| !service.truth("wsus")) else {
            return Offer::default();
        };
        let target = update.number("target_build").unwrap_or(DEFAULT_TARGET);
        if build >= target || !self.is_offered(node, update) {
            return Offer::default();
        }
        Offer { updates: vec![update.clone()], ..Offer::default() }
    }

    fn media_offer(&self, node: &str, build: f64, path: &str) -> Offer {
        let bare = |p: &str| p.trim_end_matches(['\\', '/']).to_lowercase();
        let media = match self.top("media") {
            Json::Array(a) => a.iter().find(|e| {
                let here =
                    e.text("machine").is_none_or(|m| m.eq_ignore_ascii_case(node)) || path.starts_with("\\\\");
                here && e.text("path").is_some_and(|p| bare(p) == bare(path)) && !path.is_empty()
            }),
            _ => None,
        };
        let Some(media) = media else {
            let error = format!("Could not find the setup media at path '{path}' on node '{node}'.");
            return Offer { error: Some(error), ..Offer::default() };
        };
        let languages = [media.list("languages"), media.list("language")].concat();
        let own = self.machine(node).get("os").and_then(|o| o.text("language"));
        if !languages.is_empty() && own.is_some_and(|l| !languages.iter().any(|x| x.as_str() == Some(l))) {
            let error = format!("Windows Setup returned 0xC1900204 on node '{node}'.");
            return Offer { error: Some(error), ..Offer::default() };
        }
        let target = media.number("build").unwrap_or(DEFAULT_TARGET);
        if build >= target {
            return Offer::default();
        }
        let version = if target >= 26100.0 { "24H2" } else { "23H2" };
        let update = json!({
            "id": guid(&format!("media|{}", media.text("path").unwrap_or_default())),
            "title": format!("Feature update to Azure Stack HCI, version {version}"),
            "target_build": target as u64, "target_ubr": media.get("ubr"), "display_version": version,
        });
        Offer { updates: vec![update], ..Offer::default() }
    }

    fn quality_offer(&self, node: &str, arguments: &Json) -> Offer {
        let service = self.top("update_service");
        if service.get("reachable") == Some(&Json::Bool(false)) {
            return timed_out();
        }
        let m = self.machine(node);
        let hardware = argument(arguments, "QueryString").is_some_and(|q| q.contains("Driver"));
        let build = m.get("os").and_then(|o| o.number("build")).unwrap_or(0.0);
        let has = |list: &str, id: Option<&Json>| id.is_some_and(|id| m.list(list).contains(&id));
        let updates = service
            .list("quality_updates")
            .into_iter()
            .filter(|u| u.truth("hardware") == hardware)
            .filter(|u| !has("hotfixes", u.get("kb")) && !has("installed_updates", u.get("id")))
            .filter(|u| self.is_offered(node, u))
            .filter(|u| u.number("for_build").is_none_or(|b| b == build))
            .cloned()
            .collect();
        Offer { updates, ..Offer::default() }
    }

    fn is_offered(&self, node: &str, update: &Json) -> bool {
        match self.machine(node).get("wua").and_then(|w| w.get("offered")) {
            None | Some(Json::Null) => true,
            Some(list) => list.as_array().is_some_and(|l| update.get("id").is_some_and(|id| l.contains(id))),
        }
    }
}

fn timed_out() -> Offer {
    Offer { error: Some("Exception from HRESULT: 0x80072EE2".into()), ..Offer::default() }
}

/// An argument of a plug-in, whatever the case of its name.
fn argument<'a>(arguments: &'a Json, name: &str) -> Option<&'a str> {
    arguments.as_object()?.iter().find(|(k, _)| k.eq_ignore_ascii_case(name))?.1.as_str()
}

/// `true`, `1` or `yes`.
pub(super) fn says_yes(arguments: &Json, name: &str) -> bool {
    argument(arguments, name).is_some_and(|v| ["true", "1", "yes"].iter().any(|y| v.eq_ignore_ascii_case(y)))
}
