"""Downloads: checked, continued, whole or not at all, and only when asked for."""

import gzip
import hashlib
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest

import pam
from pam import DataError, PamError
from pam.data.download import ATTEMPTS, fetch
from pam.torchvision_shim import torchvision
from tests.picture_files import fashion_files

CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(SimpleNamespace):
    """What a test's server does, and what it was asked.

    Attributes:
        address: of the file ``file``.
        files: path -> content.
        breaks_after: so many bytes of an answer; None never.
        knows_ranges: whether it can send the rest of a file.
        asked: the ``Range`` of every request, empty where there was none.
    """


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server(files={"/file": CONTENT}, breaks_after=None, knows_ranges=True, asked=[])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range", "")
            state.asked.append(asked)
            content = state.files.get(self.path)
            if content is None:
                return self.send_error(404)
            start = int(asked[6:-1]) if asked and state.knows_ranges else 0
            if start >= len(content):
                return self.send_error(416)
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content)}/{len(content)}")
            self.end_headers()
            self.wfile.write(content[start:][: state.breaks_after])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.mirror = f"http://127.0.0.1:{http.server_port}/"
        state.address = f"{state.mirror}file"
        Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        http.shutdown()


@pytest.mark.parametrize("checksum", [MD5, SHA256])
def test_a_file_arrives_whole_and_is_fetched_once(server, tmp_path, checksum):
    path = tmp_path / "new" / "file"
    fetch([server.address], path, checksum)
    fetch([server.address], path, checksum)
    assert path.read_bytes() == CONTENT
    assert server.asked == [""]
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_what_broke_off_goes_on(server, tmp_path):
    path, third = tmp_path / "file", len(CONTENT) // 3 + 1
    server.breaks_after = third
    fetch([server.address], path, SHA256)
    assert path.read_bytes() == CONTENT
    assert server.asked == ["", f"bytes={third}-", f"bytes={2 * third}-"]


def test_what_an_earlier_call_got_is_kept(server, tmp_path):
    path, tenth = tmp_path / "file", len(CONTENT) // 10
    server.breaks_after = tenth
    with pytest.raises(DataError, match=r"file cannot be downloaded: .* broke off after .* go on"):
        fetch([server.address], path, SHA256)
    assert not path.exists()
    assert (tmp_path / "file.part").read_bytes() == CONTENT[: ATTEMPTS * tenth]
    server.breaks_after = None
    fetch([server.address], path, SHA256)
    assert server.asked[-1] == f"bytes={ATTEMPTS * tenth}-"
    assert path.read_bytes() == CONTENT


def test_a_server_without_ranges_sends_it_all_again(server, tmp_path):
    server.knows_ranges = False
    (tmp_path / "file.part").write_bytes(b"something")
    fetch([server.address], tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("part", [CONTENT, CONTENT + b"more", b"x" * 100])
def test_a_part_that_is_whole_too_long_or_another_file(server, tmp_path, part):
    (tmp_path / "file.part").write_bytes(part)
    fetch([server.address], tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_another_file_is_refused(server, tmp_path):
    server.files["/file"] = b"something else"
    with pytest.raises(DataError, match=f"has another file: its checksum is not {MD5}"):
        fetch([server.address], tmp_path / "file", MD5)
    assert not (tmp_path / "file").exists()
    server.files["/file"] = CONTENT
    fetch([server.address], tmp_path / "file", MD5)


def test_a_damaged_file_is_replaced(server, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT[:-1])
    fetch([server.address], tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_the_next_address_is_tried(server, tmp_path):
    fetch([f"{server.mirror}gone", server.address], tmp_path / "file", MD5)
    assert len(server.asked) == ATTEMPTS + 1


@pytest.mark.parametrize(
    ("address", "says"),
    [("file:///etc/passwd", "not an address of the web"), ("http://127.0.0.1:1/x", "refused")],
)
def test_an_address_that_leads_nowhere(address, says, tmp_path):
    with pytest.raises(DataError, match=says):
        fetch([address], tmp_path / "file", MD5)


def test_nowhere_to_write(server, tmp_path):
    (tmp_path / "blocked").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        fetch([server.address], tmp_path / "blocked" / "file", MD5)


def test_two_at_once_fetch_a_file_once(server, tmp_path):
    path = tmp_path / "file"
    both = [Thread(target=fetch, args=([server.address], path, SHA256)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert path.read_bytes() == CONTENT
    assert server.asked == [""]


def test_fashion_mnist_is_fetched_and_read_packed(server, tmp_path, monkeypatch):
    files = {f"{n}.gz": gzip.compress(content) for n, content in fashion_files(60, 40).items()}
    server.files = {f"/{name}": content for name, content in files.items()}
    published = torchvision().datasets.FashionMNIST
    resources = [(name, hashlib.md5(content).hexdigest()) for name, content in files.items()]
    monkeypatch.setattr(published, "mirrors", [server.mirror])
    monkeypatch.setattr(published, "resources", resources)
    sizes = {"train_strips": 9, "validation_strips": 5, "test_strips": 5}
    dataset = pam.data.load("fashion_mnist", tmp_path, download=True, **sizes)
    assert len(dataset.train) == 9
    pam.data.load("fashion_mnist", tmp_path, download=True, **sizes)
    assert len(server.asked) == 4
    (raw := tmp_path / "FashionMNIST" / "raw" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"x" * 99)
    with pytest.raises(PamError, match=f"{raw} is damaged: .*; delete it and download it again"):
        pam.data.load("fashion_mnist", tmp_path, **sizes)


@pytest.fixture
def no_network(monkeypatch):
    """Fail on any attempt to reach a host."""

    def refuse(*address):
        pytest.fail(f"asked the network for {address}")

    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


OPTIONS = {"image_attributes": {"folder": "mine"}}
WITHOUT_FILES = ("digits", "cartoon_faces")


@pytest.mark.parametrize("name", ["fashion_mnist", "celeba", "lfw", "image_attributes"])
def test_without_files_and_without_asking_nothing_is_fetched(name, tmp_path, no_network):
    with pytest.raises(PamError) as caught:
        pam.data.load(name, tmp_path, **OPTIONS.get(name, {}))
    assert str(tmp_path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WITHOUT_FILES)
def test_what_needs_no_files_needs_no_network(name, tmp_path, no_network):
    sizes = {"train": 40, "validation": 20, "test": 20}
    unit = "strips" if name == "digits" else "images"
    options = {f"{part}_{unit}": count for part, count in sizes.items()}
    assert len(pam.data.load(name, tmp_path, **options).train) == 40
