"""Edits of TOML as text: everything else stays as it is."""

import tomllib

import pytest

from pypi_registry._cli import toml_edit
from pypi_registry._cli.toml_edit import NotEditable, add, remove, set_entry, set_key

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
    assert set_key(text, "t", 0, "r", value=True) == edited


def test_a_key_is_set_to_false() -> None:
    assert set_key("[[t]]\nr = true # c\n", "t", 0, "r", value=False) == "[[t]]\nr = false # c\n"
    assert set_key("t = [{ r = true }] # c\n", "t", 0, "r", value=False) == "t = [{ r = false }] # c\n"


# What is written as `roles`, and what it is after: a new entry, another value of `a`, `a` deleted.
ENTRIES = [
    pytest.param("n = 1 # c\n", 'n = 1 # c\nroles = { "x/y" = "guest" }\n', None, None, id="none"),
    pytest.param("n = 1", 'n = 1\nroles = { "x/y" = "guest" }\n', None, None, id="no line feed at the end"),
    pytest.param("roles = { } # c\n", 'roles = { "x/y" = "guest" } # c\n', None, None, id="an empty inline table"),
    pytest.param(
        "roles = { a = 'owner' } # { a, b }\n    # of a\n",
        'roles = { a = \'owner\', "x/y" = "guest" } # { a, b }\n    # of a\n',
        'roles = { a = "guest" } # { a, b }\n    # of a\n',
        "roles = {} # { a, b }\n    # of a\n",
        id="an inline table",
    ),
    pytest.param(
        '"roles" = {"{,\'=" = "owner","a"="owner"}\nn = 1\n',
        '"roles" = { "{,\'=" = "owner", "a"="owner", "x/y" = "guest" }\nn = 1\n',
        '"roles" = { "{,\'=" = "owner", "a"="guest" }\nn = 1\n',
        '"roles" = { "{,\'=" = "owner" }\nn = 1\n',
        id="an inline table with odd keys",
    ),
    pytest.param(
        "n = 1\n\n# c\n[t.roles]\n  b = 'owner' # b\n  a = 'owner' # 'a'\n\n# d\n[[u]]\n",
        "n = 1\n\n# c\n[t.roles]\n  b = 'owner' # b\n  a = 'owner' # 'a'\n  \"x/y\" = \"guest\"\n\n# d\n[[u]]\n",
        "n = 1\n\n# c\n[t.roles]\n  b = 'owner' # b\n  a = \"guest\" # 'a'\n\n# d\n[[u]]\n",
        "n = 1\n\n# c\n[t.roles]\n  b = 'owner' # b\n\n# d\n[[u]]\n",
        id="a table in it",
    ),
    pytest.param("[t.roles] # c\n", '[t.roles] # c\n"x/y" = "guest"\n', None, None, id="an empty table in it"),
    pytest.param(
        "n = 1\n[[u]]\nn = 2\n[t.roles]\na = 'owner'",
        'n = 1\n[[u]]\nn = 2\n[t.roles]\na = \'owner\'\n"x/y" = "guest"\n',
        'n = 1\n[[u]]\nn = 2\n[t.roles]\na = "guest"',
        "n = 1\n[[u]]\nn = 2\n[t.roles]\n",
        id="a table in it, elsewhere",
    ),
    pytest.param(
        "roles.a = 'owner' # c\nroles.'b' = 'owner'\nn = 1\n",
        "roles.a = 'owner' # c\nroles.'b' = 'owner'\nroles.\"x/y\" = \"guest\"\nn = 1\n",
        "roles.a = \"guest\" # c\nroles.'b' = 'owner'\nn = 1\n",
        "roles.'b' = 'owner'\nn = 1\n",
        id="dotted keys",
    ),
    pytest.param(
        "roles.a = 'owner'\nn = 1\n",
        'roles.a = \'owner\'\nroles."x/y" = "guest"\nn = 1\n',
        'roles.a = "guest"\nn = 1\n',
        "roles = {}\nn = 1\n",
        id="one dotted key",
    ),
]


@pytest.mark.parametrize(("text", "added", "changed", "deleted"), ENTRIES)
def test_an_entry_of_a_table_in_a_table_is_edited(
    text: str, added: str, changed: str | None, deleted: str | None
) -> None:
    before, after = "[[t]]\nn = 0\nroles = { a = 'owner' }\n\n[[t]]\n", "\n[[t]]\nroles = { a = 'owner' }\n"
    after = after if text.endswith("\n") else ""

    def edited(key: str, value: str | None) -> str:
        return set_entry(f"{before}{text}{after}", "t", 1, "roles", key, value)

    assert edited("x/y", "guest") == f"{before}{added}{after}"
    if changed is not None:
        assert edited("a", "guest") == f"{before}{changed}{after}"
        assert edited("a", None) == f"{before}{deleted}{after}"


def test_an_entry_of_an_inline_table_in_an_inline_array_is_edited() -> None:
    text = "t = [\n  { n = 1 }, # A\n  { n = 2, roles = { a = 'owner' } }, # B\n]\n"
    edited = set_entry(text, "t", 0, "roles", "x/y", "guest")
    edited = set_entry(edited, "t", 1, "roles", "a", "guest")
    edited = set_entry(edited, "t", 1, "roles", "b", "owner")
    edited = set_entry(edited, "t", 1, "roles", "a", None)
    assert tomllib.loads(edited)["t"] == [{"n": 1, "roles": {"x/y": "guest"}}, {"n": 2, "roles": {"b": "owner"}}]
    assert "# A" in edited and "# B" in edited


def test_a_table_in_a_table_that_is_written_in_another_way_is_refused() -> None:
    with pytest.raises(NotEditable):
        set_entry("t = [{ roles.a = 'owner' }]\n", "t", 0, "roles", "a", None)


def test_an_edit_with_another_result_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toml_edit, "_inline_array", lambda *_: None)  # as if a file were not understood
    with pytest.raises(NotEditable, match="edit it by hand"):
        add("users = []\n", "users", NEW)


def test_a_value_of_several_lines_in_an_inline_table_is_replaced() -> None:
    text = '[[t]]\nroles = { a = """\\\n owner""", b = "guest" }\n'
    assert tomllib.loads(text)["t"] == [{"roles": {"a": "owner", "b": "guest"}}]
    for value, roles in (("guest", {"a": "guest", "b": "guest"}), (None, {"b": "guest"})):
        assert tomllib.loads(set_entry(text, "t", 0, "roles", "a", value))["t"] == [{"roles": roles}]


def test_an_inline_table_that_cannot_be_divided_is_refused() -> None:
    text = '[[t]]\nroles = { a = """x", y""", b = "guest" }\n'
    assert tomllib.loads(text)["t"] == [{"roles": {"a": 'x", y', "b": "guest"}}]
    with pytest.raises(NotEditable):
        set_entry(text, "t", 0, "roles", "b", "owner")
