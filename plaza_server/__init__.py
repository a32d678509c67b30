"""The program of one plaza: orders, ledger, refunds, reconciliation and its API."""
