"""What is asked of the checks is counted for /metrics/slis, as kube-apiserver counts it."""

from dray.apiserver.health import Health


def test_each_check_tells_its_last_answer_and_how_often_it_passed() -> None:
    health, fails = Health(), [False]

    def check() -> None:
        if fails[0]:
            raise RuntimeError("broken")

    health.add("etcd", check, ("livez",))
    health.report("livez")
    fails[0] = True
    assert not health.report("livez").is_ok
    text = health.indicators.render()
    for line in (
        'kubernetes_healthcheck{name="ping",type="livez"} 1',
        'kubernetes_healthcheck{name="etcd",type="livez"} 0',
        'kubernetes_healthchecks_total{name="etcd",status="success",type="livez"} 1',
        'kubernetes_healthchecks_total{name="etcd",status="error",type="livez"} 1',
        'kubernetes_healthchecks_total{name="ping",status="success",type="livez"} 2',
    ):
        assert line in text.splitlines()


def test_check_that_is_excluded_is_not_asked() -> None:
    health = Health()
    health.report("readyz", excluded={"ping"})
    assert 'name="ping"' not in health.indicators.render()
