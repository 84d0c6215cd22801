"""Container images: built by docker or podman, pushed, and written down by their digests."""
