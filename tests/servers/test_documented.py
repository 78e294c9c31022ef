"""The page on servers documents each server as its row in the matrix states."""

from pathlib import Path

from tests.servers.running import SERVERS

PAGE = Path(__file__).parents[2] / "docs" / "standalone.md"


def test_the_table_of_servers_is_true() -> None:
    said = {True: "yes", False: "no"}
    expected = [
        f"| {server.name} | {said[server.takes_chunks]} | {said[server.keeps_alive]} | {said[server.says_why]} |"
        for server in SERVERS
    ]
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.endswith(("| yes |", "| no |"))] == expected
