"""The plaza's pure rules: orders, ledger, refunds, reconciliation."""
