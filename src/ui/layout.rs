//! Where everything stands. What is in a place at 80 columns is in the same place at 120; more room means more of the same.

use ratatui::layout::Rect;

/// The four panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pane {
    Nodes,
    Checks,
    Progress,
    Logs,
}

impl Pane {
    /// In the order of their keys.
    pub const ALL: [Pane; 4] = [Pane::Nodes, Pane::Checks, Pane::Progress, Pane::Logs];

    /// Name on the screen.
    pub fn title(self) -> &'static str {
        match self {
            Pane::Nodes => "Nodes",
            Pane::Checks => "Checks",
            Pane::Progress => "Progress",
            Pane::Logs => "Log",
        }
    }
}

/// Least size in which anything but a sentence is drawn.
pub const LEAST: (u16, u16) = (40, 10);

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// One line that says the size needed.
    Tiny,
    /// One pane at a time.
    Narrow,
    /// From 80×20 on: complete.
    Normal,
    /// From 160 columns on: the details of the selection stand beside the panes.
    Huge,
}

/// What a layout depends on beside the size.
#[derive(Clone, Copy, Debug)]
pub struct Wants {
    /// Nodes are being worked on.
    pub running: bool,
    pub focus: Pane,
    pub zoom: bool,
    /// Checks are a matrix, whose columns are the nodes: it takes their place too.
    pub matrix: bool,
    /// Columns that Nodes would like.
    pub nodes_width: u16,
    /// Rows that Nodes and Progress would like, borders included.
    pub nodes_height: u16,
    pub progress_height: u16,
}

/// Rectangles of one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub class: Class,
    pub header: Rect,
    /// Names of the panes, where only one is shown.
    pub tabs: Option<Rect>,
    pub panes: Vec<(Pane, Rect)>,
    pub details: Option<Rect>,
    pub advice: Rect,
    pub footer: Rect,
}

impl Layout {
    /// Where a pane is, if it is shown.
    pub fn pane(&self, pane: Pane) -> Option<Rect> {
        self.panes.iter().find(|(p, _)| *p == pane).map(|(_, r)| *r)
    }
}

/// The class of a size.
pub fn class(width: u16, height: u16) -> Class {
    match (width, height) {
        (w, h) if w < LEAST.0 || h < LEAST.1 => Class::Tiny,
        (w, h) if w < 80 || h < 20 => Class::Narrow,
        (w, _) if w < 160 => Class::Normal,
        _ => Class::Huge,
    }
}

/// Cuts `size` rows or columns off a side.
fn top(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let cut = Rect { height: rows, ..*area };
    area.y += rows;
    area.height -= rows;
    cut
}

fn bottom(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    area.height -= rows;
    Rect { y: area.y + area.height, height: rows, ..*area }
}

fn left(area: &mut Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    let cut = Rect { width: columns, ..*area };
    area.x += columns;
    area.width -= columns;
    cut
}

fn right(area: &mut Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    area.width -= columns;
    Rect { x: area.x + area.width, width: columns, ..*area }
}

/// Divides a frame.
pub fn layout(area: Rect, wants: Wants) -> Layout {
    let class = class(area.width, area.height);
    let mut body = area;
    let header = top(&mut body, 1);
    let footer = bottom(&mut body, 1);
    let advice = match area.height {
        // What survives if something dies now needs two rows of its own.
        36.. if wants.running => 3,
        24.. => 2,
        _ => 1,
    };
    let advice = bottom(&mut body, advice);
    let mut out = Layout { class, header, tabs: None, panes: Vec::new(), details: None, advice, footer };
    if class == Class::Tiny {
        return out;
    }
    if class == Class::Narrow {
        out.tabs = Some(top(&mut body, 1));
        out.panes.push((wants.focus, body));
        return out;
    }
    if wants.zoom {
        out.panes.push((wants.focus, body));
        return out;
    }
    if class == Class::Huge {
        out.details = Some(right(&mut body, details_width(area.width)));
    }
    out.panes = if wants.running { during(body, wants) } else { before(body, wants) };
    out
}

/// Columns of the details beside the panes.
fn details_width(width: u16) -> u16 {
    (width * 2 / 5).min(88)
}

/// Columns that Progress will have: its height depends on them.
pub fn progress_width(width: u16, running: bool) -> u16 {
    let body = if width >= 160 { width - details_width(width) } else { width };
    if running || width < 80 { body } else { body * 2 / 5 }
}

/// Columns of the left pane.
fn left_width(body: Rect, wants: Wants) -> u16 {
    wants.nodes_width.clamp(body.width * 2 / 5, body.width / 2)
}

