from __future__ import annotations

import ast
import inspect

from argosy.service.accounts import sessions
from argosy.service.accounts.handlers import session_handlers


def test_an_agent_can_do_all_that_is_asked_of_it_and_nothing_else() -> None:
    words = (node.value for node in ast.walk(ast.parse(inspect.getsource(sessions))) if isinstance(node, ast.Constant))
    asked = {word for word in words if isinstance(word, str) and word.startswith("session-")}
    assert asked == set(session_handlers("alice"))
