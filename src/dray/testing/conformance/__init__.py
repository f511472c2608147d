"""Does a DRA driver keep its side of the contract? Any driver, whatever language it is written in.

    report = await run_suite(Subject(("./my-driver",)), Path("/tmp/work"))
    print(report.as_text())

Each case starts the driver as a process on a node that does not exist: a kubelet with real sockets, an API server
over HTTP, directories of its own. Then the case does what kubelets, nodes and people do to drivers, and looks at what
the driver answers, publishes and leaves behind. What it does not know: hardware, containers, how the driver works.

`subject` starts and ends processes, `stage` is the node, `cases/` are the rules, `suite` runs them, `report` tells.
"""

from dray.testing.conformance.report import Outcome, Report, Verdict
from dray.testing.conformance.rules import Rule, all_rules
from dray.testing.conformance.subject import Subject
from dray.testing.conformance.suite import run_suite
from dray.testing.conformance.verdicts import Violation

__all__ = ["Outcome", "Report", "Rule", "Subject", "Verdict", "Violation", "all_rules", "run_suite"]
