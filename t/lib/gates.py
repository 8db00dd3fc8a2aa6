"""Servers that let nobody in: one is silent, the other picky."""

import os
import socket
import ssl
import threading


class Silent:
    """An address that lets no connection through, and says nothing.

    The listener's queue is full, so the kernel drops what comes on.
    """

    def __init__(self, address, port):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((address, port))
        self.sock.listen(0)
        self.queue = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex((address, port))
            self.queue.append(one)

    def close(self):
        """Go away."""
        for one in [self.sock, *self.queue]:
            one.close()


class Picky:
    """A TLS server that wants certificates of its own CA, and says so.

    It reads on until the client is gone: closing at once might take the
    alert away with a reset.
    """

    def __init__(self, certificate, key, client_ca):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(certificate, key)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(client_ca)
        self.sock = socket.create_server(('127.0.0.1', 0))
        self.port = self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            with self.context.wrap_socket(
                    conn, server_side=True,
                    do_handshake_on_connect=False) as tls:
                try:
                    tls.do_handshake()
                except ssl.SSLError:
                    while os.read(tls.fileno(), 65536):
                        pass
