"""Several worker processes of the shipped application over the same real stores: races, revocation, outages."""
