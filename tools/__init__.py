"""What is run by hand while the package is worked on."""
