# SPDX-License-Identifier: Apache-2.0
"""The runner's wording, line by line: what ``log.txt`` and ``results.txt`` say about windows, accuracy and energy.

Spellings, widths and order are those of the MLCommons runner (``mlcommons/tiny`` ``benchmark/runner/{main,script}.py``), so that its own
tools, the submission checker and everybody's parsers read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cm4tiny.runner.session import RULE_LINE, SessionWriter

if TYPE_CHECKING:
    from cm4tiny.benchmarks import Sample
    from cm4tiny.runner.dut import Dut, Identity, Inference


ANSWER_PROOFS = {
    "crc": "checksums (CRC-32)",
    "read twice": "reading inputs back and results twice",
    "none": "nothing: the device does not repeat its results",
}


def greet(session: SessionWriter, dut: Dut, identity: Identity) -> None:
    """Who was measured, over what."""
    session.log(f"Device under test on: {dut.link.name}")
    session.log(f"Device name retrieved: {identity.name}")
    session.log(f"Device profile retrieved: {identity.profile}")
    session.log(f"Device model retrieved: {identity.model_id}")
    session.log(f"Inputs and answers are proved by: {ANSWER_PROOFS[dut.answer_proof]}")
    session.log(f"Time stamps are compared with: {'the cycle counter of the board' if dut.clock_is_exact else 'the clock of the host'}")


def loading(session: SessionWriter, sample: Sample, segment: int = 0) -> None:
    """Before an input is sent."""
    session.stamped(f"Loading file {sample.file} segment {segment}")


def loaded(session: SessionWriter, warmup: int, iterations: int) -> None:
    """After it has arrived, before the inferences."""
    session.stamped("Load complete.")
    session.log(f"Running inference with {warmup}/{iterations} (warmup/measured) iterations ...")


def window(session: SessionWriter, number: int, inference: Inference) -> None:
    """The log's block after the inferences of performance and accuracy runs. ``number`` counts from 1."""
    elapsed_us = inference.elapsed_us or 0
    throughput = inference.iterations / (elapsed_us / 1e6) if elapsed_us else 0.0  # in this order: the digits are the official ones
    session.log("done")
    session.stamped(f"Performance results for window {number}:")
    session.stamped(f"  # Inferences : {inference.iterations:>13}")
    session.stamped(f"  Runtime      : {elapsed_us / 1e6:>10.3f} sec.")
    session.stamped(f"  Throughput   : {throughput:>10.3f} inf./sec.")
    session.stamped(f"  m-results    : {list(inference.results)}")


def performance_window(session: SessionWriter, number: int, inference: Inference, throughput: float, met: bool) -> None:
    """The summary's block of one window."""
    session.result(f"Performance results for window {number}")
    session.result(f"    # Inferences : {inference.iterations}")
    session.result(f"    Runtime: {(inference.elapsed_us or 0) / 1e6} sec.")
    session.result(f"    Throughput: {throughput} inf./sec.")
    if met:
        session.result("    Runtime requirements have been met.")


def median_throughput(session: SessionWriter, value: float) -> None:
    """The line that the submission checker reads for performance."""
    session.result(RULE_LINE, stamped=True)
    session.result(f"Median throughput is {value:>10.3f} inf./sec.", stamped=True)
    session.result(RULE_LINE, stamped=True)


def accuracy(session: SessionWriter, top_1: float, auc: float) -> None:
    """The lines that the submission checker reads for accuracy."""
    session.log("-" * 20)
    session.result(f"Top 1% = {top_1:2.1f}", stamped=True)
    session.result(f"AUC = {auc:.3f}", stamped=True)


def energy_trial(session: SessionWriter, trial: int, elapsed_s: float, iterations: int, joules: float, short: bool) -> None:
    """The summary's block of one energy window. ``trial`` counts from 0."""
    session.result(f"Energy data for trial {trial}")
    session.result(f"  Elapsed time  : {elapsed_s}{'  <<<< below minimum duration' if short else ''}")
    session.result(f"  Inferences    : {iterations}")
    session.result(f"  Power         : {1e3 * joules / elapsed_s:5.4f} mW.")
    session.result(f"  Total Energy  : {joules * 1e6:.3f} uJ")
    session.result(f"  Energy/Inf    : {joules / iterations * 1e6:.3f} uJ/inf")


def median_energy(session: SessionWriter, microjoules: float) -> None:
    """The line that the submission checker reads for energy."""
    session.result(RULE_LINE)
    session.result(f"Median energy cost is {microjoules:5.4f} uJ/inf.")
    session.result(RULE_LINE)


def entry(
    sample: Sample,
    inference: Inference,
    mode: str,
    *,
    segments: int | None = None,
    throughput: float | None = None,
    dut: Dut | None = None,
) -> dict[str, Any]:
    """An entry of ``results.json`` in the runner's own order of keys.

    Args:
        mode: ``"p"``, ``"a"`` or ``"e"``.
        segments: how many inferences the file has in this mode; None for data sets without segments.
        dut: names how its loads were proved (``load_proof``), a key that the official runner does not write.
    """
    infer: dict[str, Any] = {}
    if inference.lap_us is not None and mode != "e":
        infer["start_time"], infer["end_time"] = inference.lap_us
    infer["results"] = list(inference.results)
    if inference.elapsed_us is not None and mode != "e":
        infer["elapsed_time"] = inference.elapsed_us
    infer.update(total_inferences=1, iterations=inference.iterations, warmups=inference.warmups)
    if throughput is not None:
        infer["throughput"] = throughput
    segmented = segments is not None
    return {
        "file": sample.file,
        "classes": str(sample.classes),
        "class": str(sample.label),
        "bytes_to_send": str(sample.length_bytes) if segmented else None,
        "stride": str(sample.stride_bytes) if segmented else None,
        "total_length": segments,
        "infer": infer,
        "mode": mode,
        **({"load_proof": dut.load_proof} if dut is not None and dut.load_proof else {}),
    }
