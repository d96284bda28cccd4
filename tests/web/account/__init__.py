"""The account of a person, as JSON and as pages."""
