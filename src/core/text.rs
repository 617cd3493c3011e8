//! Characters that must not reach a person's eyes as they are, whatever they are shown on.

/// Whether a character hides, reorders, or looks like nothing.
pub fn hides(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'    // bidi, zero width
        | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{180e}' | '\u{00ad}'
        | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'                                          // fillers
        | '\u{fff9}'..='\u{fffb}'                                                                    // interlinear
        | '\u{e0000}'..='\u{e0fff}')
}
