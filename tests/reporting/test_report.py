"""The page in a headless Chromium: sorting, filtering, expanding, two widths."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from synthetic import NAMES, add, small_run

from syntrans_l2l.cli.leaderboard import main
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.bank_file import MinedBank
from syntrans_l2l.semantics.descriptors import Descriptor

DRIVER = shutil.which("chromedriver")
NASTY = "</script><b>bold</b>"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    store = small_run(folder / "run")
    add(store, method=NASTY, shots=1, student=NASTY, config=f"# {NASTY}")
    phrases = [
        Descriptor(class_name=name, phrase=f"of {name}", written_by="w", prompt="p", kept=True)
        for name in NAMES
    ]
    bank = MinedBank(
        vectors=SemanticBank(tuple(NAMES), torch.randn(len(NAMES), 3), "mined"),
        descriptors=phrases, dataset="cifar_fs", observed="none", made_by={},
    )  # fmt: skip
    store.keep_bank(bank)
    add(store, method="mined", uses_text=True, descriptor_hash=bank.vectors.digest)
    assert main([str(folder / "run"), "--out", str(folder / "out"), "--html"]) == 0
    return (folder / "out" / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    if DRIVER is None:
        pytest.skip("needs Chromium: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    driver = Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def resize(browser: Chrome, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


@pytest.fixture
def opened(browser: Chrome, page: str) -> Chrome:
    resize(browser, 1280)
    browser.get(page)
    return browser


def first_cells(browser: Chrome, kind: str = "tr[data-records]") -> list[str]:
    """The methods of the rows that can be seen, from the top."""
    rows = browser.find_elements(By.CSS_SELECTOR, f"table.board tbody {kind}")
    return [row.text.split("\n")[0].split(" ")[0] for row in rows if row.is_displayed()]


def click_header(browser: Chrome, name: str) -> None:
    for button in browser.find_elements(By.CSS_SELECTOR, "table.board thead button"):
        if button.text.rstrip(" ▲▼") == name:
            button.click()


def test_sorting(opened: Chrome) -> None:
    """By number and by name, absent numbers last, quoted rows below the rule as before."""
    click_header(opened, "5-shot")
    down = first_cells(opened)
    assert down[2] == "protonet_cosine" and NASTY.startswith(down[3])
    click_header(opened, "5-shot")
    assert first_cells(opened)[0] == "protonet_cosine"
    quoted = opened.find_elements(By.CSS_SELECTOR, "tbody:nth-of-type(2) tr.quoted")
    assert quoted[0].text.startswith("MAML") and len(quoted) == 19
    click_header(opened, "method")
    click_header(opened, "method")
    assert [name for name in first_cells(opened) if name.islower()][-1] == "twin"


def test_filtering(opened: Chrome) -> None:
    search = opened.find_element(By.ID, "search")
    search.send_keys("TWIN")
    assert first_cells(opened) == ["twin"] and first_cells(opened, "tr.quoted") == []
    search.send_keys(Keys.BACKSPACE * 4)
    select = Select(opened.find_element(By.ID, "filter-text"))
    select.select_by_visible_text("vectors.npz")
    assert first_cells(opened) == ["syntrans"]
    select.select_by_visible_text("all")
    Select(opened.find_element(By.ID, "filter-encoder")).select_by_visible_text("ResNet-12")
    assert first_cells(opened) == [] and len(first_cells(opened, "tr.quoted")) == 7
    opened.find_element(By.ID, "quoted").click()
    assert first_cells(opened, "tr.quoted") == []


def test_expanding(opened: Chrome) -> None:
    opener = opened.find_elements(By.CSS_SELECTOR, ".open")[1]
    opener.click()
    assert opener.get_attribute("aria-expanded") == "true"
    details = opened.find_element(By.CSS_SELECTOR, "tr.details")
    for fact in ('"alpha": 0.4', "d1e2", "torch 2.4", "f00", "5-way 5-shot"):
        assert fact in details.text
    details.find_element(By.TAG_NAME, "summary").click()
    assert "SynTrans.parts = 'of syntrans'" in details.text
    click_header(opened, "1-shot")
    follows = opened.execute_script("return arguments[0].previousSibling.innerText", details)
    assert "syntrans" in follows
    opener.click()
    assert not details.is_displayed()


def test_a_row_leads_to_the_phrases_of_its_bank(opened: Chrome) -> None:
    rows = opened.find_elements(By.CSS_SELECTOR, "tr[data-records]")
    [row] = [row for row in rows if row.text.startswith("mined")]
    row.find_element(By.CSS_SELECTOR, ".open").click()
    opened.find_element(By.CSS_SELECTOR, "tr.details a").click()
    assert f"of {NAMES[0]}" in opened.find_element(By.TAG_NAME, "main").text


def test_names_are_text_and_never_markup(opened: Chrome) -> None:
    assert NASTY in opened.find_element(By.CSS_SELECTOR, "table.board").text
    assert not opened.find_elements(By.CSS_SELECTOR, "table b")
    opened.find_elements(By.CSS_SELECTOR, ".open")[3].click()
    opened.find_element(By.CSS_SELECTOR, "tr.details summary").click()
    assert f"# {NASTY}" in opened.find_element(By.TAG_NAME, "pre").text


@pytest.mark.parametrize("width", [1280, 400])
def test_it_fits_the_width_without_errors_or_network(opened: Chrome, width: int) -> None:
    resize(opened, width)
    opened.find_elements(By.CSS_SELECTOR, ".open")[1].click()
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    images = opened.find_elements(By.TAG_NAME, "img")
    assert len(images) == 4
    for image in images:
        assert image.get_property("naturalWidth") and image.size["width"] <= width
    names = opened.execute_script(
        "return performance.getEntriesByType('resource').map(entry => entry.name)"
    )
    assert all(name.startswith("data:") for name in names)
    assert opened.get_log("browser") == []  # type: ignore[no-untyped-call]


def test_the_page_names_no_other_place(page: str) -> None:
    text = Path(page.removeprefix("file://")).read_text()
    assert "http" not in text and 'src="data:image/png;base64,' in text
