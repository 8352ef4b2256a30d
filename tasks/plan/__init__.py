"""Decisions. Pure: no clock, no environment, no engine; frozen values in, frozen values out."""
