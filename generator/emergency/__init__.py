"""The kill switch from the operator's side: write it, see who has taken it up, prove that it works.

Nothing here is needed for it to work: `consul kv put flowrex/emergency on` does the same.
"""
