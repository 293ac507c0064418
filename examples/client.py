#!/usr/bin/env python3
"""Reads a Cairn project's log over HTTP and believes nothing that it cannot check.

    client.py URL checkpoint            the size and root that the coordinator signed
    client.py URL log                   every event: index, time, kind, author
    client.py URL proof INDEX           the event at INDEX and the proof that it is in the log
    client.py URL leaderboard           who has how much reputation

Options: --vkey KEY   the coordinator's verifier key; without it nothing shows who signed the log

This is an example of a client in another language than Cairn's own: one file, the standard library of Python 3.9.
It follows docs/formats/tlog.md (checkpoints, tiles, bundles) and docs/formats/ledger.md (events). Exit code 0; 1 if
the log was refused or could not be read; 2 for wrong usage.
"""

import argparse
import base64
import datetime
import hashlib
import http.client
import json
import re
import sys
import urllib.request

# -- Ed25519, verification only: RFC 8032, section 5.1. Slow (a few ms) but short; it handles public values only.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1)


def add(a, b):
    """The sum of two points of the curve -x² + y² = 1 + d·x²·y²."""
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    inverse = pow(1 - t * t, -1, P)  # of 1 + t and of 1 - t at once
    return (x1 * y2 + x2 * y1) * (1 - t) * inverse % P, (y1 * y2 + x1 * x2) * (1 + t) * inverse % P


def multiply(scalar, point):
    result = NEUTRAL
    for bit in bin(scalar)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def decode_point(data):
    """The point whose 32 bytes these are, or None: y, and in the highest bit the lowest of x."""
    number = int.from_bytes(data, "little")
    y, odd = number % 2**255, number >> 255
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_ONE % P
    if x * x % P != square or (x == 0 and odd):
        return None
    return (x if x % 2 == odd else P - x), y


