"""Results of tests as JUnit XML, the form that build servers read: one suite per file, one case per test."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from services.rules.language.words import printable
from services.rules.testing.report import details, printable_lines
from services.rules.testing.run import FileResults


def results_as_junit(files: Sequence[FileResults]) -> str:
    """The XML. No times are told: they would differ from run to run and say nothing about rules."""
    root = Element("testsuites")
    for tested in files:
        suite = SubElement(
            root,
            "testsuite",
            name=printable(tested.path),
            tests=str(len(tested.results)),
            failures=str(tested.count("fail")),
            errors=str(tested.count("error")),
        )
        for result in tested.results:
            place = {"file": printable(tested.path), "line": str(result.line)}
            case = SubElement(
                suite, "testcase", {"classname": tested.rules.programme, "name": printable(result.name)} | place
            )
            if result.verdict != "pass":
                lines = details(result)
                kind = "failure" if result.verdict == "fail" else "error"
                SubElement(case, kind, message=printable(lines[0].strip())).text = printable_lines(lines)
    indent(root)
    return f"{tostring(root, encoding='unicode', xml_declaration=True)}\n"
