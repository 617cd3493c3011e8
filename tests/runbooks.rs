//! Built-in runbooks load.

use nodelift::runbook::Library;

#[test]
fn every_built_in_runbook_loads() {
    let library = Library::new(None);
    for (id, _) in library.list() {
        if let Err(e) = library.load(&id) {
            panic!("{id}:\n{e}");
        }
    }
    assert!(library.list().iter().any(|(id, _)| id == "azure-local-powershell"));
}
