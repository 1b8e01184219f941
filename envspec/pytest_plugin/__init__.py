"""The pytest plugin: options and fixtures."""
