"""The host driver: devices that any Linux machine has, chosen and shaped by one YAML file."""
