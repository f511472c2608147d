"""ValidatingAdmissionPolicy in force: rules in CEL about what may be written."""
