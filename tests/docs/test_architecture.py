"""docs/architecture.md and the tree say the same."""

import graphlib
import pathlib
import re

import grimp

ROOT = pathlib.Path(__file__).parents[2]
SOURCE = ROOT / "src" / "dray"


def packages() -> set[str]:
    return {
        str(init.parent.relative_to(ROOT)) for init in SOURCE.rglob("__init__.py") if init.parent != SOURCE
    }


def paragraphs() -> dict[str, str]:
    page = (ROOT / "docs" / "architecture.md").read_text()
    parts = re.split(r"^### (src/dray/\S+)\n", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_folder_has_its_paragraph() -> None:
    assert packages() - paragraphs().keys() == set()


def test_every_paragraph_has_its_folder() -> None:
    assert paragraphs().keys() - packages() == set()


def test_no_paragraph_is_empty() -> None:
    assert [folder for folder, text in paragraphs().items() if not text.strip()] == []


def test_layers_on_the_page_are_those_that_lint_enforces() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    contract = (ROOT / "pyproject.toml").read_text().split("layers = [", 1)[1].split("]", 1)[0]
    enforced = [re.findall(r"\w+", line) for line in contract.splitlines() if line.strip()]
    written = [
        re.findall(r"\w+", line)
        for line in page.split("Imports go down only:", 1)[1].split("Siblings", 1)[0].splitlines()
        if line.strip()
    ]
    assert written == enforced


def test_no_module_imports_itself_in_a_circle_not_even_for_a_type() -> None:
    graph = grimp.build_graph("dray", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 500
    graphlib.TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle
