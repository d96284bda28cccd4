"""Tests of the command line and of starting and stopping, by the real processes."""
