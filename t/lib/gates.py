"""Servers on the way: one is silent, one is picky, one a proxy."""

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


class Tunnel:
    """An HTTP proxy that knows CONNECT and nothing else.

    It connects to `hosts`, a dict of "host:port" to an address, and to
    nothing else; or answers all with `status`, or not at all if `mute`,
    which may also be the only targets that it does not answer about.
    """

    def __init__(self, hosts):
        self.hosts = hosts
        self.status = None
        self.mute = False
        self.heads = []
        self.sock = socket.create_server(('127.0.0.1', 0))
        self.port = self.sock.getsockname()[1]
        self.open = {self.sock}
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.open.add(conn)
            threading.Thread(target=self._serve, args=(conn,),
                             daemon=True).start()

    def _serve(self, conn):
        try:
            head = b''
            while b'\r\n\r\n' not in head:
                data = conn.recv(4096)
                if not data:
                    return
                head += data
            self.heads.append(head.decode('latin-1'))
            method, target, _ = self.heads[-1].split(' ', 2)
            if self.mute is True or self.mute and target in self.mute:
                conn.recv(1)
                return
            status = self.status or (405 if method != 'CONNECT' else 200
                                     if target in self.hosts else 502)
            conn.sendall(f'HTTP/1.1 {status} x\r\n'.encode()
                         + (b'Proxy-Authenticate: Basic realm="x"\r\n'
                            if status == 407 else b'')
                         + (b'\r\n' if status == 200
                            else b'Content-Length: 3\r\n\r\nno\n'))
            if status == 200:
                far = socket.create_connection(self.hosts[target])
                self.open.add(far)
                there = threading.Thread(target=self._pump, args=(conn, far),
                                         daemon=True)
                there.start()
                self._pump(far, conn)
                there.join()
        except OSError:
            pass
        finally:
            conn.close()

    @staticmethod
    def _pump(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def connects(self):
        """Return the targets that were asked for, in order."""
        return [head.split(' ')[1] for head in self.heads]

    def close(self):
        """Go away, with all connections."""
        for one in list(self.open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()
