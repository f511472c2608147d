"""How the trial of a rule can end, but well."""


class Violation(AssertionError):
    """The driver broke the rule; the text says what was expected and what happened."""


class NotApplicable(Exception):
    """The rule is about something that this driver, or this machine, does not offer; the text says what."""
