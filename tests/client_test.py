"""Tries examples/client.py on the logs of a folder: client_test.py FOLDER. See client_test.cc."""

import contextlib
import datetime
import functools
import http.server
import io
import json
import pathlib
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
import unittest

CLIENT = pathlib.Path(__file__).resolve().parent.parent / "examples" / "client.py"
sys.path.insert(0, str(CLIENT.parent))
import client  # noqa: E402

FOLDER = pathlib.Path(sys.argv.pop(1))


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def served(folder):
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def answering(data):
    """A server that gives these bytes to whoever connects, whatever the question."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1 << 16)
            self.request.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def run(url, *arguments):
    """Exit code, output and errors of the client, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = client.main([url, *arguments])
        except SystemExit as stopped:  # of argparse
            code = stopped.code
    return code, out.getvalue(), err.getvalue()


def vkey(name):
    return (FOLDER / f"{name}.vkey").read_text()


def expected(name):
    return [line.split("|") for line in (FOLDER / f"{name}.events").read_text().splitlines()]


class Ed25519(unittest.TestCase):
    # RFC 8032, section 7.1, tests 1 to 3: public key, message, signature.
    VECTORS = [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
            "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ]

    def test_vectors_hold_and_their_neighbours_do_not(self):
        for vector in self.VECTORS:
            key, message, signature = map(bytes.fromhex, vector)
            self.assertTrue(client.signature_valid(key, message, signature))
            self.assertFalse(client.signature_valid(key, message + b"x", signature))
            for at in (0, 31, 32, 63):
                changed = bytearray(signature)
                changed[at] ^= 1
                self.assertFalse(client.signature_valid(key, message, bytes(changed)))
            s = int.from_bytes(signature[32:], "little") + client.ORDER
            self.assertFalse(client.signature_valid(key, message, signature[:32] + s.to_bytes(32, "little")))
            self.assertFalse(client.signature_valid(key[:31], message, signature))
            self.assertFalse(client.signature_valid(key, message, signature[:63]))

    def test_keys_of_small_order_sign_nothing(self):
        neutral = (1).to_bytes(32, "little")  # with S = 0 its signatures would hold for every message
        self.assertFalse(client.signature_valid(neutral, b"any", neutral + bytes(32)))


class Notes(unittest.TestCase):
    # A tree head that sum.golang.org signed, as transparency-dev's tests quote it, and the go command's key for it.
    TEXT = "go.sum database tree\n6476701\nmb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=\n"
    SIGNATURE = (
        "— sum.golang.org "
        "Az3grsLX85Gz+s1SiTbgkuqxgItqFq7gsMUEyVnrsa9LM7Us9S+1xbFIGu95949rj4nPRYfvimWEPWL+o3GeoWwOoAw=\n"
    )
    KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

    def test_of_others_verify(self):
        client.check_signature(self.TEXT, self.SIGNATURE, self.KEY)
        client.check_signature(self.TEXT, "— witness AAAAAAAA\n" + self.SIGNATURE, self.KEY)
        for text, signatures in [
            (self.TEXT.replace("6476701", "6476702"), self.SIGNATURE),
            (self.TEXT, "— witness AAAAAAAA\n"),
            (self.TEXT, self.SIGNATURE + "more\n"),
        ]:
            with self.assertRaises(client.Refused):
                client.check_signature(text, signatures, self.KEY)


class Honest(unittest.TestCase):
    def test_checkpoint(self):
        for name, size in (("one", 1), ("full", 256), ("some", 700)):
            with served(FOLDER / name) as url:
                code, out, err = run(url, "checkpoint", "--vkey", vkey(name))
                self.assertEqual((code, err), (0, ""))
                self.assertIn(f"size    {size}\n", out)
                self.assertIn(f"origin  {vkey(name).split('+')[0]}\n", out)

    def test_without_a_key_is_trusted_on_first_use_and_says_so(self):
        with served(FOLDER / "some") as url:
            code, out, err = run(url, "checkpoint")
        self.assertEqual(code, 0)
        self.assertIn("size    700\n", out)
        self.assertIn("WARNING: no --vkey: NOBODY'S SIGNATURE WAS CHECKED; this log is trusted on first use", err)

    def test_log(self):
        for name in ("one", "full", "some"):
            with served(FOLDER / name) as url:
                code, out, err = run(url, "log", "--vkey", vkey(name))
            self.assertEqual((code, err), (0, ""))
            lines = []
            for index, milliseconds, kind, author, _ in expected(name):
                time = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=int(milliseconds))
                lines.append(f"{index:>7}  {time.isoformat(' ', 'milliseconds')}Z  {kind:18}  {author}")
            self.assertEqual(out.splitlines(), lines)

    def test_proof(self):
        for name, indices in (("one", (0,)), ("full", (0, 255)), ("some", (0, 255, 256, 511, 512, 699))):
            with served(FOLDER / name) as url:
                for index in indices:
                    code, out, err = run(url, "proof", str(index), "--vkey", vkey(name))
                    self.assertEqual((code, err), (0, ""))
                    self.assertIn(f"leaf    {expected(name)[index][4]}\n", out)
                    self.assertIn(" holds, of ", out)

    def test_usage(self):
        for arguments in ((), ("proof",), ("log", "3"), ("proof", "x"), ("delete",)):
            self.assertEqual(run("http://127.0.0.1:1", *arguments)[0], 2, arguments)

    def test_as_a_program(self):
        with served(FOLDER / "some") as url:
            for arguments, code in ((["log"], 0), (["proof", "700"], 1), (["proof"], 2)):
                command = [sys.executable, "-B", str(CLIENT), url, *arguments]
                done = subprocess.run(command, capture_output=True, timeout=300)
                self.assertEqual(done.returncode, code)
                self.assertEqual(len(done.stdout.splitlines()), 700 if code == 0 else 0)


