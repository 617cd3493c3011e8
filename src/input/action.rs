//! Every action, declared once: the footer, the help and the keymap are made from this table.

use crate::core::plan::Tier;

/// Where an action works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Wherever nothing more particular takes the key.
    Global,
    Nodes,
    Checks,
    Logs,
    /// A text to read: help, details.
    Reader,
    /// A question.
    Dialog,
    /// A journal that is played.
    Replay,
}

impl Scope {
    /// All of them, in the order of the help.
    pub const ALL: [Scope; 7] =
        [Scope::Global, Scope::Nodes, Scope::Checks, Scope::Logs, Scope::Reader, Scope::Dialog, Scope::Replay];

    /// Name in a keys file.
    pub fn word(self) -> &'static str {
        match self {
            Scope::Global => "global",
            Scope::Nodes => "nodes",
            Scope::Checks => "checks",
            Scope::Logs => "logs",
            Scope::Reader => "reader",
            Scope::Dialog => "dialog",
            Scope::Replay => "replay",
        }
    }

    /// Heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Scope::Global => "Everywhere",
            Scope::Nodes => "In Nodes",
            Scope::Checks => "In Checks",
            Scope::Logs => "In Log",
            Scope::Reader => "In help and details",
            Scope::Dialog => "In a question",
            Scope::Replay => "While a journal is played",
        }
    }
}

/// What a group of actions is for, as the help shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Prepare,
    Run,
    Look,
    Screen,
}

impl Group {
    /// All of them, in the order of the help.
    pub const ALL: [Group; 4] = [Group::Prepare, Group::Run, Group::Look, Group::Screen];

    /// Heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Group::Prepare => "Get ready",
            Group::Run => "Upgrade",
            Group::Look => "Look closer",
            Group::Screen => "Screen",
        }
    }
}

/// One action, as people see it.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub action: Action,
    /// Name in a keys file.
    pub id: &'static str,
    /// One or two words for the footer.
    pub title: &'static str,
    /// One line for the help.
    pub doc: &'static str,
    pub group: Group,
    pub scopes: &'static [Scope],
    /// The first one is shown.
    pub keys: &'static [&'static str],
    /// How a person agrees before it changes anything.
    pub tier: Tier,
}

macro_rules! actions {
    ($($action:ident $id:literal $title:literal $doc:literal $group:ident [$($scope:ident)+] [$($key:literal)+] $tier:ident)+) => {
        /// What a key can do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $(#[doc = $doc] $action,)+
        }

        /// The table.
        pub const ACTIONS: &[Spec] = &[
            $(Spec {
                action: Action::$action,
                id: $id,
                title: $title,
                doc: $doc,
                group: Group::$group,
                scopes: &[$(Scope::$scope),+],
                keys: &[$($key),+],
                tier: Tier::$tier,
            },)+
        ];
    };
}

