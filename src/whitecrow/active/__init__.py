"""Anomaly detection with a person who answers a few questions."""
