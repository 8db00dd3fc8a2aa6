"""A name server for tests: A and AAAA records on a loopback port."""

import ipaddress
import socket
import struct
import threading


class Server:
    """Answers from `records`, a dict of name to addresses; not if `mute`."""

    def __init__(self, records, ttl=1):
        self.records = records
        self.ttl = ttl
        self.mute = False
        self.asked = {}
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(('127.0.0.1', 0))
        self.port = self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                query, address = self.sock.recvfrom(4096)
                answer = self._answer(query)
                if not self.mute:
                    self.sock.sendto(answer, address)
            except OSError:
                return

    def _answer(self, query):
        labels, place = [], 12
        while query[place]:
            labels.append(query[place + 1:place + 1 + query[place]].decode())
            place += 1 + query[place]
        name = '.'.join(labels).lower()
        kind = struct.unpack('!H', query[place + 1:place + 3])[0]
        question = query[12:place + 5]
        self.asked[name] = self.asked.get(name, 0) + 1
        known = self.records.get(name)
        found = [ipaddress.ip_address(text) for text in known or []]
        found = [ip for ip in found
                 if (ip.version == 4) == (kind == 1) and kind in (1, 28)]
        code = 0x8180 if known is not None else 0x8183
        out = query[:2] + struct.pack('!HHHHH', code, 1, len(found), 0, 0)
        out += question
        for ip in found:
            out += struct.pack('!HHHIH', 0xc00c, kind, 1, self.ttl,
                               len(ip.packed)) + ip.packed
        return out

    def close(self):
        """Stop answering."""
        self.sock.close()
