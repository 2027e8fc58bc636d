"""Reference files by the rules of CRDS: found, fetched, explained."""
