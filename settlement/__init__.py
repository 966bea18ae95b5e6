"""Makes it happen: use cases, composition, legs, processors, worker, reconciliation.

The only folder that changes a case.
"""