class Leaderboard(unittest.TestCase):
    def show(self, body):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "v1").mkdir()
            (pathlib.Path(folder) / "v1" / "leaderboard").write_bytes(body)
            with served(folder) as url:
                return run(url, "leaderboard")

    def test_is_a_table(self):
        row = {"rank": 1, "userid": 3, "name": "Ada", "reputation": "0.134", "accepted": 133, "weight": "0.5"}
        other = dict(row, rank=2, name="\u001b[2JMallory\n", reputation="0.001")
        code, out, err = self.show(json.dumps([row, other]).encode())
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(
            out.splitlines(),
            [
                "rank  userid  name          reputation  accepted  weight",
                "1     3       Ada           0.134       133       0.5",
                "2     3       ?[2JMallory?  0.001       133       0.5",
            ],
        )

    def test_anything_else_is_refused(self):
        for body in (b"", b"{", b"\xff", b"3", b"[3]", b"[{}]", b'{"a": 1}', b"[" * 100000):
            code, _, err = self.show(body)
            self.assertEqual(code, 1, body[:20])
            self.assertIn("client.py: v1/leaderboard: ", err)


class BrokenServers(unittest.TestCase):
    def test_are_refused(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: "
        for data in (b"", b"what?\r\n\r\n", head + b"-5\r\n\r\n", head + b"100\r\n\r\nless", head + b"x\r\n\r\n",
                     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 500 No\r\n\r\n",
                     b"HTTP/1.1 302 Go\r\nLocation: file:///etc/passwd\r\n\r\n"):  # fmt: skip
            with answering(data) as url:
                code, out, err = run(url, "checkpoint")
            self.assertEqual((code, out), (1, ""), data)
            self.assertIn("client.py: ", err)

    def test_that_are_none_are_refused(self):
        for url in ("file:///etc", "ftp://127.0.0.1", "http://", "http://127.0.0.1:1", "http://[", "http://a b/", ""):
            self.assertEqual(run(url, "checkpoint")[0], 1, url)


class Tampered(unittest.TestCase):
    """Every false log is refused, in one sentence."""

    def refuse(self, change, command, message, key="some"):
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "log"
            shutil.copytree(FOLDER / "some", copy)
            change(copy)
            with served(copy) as url:
                code, out, err = run(url, *command, *(["--vkey", vkey(key)] if key else []))
        self.assertEqual(code, 1, out + err)
        self.assertIn(message, err)

    @staticmethod
    def rewrite(path, change):
        def apply(log):
            data = bytearray((log / path).read_bytes())
            (log / path).write_bytes(change(data))

        return apply

    @staticmethod
    def flip(at):
        def change(data):
            data[at] ^= 1
            return data

        return change

    @staticmethod
    def from_other(path):
        return lambda log: shutil.copy(FOLDER / "other" / path, log / path)

    def test_checkpoint(self):
        checkpoint = ["checkpoint"]
        bigger = self.rewrite("checkpoint", lambda data: data.replace(b"\n700\n", b"\n701\n"))
        self.refuse(bigger, checkpoint, "the coordinator's signature of the checkpoint is false")
        padded = self.rewrite("checkpoint", lambda data: data.replace(b"\n700\n", b"\n0700\n"))
        self.refuse(padded, checkpoint, "line 2 of the checkpoint is no size")
        self.refuse(lambda log: None, checkpoint, "not signed by the key of --vkey", key="other")
        self.refuse(self.from_other("checkpoint"), checkpoint, "not signed by the key of --vkey")
        self.refuse(self.rewrite("checkpoint", lambda data: data[:-1]), checkpoint, "no signed note")
        self.refuse(self.rewrite("checkpoint", lambda data: b""), checkpoint, "no signed note")
        self.refuse(self.rewrite("checkpoint", lambda data: b"\xff"), checkpoint, "not UTF-8")
        self.refuse(lambda log: (log / "checkpoint").unlink(), checkpoint, "checkpoint: cannot be read")
        # Also who trusts on first use is not shown events under a root that they do not have.
        self.refuse(bigger, ["log"], "cannot be read", key=None)

    def test_events(self):
        for path in ("tile/entries/000", "tile/entries/001", "tile/entries/002.p/188"):
            self.refuse(self.rewrite(path, self.flip(50)), ["log"], "the log is damaged, or lies")
            self.refuse(self.from_other(path), ["log"], "the log is damaged, or lies")
            self.refuse(self.rewrite(path, self.flip(0)), ["log"], path)
            self.refuse(self.rewrite(path, lambda data: data[:-1]), ["log"], f"{path}: ends too early")
            self.refuse(self.rewrite(path, lambda data: data[:1]), ["log"], f"{path}: ends too early")
            self.refuse(self.rewrite(path, lambda data: data + b"\0\0"), ["log"], f"{path}: does not end after")
            self.refuse(lambda log, path=path: (log / path).unlink(), ["log"], f"{path}: cannot be read")

    def test_another_projects_log_under_this_ones_name(self):
        origin = vkey("some").split("+")[0].encode()

        def change(log):
            shutil.rmtree(log)
            shutil.copytree(FOLDER / "other", log)
            lines = (log / "checkpoint").read_bytes().split(b"\n")
            (log / "checkpoint").write_bytes(b"\n".join([origin] + lines[1:]))

        self.refuse(change, ["log"], "event 0 is not the genesis", key=None)

    def test_proofs(self):
        not_proved = "the tiles do not prove that event 600 is in the log"
        for path in ("tile/0/002.p/188", "tile/1/000.p/2"):
            self.refuse(self.from_other(path), ["proof", "600"], not_proved)
            self.refuse(self.rewrite(path, lambda data: data[:-1]), ["proof", "600"], f"{path}: not ")
            self.refuse(lambda log, path=path: (log / path).unlink(), ["proof", "600"], f"{path}: cannot be read")
        self.refuse(self.from_other("tile/entries/002.p/188"), ["proof", "600"], not_proved)
        self.refuse(lambda log: None, ["proof", "700"], "the log has 700 events, none at 700")
        self.refuse(lambda log: None, ["proof", "-1"], "none at -1")


if __name__ == "__main__":
    unittest.main()
