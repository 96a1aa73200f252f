"""What all resources have in common: their declaration, their verbs, checks of their members."""
