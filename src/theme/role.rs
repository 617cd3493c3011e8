//! Roles: what a colour means. A role that a theme does not name looks like its parent.

macro_rules! roles {
    ($($role:ident $id:literal $(< $parent:ident)?;)+) => {
        /// What a piece of the screen means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Role {
            $(#[doc = $id] $role,)+
        }

        impl Role {
            /// All of them, parents first.
            pub const ALL: &[Role] = &[$(Role::$role),+];

            /// Name in a theme file.
            pub fn id(self) -> &'static str {
                match self { $(Role::$role => $id,)+ }
            }

            /// The role it looks like where a theme says nothing.
            pub fn parent(self) -> Option<Role> {
                match self { $(Role::$role => roles!(@parent $($parent)?),)+ }
            }
        }
    };
    (@parent) => { None };
    (@parent $parent:ident) => { Some(Role::$parent) };
}

roles! {
    Text "text";
    Muted "text.muted" < Text;
    Strong "text.strong" < Text;
    Disabled "text.disabled" < Muted;
    Heading "text.heading" < Strong;
    Code "text.code" < Text;
    Key "key" < Strong;
    Cluster "header.cluster" < Strong;
    Label "header.label" < Strong;
    Border "border" < Muted;
    BorderFocused "border.focused" < Text;
    Title "title" < Muted;
    TitleFocused "title.focused" < Strong;
    Selection "selection" < Text;
    SelectionIdle "selection.idle" < Text;
    Waiting "state.waiting" < Muted;
    Running "state.running" < Text;
    Done "state.done" < Text;
    Stale "state.stale" < Done;
    Attention "state.attention" < Strong;
    Failed "state.failed" < Strong;
    Paused "state.paused" < Attention;
    Unknown "state.unknown" < Attention;
    GaugeDone "gauge.done" < Done;
    GaugeNow "gauge.now" < Running;
    GaugeRest "gauge.rest" < Muted;
    Debug "level.debug" < Muted;
    Info "level.info" < Text;
    Warning "level.warning" < Attention;
    Error "level.error" < Failed;
    Hit "hit" < Selection;
    Advice "advice" < Text;
    Refused "refused" < Attention;
    Backdrop "backdrop" < Muted;
    Dialog "dialog" < Text;
    DialogBorder "dialog.border" < BorderFocused;
    Danger "dialog.danger" < Failed;
    Button "button" < Text;
    ButtonFocused "button.focused" < Selection;
    Field "field" < Text;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first() {
        for (i, role) in Role::ALL.iter().enumerate() {
            assert_eq!(*role as usize, i);
            assert!(role.parent().is_none_or(|p| (p as usize) < i), "{}", role.id());
        }
    }
}
