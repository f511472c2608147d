"""CEL selectors: time to compile and to evaluate, beside what cel-go took (recorded on a 2-core machine like the tests').

As recorded for Go: one device with 7 attributes and 2 capacities, everything warm, medians. An evaluation converts the
device anew in Go; here a device is converted once and then asked many times, which is how the allocator uses it: "eval"
is that, "with device" converts it each time as Go does. "compile" parses, checks, estimates the cost and plans, never from
the cache; the generated code is made later, by the second evaluation, and is in "code".
"""

import json

from dray.cel import DeviceInput, Environment, compile_selector
from dray.cel import selector as selectors
from support.measure import DATA, go_figures, median_us


def main() -> None:
    go = go_figures("cel")
    print(
        f"{'expression':18}{'eval us':>9}{'Go':>8}{'x':>7}{'with device':>13}{'x':>6}{'compile us':>12}{'Go':>7}{'x':>6}{'code us':>9}"
    )
    for line in (DATA / "cel.jsonl").read_text().splitlines():
        case = json.loads(line)
        row(case, go[case["id"]])


def row(case: dict, go: dict[str, float]) -> None:
    text, raw = case["expression"], case["device"]
    environment = Environment(list_type_attributes=case["features"].get("listTypeAttributes", True))

    def compile_anew() -> selectors.Selector:
        selectors._compile.cache_clear()
        return compile_selector(text, environment)

    def generate() -> None:
        compiled._generate(device)

    compile_us = median_us(compile_anew, least=20)
    compiled = compile_anew()
    device = DeviceInput.of(raw["driver"], raw)
    compiled.matches(device)
    evaluate_us = batched_us(lambda: compiled.matches(device))
    whole_us = batched_us(lambda: compiled.matches(DeviceInput.of(raw["driver"], raw)))
    code_us = median_us(generate, seconds=0.1)
    print(
        f"{case['id']:18}{evaluate_us:9.2f}{go['eval']:8.1f}{go['eval'] / evaluate_us:7.1f}{whole_us:13.2f}{go['eval'] / whole_us:6.1f}"
        f"{compile_us:12.0f}{go['compile']:7.0f}{go['compile'] / compile_us:6.2f}{code_us:9.0f}"
    )


def batched_us(work, batch: int = 200) -> float:  # type: ignore[no-untyped-def]
    def many() -> None:
        for _ in range(batch):
            work()

    return median_us(many, seconds=0.3) / batch


if __name__ == "__main__":
    main()
