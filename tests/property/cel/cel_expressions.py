"""Random selectors that mostly compile, and random devices for them."""

from typing import Any

from hypothesis import strategies as st

DRIVER = "gpu.example.com"
ATTRIBUTES = {"model": "string", "index": "int", "healthy": "bool", "version": "version", "absent": "string"}

_texts = st.sampled_from(['"H100"', '"A100"', '""', '"1.2.3"', '"a,b"', "'é'"])
_numbers = st.sampled_from(["0", "1", "3", "-1", "9223372036854775807", "7"])


def _attribute(name: str) -> str:
    return f'device.attributes["{DRIVER}"].{name}'


def _strings() -> st.SearchStrategy[str]:
    base = _texts | st.just(_attribute("model")) | st.just("device.driver") | st.just(_attribute("absent"))
    return st.recursive(
        base,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda p: f"({p[0]} + {p[1]})"),
            inner.map(lambda s: f"{s}.lowerAscii()"),
            inner.map(lambda s: f"{s}.replace('H', 'x')"),
            st.tuples(inner, inner).map(lambda p: f"'%s/%s'.format([{p[0]}, {p[1]}])"),
        ),
        max_leaves=3,
    )


def _ints() -> st.SearchStrategy[str]:
    base = _numbers | st.just(_attribute("index")) | _strings().map(lambda s: f"size({s})")
    return st.recursive(
        base,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from("+-*/%"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
            inner.map(lambda i: f"(-{i})"),
            st.just(f"{_attribute('version')}.compareTo(semver('1.2.3'))"),
            st.just(f'device.capacity["{DRIVER}"].memory.compareTo(quantity("40Gi"))'),
        ),
        max_leaves=3,
    )


def _comparisons() -> st.SearchStrategy[str]:
    order = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    return st.one_of(
        st.tuples(_ints(), order, _ints()).map(" ".join),
        st.tuples(_strings(), order, _strings()).map(" ".join),
        st.tuples(_strings(), st.sampled_from(["startsWith", "endsWith", "contains"]), _strings()).map(
            lambda p: f"{p[0]}.{p[1]}({p[2]})"
        ),
        _strings().map(lambda s: f"{s}.matches('^[HA]1+0*$')"),
        st.tuples(_ints(), st.lists(_ints(), max_size=3)).map(lambda p: f"{p[0]} in [{', '.join(p[1])}]"),
        st.sampled_from([_attribute("healthy"), "true", "false", "device.allowMultipleAllocations"]),
        st.sampled_from([*ATTRIBUTES, "other"]).map(lambda n: f'"{n}" in device.attributes["{DRIVER}"]'),
        st.sampled_from(sorted(ATTRIBUTES)).map(lambda n: f"has({_attribute(n)})"),
        st.just(f'device.attributes["{DRIVER}"].?absent.orValue("x") == "x"'),
        st.just('device.attributes["other.example.com"].model == "x"'),
    )


SELECTORS = st.recursive(
    _comparisons().map(lambda text: f"({text})"),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda p: f"({' '.join(p)})"),
        inner.map(lambda text: f"!{text}"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} ? {p[1]} : {p[2]})"),
        st.tuples(st.sampled_from(["all", "exists", "exists_one"]), inner).map(
            lambda p: f"[1, 2, 3].{p[0]}(x, x > 1 || {p[1]})"
        ),
        inner.map(lambda text: f"cel.bind(b, {text}, b || !b)"),
    ),
    max_leaves=4,
)


@st.composite
def devices(draw: st.DrawFn) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    values = {
        "model": st.sampled_from(["H100", "A100", "", "é"]).map(lambda v: {"string": v}),
        "index": st.sampled_from([0, 3, -1, 2**63 - 1]).map(lambda v: {"int": v}),
        "healthy": st.booleans().map(lambda v: {"bool": v}),
        "version": st.sampled_from(["1.2.3", "2.0.0-rc.1"]).map(lambda v: {"version": v}),
    }
    for name, strategy in values.items():
        if draw(st.integers(0, 4)):
            attributes[name] = draw(strategy)
    device: dict[str, Any] = {"name": "d", "attributes": attributes}
    if draw(st.booleans()):
        device["capacity"] = {"memory": {"value": draw(st.sampled_from(["80Gi", "40Gi", "0", "1500m"]))}}
    if draw(st.booleans()):
        device["allowMultipleAllocations"] = True
    return device
