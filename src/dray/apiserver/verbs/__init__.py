"""What the API can do with objects, one module a verb, independent of HTTP.

Each verb takes a `Call` and gives store records, always in the stored form; whoever called converts and encodes them.
Authorization has happened before: the verbs ask only for the extra permissions that strategies need.
"""
