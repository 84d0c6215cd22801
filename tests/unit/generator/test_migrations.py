from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from flowrex.errors import ConfigurationError
from generator.migrations import FOLDER, Schema, read

ROOT = Path(__file__).parents[3]


def write(root: Path, name: str, text: str) -> None:
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").touch()
    (folder / name).write_text(text)


def test_the_applications_own_are_read_as_alembic_reads_them() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "app" / "migrations"))
    script = ScriptDirectory.from_config(config)
    found = read(ROOT)
    assert found is not None
    assert found.revision == script.get_current_head()
    assert [*found.irreversible][::-1] == [one.revision for one in script.walk_revisions()]


def test_they_stand_in_the_order_in_which_they_run(tmp_path: Path) -> None:
    write(tmp_path, "a.py", 'revision = "9"\ndown_revision = "1"\nIRREVERSIBLE = "drops a table"\n')
    write(tmp_path, "b.py", 'revision: str = "1"\ndown_revision = None\n')
    assert read(tmp_path) == Schema("9", {"1": "", "9": "drops a table"})


def test_an_earlier_schema_is_what_ran_until_then() -> None:
    schema = Schema("3", {"1": "", "2": "drops a table", "3": ""})
    assert schema.at("2") == Schema("2", {"1": "", "2": "drops a table"})
    assert schema.at("3") == schema
    assert schema.at("") == Schema("", {})
    assert schema.at("4") is None


def test_a_project_without_migrations_has_no_schema(tmp_path: Path) -> None:
    assert read(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('revision = "2"\ndown_revision = None\n', "comes after None, as 1.py does"),
        ('revision = "2"\ndown_revision = "7"\n', "comes after a migration that is not there"),
        ('down_revision = "1"\n', "names no revision"),
        ('revision = "2"\ndown_revision = "1"\nIRREVERSIBLE = 1 + 1\n', "2.py:3: IRREVERSIBLE"),
        ("revision = (", "can't be read"),
    ],
)
def test_what_is_no_chain_is_named_with_its_file(tmp_path: Path, text: str, says: str) -> None:
    write(tmp_path, "1.py", 'revision = "1"\ndown_revision = None\n')
    write(tmp_path, "2.py", text)
    with pytest.raises(ConfigurationError, match=says) as caught:
        read(tmp_path)
    assert "2.py" in caught.value.message


def test_what_an_earlier_schema_has_not_seen() -> None:
    now = Schema("3", {"1": "", "2": "why", "3": ""})
    assert now.since(Schema("1", {"1": ""})) == {"2": "why", "3": ""}
    assert now.since(now) == {}
