"""Rules of the API kinds as pure functions: object in, findings (`dray.api.fields.FieldError`) out."""
