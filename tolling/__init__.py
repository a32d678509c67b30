"""Words of the toll lane: pure values and rules that every other room speaks in. Stdlib only."""
