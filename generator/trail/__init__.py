"""The audit trail as it lies in the bucket: read, proved, searched, exported."""
