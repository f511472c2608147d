"""The mock devices have the UUIDs that the Go driver gives them."""

import pytest

from dray.drivers.example import gorandom
from dray.drivers.example.gorandom import LENGTH, TAP, GoRandom, device_uuids, lehmer, node_seed

MASK = (1 << 64) - 1
SLOT_BYTES = 18
STEPS = 7_800_000_000_000


def multiplied(left: list[int], right: list[int]) -> list[int]:
    """The product of two polynomials over 64-bit words, modulo x^607 - x^334 - 1."""
    packed = [
        int.from_bytes(b"".join(c.to_bytes(SLOT_BYTES, "little") for c in p), "little") for p in (left, right)
    ]
    data = (packed[0] * packed[1]).to_bytes(SLOT_BYTES * 2 * LENGTH, "little")
    product = [
        int.from_bytes(data[start : start + SLOT_BYTES], "little") & MASK
        for start in range(0, SLOT_BYTES * (2 * LENGTH - 1), SLOT_BYTES)
    ]
    for index in range(2 * LENGTH - 2, LENGTH - 1, -1):
        for target in (index - LENGTH, index - TAP):
            product[target] = (product[target] + product[index]) & MASK
    return product[:LENGTH]


def shifted(polynomial: list[int]) -> list[int]:
    top = polynomial[-1]
    result = [top, *polynomial[:-1]]
    result[LENGTH - TAP] = (result[LENGTH - TAP] + top) & MASK
    return result


def simple_start() -> list[int]:
    x = 1
    for _ in range(20):
        x = lehmer(x)
    state = []
    for _ in range(LENGTH):
        high = lehmer(x)
        middle = lehmer(high)
        x = lehmer(middle)
        state.append((high << 20 ^ middle << 10 ^ x) & MASK)
    return state


def test_the_stored_state_is_the_recurrence_after_its_steps() -> None:
    start = simple_start()
    first = [start[(LENGTH - TAP - 1 - index) % LENGTH] for index in range(LENGTH)]
    power = [1] + [0] * (LENGTH - 1)
    for bit in bin(STEPS)[2:]:
        power = multiplied(power, power)
        if bit == "1":
            power = shifted(power)
    state = [0] * LENGTH
    for index in range(LENGTH):
        value = sum(a * b for a, b in zip(power, first, strict=True)) & MASK
        state[(LENGTH - TAP - 1 - (STEPS - LENGTH + index)) % LENGTH] = value
        power = shifted(power)
    assert tuple(state) == gorandom._initial_state()


def test_the_first_word_is_the_published_one() -> None:
    assert gorandom._initial_state()[0] == -4181792142133755926 & MASK


@pytest.mark.parametrize(
    ("node", "uuids"),
    [
        (
            "dra-example-driver-cluster-worker",
            [
                "18db0e85-99e9-c746-8531-ffeb86328b39",
                "93d37703-997c-c46f-a531-755e3e0dc2ac",
                "ee3e4b55-fcda-44b8-0605-64b7a9967744",
                "9ede7e32-5825-a11b-fa3d-bab6d47e0243",
            ],
        ),
        ("kind-worker", ["4cbf87f3-433e-6717-5588-c33e6886832f", "58bd415e-dee8-f0a5-ca03-02d000554b1a"]),
    ],
)
def test_devices_have_the_recorded_uuids(node: str, uuids: list[str]) -> None:
    assert device_uuids(node, len(uuids)) == uuids


def test_more_devices_do_not_change_the_first_ones() -> None:
    assert device_uuids("n", 20)[:3] == device_uuids("n", 3)


def test_node_seeds_wrap_around_as_signed_words() -> None:
    assert node_seed("") == 0
    assert node_seed("ab") == 31 * 97 + 98
    assert node_seed("x" * 100) < 1 << 63
    assert node_seed("zzzzzzzzzzzzzzzzzzzz") != node_seed("zzzzzzzzzzzzzzzzzzzy")


def test_bytes_continue_where_the_last_read_ended() -> None:
    parts, whole = GoRandom(1), GoRandom(1)
    assert parts.read(5) + parts.read(11) == whole.read(16)
