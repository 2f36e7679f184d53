"""Commands that an installed catalog brings."""

from pathlib import Path

import pytest

from support.command import Project, project

CATALOG = """
from headrace.errors import ConfigError, Fault
from headrace.plugins import Catalog, Command

def arguments(parser):
    parser.add_argument("name")

def carry_out(arguments):
    if arguments.name == "nobody":
        raise ConfigError([Fault("", "greets nobody; name somebody")])
    print(f"hello {arguments.name}")
    return 3

catalog = Catalog(commands=[Command(name="WORD", summary="greets", arguments=arguments, carry_out=carry_out)])
"""


@pytest.fixture
def shop(tmp_path):
    with project(tmp_path) as made:
        yield made


def bring(shop: Project, word: str) -> None:
    folder = Path(shop.path[0])
    (folder / "greeting.py").write_text(CATALOG.replace("WORD", word))
    info = folder / "greeting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[headrace.catalogs]\ngreeting = greeting:catalog\n")


def test_it_is_a_command_like_any_other(shop):
    bring(shop, "greet")
    assert "greets" in shop.run("--help").stdout
    done = shop.run("greet", "ann")
    assert (done.returncode, done.stdout) == (3, "hello ann\n")
    refused = shop.run("greet", "nobody")
    assert (refused.returncode, refused.stderr) == (2, "greets nobody; name somebody\n")


@pytest.mark.parametrize("word", ["run", "testbed"])
def test_a_word_that_is_taken_is_refused(shop, word):
    bring(shop, word)
    shop.write()
    done = shop.run("nothing-of-ours")
    assert done.returncode == 2
    assert word in done.stderr
    assert "Traceback" not in done.stderr
