"""Certificates: what is uploaded is checked, keys are kept encrypted and never shown again."""
