import logging
import socket
import ssl
import struct
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest

from monitor.deliver.http import Response, Route
from monitor.deliver.http_access import Access, server_tls
from monitor.deliver.http_server import MAX_CONNECTIONS, REQUEST_S, HttpServer
from tests.deliver.served import State, get, server, state
from tests.kafka.certificates import make_certificates
from tests.waiting import patient, wait_until

__all__ = ["server", "state"]

TOKEN = "correct horse battery"  # noqa: S105  # of these tests alone
TABLE: Mapping[str, Route] = {"/page": lambda: Response(HTTPStatus.OK, "text/plain", b"shown")}


def test_port_zero_takes_a_free_one_and_reports_it(server: HttpServer) -> None:
    """The address that is reported is the one that answers."""
    host, port = server.address
    assert host == "127.0.0.1"
    assert port > 0
    assert get(server, "/livez").status_code == HTTPStatus.OK


def test_head_has_no_body(server: HttpServer) -> None:
    """A HEAD request gets the headers alone."""
    answer = get(server, "/livez", "HEAD")
    assert answer.status_code == HTTPStatus.OK
    assert answer.content == b""
    assert int(answer.headers["content-length"]) > 0


def test_unknown_path_lists_the_known(server: HttpServer) -> None:
    """A wrong path says which there are."""
    answer = get(server, "/nope")
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert answer.text == "there are /metrics, /livez, /readyz\n"


def test_loop_that_does_not_answer_is_unavailable(server: HttpServer, state: State) -> None:
    """A scrape that times out on the loop is a 503 with the reason."""
    state.failure = TimeoutError("the event loop did not answer within 5 s")
    answer = get(server, "/metrics")
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.text == "the event loop did not answer within 5 s\n"


def test_route_that_fails_is_logged_and_tells_no_details(
    server: HttpServer, state: State, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault of the program is a 500 whose traceback stays in the log."""
    state.failure = ZeroDivisionError("inner detail")
    answer = get(server, "/metrics")
    assert answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert "inner detail" not in answer.text
    assert "/metrics failed" in caplog.text
    assert get(server, "/livez").status_code == HTTPStatus.OK


def test_slow_peer_does_not_hold_others(server: HttpServer) -> None:
    """A peer that connects and says nothing blocks nobody."""
    with socket.create_connection(server.address):
        assert get(server, "/livez").status_code == HTTPStatus.OK


def test_peer_that_leaves_early_is_no_noise(
    server: HttpServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A peer that resets the connection amid its request costs a debug line and no traceback."""
    caplog.set_level(logging.DEBUG)
    with socket.create_connection(server.address) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.send(b"GET / HTTP/1.0\r\n")
    wait_until(lambda: "disconnected" in caplog.text)
    assert "Traceback" not in capfd.readouterr().err


def test_taken_port_is_said_in_words(server: HttpServer) -> None:
    """A port that another program has is refused with the remedy."""
    host, port = server.address
    with (
        pytest.raises(OSError, match=rf"cannot listen on {host}:{port}: .*; set delivery.port"),
        HttpServer(host, port, {}),
    ):
        pass


def test_address_is_known_while_entered_only() -> None:
    """Before and after there is no address."""
    server = HttpServer("127.0.0.1", 0, {})
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.address
    server.__exit__(None, None, None)


def test_closed_server_answers_no_more() -> None:
    """Leaving closes the port."""
    with HttpServer("127.0.0.1", 0, {}) as server:
        address = server.address
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=patient(1))


@pytest.mark.parametrize("host", ["::1", "::"])
def test_it_listens_on_ipv6(host: str) -> None:
    """Loopback and all addresses of IPv6 work, and the URL has brackets; ``::`` answers on IPv4 as well."""
    with HttpServer(host, 0, TABLE) as server:
        port = server.address[1]
        assert server.url == f"http://[{host}]:{port}"
        assert httpx.get(f"http://[::1]:{port}/page", trust_env=False).text == "shown"
        if host == "::":
            assert httpx.get(f"http://127.0.0.1:{port}/page", trust_env=False).text == "shown"


def test_every_answer_forbids_frames_and_guesses(server: HttpServer) -> None:
    """Browsers show no answer in a frame, guess no type, keep no copy; refusals and unknown paths included."""
    for path in ("/metrics", "/livez", "/nothing"):
        headers = get(server, path).headers
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_names_of_other_hosts_are_refused_on_loopback(server: HttpServer) -> None:
    """A page of a host whose name was pointed at this machine reads nothing."""
    for name in ("evil.example", "evil.example:80", "192.0.2.7", "localhost.evil.example"):
        answer = httpx.get(server.url + "/metrics", headers={"Host": name}, trust_env=False)
        assert answer.status_code == HTTPStatus.MISDIRECTED_REQUEST, name
    for name in ("localhost", "LOCALHOST:1", "127.0.0.1:9108", "[::1]:9108", "127.8.8.8"):
        assert httpx.get(server.url + "/metrics", headers={"Host": name}, trust_env=False).status_code == HTTPStatus.OK


