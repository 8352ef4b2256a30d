"""How long a build takes, held against other ways of building the same images."""
