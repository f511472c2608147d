"""Rules of pods and of the templates that become pods."""
