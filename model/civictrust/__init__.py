"""CivicTrust: a cluster that issues signed documents and keeps them on a replicated log.

Reading order: `document.py` (what is issued), `keys.py` (who signs), `store.py` and `intents.py` (what a node keeps besides the log),
`ledger.py` (what the log means), `node.py` (the program), `recovery.py` (what a crash leaves and how it is made whole).
`scenario.py`, `invariants.py` and `mutants.py` tie the system to Killpoint; the rest does not know of it.
"""
