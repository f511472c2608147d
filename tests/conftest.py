"""How generated tests run: as many examples as they ask for, at whatever pace the machine has just then."""

from hypothesis import HealthCheck, settings

settings.register_profile("dray", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dray")
