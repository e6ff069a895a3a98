"""Each incident of our field that could befall a session before login has a test of ours.

The rows are those of the security notes on protocol and proxy incidents; what proves a row is named
here, so that a test that is renamed or taken away is missed.
"""

import ast
from pathlib import Path

import pytest

from tests.checks.tree import ROOT

ROWS: dict[str, dict[str, str]] = {
    "STARTTLS command injection": {
        "tests/unit/proxycore/net/tls/test_front_leg.py": """
            a_command_in_one_segment_with_starttls_ends_the_session
            a_command_in_the_next_segment_fails_the_handshake
            nothing_injected_before_a_handshake_is_answered_inside_it
        """,
        "tests/peer/test_tls.py": """
            nothing_in_one_segment_with_starttls_is_answered
            what_is_in_one_segment_with_starttls_ends_the_session
            nothing_between_starttls_and_the_handshake_is_answered
        """,
        "tests/protocol": """
            imap/starttls_injection
            imap/starttls_injection_literal
            pop3/starttls_injection
            smtp/starttls_injection
        """,
    },
    "STARTTLS response injection upstream": {
        "tests/unit/proxycore/net/test_back_tls.py": """
            octets_behind_the_answer_to_starttls_end_it
            octets_in_the_next_segment_break_the_handshake
            a_port_that_speaks_in_clear_learns_nothing
        """,
        "tests/integration/test_tls_to_mail_servers.py": """
            a_mail_server_without_tls_gets_no_password
        """,
        "tests/protocol": """
            imap/back_starttls_injection
            imap/back_starttls_preauth
            imap/back_starttls_not_offered
            pop3/back_starttls_injection
            pop3/back_starttls_not_offered
            smtp/back_starttls_injection
            smtp/back_starttls_not_offered
        """,
    },
    "state carried over the TLS upgrade": {
        "tests/protocol": """
            smtp/starttls
            smtp/starttls_forgets_the_transaction
            imap/starttls
            imap/back_starttls_forgets
        """,
        "tests/peer/test_tls.py": "a_greeting_before_tls_is_forgotten",
    },
    "cross-protocol": {
        "tests/unit/proxycore/net/tls/test_front_leg.py": """
            alpn_that_is_another_protocol_is_refused
            alpn_of_the_protocol_is_agreed_to
        """,
        "tests/unit/proxycore/net/tls/test_programs.py": "alpn",
        "tests/peer/test_product.py": "an_http_request_ends_the_session",
        "tests/peer/test_tls.py": """
            no_other_protocol_after_starttls
            an_http_request_inside_tls_ends_the_session
        """,
        "tests/peer/test_mail_ssl.py": """
            06_alpn_of_the_protocol
            07_alpn_of_no_protocol_of_ours
        """,
    },
    "auth header injection by PTR name": {
        "tests/peer/test_host_names.py": "a_name_that_is_no_host_name_is_never_told",
        "tests/peer/test_injection.py": "no_login_adds_a_header",
    },
    "XCLIENT value injection": {
        "tests/peer/test_injection.py": "xclient_says_one_login_and_no_more",
        "tests/unit/proxycore/wire/test_xtext.py": "any_value_round_trips_as_one_attribute",
        "tests/protocol": "smtp/xclient_xtext",
    },
    "upstream command injection from decoded SASL": {
        "tests/peer/test_injection.py": """
            line_ends_in_sasl_are_refused_before_anybody_is_asked
            line_ends_in_imap_literals_are_refused
            every_other_octet_arrives_unchanged_everywhere
            no_hello_becomes_another_command_at_the_mail_server
            line_ends_in_credentials_of_the_auth_service_are_a_fault
        """,
    },
    "auth_http response injection": {
        "tests/peer/test_injection.py": """
            failure_texts_stay_one_printable_line
            only_error_codes_of_smtp_are_error_codes
        """,
        "tests/protocol": """
            imap/login_failed_text_is_cleaned
            imap/auth_answer_would_inject
        """,
    },
    "injection into the route cache": {
        "tests/unit/proxycore/policy/test_auth_cache.py": """
            a_key_shows_nothing_and_needs_the_process_key
            keys_are_equal_exactly_when_submissions_are
        """,
    },
    "auth cache mixing users": {
        "tests/unit/proxycore/policy/test_auth_cache.py": """
            a_submission_that_differs_in_anything_is_not_found
            the_same_user_on_another_server_block_is_not_found
            moving_octets_between_login_and_password_changes_the_key
            every_fact_of_a_request_is_known_to_matter_or_not
        """,
        "tests/unit/proxycore/net/test_auth_desk.py": """
            a_wrong_password_after_the_right_one_is_asked_and_refused
        """,
    },
    "memory and CPU before login": {
        "tests/integration/test_hardships.py": """
            a_crowd_that_says_nothing_costs_little_and_disturbs_nobody
            endless_input_is_bounded_and_disturbs_nobody
            octet_by_octet_is_bounded_and_disturbs_nobody
            dripping_octets_does_not_prolong_the_time_to_log_in
            sessions_that_begin_and_end_leave_nothing_behind
        """,
        "tests/integration/test_guessing.py": """
            submissions_and_exchanges_that_are_left_leave_nothing_behind
        """,
        "tests/peer/test_limits.py": """
            a_line_without_an_end_is_refused_and_ends_the_session
            the_time_to_log_in_is_counted_in_all
        """,
        "tests/unit/proxycore/net/tls/test_names.py": "unknown_names_make_no_context",
        "tests/unit/proxycore/net/tls/test_hello.py": """
            records_of_a_hello_that_is_never_complete_do_not_pass_the_limit
        """,
    },
    "invalid UTF-8 in a login": {
        "tests/integration/test_any_octets.py": """
            any_octets_are_refused_like_any_wrong_password
            any_octets_of_a_verified_login_are_told_to_postfix_or_are_too_long
        """,
        "tests/integration/test_unverified_logins.py": """
            any_octets_reach_the_mail_server_which_refuses_them
        """,
        "tests/protocol": "smtp/xclient_login_too_long",
        "tests/unit/appliance/authhttp/test_views.py": """
            a_password_of_any_bytes_is_compared_as_bytes
        """,
    },
    "NUL and format tricks in tags, stale tags": {
        "tests/protocol": "imap/hostile_tags imap/tags",
        "tests/peer/test_limits.py": "answers_carry_the_tag_of_their_command",
    },
    "disabled mechanism accepted": {
        "tests/peer/test_injection.py": """
            what_is_not_announced_is_refused
            external_is_refused_with_an_initial_response_too
        """,
        "tests/protocol": """
            imap/mechanisms_not_enabled
            pop3/mechanisms_not_enabled
            smtp/mechanisms_not_enabled
            imap/starttls_only
            pop3/starttls_only
            smtp/starttls_only
        """,
    },
    "stale credentials": {
        "tests/protocol": "smtp/none_stale_credentials imap/cram_md5 pop3/apop",
        "tests/peer/test_auth_request_methods.py": "external_carries_no_password_of_a_failed_login",
    },
    "TLS resumption crossing server blocks": {
        "tests/unit/proxycore/net/tls/test_resumption.py": """
            a_session_of_one_block_is_not_resumed_in_another
            a_bad_client_certificate_stays_bad_when_its_session_is_resumed
        """,
        "tests/unit/proxycore/net/tls/test_server_names.py": """
            no_session_of_one_block_is_resumed_in_another
            a_session_without_a_certificate_does_not_open_a_block_that_wants_one
        """,
        "tests/peer/test_tls.py": """
            a_session_does_not_open_a_server_that_wants_a_certificate
        """,
    },
    "outbound policy ignored on the STARTTLS path": {
        "tests/unit/proxycore/net/test_back_policy.py": """
            what_a_policy_refuses_gets_no_password
            what_a_policy_accepts_is_logged_in_at
            a_mail_server_that_asks_for_our_certificate_gets_it
            the_name_is_told_as_configured
            sessions_are_resumed_as_configured
            a_session_is_not_resumed_under_another_policy
            a_route_that_asks_for_tls_has_the_block_s_policy
            every_setting_is_in_the_matrix
        """,
        "tests/integration/test_tls_to_mail_servers.py": """
            an_impostor_is_refused_and_the_operator_told
        """,
    },
    "SMTP smuggling": {
        "tests/peer/test_smuggling.py": """
            both_directions_have_the_same_sum
            before_login_a_lone_cr_is_refused_and_a_lone_lf_is_a_line_end
        """,
        "tests/peer/test_relay.py": "octets_pass_unchanged_both_ways",
        "tests/unit/proxycore/net/tls/test_relay.py": "octets_pass_unchanged_however_they_are_cut",
    },
    "XCLIENT spoofing": {
        "tests/peer/test_injection.py": "clients_cannot_say_who_they_are",
    },
    "PROXY protocol spoofing and parsing": {
        "tests/peer/test_proxy_headers.py": """
            anything_else_ends_the_session_without_a_word
            no_header_at_all_is_waited_for_until_the_timeout
            a_header_where_none_belongs_is_a_command
        """,
        "tests/unit/proxycore/wire/test_proxyproto.py": """
            any_octets_are_a_header_the_beginning_of_one_or_none
        """,
        "tests/unit/proxycore/policy/test_trust.py": "who_is_believed",
        "tests/unit/proxycore/net/tls/test_front_leg.py": """
            a_proxy_header_comes_before_tls_in_the_same_segment_too
        """,
        "tests/unit/proxycore/net/test_back_tls.py": "the_proxy_header_comes_before_the_handshake",
        "tests/peer/test_tls.py": """
            the_proxy_header_comes_before_tls
            the_proxy_header_may_be_cut_anywhere
            the_proxy_header_comes_before_the_greeting
            tls_without_the_header_ends_the_session
        """,
    },
    "penalty bypass by parallel logins": {
        "tests/integration/test_guessing.py": """
            of_parallel_wrong_logins_no_more_than_the_limit_are_asked_about
            the_same_wrong_password_from_everywhere_at_once_is_asked_about_once
            another_address_is_let_in_meanwhile
        """,
        "tests/unit/proxycore/net/test_prelogin.py": """
            200_connections_at_once_from_one_address
            what_counts_as_one_client
            behind_a_trusted_proxy_clients_count_and_not_the_proxy
            every_way_a_session_ends_before_login_gives_its_place_back
        """,
    },
    "a login that nobody has verified": {
        "tests/integration/test_unverified_logins.py": """
            a_wrong_password_is_not_let_in
            the_right_one_is_let_in_by_the_mail_server
            xclient_names_a_login_that_was_verified_here
            a_proxy_that_may_not_obey_is_told_of_verified_logins_only
        """,
        "tests/unit/appliance/authhttp/test_services.py": """
            an_smtp_server_only_verifies_if_it_is_shown_the_password
        """,
    },
    "timing and user enumeration": {
        "tests/unit/appliance/credentials/test_enumeration.py": """
            all_refusals_have_the_same_words
            all_refusals_take_the_same_time
        """,
    },
    "pages without a guard": {
        "tests/unit/appliance/test_guards.py": """
            a_page_is_given_to_those_it_is_for_and_to_nobody_else
            nothing_is_sent_to_a_page_by_those_who_may_not
            a_page_nobody_has_spoken_of_is_for_superusers_alone
            every_socket_says_whom_it_is_for
        """,
        "tests/unit/appliance/test_staff.py": """
            an_administrator_makes_nobody_a_superuser
            an_administrator_takes_over_no_superuser
        """,
    },
    "guessing of staff passwords, and a spoofed address": {
        "tests/unit/appliance/test_staff.py": """
            a_name_waits_after_five_failures_from_one_address
            only_trusted_proxies_say_where_somebody_comes_from
            a_password_in_the_field_of_the_name_is_kept_nowhere
        """,
    },
    "auth endpoint reachable from outside": {
        "tests/unit/appliance/authhttp/test_callers.py": """
            anybody_else_may_not
            an_empty_token_opens_nothing_even_if_a_check_took_it
            every_refusal_does_the_same_work
        """,
    },
    "log viewer XSS and formula injection": {
        "tests/unit/appliance/audit/test_trail.py": """
            a_payload_in_a_name_is_inert_on_every_page_of_the_trail
            the_list_is_searched_and_exported_without_formulas
        """,
        "tests/unit/appliance/test_production.py": """
            browsers_are_told_what_a_page_may_do
            a_template_has_no_script_of_its_own
        """,
    },
    "secrets in the audit trail": {
        "tests/unit/appliance/audit/test_trail.py": """
            no_secret_is_written_down
            nobody_changes_or_deletes_an_entry
        """,
    },
    "a stolen node token": {
        "tests/link/test_token.py": """
            an_unknown_token_is_said_once_and_tried_again_slowly
            a_token_revoked_later_ends_the_link_and_not_the_service
        """,
    },
    "log injection": {
        "tests/peer/test_log_lines.py": "one_event_is_one_line_of_printable_text",
        "tests/unit/proxycore/net/test_log.py": "no_text_can_break_the_line_or_turn_its_direction",
    },
    "credentials in logs": {
        "tests/integration/test_secrets.py": """
            the_daemon_alone_writes_no_password_even_at_debug
            the_appliance_keeps_no_password_in_state_logs_or_database
        """,
    },
}
"""By row and file, what proves it: names of tests without ``test_``, or transcripts."""


@pytest.mark.parametrize("row", ROWS)
def test_what_proves_a_row_is_there(row: str) -> None:
    for file, names in ROWS[row].items():
        there = _stories() if file == "tests/protocol" else _tests(ROOT / file)
        assert set(names.split()) <= there, f"{row}: not in {file}"


def _stories() -> set[str]:
    corpus = ROOT / "tests" / "protocol"
    return {
        path.relative_to(corpus).with_suffix("").as_posix() for path in corpus.glob("*/*.dialogue")
    }


def _tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return {name.removeprefix("test_") for name in functions}