BASE = decode_point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def signature_valid(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    point, commitment = decode_point(key), decode_point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if point is None or commitment is None or s >= ORDER or multiply(8, point) == NEUTRAL:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    return multiply(s, BASE) == add(commitment, multiply(h, point))


# -- Signed notes and checkpoints: C2SP signed-note, tlog-checkpoint


class Refused(Exception):
    """One sentence: what is wrong, and where."""


def decode_base64(text, what):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = None
    if data is None or base64.b64encode(data).decode() != text:
        raise Refused(f"{what} is not base 64")
    return data


def key_id(name, typed_key):
    return hashlib.sha256(name.encode() + b"\n" + typed_key).digest()[:4]


def decode_vkey(text):
    """(name, id, 32 bytes of Ed25519) of NAME+ID+KEY."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise Refused("the verifier key does not read NAME+ID+KEY")
    name, identity, typed_key = parts[0], parts[1], decode_base64(parts[2], "the verifier key")
    if len(typed_key) != 33 or typed_key[0] != 1 or key_id(name, typed_key).hex() != identity:
        raise Refused("the verifier key is damaged, or not one of Ed25519")
    return name, key_id(name, typed_key), typed_key[1:]


def check_signature(text, signatures, vkey):
    """That the key of `vkey` signed the text. Signatures by other keys are ignored."""
    name, identity, key = decode_vkey(vkey)
    signed = False
    for line in signatures.split("\n")[:-1]:
        match = re.fullmatch("— ([^ +]+) ([^ ]+)", line)
        if not match:
            raise Refused("the checkpoint has a line that is no signature")
        raw = decode_base64(match[2], "a signature of the checkpoint")
        if match[1] == name and raw[:4] == identity:
            if not signature_valid(key, text.encode(), raw[4:]):
                raise Refused("the coordinator's signature of the checkpoint is false")
            signed = True
    if not signed:
        raise Refused("the checkpoint is not signed by the key of --vkey")


def parse_checkpoint(note, vkey):
    """(origin, size, root) that the note states, signed by `vkey` if that is given."""
    text, blank, signatures = note.rpartition("\n\n")
    lines = text.split("\n")
    if not blank or not signatures.endswith("\n") or len(lines) < 3:
        raise Refused("the checkpoint is no signed note of an origin, a size and a root")
    if not re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]):
        raise Refused("line 2 of the checkpoint is no size")
    root = decode_base64(lines[2], "line 3 of the checkpoint")
    if vkey:
        check_signature(text + "\n", signatures, vkey)
        if decode_vkey(vkey)[0] != lines[0]:
            raise Refused("the checkpoint is of another log than the verifier key")
    if len(root) != 32 or not re.fullmatch("cairn/[0-9a-f]{64}", lines[0]):
        raise Refused("the checkpoint is not of a Cairn log")
    return lines[0], int(lines[1]), root


# -- The Merkle tree: RFC 6962, section 2.1


def leaf_hash(data):
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(count):
    """How many of the leaves are to the left: the largest power of two below."""
    return 1 << (count - 1).bit_length() - 1


def tree_root(hashes):
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    left = split(len(hashes))
    return node_hash(tree_root(hashes[:left]), tree_root(hashes[left:]))


def root_from_proof(leaf, index, size, proof):
    """The root of the tree in which the proof puts the leaf, or None where the proof has a wrong length."""
    if size == 1:
        return leaf if not proof else None
    if not proof:
        return None
    left = split(size)
    if index < left:
        below = root_from_proof(leaf, index, left, proof[:-1])
        return below and node_hash(below, proof[-1])
    below = root_from_proof(leaf, index - left, size - left, proof[:-1])
    return below and node_hash(proof[-1], below)


# -- The log as static resources: C2SP tlog-tiles


class Log:
    """A log of which `size` and `root` are known. Everything else is checked against them."""

    LIMIT = 1 << 25  # bytes of one answer; the largest entry bundle has half of that

    def __init__(self, url):
        if not re.match("https?://", url):
            raise Refused("the URL must start with http:// or https://")
        self.url = url.rstrip("/")
        self.origin, self.size, self.root = None, 0, b""
        self.tiles = {}

    def get(self, path):
        data = b""
        try:
            with urllib.request.urlopen(f"{self.url}/{path}", timeout=60) as answer:
                while piece := answer.read(1 << 20):
                    data += piece
                    if len(data) > self.LIMIT:
                        raise Refused(f"{path}: more than {self.LIMIT} bytes")
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Refused(f"{path}: cannot be read: {error}") from error
        return data

    def get_text(self, path):
        try:
            return self.get(path).decode()
        except UnicodeDecodeError as error:
            raise Refused(f"{path}: not UTF-8") from error

    def read_checkpoint(self, vkey):
        self.origin, self.size, self.root = parse_checkpoint(self.get_text("checkpoint"), vkey)

    def resource(self, level, number, count):
        """(path, width) of tile or bundle `number`, of a level that has `count` hashes or events."""
        digits = f"{number:03}"
        digits = digits.zfill((len(digits) + 2) // 3 * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        width = min(256, count - number * 256)
        path = f"tile/{level}/" + "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
        return (path if width == 256 else f"{path}.p/{width}"), width

    def tile(self, level, number):
        if (level, number) not in self.tiles:
            path, width = self.resource(level, number, self.size >> 8 * level)
            data = self.get(path)
            if len(data) != 32 * width:
                raise Refused(f"{path}: not {width} hashes")
            self.tiles[level, number] = [data[i : i + 32] for i in range(0, len(data), 32)]
        return self.tiles[level, number]

    def bundle(self, number):
        """The events under one tile of leaves: two bytes of length, then the event."""
        path, width = self.resource("entries", number, self.size)
        data, events, at = self.get(path), [], 0
        for _ in range(width):
            end = at + 2 + int.from_bytes(data[at : at + 2], "big")
            if len(data) < max(end, at + 2):
                raise Refused(f"{path}: ends too early")
            events.append(data[at + 2 : end])
            at = end
        if at != len(data):
            raise Refused(f"{path}: does not end after {width} events")
        return events

    def range_hash(self, begin, end):
        """The hash of a subtree, from tiles: level L of them has the subtrees of 256^L leaves."""
        count = end - begin
        if count & (count - 1):
            middle = begin + split(count)
            return node_hash(self.range_hash(begin, middle), self.range_hash(middle, end))
        level = (count.bit_length() - 1) // 8
        first, width = begin >> 8 * level, count >> 8 * level
        return tree_root(self.tile(level, first // 256)[first % 256 : first % 256 + width])

    def inclusion_proof(self, index):
        proof, begin, end = [], 0, self.size  # from the root downwards, turned round at the end
        while end - begin > 1:
            middle = begin + split(end - begin)
            if index < middle:
                proof.append(self.range_hash(middle, end))
                end = middle
            else:
                proof.append(self.range_hash(begin, middle))
                begin = middle
        return proof[::-1]

    def events(self):
        """All events. Refused unless they are those of the root, and the first makes the project."""
        events = [event for n in range((self.size + 255) // 256) for event in self.bundle(n)]
        if tree_root([leaf_hash(event) for event in events]) != self.root:
            raise Refused("the events are not those of the checkpoint: the log is damaged, or lies")
        if events and "cairn/" + hashlib.sha256(events[0][8:]).hexdigest() != self.origin:
            raise Refused("event 0 is not the genesis of the project that the checkpoint names")
        return events


# -- Events: docs/formats/ledger.md. Only what all kinds have in common is decoded.

KINDS = {
    0x0101: "genesis", 0x0102: "settings changed", 0x0103: "coordinator moved", 0x0104: "judge added",
    0x0105: "judge removed", 0x0106: "endowed", 0x0107: "paused", 0x0108: "rolled back",
    0x0109: "verdict voided", 0x0201: "joined", 0x0202: "name chosen", 0x0203: "device key added",
    0x0204: "device key removed", 0x0205: "key rotated", 0x0206: "entry sealed", 0x0207: "entry opened",
    0x0208: "claim filed", 0x0209: "appeal filed", 0x020A: "evaluated", 0x020B: "claim opened",
    0x020C: "stretch claimed",
    0x0301: "vote sealed", 0x0302: "vote opened",
    0x0401: "round opened", 0x0402: "round closed", 0x0403: "mismatch found", 0x0404: "verdict reached",
    0x0405: "entry unavailable", 0x0406: "entry suspended", 0x0407: "blobs dropped",
    0x0408: "panel drawn", 0x0409: "lot sealed",
}  # fmt: skip


def describe(index, event):
    """time i64, version u16, project, seen size u64, seen root, author, kind u16, body, signature."""
    if len(event) < 8 + 2 + 32 + 8 + 32 + 32 + 2 + 64:
        raise Refused(f"event {index}: too short for an event")
    if int.from_bytes(event[8:10], "little") != 1:
        raise Refused(f"event {index}: of a version that this client does not know")
    milliseconds = int.from_bytes(event[:8], "little", signed=True)
    if not 0 <= milliseconds < 253402300800000:
        raise Refused(f"event {index}: its time is not between 1970 and 9999")
    start = datetime.datetime(1970, 1, 1)
    time = (start + datetime.timedelta(milliseconds=milliseconds)).isoformat(" ", "milliseconds")
    kind = int.from_bytes(event[114:116], "little")
    return f"{index:>7}  {time}Z  {KINDS.get(kind, f'kind {kind:#06x}'):18}  {event[82:114].hex()}"


# -- The commands


def print_checkpoint(log):
    print(f"origin  {log.origin}\nsize    {log.size}\nroot    {log.root.hex()}")


def print_log(log):
    for index, event in enumerate(log.events()):
        print(describe(index, event))


def print_proof(log, index):
    if not 0 <= index < log.size:
        raise Refused(f"the log has {log.size} events, none at {index}")
    event = log.bundle(index // 256)[index % 256]
    proof = log.inclusion_proof(index)
    if root_from_proof(leaf_hash(event), index, log.size, proof) != log.root:
        raise Refused(f"the tiles do not prove that event {index} is in the log: it is damaged, or lies")
    print(describe(index, event))
    print(f"leaf    {leaf_hash(event).hex()}")
    for step in proof:
        print(f"proof   {step.hex()}")
    print(f"root    {log.root.hex()}  holds, of {log.size} events")


def print_leaderboard(log):
    try:
        rows = json.loads(log.get_text("v1/leaderboard"))
        fields = ("rank", "userid", "name", "reputation", "accepted", "weight")
        table = [fields] + [tuple(str(row[field]) for field in fields) for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(f"v1/leaderboard: not the table that it should be: {error!r}") from error
    # Names are chosen by strangers: nothing that is not printable reaches the terminal.
    table = [["".join(c if c.isprintable() else "?" for c in cell) for cell in row] for row in table]
    widths = [max(len(row[column]) for row in table) for column in range(len(fields))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("command", choices=["checkpoint", "log", "proof", "leaderboard"])
    parser.add_argument("index", nargs="?", type=int)
    parser.add_argument("--vkey")
    options = parser.parse_args(arguments)
    if (options.command == "proof") != (options.index is not None):
        parser.error("proof, and nothing else, takes an INDEX")
    try:
        log = Log(options.url)
        if options.command == "leaderboard":
            print_leaderboard(log)
            return 0
        log.read_checkpoint(options.vkey)
        if not options.vkey:
            print("WARNING: no --vkey: NOBODY'S SIGNATURE WAS CHECKED; this log is trusted on first use. Get the"
                  " verifier key from somewhere else than this server.", file=sys.stderr)  # fmt: skip
        if options.command == "checkpoint":
            print_checkpoint(log)
        elif options.command == "log":
            print_log(log)
        else:
            print_proof(log, options.index)
    except Refused as refusal:
        print(f"client.py: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # names may have what the terminal has not
    sys.exit(main())