def test_a_server_for_others_answers_to_any_name() -> None:
    """Beyond loopback the names that lead to it are not known."""
    with HttpServer("0.0.0.0", 0, TABLE) as server:  # noqa: S104  # the behaviour under test
        url = f"http://127.0.0.1:{server.address[1]}/page"
        assert httpx.get(url, headers={"Host": "monitor:9108"}, trust_env=False).text == "shown"


def test_a_token_is_required_but_for_health() -> None:
    """Without the token or with another one nothing is read; a browser is asked for it as a password."""
    table = {**TABLE, "/livez": TABLE["/page"]}
    with HttpServer("127.0.0.1", 0, table, Access(TOKEN)) as server:
        refused = httpx.get(server.url + "/page", trust_env=False)
        assert refused.status_code == HTTPStatus.UNAUTHORIZED
        assert refused.headers["www-authenticate"].startswith("Basic ")
        assert "shown" not in refused.text
        for wrong in ("Bearer correct horse", "Bearer", "Basic !!", "Digest correct horse battery", "Basic " + "A" * 9):
            answer = httpx.get(server.url + "/page", headers={"Authorization": wrong}, trust_env=False)
            assert answer.status_code == HTTPStatus.UNAUTHORIZED, wrong
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert httpx.get(server.url + "/page", headers=bearer, trust_env=False).text == "shown"
        assert httpx.get(server.url + "/page", auth=("desk", TOKEN), trust_env=False).text == "shown"
        assert httpx.get(server.url + "/livez", trust_env=False).text == "shown"


def test_it_is_served_encrypted(tmp_path: Path) -> None:
    """With a certificate it answers over TLS alone, to whoever trusts the authority."""
    files = make_certificates(tmp_path / "tls")
    with HttpServer("127.0.0.1", 0, TABLE, Access(tls=server_tls(files.keystore, None, None))) as server:
        assert server.url.startswith("https://")
        trusted = ssl.create_default_context(cafile=files.ca)
        assert httpx.get(server.url + "/page", verify=trusted, trust_env=False).text == "shown"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(server.url + "/page", verify=ssl.create_default_context(cafile=files.stranger), trust_env=False)
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(server.url.replace("https", "http") + "/page", trust_env=False)


def test_a_clients_certificate_can_be_required(tmp_path: Path) -> None:
    """A client without a certificate of the authority is refused."""
    files = make_certificates(tmp_path / "tls")
    access = Access(tls=server_tls(files.keystore, None, files.ca))
    with HttpServer("127.0.0.1", 0, TABLE, access) as server:
        context = ssl.create_default_context(cafile=files.ca)
        with pytest.raises(httpx.TransportError):
            httpx.get(server.url + "/page", verify=context, trust_env=False)
        context.load_cert_chain(files.keystore)
        assert httpx.get(server.url + "/page", verify=context, trust_env=False).text == "shown"


def test_too_many_connections_are_closed_and_the_rest_is_served() -> None:
    """Idle peers hold at most the allowed number of threads; once they leave, others are served."""
    with HttpServer("127.0.0.1", 0, TABLE) as server, ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(server.address)) for _ in range(MAX_CONNECTIONS + 5)]
        wait_until(lambda: sum(is_closed(peer) for peer in idle) == 5)
        for peer in idle:
            peer.close()
        wait_until(lambda: is_served(server))


def test_a_request_in_drops_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that sends a byte now and then does not keep its thread longer than a request may last."""
    monkeypatch.setattr("monitor.deliver.http_server.REQUEST_S", 0.5)
    assert REQUEST_S <= 30
    with HttpServer("127.0.0.1", 0, TABLE) as server, socket.create_connection(server.address) as peer:
        peer.settimeout(0.05)

        def ended() -> bool:
            with suppress(TimeoutError):
                try:
                    peer.send(b"G")
                    return peer.recv(1) == b""
                except (BrokenPipeError, ConnectionResetError):
                    return True
            return False

        wait_until(ended)


def is_closed(peer: socket.socket) -> bool:
    """Return whether the server closed a connection on which nothing was sent."""
    peer.setblocking(False)
    try:
        return peer.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def is_served(server: HttpServer) -> bool:
    """Return whether a request is answered now."""
    try:
        return httpx.get(server.url + "/page", trust_env=False).text == "shown"
    except httpx.TransportError:
        return False
