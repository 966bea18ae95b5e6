"""Takes events to the merchants' endpoints: signed, in order, again until they are taken."""
