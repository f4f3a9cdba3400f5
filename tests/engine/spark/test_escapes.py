"""Attempts to get round a policy, with Apache Spark."""

from tests.engine.test_escapes import (
    case,
    test_commands,
    test_frames,
    test_functions_of_the_engine_keep_their_names,
    test_functions_that_nobody_has_checked,
    test_nothing_was_changed,
    test_queries,
    test_short_names_in_a_text_never_mean_what_the_reader_has_named,
    test_the_secrets_are_there,
    test_views_that_nobody_has_checked,
)

__all__ = [
    "case",
    "test_commands",
    "test_frames",
    "test_functions_of_the_engine_keep_their_names",
    "test_functions_that_nobody_has_checked",
    "test_nothing_was_changed",
    "test_queries",
    "test_short_names_in_a_text_never_mean_what_the_reader_has_named",
    "test_the_secrets_are_there",
    "test_views_that_nobody_has_checked",
]
