"""The smallest file MLmodel that the registry takes."""

MLMODEL = b"""flavors: {}
signature:
  inputs: '[{"type": "double", "name": "x", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
"""