/// Nodes and Checks over the log; the plan under Nodes where there is room, or in place of Checks when it is asked for.
fn before(mut body: Rect, wants: Wants) -> Vec<(Pane, Rect)> {
    // A matrix has a row for every check: the log makes room for it.
    let rows = if wants.matrix { (body.height / 6).clamp(5, 10) } else { (body.height / 3).clamp(5, 20) };
    let rows = rows.min(body.height.saturating_sub(12));
    let logs = bottom(&mut body, rows);
    if wants.matrix {
        return vec![(Pane::Checks, body), (Pane::Logs, logs)];
    }
    let columns = left_width(body, wants);
    let mut nodes = left(&mut body, columns);
    let mut panes = Vec::new();
    let spare = nodes.height.saturating_sub(wants.nodes_height.max(8));
    let big = if spare >= wants.progress_height.min(8) {
        panes.push((Pane::Progress, bottom(&mut nodes, spare.min(wants.progress_height))));
        Pane::Checks
    } else if wants.focus == Pane::Progress {
        Pane::Progress
    } else {
        Pane::Checks
    };
    panes.extend([(Pane::Nodes, nodes), (big, body), (Pane::Logs, logs)]);
    panes.sort_by_key(|(p, _)| *p);
    panes
}

/// Progress over Nodes and Checks over the log.
fn during(mut body: Rect, wants: Wants) -> Vec<(Pane, Rect)> {
    const LEAST_LOG: u16 = 4;
    const LEAST_MIDDLE: u16 = 6;
    let most = body.height.saturating_sub(LEAST_LOG + LEAST_MIDDLE);
    let progress = top(&mut body, wants.progress_height.clamp(6, most.max(6)));
    let most = body.height.saturating_sub(LEAST_LOG).min(body.height * 3 / 5).max(LEAST_MIDDLE);
    let rows = wants.nodes_height.max(body.height * 9 / 20).clamp(LEAST_MIDDLE, most);
    let mut middle = top(&mut body, rows);
    if wants.matrix {
        return vec![(Pane::Checks, middle), (Pane::Progress, progress), (Pane::Logs, body)];
    }
    let columns = left_width(middle, wants);
    let nodes = left(&mut middle, columns);
    vec![(Pane::Nodes, nodes), (Pane::Checks, middle), (Pane::Progress, progress), (Pane::Logs, body)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_fill_the_body_and_never_overlap() {
        for width in 0..=220u16 {
            for height in 0..=64u16 {
                for running in [false, true] {
                    for focus in Pane::ALL {
                        for (nodes, progress) in [(8, 8), (30, 30)] {
                            let wants = Wants {
                                running,
                                focus,
                                zoom: false,
                                matrix: focus == Pane::Checks && progress == 30,
                                nodes_width: 33,
                                nodes_height: nodes,
                                progress_height: progress,
                            };
                            let area = Rect::new(0, 0, width, height);
                            let l = layout(area, wants);
                            let mut rects: Vec<Rect> = l.panes.iter().map(|(_, r)| *r).collect();
                            rects.extend([l.header, l.footer, l.advice]);
                            rects.extend(l.tabs);
                            rects.extend(l.details);
                            let cells: u32 = rects.iter().map(|r| r.area()).sum();
                            for (i, a) in rects.iter().enumerate() {
                                assert_eq!(area.intersection(*a), *a, "{width}×{height}");
                                assert!(rects.iter().skip(i + 1).all(|b| !a.intersects(*b)), "{width}×{height}");
                            }
                            if l.class != Class::Tiny {
                                assert_eq!(cells, area.area(), "{width}×{height} {running} {focus:?}");
                                assert!(l.pane(focus).is_some(), "{width}×{height} {running} {focus:?}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_in_a_place_at_80_columns_is_in_the_same_place_at_120() {
        let order = |width, height, running| {
            let wants = Wants {
                running,
                focus: Pane::Checks,
                zoom: false,
                matrix: false,
                nodes_width: 33,
                nodes_height: 12,
                progress_height: 10,
            };
            let l = layout(Rect::new(0, 0, width, height), wants);
            let at = |p| l.pane(p).map(|r| (r.y, r.x)).unwrap();
            let mut panes = [Pane::Nodes, Pane::Checks, Pane::Logs];
            panes.sort_by_key(|p| at(*p));
            panes
        };
        for running in [false, true] {
            assert_eq!(order(80, 24, running), order(120, 40, running));
            assert_eq!(order(80, 24, running), order(200, 60, running));
        }
    }
}
