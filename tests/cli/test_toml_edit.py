"""Edits of TOML as text: everything else stays as it is."""

import tomllib

import pytest

from pypi_registry._cli import toml_edit
from pypi_registry._cli.toml_edit import NotEditable, add, remove, set_true

NEW = '[[users]]\nname = "new"\n'

FILE = '''\
# The first line
forward_to = true # why

[[users]]
name = "bob"   # of accounting
roles = { "a" = "owner" } # a long
                          # comment

# Ada is the boss
[[users]]
name = "ada"

# not of ada
[users.roles]
"a" = "owner"

# The tokens
[[tokens]]
name = """
[[users]]
name = "no user"
"""
scopes = [ # two
  "api", # [
  '}',
]
user = 'bob'

# One more
[[users]]
name = "cy"
# cy has left

# The last line
'''


def test_a_table_is_added_after_the_last_one_of_its_kind() -> None:
    before, last, after = FILE.partition("# cy has left\n")
    assert add(FILE, "users", NEW) == f"{before}{last}\n{NEW}{after}"


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        pytest.param("", NEW, id="an empty file"),
        pytest.param("a = 1\n", f"a = 1\n\n{NEW}", id="none of this kind"),
        pytest.param("a = 1", f"a = 1\n\n{NEW}", id="no line feed at the end"),
        pytest.param("a = 1\n\n", f"a = 1\n\n{NEW}", id="a blank line at the end"),
        pytest.param("[[users]]\nname = 'a'", f"[[users]]\nname = 'a'\n\n{NEW}", id="no line feed after the last one"),
        pytest.param("[[users]]\n# of b\n[[b]]\n", f"[[users]]\n\n{NEW}# of b\n[[b]]\n", id="a comment of the next"),
        pytest.param('[[ "users" ]]\n', f'[[ "users" ]]\n\n{NEW}', id="a quoted header"),
        pytest.param("users = []\n", 'users = [{name = "new"}]\n', id="an empty inline array"),
        pytest.param(
            "users = [{ name = 'a' }] # c\nb = 1\n",
            "users = [{ name = 'a' }, {name = \"new\"}] # c\nb = 1\n",
            id="an inline array",
        ),
        pytest.param(
            "users = [\n  { name = 'a' }, # A\n]\n",
            "users = [\n  { name = 'a' }, # A\n  {name = \"new\"},\n]\n",
            id="an inline array of several lines",
        ),
    ],
)
def test_a_table_is_added_to_files_of_all_kinds(text: str, edited: str) -> None:
    assert add(text, "users", NEW) == edited


def test_a_removed_table_leaves_all_comments_outside_of_it() -> None:
    assert remove(FILE, "users", [0]) == FILE.replace(FILE[FILE.index("[[users]]") : FILE.index("# Ada")], "")


def test_a_table_is_removed_with_the_tables_in_it() -> None:
    edited = remove(FILE, "users", [1])
    assert [user["name"] for user in tomllib.loads(edited)["users"]] == ["bob", "cy"]
    assert "# not of ada" in edited and "# Ada is the boss" in edited and "users.roles" not in edited


def test_all_tables_can_be_removed() -> None:
    edited = remove(FILE, "users", [0, 1, 2])
    assert "users" not in tomllib.loads(edited)
    assert tomllib.loads(edited)["tokens"] == tomllib.loads(FILE)["tokens"]
    assert [line for line in FILE.splitlines() if line.startswith("# ")] == [
        line for line in edited.splitlines() if line.startswith("# ")
    ]


def test_a_removed_table_of_which_a_part_is_elsewhere_is_removed_there_too() -> None:
    text = "[[users]]\nname = 'a'\n\n[[tokens]]\nk = 1\n\n[users.roles]\np = 'owner'\n"
    assert remove(text, "users", [0]) == "[[tokens]]\nk = 1\n\n"


def test_inline_tables_are_removed_with_their_comments_only() -> None:
    text = "users = [\n  { name = 'a' }, # A\n  { name = 'b' }, # B\n]\n"
    assert remove(text, "users", [0]) == "users = [\n  { name = 'b' }, # B\n]\n"


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        pytest.param("[[t]]\na = 1\n", "[[t]]\na = 1\nr = true\n", id="no such key"),
        pytest.param("[[t]]\na = 1", "[[t]]\na = 1\nr = true\n", id="no line feed at the end"),
        pytest.param("[[t]]\nr =  false # c\nb = 2\n", "[[t]]\nr =  true # c\nb = 2\n", id="false"),
        pytest.param("[[t]]\n\n# c\n[[u]]\n", "[[t]]\nr = true\n\n# c\n[[u]]\n", id="an empty table"),
        pytest.param("[[t]]\n[t.s]\nr = false\n", "[[t]]\nr = true\n[t.s]\nr = false\n", id="a table in it"),
        pytest.param("t = [{ a = 1 }]\n", "t = [{ a = 1, r = true}]\n", id="inline"),
    ],
)
def test_a_key_is_set_to_true(text: str, edited: str) -> None:
    assert set_true(text, "t", 0, "r") == edited


def test_an_edit_with_another_result_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toml_edit, "_inline_array", lambda *_: None)  # as if a file were not understood
    with pytest.raises(NotEditable, match="edit it by hand"):
        add("users = []\n", "users", NEW)
