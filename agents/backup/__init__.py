"""Logical backups: taken, sealed, proved, kept for as long as they should be, and restored.

take        dumps a database from one snapshot, through `stream`, and writes the manifest last
stream      what every backup's bytes pass through: SHA-256, zstd, `seal`, upload in parts
seal        AES-256-GCM in chunks; `datakey` gets the key from Vault's transit engine
manifest    what is known of one backup; `records` what was found out about it later
catalog     which backups there are
retention   which of them may go, and why; `prune` lets them go
verify      reads every byte again; `drill` restores into a scratch server; `restore` in earnest
schedule    when the next is due; `lock` keeps it to one node at a time
task        does it all by itself; `handlers` does it for operators
"""