actions! {
    Connect "connect" "connect" "Connect again to machines in trouble; changes nothing there" Prepare [Global] ["C"] T0
    CheckAll "check-all" "check all" "Read and judge every readiness check; changes nothing" Prepare [Global] ["c"] T0
    RetryCheck "retry-check" "retry" "Read again what the selected check needs" Prepare [Checks Reader] ["r"] T0
    RetryNode "retry-node" "retry machine" "Read again whatever is judged about the selected machine" Prepare [Nodes] ["r"] T0
    RetryFailed "retry-failed" "retry failed" "Read again whatever is not good" Prepare [Global] ["R"] T0
    Fix "fix" "fix" "Mend the selected check, after naming what changes" Prepare [Checks Reader] ["f"] T2
    FixAll "fix-all" "fix all" "Mend all that can be mended, after naming every change" Prepare [Global] ["F"] T2
    Attest "attest" "confirm" "Confirm what no script can tell, after reading its question" Prepare [Checks Reader] ["a"] T1
    Waive "waive" "waive" "Take a blocker upon yourself, with a reason and an end" Prepare [Checks Reader] ["w"] T2
    AcceptChanges "accept-changes" "accept" "Accept what the upgrade changed on a machine, with a reason" Prepare [Nodes] ["w"] T2

    Start "start" "start" "Start the upgrade, after a question" Run [Global] ["s"] T2
    Pause "pause" "pause" "Finish the node in work, then pause" Run [Global] ["p"] T2
    Resume "resume" "resume" "Go on with a paused run" Run [Global] ["u"] T2
    Stop "stop" "stop" "Finish the node in work, then end the run" Run [Global] ["S"] T2
    Revise "revise" "other driver" "Let another driver move the nodes that are left, after a question" Run [Global] ["D"] T2
    Commit "commit" "commit" "Open the next step that waits for you" Run [Global] ["m"] T3
    Defer "defer" "leave for later" "End the run without the steps that cannot be undone" Run [Global] ["d"] T2
    Recover "recover" "clear the run" "Clear a run that its driver left, after its proof, typed" Run [Global] ["X"] T3
    TakeControl "take-control" "take control" "Take control over: one screen at a time may change the run" Run [Global] ["T"] T0
    OfferControl "offer-control" "offer control" "Offer control to whoever takes it, or keep it" Run [Global] ["O"] T0
    Abandon "abandon" "give up" "Leave the run as it is: nothing more is sent anywhere; typed" Run [Global] ["A"] T3
    Outcome "outcome" "outcome" "What was done, how long it took, what is left" Run [Global] ["o"] T0
    Report "report" "report" "Write the report of this run beside its journal, and say where" Run [Global] ["W"] T0

    Details "details" "details" "Why: evidence, rule, script and answer behind what is selected" Look [Global] ["i" "enter"] T0
    Attention "attention" "needs you" "Straight to what waits for you: a machine, a node, a blocker" Look [Global] ["!"] T0
    Copy "copy" "copy" "Copy the command, or the text that is shown" Look [Reader Logs Checks] ["y"] T0
    Matrix "matrix" "matrix or list" "As a matrix of checks and machines, or as a list" Look [Checks] ["v"] T0
    Group "group" "group" "Group by urgency, by area, or by machine" Look [Checks] ["b"] T0
    Filter "filter" "filter" "Only one kind of answer, the worst first; esc shows all again" Look [Checks] ["e"] T0
    Search "search" "search" "Search the log; in Checks: only what holds a text" Look [Logs Checks] ["/"] T0
    NextHit "next-hit" "next" "Next hit, further down" Look [Logs] ["n"] T0
    PreviousHit "previous-hit" "previous" "Next hit, further up" Look [Logs] ["N"] T0
    AllLogs "all-logs" "all or one" "All logs, or the one of the selected machine" Look [Logs] ["a"] T0
    Up "up" "up" "One up" Look [Global Reader] ["up" "k"] T0
    Down "down" "down" "One down" Look [Global Reader] ["down" "j"] T0
    Left "left" "left" "To the left; in details: the machine before" Look [Global Reader] ["left" "h"] T0
    Right "right" "right" "To the right; in details: the machine after" Look [Global Reader] ["right" "l"] T0
    PageUp "page-up" "page up" "One page up" Look [Global Reader] ["pgup" "ctrl-u"] T0
    PageDown "page-down" "page down" "One page down" Look [Global Reader] ["pgdn" "ctrl-d"] T0
    First "first" "first" "To the beginning" Look [Global Reader] ["g" "home"] T0
    Last "last" "last" "To the end; in the log: follow again" Look [Global Reader] ["G" "end"] T0

    Nodes "nodes" "nodes" "To the pane Nodes" Screen [Global] ["1"] T0
    Checks "checks" "checks" "To the pane Checks" Screen [Global] ["2"] T0
    Progress "progress" "progress" "To the pane Progress" Screen [Global] ["3"] T0
    Logs "logs" "log" "To the pane Log" Screen [Global] ["4"] T0
    NextPane "next-pane" "next pane" "To the next pane" Screen [Global] ["tab"] T0
    PreviousPane "previous-pane" "previous pane" "To the pane before" Screen [Global] ["shift-tab"] T0
    Zoom "zoom" "zoom" "The pane alone, and back" Screen [Global] ["z"] T0
    Help "help" "help" "All keys, and what the signs mean" Screen [Global Reader] ["?"] T0
    Theme "theme" "theme" "The next theme" Screen [Global] ["t"] T0
    Back "back" "back" "One step back; never leaves" Screen [Global Reader] ["esc"] T0
    Redraw "redraw" "redraw" "Draw the whole screen again" Screen [Global Reader Dialog] ["ctrl-l"] T0
    Suspend "suspend" "suspend" "Back to the shell; fg returns" Screen [Global Reader Dialog] ["ctrl-z"] T0
    Leave "leave" "leave" "Leave the screen" Screen [Global Reader] ["q"] T0

    Yes "yes" "yes" "Do what the question names" Screen [Dialog] ["y"] T0
    No "no" "no" "Do nothing" Screen [Dialog] ["n" "esc"] T0
    Accept "accept" "accept" "What is focused; at first that is to do nothing" Screen [Dialog] ["enter"] T0
    NextField "next-field" "next" "To the next field or button" Screen [Dialog] ["tab" "right" "down"] T0
    PreviousField "previous-field" "previous" "To the field or button before" Screen [Dialog] ["shift-tab" "left" "up"] T0

    ReplayPause "replay-pause" "pause" "Stop playing, or go on" Screen [Replay] ["space"] T0
    ReplayStep "replay-step" "step" "One event further" Screen [Replay] ["."] T0
    ReplayFaster "replay-faster" "faster" "Play faster" Screen [Replay] ["+" "="] T0
    ReplaySlower "replay-slower" "slower" "Play slower" Screen [Replay] ["-"] T0
    ReplayEnd "replay-end" "to the end" "Play all of it at once" Screen [Replay] [">"] T0
}

impl Action {
    /// Its row in the table.
    pub fn spec(self) -> &'static Spec {
        // The macro makes the table in the order of the variants.
        &ACTIONS[self as usize]
    }

    /// The action of that id.
    pub fn named(id: &str) -> Option<Self> {
        ACTIONS.iter().find(|s| s.id == id).map(|s| s.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_ids_differ() {
        for (i, spec) in ACTIONS.iter().enumerate() {
            assert_eq!(spec.action as usize, i);
            assert_eq!(ACTIONS.iter().filter(|s| s.id == spec.id).count(), 1, "{}", spec.id);
            assert!(spec.title.chars().count() <= 15 && spec.doc.chars().count() <= 66, "{}", spec.id);
        }
    }
}
