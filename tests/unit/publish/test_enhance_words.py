"""The record of enhancement in sentences: every signal is told, and no claim goes beyond its interval."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from lunarsite.artefact.contracts.enhance import NETWORK_NAMES
from lunarsite.artefact.record import Record
from lunarsite.artefact.stamp import ArtefactError
from lunarsite.publish.enhance_looks import METHODS, NETWORKS
from lunarsite.publish.enhance_words import sentences
from lunarsite.publish.words import number_words
from lunarsite.validate.enhance_classical import CLASSICAL
from tests.stage.fake_enhance import LEVELS, enhance_record


def changed(table: str, change: Callable[[dict[str, Any]], None], found: Record | None = None) -> Record:
    """The made-up record with the rows of a table changed."""
    found = found or enhance_record()
    rows = [dict(row) for row in found.tables[table]]
    for row in rows:
        change(row)
    return found.model_copy(update={"tables": {**found.tables, table: rows}})


def told(found: Record, method: str = "denoiser") -> str:
    return " ".join(sentences(found, method))


def of(text: str, network: str, electrons: float) -> str:
    """What is said of a network's quality at a signal."""
    _, _, rest = text.partition(f"At {electrons:g} electrons the {network} reaches ")
    return rest.partition(" At ")[0]


def test_methods_that_the_validator_measures_have_a_look() -> None:
    assert {one.name for one in CLASSICAL} <= set(METHODS)
    assert set(NETWORK_NAMES.values()) == set(NETWORKS) <= set(METHODS)


def test_networks_of_the_validators_record_are_told_at_every_signal() -> None:
    text = told(enhance_record())
    assert "was not measured" not in text
    for network in NETWORKS:
        for electrons in LEVELS:
            assert " dB and " in of(text, network, electrons)
    assert text.count("electrons the filters invent") == len(LEVELS)


def test_above_every_filter_only_where_the_interval_says_so() -> None:
    text = told(enhance_record())
    assert of(text, "denoiser", 4.0).count("above every classical filter") == 2
    assert "in SSIM below CLAHE (-0.0197, 95 %: -0.0205 to -0.0189)" in of(text, "denoiser", 20.0)
    assert "in PSNR not told apart from CLAHE" in of(text, "denoiser", 100.0)

    def touch(row: dict[str, Any]) -> None:
        if (row["method"], row["over"], row["electrons"]) == ("denoiser", "median", 4.0):
            row.update(gain_psnr_db=5.0, gain_psnr_db_low=-0.1, gain_psnr_db_high=9.0)

    doubted = of(told(changed("gains", touch)), "denoiser", 4.0)
    assert "in PSNR not told apart from median (+5 dB, 95 %: -0.1 to +9)" in doubted
    assert "in SSIM above every classical filter" in doubted


def test_the_image_as_taken_is_no_filter() -> None:
    def touch(row: dict[str, Any]) -> None:
        if row["over"] == "raw":
            row.update(gain_ssim=-1.0, gain_ssim_low=-2.0, gain_ssim_high=-0.5)

    assert "in SSIM above every classical filter" in of(told(changed("gains", touch)), "denoiser", 4.0)


def test_without_intervals_nothing_is_claimed() -> None:
    def touch(row: dict[str, Any]) -> None:
        row.update({key: None for key in row if key.endswith(("_low", "_high"))})

    text = told(changed("by_level", touch, changed("gains", touch)))
    assert "above every" not in text
    assert "below" not in of(text, "CycleGAN", 4.0)
    assert "too few grounds" in of(text, "denoiser", 4.0)


def test_a_network_that_may_have_seen_the_test_ground_is_told() -> None:
    found = enhance_record()
    assert "Nothing of this is claimed" not in told(found)
    update = {"holds": None, "value": None, "why": "unknown: it learned on that ground"}
    verdicts = tuple(v.model_copy(update=update) if "the CycleGAN" in v.name else v for v in found.verdicts)
    doubted = told(found.model_copy(update={"verdicts": verdicts}))
    assert doubted.count("Nothing of this is claimed") == 1
    assert "Nothing of this is claimed of the CycleGAN: it learned on that ground." in doubted


def test_invention_is_told_by_the_size_of_pixels() -> None:
    found = enhance_record()
    text = told(found)
    pooled = next(row for row in found.tables["craters"] if row["method"] == "denoiser" and row["electrons"] == 4.0)
    small = next(
        row
        for row in found.tables["craters_by_pixel"]
        if (row["method"], row["electrons"], row["pixel_m"]) == ("denoiser", 4.0, 40.0)
    )
    assert float(str(small["invented_per_100km2"])) > 5.0 * float(str(pooled["invented_per_100km2"])), "diluted"
    rate = number_words(float(str(small["invented_per_100km2"])))
    assert re.search(
        rf"electrons: {rate} (\(95 %: [^)]*\) )?\(denoiser\) and .* with pixels of 40 m; 0 \(denoiser\)", text
    )
    assert "0 (denoiser) and 0 (CycleGAN) with pixels of 240 m" in text
    assert f"{number_words(float(str(pooled['invented_per_100km2'])))} (denoiser)" not in text


def test_the_default_is_told_with_what_speaks_for_it() -> None:
    found = enhance_record()
    text = told(found)
    assert "the denoiser is shown to reveal more craters than it invents, the CycleGAN is not shown" in text
    assert "that is why, and its result is nearer to the truth" in text

    def verdicts(**holds: bool | None) -> Record:
        return found.model_copy(
            update={
                "verdicts": tuple(
                    one.model_copy(
                        update={"holds": next((v for k, v in holds.items() if f"The {k} rev" in one.name), 1)}
                    )
                    for one in found.verdicts
                )
            }
        )

    both = told(verdicts(denoiser=True, CycleGAN=True))
    assert "that is why" not in both
    assert "what speaks for the default is that its result is nearer to the truth" in both
    assert "the denoiser cannot be said to reveal" in told(verdicts(denoiser=None, CycleGAN=False))

    def swap(row: dict[str, Any]) -> None:
        if row["method"] == "CycleGAN":
            row.update(psnr_db=40.0, psnr_db_low=39.0, psnr_db_high=41.0)

    against = told(changed("by_level", swap, verdicts(denoiser=False, CycleGAN=True)))
    assert "this record does not bear the choice out" in against


def test_a_run_may_enhance_with_the_other_network() -> None:
    text = told(enhance_record(), "cycle")
    assert "The default is the denoiser." in text
    assert "This run enhances with the CycleGAN." in text


@pytest.mark.parametrize(
    ("table", "column"),
    [("gains", "gain_ssim_high"), ("craters_by_pixel", "pixel_m"), ("craters", "invented_per_100000px")],
)
def test_a_record_that_lacks_what_is_told_is_refused(table: str, column: str) -> None:
    with pytest.raises(ArtefactError, match=f"table '{table}' lacks"):
        told(changed(table, lambda row: row.pop(column)))
