"""The platform's resources, without HTTP."""
