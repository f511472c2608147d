"""Transcripts of kubectl against Kubernetes 1.36.2: the steps, what is comparable of two runs, and known differences.

tests/corpus/tutorial/transcripts.jsonl.gz has one line a step: its command, what it printed, its exit code and what was
waited for before. `differences.yaml` beside it lists, one by one, where this cluster answers otherwise, and why.
"""

import dataclasses
import difflib
import fnmatch
import gzip
import json
import pathlib
import re
from collections import Counter
from collections.abc import Iterable

import yaml

CORPUS = pathlib.Path(__file__).parents[1] / "corpus" / "tutorial"


@dataclasses.dataclass(frozen=True)
class Step:
    transcript: str
    step: str
    waits: tuple[str, ...]
    command: str
    stdout: str
    stderr: str
    code: int

    @property
    def id(self) -> str:
        return f"{self.transcript}/{self.step}"

    @property
    def is_read(self) -> bool:
        """Whether the command may be run again and again, until what it shows has come about."""
        verbs = set(re.findall(r"(?:kubectl|\$K)(?: --\S+)* ([a-z-]+)", self.command))
        return verbs <= {
            "get",
            "describe",
            "logs",
            "events",
            "version",
            "api-resources",
            "auth",
            "exec",
            "rollout",
        }

    @property
    def is_unordered(self) -> bool:
        """Events of one second and pods' managers come in any order, and so do devices of a Go map."""
        return any(
            word in self.command for word in ("event", "describe", "resourceslices", "managed-fields", "logs")
        )


def steps(*transcripts: str) -> list[Step]:
    with gzip.open(CORPUS / "transcripts.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    found = [Step(**{**row, "waits": tuple(row["waits"])}) for row in rows]
    return [step for step in found if step.transcript in transcripts]


# --- what is comparable ---

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_STEMS = (
    r"dra-example-driver-kubeletplugin|(?:00000-)?(?:<node>-)?gpu\.example\.com(?:-<node>)?|kube-api-access|tp-gpu|"
    r"done-gpu|gen"
)
_RULES: list[tuple[re.Pattern[str], str]] = [
    (re.compile(pattern, re.MULTILINE), shown)
    for pattern, shown in (
        (r"^(?:WARNING: version difference|(?:real|user|sys)\t).*\n", ""),
        # kubectl whose own --timeout ends a watch says so, or not, as its threads happen to run.
        (r"^E\d{4} .*/informerwatcher\.go:\d+: Failed to watch .*: context deadline exceeded\"\n", ""),
        # How far a rollout has come when kubectl looks, and whether it has anything left to do.
        (r"^Waiting for .* rollout to finish: .*\n", ""),
        (_UUID, "<uid>"),
        (r"X509SHA256=[0-9a-f]{64}", "X509SHA256=<digest>"),
        (r"\b([IWE])\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ \S+?:\d+\]", r"\1<klog>]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", "<time>"),
        (r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "<time>"),
        (r"\bkind-worker2?\b", "<node>"),
        (r"(?<!Version: )\b\d{1,3}(?:\.\d{1,3}){3}\b", "<ip>"),
        (r"(?<=<ip>:)\d{4,5}\b", "<port>"),
        (r"(?<![\w.-])(?:\d+[smhd]){1,2} \(x\d+ over (?:\d+[smhd]){1,2}\)", "<age>"),
        (r"(?<![\w.-])(?:\d+[smhd]){1,2}(?![\w.\"'])", "<age>"),
        (r"(?<![\w.])count: \d+$", "count: <n>"),
        (rf"\b({_STEMS})-[bcdfghjklmnpqrstvwxz2456789]{{5}}\b", r"\1-<suffix>"),
        (r"\.[0-9a-f]{16}\b", ".<hash>"),
        (r"(controller-revision-hash[:=] ?)\"?[0-9a-f]{6,10}\"?", r"\1<hash>"),
        (r"\b(gpu-|GPU_DEVICE_|GPU_DEVICE_GPU_)\d+", r"\1<n>"),
        (r"([rR]esource\s?[vV]ersion: +)\"?\d+\"?", r"\1<n>"),
        (r"(containerID|Container ID|imageID|Image ID|podIP|hostIP|IP): +.+$", r"\1: <of the runtime>"),
        (r"(reportingInstance: \S+?-(?:scheduler|controller|manager))-\S+", r"\1-<host>"),
        (r"requestID=\d+", "requestID=<n>"),
    )
]


def comparable(text: str) -> list[str]:
    """The lines without what differs from run to run; runs of blanks are equal to each other."""
    for pattern, shown in _RULES:
        text = pattern.sub(shown, text)
    return [re.sub(r"(?<=\S)[ \t]+", " ", line).rstrip() for line in text.splitlines()]


def differing_lines(recorded: str, found: str, *, is_unordered: bool = False) -> list[str]:
    """Lines of only one side: `- line` is missing here, `+ line` is only here."""
    marked = difflib.ndiff(comparable(recorded), comparable(found))
    lines = [line for line in marked if line[0] in "+-"]
    if not is_unordered:
        return lines
    balance = Counter[str]()
    for line in lines:
        balance[line[2:]] += 1 if line[0] == "+" else -1
    return [
        f"{'+' if count > 0 else '-'} {line}" for line, count in balance.items() for _ in range(abs(count))
    ]


# --- what is known to differ ---


@dataclasses.dataclass(frozen=True)
class Difference:
    steps: tuple[str, ...]
    """Patterns of step ids, as of file names."""
    lines: tuple[str, ...]
    """Regular expressions of whole differing lines, with their sign."""
    reason: str

    def explains(self, step: str, line: str) -> bool:
        return any(fnmatch.fnmatchcase(step, pattern) for pattern in self.steps) and any(
            re.fullmatch(pattern, line) for pattern in self.lines
        )


def known_differences() -> list[Difference]:
    entries = yaml.safe_load((CORPUS / "differences.yaml").read_text())
    return [Difference(tuple(one["steps"]), tuple(one["lines"]), one["reason"]) for one in entries]


def unexplained(step: str, lines: Iterable[str], known: Iterable[Difference]) -> list[str]:
    known = list(known)
    return [line for line in lines if not any(one.explains(step, line) for one in known)]
