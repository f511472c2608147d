"""Patches and server-side apply against the whole server answer as the real one did, managedFields included."""

import pathlib

from dray.testing.corpus_api import replay

CORPUS = pathlib.Path(__file__).parents[3] / "corpus/structure/scenarios.jsonl.gz"
KNOWN = pathlib.Path(__file__).with_name("known_disagreements.txt")


async def test_recorded_patch_and_apply_scenarios_agree() -> None:
    known = {line.split()[0] for line in KNOWN.read_text().splitlines() if line and not line.startswith("#")}

    report = await replay(CORPUS, known=known)

    assert not report.failed, "\n".join(map(str, report.failed))
    assert set(report.excused) == known, "scenarios that agree by now need no excuse"
    assert report.passed == 85 - len(known)
